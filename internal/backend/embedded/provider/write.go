package provider

import (
	"bytes"
	"context"
	"errors"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// logTX writes one tree into a batch, and reads what it wrote. The write lock
// is held for as long as it lives; whoever made the batch commits it.
type logTX struct {
	readTX
	w *pebble.Batch
	// dequeued is the place after the last queued leaf handed out.
	dequeued uint64
	// stage, unless it is nil, is where the leaves are that follow the tree.
	stage *Stage
}

var _ storage.LogTreeTX = (*logTX)(nil)

func newLogTX(b *pebble.Batch, t *trillian.Tree) *logTX {
	return &logTX{readTX: readTX{r: b, tree: t}, w: b}
}

// StoreSignedLogRoot replaces the latest root.
func (t *logTX) StoreSignedLogRoot(_ context.Context, root *trillian.SignedLogRoot) error {
	return t.w.Set(rootKey(t.tree.TreeId), root.LogRoot, nil)
}

func copyKey(dst, src []byte) {
	if copy(dst, src) != len(dst) {
		panic("key of the wrong length")
	}
}

// addSequenced stores leaves at their indexes and reports on each: OK,
// AlreadyExists if it is there, FailedPrecondition if its index or its
// identity hash belongs to another leaf. Order and gaps do not matter.
func (t *logTX) addSequenced(leaves []*trillian.LogLeaf, now time.Time) (res []*trillian.QueuedLogLeaf, err error) {
	free, err := newGaps(t.r, t.tree.TreeId)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, free.it.Close()) }()
	res = make([]*trillian.QueuedLogLeaf, len(leaves))
	for i, l := range leaves {
		if err := checkLeaf(l); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		taken, err := free.taken(uint64(l.LeafIndex))
		if err != nil {
			return nil, err
		}
		if res[i], err = t.addOne(l, taken, now); err != nil {
			return nil, err
		}
	}
	return res, nil
}

func (t *logTX) addOne(l *trillian.LogLeaf, taken bool, now time.Time) (*trillian.QueuedLogLeaf, error) {
	index := uint64(l.LeafIndex)
	if taken {
		return t.occupied(l, index)
	}
	if t.stage == nil {
		other, err := t.byIdentity(l.LeafIdentityHash)
		if err != nil {
			return nil, err
		}
		if other != nil {
			return queued(other, codes.FailedPrecondition, "conflicting LeafIdentityHash"), nil
		}
	}
	return queued(l, codes.OK, ""), t.putLeaf(l, now, time.Unix(0, 0))
}

// occupied reports on a leaf whose index is taken.
func (t *logTX) occupied(l *trillian.LogLeaf, index uint64) (*trillian.QueuedLogLeaf, error) {
	stored, err := t.leafAt(place{spaceLeaf, index})
	if err != nil {
		return nil, err
	}
	if bytes.Equal(stored.LeafIdentityHash, l.LeafIdentityHash) {
		return queued(stored, codes.AlreadyExists, "leaf already exists"), nil
	}
	return queued(stored, codes.FailedPrecondition, "conflicting LeafIndex"), nil
}

func queued(l *trillian.LogLeaf, c codes.Code, msg string) *trillian.QueuedLogLeaf {
	return &trillian.QueuedLogLeaf{Leaf: l, Status: status.New(c, msg).Proto()}
}

// byIdentity returns the leaf with this identity hash, or nil.
func (t *logTX) byIdentity(identity []byte) (*trillian.LogLeaf, error) {
	v, err := get(t.r, identityKey(t.tree.TreeId, identity))
	if v == nil || err != nil {
		return nil, err
	}
	p, err := parsePlace(v)
	if err != nil {
		return nil, err
	}
	return t.leafAt(p)
}

// putLeaf writes the record of a sequenced leaf and the entries of both hashes, or
// leaves it to the stage.
func (t *logTX) putLeaf(l *trillian.LogLeaf, queued, integrated time.Time) error {
	index := uint64(l.LeafIndex)
	key := leafKey(t.tree.TreeId, index)
	if t.stage != nil {
		return t.stage.put(key, l, queued, integrated)
	}
	if err := putRecord(t.w, key, l, queued, integrated); err != nil {
		return err
	}
	at := place{spaceLeaf, index}
	if err := t.w.Set(identityKey(t.tree.TreeId, l.LeafIdentityHash), at.bytes(), nil); err != nil {
		return err
	}
	return t.w.Set(merkleKey(t.tree.TreeId, l.MerkleLeafHash, index), nil, nil)
}

// putRecord encodes a record in place: leaves are most of what is written.
func putRecord(w *pebble.Batch, key []byte, l *trillian.LogLeaf, queued, integrated time.Time) error {
	n := recordLen(l)
	op := w.SetDeferred(len(key), n)
	copyKey(op.Key, key)
	appendRecord(op.Value[:0:n], l, queued, integrated)
	return op.Finish()
}

// DequeueLeaves returns leaves, whole but in a stage: of a PREORDERED_LOG tree those that
// follow its size without a gap, of a LOG tree the next in its queue. The
// cutoff is ignored: it guards against writers that race with the sequencer,
// and here they take turns.
func (t *logTX) DequeueLeaves(ctx context.Context, limit int, _ time.Time) ([]*trillian.LogLeaf, error) {
	if limit <= 0 {
		return nil, nil
	}
	if t.tree.TreeType == trillian.TreeType_LOG {
		return t.dequeue(limit)
	}
	size, err := t.size(ctx)
	if err != nil {
		return nil, err
	}
	if t.stage != nil {
		return t.stage.after(size, limit), nil
	}
	leaves, _, err := t.leaves(size, uint64(limit), math.MaxUint64)
	return leaves, err
}

// gaps answers whether indexes are taken, for many that mostly ascend, as of
// when it was made; and it remembers those that it answered for.
type gaps struct {
	it   *pebble.Iterator
	tree int64
	// [lo, hi) is known to be free in the iterator, hi is taken or the end.
	lo, hi uint64
	seen   map[uint64]struct{}
}

func newGaps(r pebble.Reader, tree int64) (*gaps, error) {
	p := prefix(spaceLeaf, tree, 0)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: after(p)})
	if err != nil {
		return nil, err
	}
	return &gaps{it: it, tree: tree, seen: make(map[uint64]struct{})}, nil
}

func (g *gaps) taken(index uint64) (bool, error) {
	if _, dup := g.seen[index]; dup {
		return true, nil
	}
	if index < g.lo || index >= g.hi {
		g.lo, g.hi = index, math.MaxUint64
		if g.it.SeekGE(leafKey(g.tree, index)) {
			g.hi = lastUint64(g.it.Key())
		}
		if err := g.it.Error(); err != nil {
			return false, err
		}
	}
	if index == g.hi {
		return true, nil
	}
	g.seen[index] = struct{}{}
	return false, nil
}
