package prover_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/verify"
)

const origin = "log.example/prover"

// TestBundles makes the bundles of all attestations of a generated log, many
// at a time, and checks that each verifies and says what Status says.
func TestBundles(t *testing.T) {
	g := testlog.New(origin, 6)
	n := testnode.NewWith(t, testnode.Options{Origin: origin, Charter: g.Next(0).Entry})
	var ids []testnode.Hash
	entries := map[uint64]*entry.Entry{}
	n.Fill(800, func(index uint64) []byte {
		item := g.Next(index)
		entries[index] = item.Entry
		if item.Want == "" && item.Entry.Attestation != nil {
			ids = append(ids, item.Entry.ID)
		}
		return item.Leaf
	})
	n.Advance(time.Hour)
	n.Refresh()
	s := n.State()
	defer s.Close()
	seen := map[verify.Verdict]int{}
	for batch := range slices.Chunk(ids, 40) {
		file, err := s.Bundle(batch)
		if err != nil {
			t.Fatal(err)
		}
		r := verify.Bundle(file, n.Reader())
		if r.Err != nil || len(r.Results) != len(batch) {
			t.Fatalf("%d of %d results, %v", len(r.Results), len(batch), r.Err)
		}
		for i, got := range r.Results {
			want := status(t, s, batch[i], n.Now())
			if got.ID != "att:"+hex.EncodeToString(batch[i][:]) || got.Verdict != want {
				t.Errorf("%s: %v, want %v", got.ID, got.Verdict, want)
			}
			for _, c := range got.Causes {
				// A record names its last event only: what is behind an
				// earlier one of several causes is not in the bundle.
				if c.Event == nil && c.Verdict != verify.Expired && c.Explained(entries[c.EventIndex]) {
					t.Errorf("%s: no entry behind %v", got.ID, c.Verdict)
				}
			}
			seen[got.Verdict]++
		}
	}
	for _, v := range []verify.Verdict{verify.Active, verify.Revoked, verify.KeyVoid, verify.Superseded, verify.Suspended, verify.Partial} {
		if seen[v] == 0 {
			t.Errorf("none of %d attestations is %v", len(ids), v)
		}
	}
}

// status returns the verdict by what the log says, unproven.
func status(t *testing.T, s *prover.State, id testnode.Hash, now time.Time) verify.Verdict {
	t.Helper()
	found, total, err := s.Status("att:" + hex.EncodeToString(id[:]))
	if err != nil || total != 1 || len(found) != 1 || found[0].Entry.ID != id {
		t.Fatalf("%d of %d found, %v", len(found), total, err)
	}
	causes := verify.Judge(found[0].Entry, found[0].Record, found[0].Key, now)
	if len(causes) == 0 {
		return verify.Active
	}
	return causes[0].Verdict
}

// TestRefused checks what no bundle is made of.
func TestRefused(t *testing.T) {
	n := testnode.New(t, origin)
	p := n.Enrol("steward", 1)
	a := testlog.Attest(p.Keys[0], testlog.Claims(origin, n.Unix(), 2), testlog.Component("pkg:npm/widget@1.0.0"))
	n.Submit(a)
	s := n.State()
	defer s.Close()
	for name, tt := range map[string]struct {
		ids  []testnode.Hash
		want reason.Code
	}{
		"none":     {nil, reason.RequestMalformed},
		"unknown":  {[]testnode.Hash{a.ID, {1}}, reason.NotFound},
		"a party":  {[]testnode.Hash{p.ID}, reason.NotFound},
		"twice":    {[]testnode.Hash{a.ID, a.ID}, reason.RequestMalformed},
		"too many": {make([]testnode.Hash, bundle.MaxAttestations+1), reason.RequestTooLarge},
	} {
		if _, err := s.Bundle(tt.ids); reason.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// TestSubjects looks up attestations by what they are about.
func TestSubjects(t *testing.T) {
	n := testnode.New(t, origin)
	p := n.Enrol("steward", 1)
	attest := func(purl string) *entry.Entry {
		e := testlog.Attest(p.Keys[0], testlog.Claims(origin, n.Unix(), 2), testlog.Component(purl))
		n.Submit(e)
		return e
	}
	one, two := attest("pkg:npm/widget@1.0.0"), attest("pkg:npm/widget@2.0.0?arch=riscv64")
	s := n.State()
	defer s.Close()
	for subject, want := range map[string][]*entry.Entry{
		one.IDString(): {one},
		"att:" + hex.EncodeToString(make([]byte, 32)): nil,
		"pkg:npm/widget@1.0.0":                        {one},
		"pkg:npm/widget@2.0.0":                        {two},
		"pkg:npm/widget@2.0.0?arch=other":             {two},
		"pkg:npm/widget":                              {one, two},
		"pkg:npm/gadget":                              nil,
		"sha256:" + one.Subjects[0].Digest:            {one},
	} {
		found, total, err := s.Status(subject)
		ok := err == nil && total == uint64(len(want)) && len(found) == len(want)
		for i := range want {
			ok = ok && bytes.Equal(found[i].Entry.Leaf, want[i].Leaf) && found[i].ID == p.ID && found[i].Enrol.Name == p.Name
		}
		if !ok {
			t.Errorf("%s: %d of %d, %v", subject, len(found), total, err)
		}
	}
	for subject, want := range map[string]reason.Code{
		"":                    reason.SubjectUnknown,
		"widget":              reason.SubjectUnknown,
		"att:00":              reason.SubjectUnknown,
		"sha256:ABCD":         reason.SubjectUnknown,
		"md5:00":              reason.SubjectUnknown,
		"pkg:npm/Wid get@1.0": reason.Purl,
	} {
		if _, _, err := s.Status(subject); reason.CodeOf(err) != want {
			t.Errorf("%q: %v, want %s", subject, err, want)
		}
	}
}

// TestState checks that a state stays as it is while the log goes on.
func TestState(t *testing.T) {
	n := testnode.New(t, origin)
	p := n.Enrol("steward", 1)
	a := testlog.Attest(p.Keys[0], testlog.Claims(origin, n.Unix(), 2), testlog.Component("pkg:npm/widget@1.0.0"))
	n.Submit(a)
	s := n.State()
	defer s.Close()
	before, err := s.Bundle([]testnode.Hash{a.ID})
	if err != nil {
		t.Fatal(err)
	}
	n.Submit(testlog.Revoke(origin, 0, p.Keys[0], a.ID))
	after, err := s.Bundle([]testnode.Hash{a.ID})
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the bundle of a state changes: %v", err)
	}
	if r := verify.Bundle(n.Bundle(a.ID), n.Reader()); r.Verdict != verify.Revoked {
		t.Errorf("a new state: %v", r.Verdict)
	}
}
