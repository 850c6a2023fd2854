package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/google/trillian/types"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded/provider"
)

// picture is the store as one durable write left it.
type picture struct {
	root  backend.Root
	stamp uint64 // the root's time, Unix nanoseconds
	snap  *provider.Snapshot
	refs  int // guarded by gallery.mu
}

// take takes the picture of now. The caller is the only writer, and between
// writes.
func (s *Store) take(ctx context.Context) (*picture, error) {
	snap, err := s.p.Snapshot()
	if err != nil {
		return nil, err
	}
	pic := &picture{snap: snap}
	slr, err := snap.LatestSignedLogRoot(ctx, s.tree)
	if err == nil {
		pic.root, pic.stamp, err = parseRoot(slr.LogRoot)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the root: %w", err), snap.Close())
	}
	return pic, nil
}

func parseRoot(b []byte) (backend.Root, uint64, error) {
	var r types.LogRootV1
	if err := r.UnmarshalBinary(b); err != nil {
		return backend.Root{}, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(r.RootHash) != len(backend.Hash{}) || r.TreeSize > math.MaxInt64 || r.TimestampNanos > math.MaxInt64 {
		return backend.Root{}, 0, fmt.Errorf("%w: root of size %d at %d with a hash of %d bytes", ErrDamaged, r.TreeSize, r.TimestampNanos, len(r.RootHash))
	}
	return backend.Root{Size: r.TreeSize, Hash: backend.Hash(r.RootHash)}, r.TimestampNanos, nil
}

// gallery shows the newest picture and keeps older ones for as long as
// somebody looks at them.
type gallery struct {
	mu     sync.Mutex
	newest *picture
	lent   map[*picture]struct{}
}

// hang makes p the newest picture.
func (g *gallery) hang(p *picture) {
	g.mu.Lock()
	old := g.newest
	p.refs = 1
	g.newest = p
	if g.lent == nil {
		g.lent = make(map[*picture]struct{})
	}
	g.lent[p] = struct{}{}
	g.mu.Unlock()
	if old != nil {
		_ = g.release(old) // the writer's success does not depend on it
	}
}

func (g *gallery) root() backend.Root {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.newest.root
}

// borrow returns the newest picture; release gives it back.
func (g *gallery) borrow() *picture {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.newest.refs++
	return g.newest
}

func (g *gallery) release(p *picture) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	p.refs--
	if _, ok := g.lent[p]; !ok || p.refs > 0 {
		return nil
	}
	delete(g.lent, p)
	return p.snap.Close()
}

// close releases every picture, those on loan too: nobody may look at them
// any more.
func (g *gallery) close() (err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.lent {
		delete(g.lent, p)
		err = errors.Join(err, p.snap.Close())
	}
	return err
}
