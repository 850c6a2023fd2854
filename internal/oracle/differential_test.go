package oracle

import (
	"testing"

	"github.com/standing-log/standing/internal/testlog"
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
