package mirror

import (
	"bytes"
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/compact"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

var (
	publishedKey = sequencer.PublishedWrite(nil).Key
	targetKey    = []byte{'t'}
	aheadKey     = []byte{'h'}
)

// signed is a checkpoint that is kept.
type signed struct {
	note []byte
	trust.Body
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", backend.ErrDamaged, fmt.Errorf(format, args...))
}

// held returns the checkpoint under a key of the store, or nil. Its signatures
// were verified when it came, and are again when it is used.
func (m *Mirror) held(key []byte) (*signed, error) {
	view := m.store.View()
	defer view.Close()
	note, err := backend.Get(view, key)
	if note == nil || err != nil {
		return nil, err
	}
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	body, err := trust.ParseBody(string(text) + "\n")
	if err != nil {
		return nil, damaged("the checkpoint that is kept: %w", err)
	}
	return &signed{note, body}, nil
}

// check compares the checkpoints that are kept with the tree.
func (m *Mirror) check(ctx context.Context) error {
	root, err := m.store.Root(ctx)
	if err != nil {
		return err
	}
	target, err := m.held(targetKey)
	if err != nil {
		return err
	}
	ahead, err := m.held(aheadKey)
	if err != nil {
		return err
	}
	published, err := m.held(publishedKey)
	if err != nil {
		return err
	}
	largest := larger(target, ahead)
	if largest == nil {
		if root.Size > 0 || published != nil {
			return damaged("%d leaves, of no checkpoint", root.Size)
		}
		return nil
	}
	for _, cp := range []*signed{target, ahead, published} {
		if cp != nil && cp.Origin != m.cfg.Origin {
			return fmt.Errorf("%w: %s has that of %s, not of %s", ErrOtherLog, m.cfg.Dir, cp.Origin, m.cfg.Origin)
		}
		if err := m.checkHeld(ctx, root, cp); err != nil {
			return err
		}
	}
	if root.Size > largest.Size || published != nil && published.Size > root.Size {
		return damaged("%d leaves, of a checkpoint of %d", root.Size, largest.Size)
	}
	return nil
}

// larger returns the checkpoint of the larger tree; either may be nil.
func larger(a, b *signed) *signed {
	if a == nil || b != nil && b.Size > a.Size {
		return b
	}
	return a
}

// checkHeld compares the root in a checkpoint with the tree, as far as it is
// held.
func (m *Mirror) checkHeld(ctx context.Context, root backend.Root, cp *signed) error {
	if cp == nil || cp.Size > root.Size {
		return nil
	}
	tree, err := m.loadRange(ctx, cp.Size)
	if err != nil {
		return err
	}
	if got, err := treehash.Root(tree); err != nil || got != cp.Root {
		return damaged("the leaves have root %x at size %d, the checkpoint has %x: %v", got, cp.Size, cp.Root, err)
	}
	return nil
}

// loadRange reads the compact range of the first size leaves.
func (m *Mirror) loadRange(ctx context.Context, size uint64) (*compact.Range, error) {
	var peaks []Hash
	for _, id := range compact.RangeNodes(0, size, nil) {
		h, err := m.store.Hashes(ctx, id.Level, id.Index, 1)
		if err != nil {
			return nil, fmt.Errorf("reading node %v: %w", id, err)
		}
		peaks = append(peaks, h[0])
	}
	return treehash.Range(size, peaks)
}

// position is where a Sync goes on: what the leaves held come to.
type position struct {
	tree *compact.Range
	last *seal.Seal // the newest live seal; nil before the first
}

// resume finds the position at the end of what is held: it reads back to the
// newest live seal. A chunk mostly ends a few leaves behind one.
func (m *Mirror) resume(ctx context.Context) (*position, error) {
	root, err := m.store.Root(ctx)
	if err != nil {
		return nil, err
	}
	p := &position{}
	if p.tree, err = m.loadRange(ctx, root.Size); err != nil {
		return nil, err
	}
	for end := root.Size; end > 0 && p.last == nil; {
		first := end - min(end, 256)
		leaves, err := m.store.Leaves(ctx, first, end-first)
		if err != nil {
			return nil, err
		}
		// A reply may be short: then its end is not reached yet.
		for n := uint64(len(leaves)); n < end-first; n = uint64(len(leaves)) {
			more, err := m.store.Leaves(ctx, first+n, end-first-n)
			if err != nil {
				return nil, err
			}
			leaves = append(leaves, more...)
		}
		for i := len(leaves) - 1; i >= 0 && p.last == nil; i-- {
			if p.last, err = m.live(ctx, leaves[i], first+uint64(i)); err != nil {
				return nil, err
			}
		}
		end = first
	}
	return p, nil
}

// live returns the live seal that a leaf is, or nil.
func (m *Mirror) live(ctx context.Context, leaf []byte, index uint64) (*seal.Seal, error) {
	if !seal.Is(leaf) {
		return nil, nil
	}
	before, err := m.loadRange(ctx, index)
	if err != nil {
		return nil, err
	}
	prefix, err := treehash.Root(before)
	if err != nil {
		return nil, err
	}
	s, _ := seal.Live(leaf, m.cfg.Origin, index, prefix)
	return s, nil
}
