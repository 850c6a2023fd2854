package mapstore

import (
	"context"
	"fmt"

	"github.com/standing-log/standing/personality/mapfn"
)

// Check reads everything that the version consists of: all tiles, records and
// event lists, and the withdrawal list. It fails with ErrCorrupt at the first
// thing that does not follow from the root, and returns ctx's error if that
// ends before it is through.
func (s *Snapshot) Check(ctx context.Context) error {
	keys := uint64(0)
	if s.meta.tile != 0 {
		var err error
		if keys, err = s.checkTile(ctx, ref{version: s.meta.tile}, s.meta.root); err != nil {
			return err
		}
	}
	if keys != s.meta.keys {
		return fmt.Errorf("%w: the map has %d keys, not %d", ErrCorrupt, keys, s.meta.keys)
	}
	return s.checkWithdrawals(ctx)
}

// checkTile checks what lies at and below the tile and counts its map keys.
func (s *Snapshot) checkTile(ctx context.Context, r ref, top Hash) (keys uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t, err := s.load(r, top)
	if err != nil {
		return 0, err
	}
	for i := range t.slots {
		n := uint64(1)
		switch leaf := &t.slots[i]; leaf.kind {
		case slotEmpty:
			continue
		case slotLeaf:
			err = s.checkRecord(leaf)
		case slotTile:
			n, err = s.checkTile(ctx, ref{leaf.version, r.path.child(i)}, t.nodes[16+i])
		}
		if err != nil {
			return 0, err
		}
		keys += n
	}
	return keys, nil
}

func (s *Snapshot) checkRecord(leaf *slot) error {
	// The namespace is not in the tile, but the value hash covers it.
	value, err := s.view.Get(recordKey(leaf.version, leaf.key))
	if err != nil {
		return fmt.Errorf("reading record %x: %w", leaf.key, err)
	}
	var ns mapfn.NS
	if len(value) > 0 {
		ns = mapfn.NS(value[0])
	}
	st, err := s.read(ns, leaf)
	if err == nil {
		_, err = s.events(leaf.key, st.list, 0, st.list.count)
	}
	return err
}
