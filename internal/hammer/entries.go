package hammer

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
)

// What the load is made of.
const (
	entrySize = 1536 // bytes of a canonical leaf, about
	parties   = 32   // each with one key
	versions  = 10   // of each package
)

// entries are signed attestations: each about another version, with a digest of
// its own.
type entries struct {
	leaves [][]byte
	ids    []entry.Hash
}

// sign signs n attestations for the log named origin, from number first on, by all
// of issuers.
func sign(origin string, issuers []*testlog.Party, first, n int) *entries {
	f := filling(origin, issuers[0])
	now := uint64(time.Now().Unix())
	out := &entries{make([][]byte, n), make([]entry.Hash, n)}
	var g errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n; i += workers {
				e := f.attest(origin, issuers[i%len(issuers)], now, first+i)
				out.leaves[i], out.ids[i] = e.Leaf, e.ID
			}
			return nil
		})
	}
	_ = g.Wait()
	return out
}

// fill is what brings a leaf to entrySize: so many claims, and bytes of a link.
type fill struct{ claims, link int }

// filling finds the fill for a component of ordinary length.
func filling(origin string, p *testlog.Party) fill {
	const ordinary = 100_000
	var f fill
	for f.claims = 1; ; f.claims++ {
		missing := entrySize - len(fill{f.claims, 0}.attest(origin, p, uint64(time.Now().Unix()), ordinary).Leaf)
		if missing <= 150 {
			f.link = max(0, missing*3/4)
			return f
		}
	}
}

// attest signs attestation i.
func (f fill) attest(origin string, p *testlog.Party, now uint64, i int) *entry.Entry {
	a := testlog.Claims(origin, now, f.claims)
	a.Claims.Items[0].Link += fmt.Sprintf("%0*d", f.link, i)
	v := i % versions
	purl := fmt.Sprintf("%s@%d.%d.%d", testlog.Package(i/versions), 1+v/5, v%5, i%7)
	return testlog.Attest(p.Keys[0], a, testlog.Component(purl))
}

// newIssuers makes the parties that sign. The same seed gives the same keys.
func newIssuers(seed string) []*testlog.Party {
	out := make([]*testlog.Party, parties)
	for i := range out {
		out[i] = testlog.NewParty(fmt.Sprintf("%s %d", seed, i), 1)
	}
	return out
}
