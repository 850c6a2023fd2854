package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

// Source is a log to be read.
type Source interface {
	// Leaves returns the leaves [0, size), in order.
	Leaves(ctx context.Context, size uint64) iter.Seq2[[]byte, error]
	// Leaf returns one of them again.
	Leaf(ctx context.Context, index uint64) ([]byte, error)
}

// Fsck replays the first size leaves of a log and checks that they have the
// root given and end in a live seal. It fails with the first bad thing; what a
// changed leaf breaks first is the next seal, which becomes a stray.
// seen, which may be nil, is told what became of each leaf; the log ends with it.
func Fsck(ctx context.Context, src Source, origin string, size uint64, root Hash, seen func(*Log, Outcome)) (*Log, error) {
	l := New(origin, func(index uint64) ([]byte, error) { return src.Leaf(ctx, index) })
	var last Outcome
	var stray string // the first one
	for leaf, err := range src.Leaves(ctx, size) {
		if err != nil {
			return l, fmt.Errorf("reading leaf %d: %w", l.Size(), err)
		}
		if last, err = l.Add(leaf); err != nil {
			return l, err
		}
		if stray == "" && last.Seal == nil && seal.Is(leaf) {
			stray = fmt.Sprintf("; the first seal that is not over the leaves before it is leaf %d", l.Size()-1)
		}
		if seen != nil {
			seen(l, last)
		}
	}
	got, err := l.Root()
	if err != nil {
		return l, err
	}
	if l.Size() != size || got != root {
		return l, fmt.Errorf("%d leaves have root %x; the checkpoint says root %x at size %d%s", l.Size(), got, root, size, stray)
	}
	if size == 0 {
		return l, errors.New("the log has no leaves")
	}
	if last.Seal == nil {
		return l, fmt.Errorf("the last leaf, %d, is not a live seal", size-1)
	}
	return l, nil
}

// Store is a log in its own store.
type Store struct{ backend.Backend }

// Leaves implements Source.
func (s Store) Leaves(ctx context.Context, size uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for next := uint64(0); next < size; {
			leaves, err := s.Backend.Leaves(ctx, next, min(256, size-next))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, leaf := range leaves {
				if !yield(leaf, nil) {
					return
				}
			}
			next += uint64(len(leaves))
		}
	}
}

// Leaf implements Source.
func (s Store) Leaf(ctx context.Context, index uint64) ([]byte, error) {
	leaves, err := s.Backend.Leaves(ctx, index, 1)
	if err != nil {
		return nil, err
	}
	return leaves[0], nil
}

// CheckMap compares the state kept in the store with the one replayed: every
// record, event and withdrawal, through the roots that both have.
func (s Store) CheckMap(ctx context.Context, l *Log) error {
	view := s.View()
	defer view.Close()
	m, err := mapstore.Open(view, nil)
	if err != nil {
		return err
	}
	if m.Version() != l.Size() || m.Root() != l.MapRoot() || m.Keys() != l.mapKeys {
		return fmt.Errorf("the stored map, at size %d with root %x, is not the one the leaves give, root %x at size %d",
			m.Version(), m.Root(), l.MapRoot(), l.Size())
	}
	list, err := m.WithdrawalRoot()
	if err != nil {
		return err
	}
	want, err := treehash.Root(l.withdrawals)
	if err != nil {
		return err
	}
	if m.WithdrawalCount() != l.withdrawals.End() || list != want {
		return fmt.Errorf("the stored withdrawal list, %d records with root %x, is not the one the leaves give, %d with root %x",
			m.WithdrawalCount(), list, l.withdrawals.End(), want)
	}
	return m.Check(ctx)
}

// CheckNodes compares every stored node of the tree of the first size leaves
// with the leaves, which are right: proofs are made of nodes.
func (s Store) CheckNodes(ctx context.Context, size uint64) error {
	next := uint64(0)
	for leaf, err := range s.Leaves(ctx, size) {
		if err != nil {
			return err
		}
		if err := s.checkNode(ctx, 0, next, rfc6962.DefaultHasher.HashLeaf(leaf)); err != nil {
			return err
		}
		// Whatever this leaf completes.
		for level := uint(1); (next+1)%(1<<level) == 0; level++ {
			children, err := s.Hashes(ctx, level-1, next>>level*2, 2)
			if err != nil {
				return err
			}
			want := rfc6962.DefaultHasher.HashChildren(children[0][:], children[1][:])
			if err := s.checkNode(ctx, level, next>>level, want); err != nil {
				return err
			}
		}
		next++
	}
	return nil
}

func (s Store) checkNode(ctx context.Context, level uint, index uint64, want []byte) error {
	got, err := s.Hashes(ctx, level, index, 1)
	if err != nil {
		return err
	}
	if got[0] != Hash(want) {
		return fmt.Errorf("the stored node %d of level %d is %x; the leaves give %x", index, level, got[0], want)
	}
	return nil
}
