package mapstore

import (
	"context"
	"fmt"

	"github.com/standing-log/standing/personality/mapfn"
)

// Check reads everything that the version consists of: all leaves, records and
// event lists, and the withdrawal list. It fails with ErrCorrupt at the first
// thing that does not follow from the root, and returns ctx's error if that
// ends before it is through.
func (s *Snapshot) Check(ctx context.Context) error {
	keys, err := s.checkTile(ctx, path{}, s.top)
	if err != nil {
		return err
	}
	if keys != s.meta.keys {
		return fmt.Errorf("%w: the map has %d keys, not %d", ErrCorrupt, keys, s.meta.keys)
	}
	if err := s.checkWithdrawals(ctx); err != nil {
		return err
	}
	return s.checkKept()
}

// checkTile checks what lies below the tile at p and counts its map keys.
func (s *Snapshot) checkTile(ctx context.Context, p path, t *tile) (keys uint64, err error) {
	for i := range t.slots {
		n, below := uint64(0), p.child(i)
		switch sl := &t.slots[i]; {
		case sl.below != nil:
			n, err = s.checkTile(ctx, below, sl.below)
		case t.isBucket(i):
			n, err = s.checkBucket(ctx, below, *t.node(16 + i))
		}
		if err != nil {
			return 0, err
		}
		keys += n
	}
	return keys, nil
}

func (s *Snapshot) checkBucket(ctx context.Context, p path, top Hash) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b, err := s.bucket(p, top)
	if err != nil {
		return 0, err
	}
	for i := range b {
		if err := s.checkRecord(&b[i]); err != nil {
			return 0, err
		}
	}
	return uint64(len(b)), nil
}

func (s *Snapshot) checkRecord(leaf *leaf) error {
	// The namespace is not in the tile, but the value hash covers it.
	var ns mapfn.NS
	if err := s.lend(leaf, func(stored []byte) error {
		if len(stored) > 0 {
			ns = mapfn.NS(stored[0])
		}
		return nil
	}); err != nil {
		return err
	}
	st, err := s.read(ns, leaf)
	if err == nil {
		_, err = s.events(leaf.key, st, 0, st.list.count)
	}
	return err
}
