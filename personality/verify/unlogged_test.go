package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// TestUnlogged hands revocations to the reader that the log does not have. Only
// those of the attestation's party count.
func TestUnlogged(t *testing.T) {
	s := newScene(t, origin)
	own, compromised, retired, stranger := s.steward.Keys[0], s.steward.Keys[1], s.steward.Keys[2], s.other.Keys[0]
	id := s.att["active"].ID
	revoke := func(by *testlog.Key) []byte { return testlog.Revoke(origin, 3, by, id).Leaf }
	programme := testlog.Sign(own, &entry.Revocation{Log: origin, Action: entry.ActionRevoke, Programme: &entry.Hash{1}},
		entry.AttestationSubject(id))
	e := testlog.Revoke(origin, 3, own, id)
	for name, tt := range map[string]struct {
		of       []string
		envelope []byte
		want     verify.Verdict // of the first
		note     string
	}{
		"by its key":                  {[]string{"active"}, revoke(own), verify.Revoked, ""},
		"spelt another way":           {[]string{"active"}, []byte(strings.Replace(string(revoke(own)), `{"payload"`, "{ \n\"payload\"", 1)), verify.Revoked, ""},
		"by another active key":       {[]string{"before cutoff", "active"}, testlog.Revoke(origin, 3, own, s.att["before cutoff"].ID).Leaf, verify.Revoked, ""},
		"by its key, since void":      {[]string{"before cutoff", "active"}, testlog.Revoke(origin, 3, compromised, s.att["before cutoff"].ID).Leaf, verify.Revoked, ""},
		"by its key, since retired":   {[]string{"by retired key"}, testlog.Revoke(origin, 3, retired, s.att["by retired key"].ID).Leaf, verify.Revoked, ""},
		"logged already":              {[]string{"revoked"}, testlog.Revoke(origin, 4, own, s.att["revoked"].ID).Leaf, verify.Revoked, ""},
		"two at once, one shown":      {[]string{"active"}, testlog.Revoke(origin, 3, own, id, s.att["held"].ID).Leaf, verify.Revoked, ""},
		"by a retired key":            {[]string{"active", "by retired key"}, revoke(retired), verify.Active, "neither"},
		"by a compromised key":        {[]string{"active", "before cutoff"}, revoke(compromised), verify.Active, "neither"},
		"by a stranger":               {[]string{"active", "of another"}, revoke(stranger), verify.Active, "neither"},
		"by a key that is not shown":  {[]string{"active"}, revoke(retired), verify.Active, "does not show its key"},
		"by the recovery key":         {[]string{"active"}, revoke(s.steward.Recovery), verify.Active, "does not show its key"},
		"of another attestation":      {[]string{"active"}, testlog.Revoke(origin, 3, own, s.att["held"].ID).Leaf, verify.Active, "names no attestation"},
		"for another log":             {[]string{"active"}, testlog.Revoke("log.example/other", 3, own, id).Leaf, verify.Active, "made for"},
		"a hold":                      {[]string{"active"}, testlog.Hold(origin, s.Unix()+9, own, testlog.Target{ID: id, Last: 1}).Leaf, verify.Active, "only revoke"},
		"of a programme":              {[]string{"active"}, programme.Leaf, verify.Active, "a programme's"},
		"with a signature of nothing": {[]string{"active"}, testlog.Envelope(e.Payload, own.ID(), make([]byte, 64)), verify.Active, "signature"},
		"with another's keyid":        {[]string{"active", "of another"}, testlog.Envelope(e.Payload, own.ID(), testlog.Revoke(origin, 3, stranger, id).Signature), verify.Active, "signature"},
		"an attestation":              {[]string{"active"}, s.att["active"].Leaf, verify.Active, "not a revocation"},
		"nonsense":                    {[]string{"active"}, []byte("x"), verify.Active, "envelope"},
	} {
		o := s.Reader()
		o.Revocations = [][]byte{tt.envelope}
		r := verify.Bundle(s.bundle(tt.of...), o)
		if r.Err != nil || r.Results[0].Verdict != tt.want {
			t.Errorf("%s: %v, %v; want %v", name, r.Results[0].Verdict, r.Err, tt.want)
			continue
		}
		switch {
		case tt.note == "":
			logged := name == "logged already"
			if c := r.Results[0].Causes[0]; len(r.Notes) != 0 || c.Unlogged == logged || c.Event == nil {
				t.Errorf("%s: notes %v, cause %+v", name, r.Notes, c)
			}
		case len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Detail, tt.note):
			t.Errorf("%s: notes %v, want %q", name, r.Notes, tt.note)
		}
	}
}

