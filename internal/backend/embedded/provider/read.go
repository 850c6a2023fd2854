package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sort"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxReply is how many bytes of leaf records GetLeavesByRange reads before it
// stops short of count.
const maxReply = 4 << 20

// readTX reads one tree from a batch or a snapshot.
type readTX struct {
	r      pebble.Reader
	tree   *trillian.Tree
	closed bool
	done   func() error // releases r; nil if the opener does
}

var _ storage.ReadOnlyLogTreeTX = (*readTX)(nil)

// Commit ends the transaction: a snapshot has nothing to commit.
func (t *readTX) Commit(context.Context) error { return t.Close() }

// Close may be called more than once.
func (t *readTX) Close() error {
	if t.closed || t.done == nil {
		return nil
	}
	t.closed = true
	return t.done()
}

// lend calls f with the value of key during the call, or with nil if there is none,
// and returns its error. It reads fewer tables than scan, which cannot ask their
// filters.
func lend(r pebble.Reader, key []byte, f func(value []byte) error) (err error) {
	defer explain(&err)
	v, c, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return f(nil)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if v == nil {
		v = []byte{} // stored, and empty
	}
	return f(v)
}

// get copies the value of key, or returns nil if there is none.
func get(r pebble.Reader, key []byte) (value []byte, err error) {
	err = lend(r, key, func(lent []byte) error {
		value = bytes.Clone(lent)
		return nil
	})
	return value, err
}

// scan calls f for each key in [from, to) until it returns false or an error.
func scan(r pebble.Reader, from, to []byte, f func(key, value []byte) (bool, error)) (err error) {
	defer explain(&err)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := f(it.Key(), v); err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// explain says of an error in reading that the store is damaged if a file of large
// values is: of one that is gone Pebble says no more than that, and on one whose end
// is damaged it panics.
func explain(err *error) {
	if r := recover(); r != nil {
		if s, _ := r.(string); !strings.HasPrefix(s, "unknown metadata type") {
			panic(r)
		}
		*err = fmt.Errorf("%w: a file of values cannot be opened", ErrDamaged)
	}
	if errors.Is(*err, fs.ErrNotExist) {
		*err = fmt.Errorf("%w: %w", ErrDamaged, *err)
	}
}

// LatestSignedLogRoot fails with storage.ErrTreeNeedsInit on a fresh tree.
func (t *readTX) LatestSignedLogRoot(context.Context) (*trillian.SignedLogRoot, error) {
	root, err := get(t.r, rootKey(t.tree.TreeId))
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, storage.ErrTreeNeedsInit
	}
	return &trillian.SignedLogRoot{LogRoot: root}, nil
}

// size returns the number of leaves in the latest root.
func (t *readTX) size(ctx context.Context) (uint64, error) {
	slr, err := t.LatestSignedLogRoot(ctx)
	if err != nil {
		return 0, err
	}
	var root types.LogRootV1
	if err := root.UnmarshalBinary(slr.LogRoot); err != nil {
		return 0, fmt.Errorf("%w: malformed root of tree %d: %w", ErrDamaged, t.tree.TreeId, err)
	}
	if root.TreeSize > math.MaxInt64 {
		return 0, fmt.Errorf("%w: malformed root of tree %d: size %d", ErrDamaged, t.tree.TreeId, root.TreeSize)
	}
	return root.TreeSize, nil
}

// GetLeavesByRange returns leaves from start on, as many as there are in a
// row up to count, stopping early after a few megabytes. A LOG tree's leaves
// end at its size; a PREORDERED_LOG tree's go on for as long as they are
// stored. A hole below the tree's size is an error.
func (t *readTX) GetLeavesByRange(ctx context.Context, start, count int64) ([]*trillian.LogLeaf, error) {
	if count <= 0 {
		return nil, status.Errorf(codes.InvalidArgument, "count %d: want more than 0", count)
	}
	if start < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "start %d: want 0 or more", start)
	}
	size, err := t.size(ctx)
	if err != nil {
		return nil, err
	}
	if t.tree.TreeType == trillian.TreeType_LOG {
		if uint64(start) >= size {
			return nil, status.Errorf(codes.OutOfRange, "start %d: tree size is %d", start, size)
		}
		count = min(count, int64(size)-start)
	}
	leaves, full, err := t.leaves(uint64(start), uint64(count), maxReply)
	if err != nil {
		return nil, err
	}
	if next := uint64(start) + uint64(len(leaves)); full && next < size && len(leaves) < int(count) {
		return nil, status.Errorf(codes.DataLoss, "no leaf %d: tree size is %d", next, size)
	}
	return leaves, nil
}

// leaves reads up to count leaves in a row from start on, up to about limit
// bytes but at least one. full is false if the limit ended it.
func (t *readTX) leaves(start, count, limit uint64) (leaves []*trillian.LogLeaf, full bool, err error) {
	leaves, full = []*trillian.LogLeaf{}, true
	from, to := leafKey(t.tree.TreeId, start), after(prefix(spaceLeaf, t.tree.TreeId, 0))
	if end := start + count; end > start {
		to = leafKey(t.tree.TreeId, end)
	}
	var sum uint64
	err = scan(t.r, from, to, func(key, value []byte) (bool, error) {
		if lastUint64(key) != start+uint64(len(leaves)) {
			return false, nil
		}
		if sum += uint64(len(value)); sum > limit && len(leaves) > 0 {
			full = false
			return false, nil
		}
		l, err := parseRecord(bytes.Clone(value), lastUint64(key))
		leaves = append(leaves, l)
		return true, err
	})
	return leaves, full, err
}

// leafAt reads the leaf at p in the sequence or the queue. In the queue it has
// no index.
func (t *readTX) leafAt(p place) (*trillian.LogLeaf, error) {
	value, err := get(t.r, p.key(t.tree.TreeId))
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, noLeaf(t.tree.TreeId, p)
	}
	if p.space == spaceQueue {
		p.at = 0
	}
	return parseRecord(value, p.at)
}

// GetLeavesByHash returns the sequenced leaves with these Merkle leaf hashes,
// ordered by index if asked for, else by hash as given.
func (t *readTX) GetLeavesByHash(_ context.Context, hashes [][]byte, bySequence bool) ([]*trillian.LogLeaf, error) {
	var leaves []*trillian.LogLeaf
	for _, h := range hashes {
		if len(h) != hashLen {
			return nil, status.Errorf(codes.InvalidArgument, "leaf hash of %d bytes: want %d", len(h), hashLen)
		}
		p := append(prefix(spaceMerkle, t.tree.TreeId, hashLen), h...)
		err := scan(t.r, p, after(p), func(key, _ []byte) (bool, error) {
			l, err := t.leafAt(place{spaceLeaf, lastUint64(key)})
			leaves = append(leaves, l)
			return true, err
		})
		if err != nil {
			return nil, err
		}
	}
	if bySequence {
		sort.Slice(leaves, func(i, j int) bool { return leaves[i].LeafIndex < leaves[j].LeafIndex })
	}
	return leaves, nil
}
