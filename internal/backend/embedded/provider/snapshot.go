package provider

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
)

// Snapshot is the store as of one moment, read-only and safe for concurrent
// use.
type Snapshot struct {
	p    *Provider
	snap *pebble.Snapshot
}

// Snapshot takes a Snapshot; Close MUST follow. One taken while a commit is
// under way may hold what is not durable yet: take it when Commit has
// returned, before the next one begins.
func (p *Provider) Snapshot() (*Snapshot, error) {
	snap, err := p.snapshot()
	if err != nil {
		return nil, err
	}
	return &Snapshot{p, snap}, nil
}

// Side calls f with a side value, or with nil if there is none, and returns its
// error. The value is valid during the call.
func (s *Snapshot) Side(key []byte, f func(value []byte) error) error {
	if err := s.p.Err(); err != nil {
		return err
	}
	return lend(s.snap, sideKey(key), f)
}

// ScanSide calls f for the side keys in [from, to) in order until it returns
// false. An empty to means the end. The slices are valid during the call.
func (s *Snapshot) ScanSide(from, to []byte, f func(key, value []byte) bool) error {
	if err := s.p.Err(); err != nil {
		return err
	}
	end := after([]byte{spaceSide})
	if len(to) > 0 {
		end = sideKey(to)
	}
	return scan(s.snap, sideKey(from), end, func(key, value []byte) (bool, error) {
		return f(key[1:], value), nil
	})
}

// Nodes returns the hashes of the n perfect subtrees of 2^level leaves from
// the first-th on, and fails if one is not stored.
func (s *Snapshot) Nodes(tree int64, level uint, first, n uint64) ([][32]byte, error) {
	if err := s.p.Err(); err != nil {
		return nil, err
	}
	return nodes(s.snap, tree, level, first, n)
}

// Leaves returns the values of up to n leaves from first on: at least one, and
// fewer than n only after a few megabytes. It fails if one is not stored.
func (s *Snapshot) Leaves(tree int64, first, n uint64) ([][]byte, error) {
	if err := s.p.Err(); err != nil {
		return nil, err
	}
	tx := readTX{r: s.snap, tree: &trillian.Tree{TreeId: tree}}
	if n == 1 {
		l, err := tx.leafAt(place{spaceLeaf, first})
		if err != nil {
			return nil, err
		}
		return [][]byte{l.LeafValue}, nil
	}
	leaves, all, err := tx.leaves(first, n, maxReply)
	if err != nil {
		return nil, err
	}
	if all && uint64(len(leaves)) < n {
		return nil, noLeaf(tree, place{spaceLeaf, first + uint64(len(leaves))})
	}
	values := make([][]byte, len(leaves))
	for i, l := range leaves {
		values[i] = l.LeafValue
	}
	return values, nil
}

func noLeaf(tree int64, p place) error {
	return fmt.Errorf("%w: no leaf at %c %d in tree %d", ErrDamaged, p.space, p.at, tree)
}

// LatestSignedLogRoot returns the tree's root.
func (s *Snapshot) LatestSignedLogRoot(ctx context.Context, tree *trillian.Tree) (*trillian.SignedLogRoot, error) {
	tx := readTX{r: s.snap, tree: tree}
	return tx.LatestSignedLogRoot(ctx)
}

// Close releases the Snapshot.
func (s *Snapshot) Close() error { return s.p.closeSnapshot(s.snap) }
