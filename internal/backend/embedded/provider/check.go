package provider

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
)

// CheckLeaves reads the leaf records of a tree, all of them, and what its
// indexes by identity and by Merkle leaf hash say. It calls fn for each leaf,
// and fails with ErrDamaged at the first thing that does not fit.
func (p *Provider) CheckLeaves(ctx context.Context, tree int64, fn func(*trillian.LogLeaf) error) (err error) {
	snap, err := p.snapshot()
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := p.closeSnapshot(snap); err == nil {
			err = closeErr
		}
	}()
	leaves := uint64(0)
	all := prefix(spaceLeaf, tree, 0)
	if err := scan(snap, all, after(all), func(key, value []byte) (bool, error) {
		l, err := parseRecord(bytes.Clone(value), lastUint64(key))
		if err == nil && lastUint64(key) != leaves {
			err = fmt.Errorf("%w: leaf %d is missing", ErrDamaged, leaves)
		}
		if err == nil {
			err = fn(l)
		}
		if err == nil {
			err = checkIndexes(snap, tree, l)
		}
		if err != nil {
			return false, fmt.Errorf("leaf record %d: %w", lastUint64(key), err)
		}
		leaves++
		return true, ctx.Err()
	}); err != nil {
		return err
	}
	for _, space := range []byte{spaceIdentity, spaceMerkle} {
		found := uint64(0)
		all := prefix(space, tree, 0)
		if err := scan(snap, all, after(all), func(_, _ []byte) (bool, error) { found++; return true, nil }); err != nil {
			return err
		}
		if found != leaves {
			return fmt.Errorf("%w: %d leaves, and %d in index %c", ErrDamaged, leaves, found, space)
		}
	}
	return nil
}

// checkIndexes checks that both indexes lead to l.
func checkIndexes(r pebble.Reader, tree int64, l *trillian.LogLeaf) error {
	index := uint64(l.LeafIndex)
	at, err := get(r, identityKey(tree, l.LeafIdentityHash))
	if err != nil {
		return err
	}
	if !bytes.Equal(at, place{spaceLeaf, index}.bytes()) {
		return fmt.Errorf("%w: the index by identity leads to %x", ErrDamaged, at)
	}
	by, err := get(r, merkleKey(tree, l.MerkleLeafHash, index))
	if err == nil && (by == nil || len(by) > 0) {
		err = fmt.Errorf("%w: not in the index by Merkle leaf hash", ErrDamaged)
	}
	return err
}
