package oracle

import (
	"bytes"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/mapfn"
)

// TestDifferential replays generated logs with both implementations. Every
// record written, every code and every line of every seal must agree.
func TestDifferential(t *testing.T) {
	for seed := range uint64(4) {
		g := testlog.New(origin, seed)
		g.Ignored = []float64{0.05, 0.5, 0.3, 0}[seed]
		b := newBoth(t)
		b.generate(g, 1500)
		b.compareAll()
	}
}

// TestPlantedBugs shows that bugs of the first implementation do not get past
// the next seal, and which line gives each away.
func TestPlantedBugs(t *testing.T) {
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
			b.spoil, b.codes = bug.spoil, false
			g := testlog.New(origin, 11)
			g.Ignored = 0
			for range 250 {
				leaf := g.Next(b.oracle.Size()).Leaf
				b.replica.add(t, leaf, b.spoil)
				_, err := b.oracle.Add(leaf)
				check(t, err)
			}
			_, err := b.oracle.Add(b.replica.seal(t).Marshal())
			if got := sealError(t, err); got.Line != bug.line {
				t.Errorf("found by line %d, not %d", got.Line, bug.line)
			}
		})
	}
}