// TestUnloggedOfWhatFails: an attestation that is not shown is not revoked
// either, and a file that fails has no notes.
func TestUnloggedOfWhatFails(t *testing.T) {
	s := newScene(t, origin)
	never := s.make("never", s.steward.Keys[0], nil)
	o := s.Reader()
	o.Revocations = [][]byte{testlog.Revoke(origin, 3, s.steward.Keys[0], never.ID).Leaf}
	r := verify.Bundle(s.absent(never, "active"), o)
	if r.Verdict != verify.NotLogged || len(r.Notes) != 1 {
		t.Errorf("never accepted: %v, notes %v", r.Verdict, r.Notes)
	}
	o.Policy = s.policy("quorum w1\n")
	o.Now = o.Now.Add(-time.Hour)
	if r := verify.Bundle(s.bundle("active"), o); r.Verdict != verify.NoEvidence || r.Notes != nil {
		t.Errorf("not yet cosigned: %v, notes %v", r.Verdict, r.Notes)
	}
}

// TestAt judges as of another time.
func TestAt(t *testing.T) {
	s := newScene(t, origin)
	at := s.Now()
	for _, tt := range []struct {
		name, of string
		at       time.Time
		want     verify.Verdict
	}{
		{"then", "active", at, verify.Active},
		{"a day later", "active", at.Add(day), verify.Active},
		{"a day and a second later", "active", at.Add(day + time.Second), verify.Stale},
		{"five minutes before", "active", at.Add(-trust.MaxSkew), verify.Active},
		{"earlier", "active", at.Add(-trust.MaxSkew - time.Second), verify.NoEvidence},
		{"bad news, earlier", "revoked", at.Add(-time.Hour), verify.NoEvidence},
		{"bad news, a year later", "revoked", at.Add(365 * day), verify.Revoked},
		{"within the hold", "lapsed", at.Add(time.Hour - time.Second), verify.Suspended},
		{"at its end", "lapsed", at.Add(time.Hour), verify.Lapsed},
		{"while valid", "expired", at.Add(time.Hour - time.Second), verify.Active},
		{"when expired", "expired", at.Add(time.Hour), verify.Expired},
	} {
		o := s.Reader()
		o.Now, o.At = at.Add(700*day), tt.at
		expect(t, tt.name, s.bundle(tt.of), o, tt.want)
	}
	// What was seen since is no rollback, unless it contradicts.
	o := s.Reader()
	now, then := s.checkpoint(s.bundle("active")), s.checkpoint(s.early)
	o.Seen = map[string]trust.Body{origin: now}
	expect(t, "early", s.early, o, verify.Rollback)
	o.At = o.Now
	expect(t, "early, as of then", s.early, o, verify.Active)
	then.Root[0] ^= 1
	o.Seen[origin] = then
	expect(t, "another tree of that size", s.early, o, verify.Rollback)
}

// TestChallenge: a reader who asks for a size is not content with less, be it
// ever so new.
func TestChallenge(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	o := s.Reader()
	o.MinSize = s.checkpoint(file).Size
	expect(t, "the size asked for", file, o, verify.Active)
	expect(t, "an old proof", s.early, o, verify.NoEvidence)
	o.MinSize++
	expect(t, "one more", file, o, verify.NoEvidence)
	o.Seen = map[string]trust.Body{origin: {Origin: origin, Size: o.MinSize}}
	expect(t, "one more, and seen", file, o, verify.Rollback)
}

// TestPinnedMapFn: what an older map function says is no evidence.
func TestPinnedMapFn(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("revoked")
	for pins, want := range map[string]verify.Verdict{"min-mapfn 1\n": verify.Revoked, "min-mapfn 65535\n": verify.NoEvidence} {
		o := s.Reader()
		var err error
		if o.Policy, err = s.Policy.Pin([]byte(pins)); err != nil {
			t.Fatal(err)
		}
		expect(t, pins, file, o, want)
	}
}
