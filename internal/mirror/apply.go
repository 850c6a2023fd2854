package mirror

import (
	"context"
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

// growing is the state with a chunk of leaves, before it is stored. It is the
// mapfn.Reader and the mapfn.Keys of that chunk.
type growing struct {
	*mapstore.Batch
	*syncing
	ctx       context.Context
	rehearsal *mapstore.Rehearsal // nil if no seal is to be checked but final
	first     uint64
	leaves    [][]byte
	keys      map[Hash][]byte // that entries of the chunk have brought
	side      []backend.Write
	final     *seal.Seal // live, the last leaf: what is stored is compared with it
}

// apply runs the map function on each leaf, checks each seal, and stores all of
// it in one write.
func (s *syncing) apply(ctx context.Context, items []item) error {
	view := s.store.View()
	defer view.Close()
	snapshot, err := mapstore.Open(view, s.cache)
	if err != nil {
		return fmt.Errorf("opening the map: %w", err)
	}
	if snapshot.Version() != s.tree.End() {
		return damaged("the map is at size %d, with %d leaves", snapshot.Version(), s.tree.End())
	}
	state, err := snapshot.Batch()
	if err != nil {
		return err
	}
	g := &growing{
		Batch: state, syncing: s, ctx: ctx, first: s.tree.End(), keys: map[Hash][]byte{},
	}
	last := len(items) - 1
	if slices.ContainsFunc(items[:last], func(it item) bool { return seal.Is(it.leaf) }) {
		g.rehearsal = state.Rehearse()
	}
	for i := range items {
		if err := g.add(&items[i], i == last); err != nil {
			return err
		}
	}
	return g.store()
}

func (g *growing) add(it *item, last bool) error {
	index := g.tree.End()
	g.leaves = append(g.leaves, it.leaf)
	writes, err := g.step(it, index)
	if code := reason.CodeOf(err); code == "" && err != nil {
		return fmt.Errorf("leaf %d: %w", index, err)
	}
	if seal.Is(it.leaf) {
		if err := g.seal(it.leaf, index, last); err != nil {
			return err
		}
	} else if writes != nil {
		if err := g.effect(it, index, writes); err != nil {
			return fmt.Errorf("leaf %d: %w", index, err)
		}
	}
	return g.tree.Append(it.hash[:], nil)
}

// step runs the map function. An entry that was verified ahead goes through
// Apply; about all else Step decides, which verifies by itself.
func (g *growing) step(it *item, index uint64) (*mapfn.Writes, error) {
	if it.entry != nil && it.entry.Verified() {
		return mapfn.Apply(g.cfg.Origin, it.entry, index, g)
	}
	return mapfn.Step(g.cfg.Origin, it.leaf, index, g, g)
}

// effect puts what an entry does over the state.
func (g *growing) effect(it *item, index uint64, w *mapfn.Writes) error {
	if err := g.Apply(*w); err != nil {
		return err
	}
	if g.rehearsal != nil {
		g.rehearsal.Apply(*w)
	}
	e := it.entry
	for _, k := range e.NewKeys() {
		g.keys[k.ID()] = k.SPKI()
	}
	g.side = append(g.side, sequencer.EntryWrites(e, index)...)
	return nil
}

// seal checks a seal, unless it is a stray, or the last leaf: then store does.
func (g *growing) seal(leaf []byte, index uint64, last bool) error {
	prefix, err := treehash.Root(g.tree)
	if err != nil {
		return err
	}
	s, live := seal.Live(leaf, g.cfg.Origin, index, prefix)
	if !live {
		return nil // SPEC: a stray is ignored
	}
	if last {
		g.final = s
		return nil
	}
	r, err := g.rehearsal.Result()
	if err != nil {
		return err
	}
	return g.check(s, r)
}

// check compares a live seal with what was computed of the state before it.
func (g *growing) check(s *seal.Seal, r mapstore.Result) error {
	fn, err := mapfn.InForce(g)
	if err != nil {
		return err
	}
	// SPEC: every line of a live seal must be right, signed or not.
	if err := replay.CheckSeal(s, seal.State{
		Last: g.last, MapFn: fn, Keys: r.Keys, MapRoot: r.Root,
		Withdrawals: r.WithdrawalCount, WithdrawalRoot: r.WithdrawalRoot,
	}); err != nil {
		return fmt.Errorf("%s: %w", g.cfg.Origin, err)
	}
	g.side = append(g.side, sequencer.SealWrite(s.Index))
	g.last = s
	return nil
}

// store writes the chunk. If we crash before it is durable, it is fetched again;
// after that, the next Sync goes on behind it.
func (g *growing) store() error {
	size := g.tree.End()
	root, err := treehash.Root(g.tree)
	if err != nil {
		return err
	}
	r, writes, err := g.Commit(size, g.keep())
	if err != nil {
		return fmt.Errorf("computing the map: %w", err)
	}
	if g.final != nil {
		if err := g.check(g.final, r); err != nil {
			return err
		}
	}
	side := append(g.side, g.begun()...)
	if size == g.cp.Size {
		if err := g.sealed(); err != nil {
			return err
		}
		side = append(side, g.shown()...)
	}
	got, err := g.Mirror.store.Append(g.ctx, g.first, g.leaves, append(side, writes...))
	if err != nil {
		return fmt.Errorf("storing leaves from %d on: %w", g.first, err)
	}
	if got != (backend.Root{Size: size, Hash: root}) {
		return damaged("the store has root %x at size %d, computed was %x at %d", got.Hash, got.Size, root, size)
	}
	g.Committed()
	return nil
}

// Leaf implements mapfn.Reader.
func (g *growing) Leaf(index uint64, hash Hash) ([]byte, error) {
	switch {
	case index < g.first:
		return g.Mirror.leaf(g.ctx, index, hash)
	case index-g.first < uint64(len(g.leaves)):
		return hashing(g.leaves[index-g.first], index, hash)
	}
	return nil, mapfn.ErrNoLeaf
}

// leaf reads a leaf that is held.
func (m *Mirror) leaf(ctx context.Context, index uint64, hash Hash) ([]byte, error) {
	got, err := m.store.Leaves(ctx, index, 1)
	if err != nil {
		return nil, err
	}
	return hashing(got[0], index, hash)
}

func hashing(leaf []byte, index uint64, hash Hash) ([]byte, error) {
	if treehash.Leaf(leaf) != hash {
		return nil, damaged("leaf %d: %w: it does not have hash %x", index, mapfn.ErrNoLeaf, hash)
	}
	return leaf, nil
}

// SPKI implements mapfn.Keys.
func (g *growing) SPKI(id Hash) ([]byte, error) {
	if spki := g.keys[id]; spki != nil {
		return spki, nil
	}
	return sequencer.KeyStore{Backend: g.Mirror.store}.SPKI(id)
}

var _ interface {
	mapfn.Reader
	mapfn.Keys
} = (*growing)(nil)
