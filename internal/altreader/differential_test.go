package altreader

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// TestDifferential replays generated logs with both implementations. Every
// record written, every code and every line of every seal must agree.
func TestDifferential(t *testing.T) {
	for seed, share := range []float64{0.05, 0.5, 0.25} {
		g := testlog.New(testOrigin, uint64(seed))
		g.Ignored = share
		b := newBoth(t)
		b.generate(g, 1000)
		b.compareAll()
	}
}

// TestPlantedBugs shows that bugs of the first implementation do not get past
// the next seal, and which line gives each away.
func TestPlantedBugs(t *testing.T) {
	g := testlog.New(testOrigin, 11)
	g.Ignored = 0
	leaves := make([][]byte, 200)
	for i := range leaves {
		leaves[i] = g.Next(uint64(i)).Leaf
	}
	for name, bug := range map[string]struct {
		line  int
		spoil func(*mapfn.Writes)
	}{
		"a record is forgotten": {7, func(w *mapfn.Writes) {
			if len(w.Changes) > 4 {
				w.Changes = w.Changes[1:]
			}
		}},
		"a revoked attestation stays active": {8, func(w *mapfn.Writes) {
			for i := range w.Changes {
				w.Changes[i].Record = bytes.Replace(w.Changes[i].Record, []byte(`"state":"revoked","reason":0`), []byte(`"state":"active"`), 1)
			}
		}},
		"a list ends elsewhere": {8, func(w *mapfn.Writes) {
			for i, c := range w.Changes {
				if c.NS == mapfn.NSComponent {
					w.Changes[i].Record = bytes.Replace(c.Record, []byte(`"last":`), []byte(`"last":1`), 1)
				}
			}
		}},
		"a withdrawal is not listed": {9, func(w *mapfn.Writes) { w.Withdrawals = nil }},
		"a withdrawal has flags": {10, func(w *mapfn.Writes) {
			for i := range w.Withdrawals {
				w.Withdrawals[i].Flags = 1
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoth(t)
			for _, leaf := range leaves {
				b.replica.add(t, leaf, bug.spoil)
				_, err := b.alt.Add(leaf)
				check(t, err)
			}
			_, err := b.alt.Add(b.replica.seal(t).Marshal())
			if got := sealError(t, err); got.Line != bug.line {
				t.Errorf("found by line %d, not %d", got.Line, bug.line)
			}
		})
	}
}

// TestKeyLimit takes a party to its 32nd key, which generated logs reach late.
func TestKeyLimit(t *testing.T) {
	b := newBoth(t)
	registrar, root := testlog.NewKey("registrar", false), testlog.NewKey("root", true)
	b.add(testlog.Charter(testOrigin, nil, "open", []*testlog.Key{registrar}, root).Leaf)
	p := testlog.NewParty("many keys", 3)
	b.add(p.Enrol(testOrigin, registrar).Leaf)
	for n := 4; n <= 33; n++ {
		k := testlog.NewKey(fmt.Sprint("many keys, key ", n), false)
		want := reason.Code("")
		if n > 32 {
			want = reason.KeyLimit
		}
		if out := b.add(testlog.AddKey(testOrigin, p.ID, k, p.Recovery).Leaf); out.Code != string(want) {
			t.Errorf("key %d is ignored for %q, should be for %q", n, out.Code, want)
		}
	}
	b.compareAll()
	b.seal()
}

// TestLoggedAgain logs a revocation of two before the second of them, and again
// after it: each implementation changes each target once.
func TestLoggedAgain(t *testing.T) {
	b := newBoth(t)
	registrar, root := testlog.NewKey("registrar", false), testlog.NewKey("root", true)
	b.add(testlog.Charter(testOrigin, nil, "open", []*testlog.Key{registrar}, root).Leaf)
	p := testlog.NewParty("says it twice", 1)
	b.add(p.Enrol(testOrigin, registrar).Leaf)
	attest := func(name string) *entry.Entry {
		return testlog.Attest(p.Keys[0], testlog.Claims(testOrigin, 1_795_000_000, 3), testlog.Component(name))
	}
	first, second := attest("pkg:npm/express@4.22.2"), attest("pkg:npm/lodash@4.17.21")
	revocation := testlog.Revoke(testOrigin, 0, p.Keys[0], first.ID, second.ID).Leaf
	for _, test := range []struct {
		leaf        []byte
		withdrawals uint64
	}{{first.Leaf, 0}, {revocation, 1}, {second.Leaf, 1}, {revocation, 2}, {revocation, 2}} {
		if b.add(test.leaf); b.alt.Withdrawals() != test.withdrawals {
			t.Errorf("leaf %d: %d withdrawals, not %d", b.alt.Size()-1, b.alt.Withdrawals(), test.withdrawals)
		}
	}
	b.compareAll()
	b.seal()
}
