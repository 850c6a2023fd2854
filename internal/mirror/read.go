package mirror

import (
	"context"
	"fmt"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/treehash"
)

// Leaves returns up to n leaves from first on, and at least one, compared with
// the root of the newest checkpoint.
func (m *Mirror) Leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	held, err := m.held(publishedKey)
	if err != nil {
		return nil, err
	}
	if held == nil || first >= held.Size {
		return nil, fmt.Errorf("%w: leaf %d", backend.ErrOutOfRange, first)
	}
	list := tiles.Leaves{Backend: m.store, Signed: func() backend.Root { return backend.Root{Size: held.Size, Hash: held.Root} }}
	leaves, err := list.Leaves(ctx, first, min(n, held.Size-first))
	return leaves, m.explain(err)
}

// List is all that is held, published or not, each hash and leaf compared with
// the root of it.
func (m *Mirror) List() tiles.Leaves {
	return tiles.Leaves{Backend: m.store, Signed: func() backend.Root {
		root, err := m.store.Root(context.Background())
		if err != nil { // a store that has failed: nothing can be read
			return backend.Root{}
		}
		return root
	}}
}

// Held returns the size of the tree that is held, published or not.
func (m *Mirror) Held(ctx context.Context) (uint64, error) {
	root, err := m.store.Root(ctx)
	return root.Size, m.explain(err)
}

// Place returns at which index an event had effect.
func (m *Mirror) Place(id Hash) (index uint64, ok bool, err error) {
	index, ok, err = sequencer.Lookup(m.store, m.cache, id)
	return index, ok, m.explain(err)
}

// RootAt returns the root of the first size leaves. ErrOutOfRange beyond what
// is held.
func (m *Mirror) RootAt(ctx context.Context, size uint64) (Hash, error) {
	root, err := m.store.Root(ctx)
	if err != nil {
		return Hash{}, err
	}
	if size > root.Size {
		return Hash{}, fmt.Errorf("%w: size %d", backend.ErrOutOfRange, size)
	}
	tree, err := m.loadRange(ctx, size)
	if err != nil {
		return Hash{}, m.explain(err)
	}
	return treehash.Root(tree)
}
