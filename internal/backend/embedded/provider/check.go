package provider

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
)

// CheckLeaves reads the leaf records of a tree, all of them, and its indexes by
// identity and by Merkle leaf hash. It calls fn for each leaf, and fails with
// ErrDamaged at the first thing that does not fit.
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
		if err != nil {
			return false, fmt.Errorf("leaf record %d: %w", lastUint64(key), err)
		}
		leaves++
		return true, ctx.Err()
	}); err != nil {
		return err
	}
	return checkIndexes(snap, tree)
}

// checkIndexes checks that what is in the indexes by hash leads to its leaf. What a
// Stage has added is in neither.
func checkIndexes(r pebble.Reader, tree int64) error {
	tx := readTX{r: r, tree: &trillian.Tree{TreeId: tree}}
	all := prefix(spaceIdentity, tree, 0)
	if err := scan(r, all, after(all), func(key, value []byte) (bool, error) {
		at, err := parsePlace(value)
		if err != nil {
			return false, err
		}
		l, err := tx.leafAt(at)
		if err == nil && !bytes.Equal(l.LeafIdentityHash, key[prefixLen:]) {
			err = fmt.Errorf("%w: the index by identity leads to leaf %d", ErrDamaged, at.at)
		}
		return true, err
	}); err != nil {
		return err
	}
	all = prefix(spaceMerkle, tree, 0)
	return scan(r, all, after(all), func(key, _ []byte) (bool, error) {
		l, err := tx.leafAt(place{spaceLeaf, lastUint64(key)})
		if err == nil && !bytes.Equal(l.MerkleLeafHash, key[prefixLen:len(key)-8]) {
			err = fmt.Errorf("%w: the index by Merkle leaf hash leads to leaf %d", ErrDamaged, lastUint64(key))
		}
		return true, err
	})
}
