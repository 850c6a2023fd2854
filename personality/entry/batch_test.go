package entry_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// TestVerifyAll compares VerifyAll with Verify over every choice of good and
// bad entries among six, of both kinds of keys.
func TestVerifyAll(t *testing.T) {
	const n = 6
	good, bad, keys := make([]*entry.Entry, n), make([]*entry.Entry, n), make([]entry.PublicKey, n)
	for i := range n {
		k := testlog.NewKey(fmt.Sprint("key ", i), i == 2)
		keys[i] = k.Public()
		leaf := testlog.Attest(k, testlog.Claims("log.example/a", 1795000000, 1), testlog.Component(fmt.Sprintf("pkg:npm/a@%d", i))).Leaf
		good[i] = parse(t, leaf)
		other := parse(t, testlog.Attest(k, testlog.Claims("log.example/b", 1795000000, 1), testlog.Component("pkg:npm/a@1")).Leaf)
		// The signature of another statement.
		at := bytes.Index(leaf, []byte(`"sig":"`))
		bad[i] = parse(t, slices.Concat(leaf[:at], other.Leaf[bytes.Index(other.Leaf, []byte(`"sig":"`)):]))
	}
	for choice := range 1 << n {
		entries := make([]*entry.Entry, n)
		for i := range n {
			entries[i] = parse(t, good[i].Leaf)
			if choice>>i&1 == 1 {
				entries[i] = parse(t, bad[i].Leaf)
			}
		}
		for i, err := range entry.VerifyAll(entries, keys) {
			want := reason.Code("")
			if choice>>i&1 == 1 {
				want = reason.SignatureInvalid
			}
			if reason.CodeOf(err) != want || entries[i].Verified() != (want == "") {
				t.Fatalf("choice %b, entry %d: %v, verified %t", choice, i, err, entries[i].Verified())
			}
		}
	}
	// Under another's key nothing verifies, and nothing is no batch.
	for i, err := range entry.VerifyAll(good[:2], []entry.PublicKey{keys[1], {}}) {
		if reason.CodeOf(err) != reason.SignatureInvalid {
			t.Errorf("entry %d under another key: %v", i, err)
		}
	}
	if errs := entry.VerifyAll(nil, nil); len(errs) != 0 {
		t.Errorf("nothing gives %v", errs)
	}
}

func parse(t *testing.T, leaf []byte) *entry.Entry {
	t.Helper()
	e, err := entry.Parse(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
