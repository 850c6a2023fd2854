package testlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

const origin = "log.example/test"

// items makes n items at indexes as a log with a seal after every ninth would.
func items(g *Generator, n int) []Item {
	out := make([]Item, n)
	for i := range out {
		out[i] = g.Next(uint64(i + i/9))
	}
	return out
}

func TestDeterministic(t *testing.T) {
	digest := func(seed uint64) string {
		h := sha256.New()
		for _, item := range items(New(origin, seed), 150) {
			h.Write(item.Leaf)
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	if again := digest(1); digest(1) != again {
		t.Error("the same seed gives different logs")
	}
	if digest(1) == digest(2) {
		t.Error("different seeds give the same log")
	}
}

// TestMix checks that a generated log has a bit of everything, and sizes as
// they are in life.
func TestMix(t *testing.T) {
	g := New(origin, 7)
	g.Ignored = 0.4
	kinds, codes := map[string]int{}, map[reason.Code]int{}
	size, claims := 0, 0
	for i, item := range items(g, 4000) {
		codes[item.Want]++
		if item.Entry == nil {
			if _, err := entry.Parse(item.Leaf); reason.CodeOf(err) != item.Want || err == nil {
				t.Fatalf("item %d: Parse = %v, want %s", i, err, item.Want)
			}
			continue
		}
		if !bytes.Equal(item.Entry.Leaf, item.Leaf) {
			t.Fatalf("item %d: leaf and entry differ", i)
		}
		if item.Want != "" {
			continue
		}
		kinds[describe(item.Entry)]++
		if a := item.Entry.Attestation; a != nil && a.Claims != nil {
			size, claims = size+len(item.Leaf), claims+1
		}
	}
	for _, k := range []string{
		"charter", "party enrol", "party amend", "key add", "key retire", "key compromise", "claims", "statement",
		"private", "scopes", "supersedes", "revocation revoke", "revocation hold", "revocation reinstate",
		"revocation claims", "key range", "programme publish", "programme amend", "programme close", "under a programme",
		"operator's revoke", "operator's hold", "operator's reinstate", "operator's claims",
	} {
		if kinds[k] == 0 {
			t.Errorf("no %s in 4,000 entries: %v", k, kinds)
		}
	}
	if mean := size / claims; mean < 1300 || mean > 2300 {
		t.Errorf("attestations of claims have %d bytes on average", mean)
	}
	want := []reason.Code{
		reason.NoChange, reason.SignatureInvalid, reason.KeyUnknown, reason.WrongLog, reason.AfterStale,
		reason.RoleNotAllowed, reason.CharterKeys, reason.MapFunction, reason.Possession, reason.KeyNotActive,
		reason.KeySpent, reason.TargetUnknown, reason.PartyEnded, reason.Cutoff, reason.TargetState,
		reason.Programme, reason.Supersedes, reason.NotYours, reason.HoldMismatch, reason.KeyLimit,
		reason.ProgClosed, reason.ProgRules, reason.NotYourProg, reason.ClaimUnknown, reason.ClaimsLimit,
		reason.EnvelopeMalformed, reason.JSONNull, reason.JSONDuplicate,
	}
	for _, c := range want {
		if codes[c] == 0 {
			t.Errorf("no entry is ignored for %s: %v", c, codes)
		}
	}
}

func describe(e *entry.Entry) string {
	a := e.Attestation
	switch {
	case e.Party != nil:
		return "party " + e.Party.Action
	case e.Key != nil:
		return "key " + e.Key.Action
	case e.Programme != nil:
		return "programme " + e.Programme.Action
	case e.Revocation != nil && e.Revocation.Programme != nil:
		return "operator's " + e.Revocation.Action
	case e.Revocation != nil:
		return "revocation " + e.Revocation.Action
	case a == nil:
		return string(e.Kind)
	case a.Programme != nil:
		return "under a programme"
	case a.Supersedes != nil:
		return "supersedes"
	case a.Scopes != nil:
		return "scopes"
	case a.Private != nil:
		return "private"
	case a.Statement != nil:
		return "statement"
	}
	return "claims"
}

// TestSignatures verifies what the generator does not verify itself.
func TestSignatures(t *testing.T) {
	known := map[entry.Hash]entry.PublicKey{}
	learn := func(keys ...entry.PublicKey) {
		for _, k := range keys {
			known[k.ID()] = k
		}
	}
	g := New(origin, 3)
	g.Ignored = 0
	for i, item := range items(g, 250) {
		e := item.Entry
		if c := e.Charter; c != nil {
			learn(slices.Concat(c.Roots, c.Registrars)...)
		}
		if err := e.Verify(known[e.KeyID]); err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
		if p := e.Party; p != nil && p.Recovery != nil {
			learn(p.Recovery.Key)
			for _, k := range p.Keys {
				learn(k.Key)
			}
		}
		if e.Key != nil && e.Key.Add != nil {
			learn(e.Key.Add.Key)
		}
	}
}

func TestKeyIsASigner(t *testing.T) {
	for _, p256 := range []bool{false, true} {
		k := NewKey("signer", p256)
		payload := entry.Payload(Claims(origin, 1_795_000_000, 7), Component("pkg:npm/express@4.22.2"))
		e, err := entry.Sign(payload, k)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(e.Leaf, Leaf(k, payload)) {
			t.Error("entry.Sign and Leaf differ")
		}
	}
}

func BenchmarkNext(b *testing.B) {
	g := New(origin, 1)
	var index uint64
	for b.Loop() {
		g.Next(index)
		index++
	}
}
