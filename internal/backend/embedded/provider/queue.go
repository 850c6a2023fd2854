package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The queue of LOG trees. Standing's own tree is a PREORDERED_LOG and never
// uses it; it makes the provider whole.

// queue appends leaves to the queue, unless their identity hash is known:
// then the answer is AlreadyExists with the original.
func (t *logTX) queue(leaves []*trillian.LogLeaf, now time.Time) ([]*trillian.QueuedLogLeaf, error) {
	next, err := t.queueEnd()
	if err != nil {
		return nil, err
	}
	res := make([]*trillian.QueuedLogLeaf, len(leaves))
	for i, l := range leaves {
		if err := checkLeaf(l); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		other, err := t.byIdentity(l.LeafIdentityHash)
		if err != nil {
			return nil, err
		}
		if other != nil {
			res[i] = queued(other, codes.AlreadyExists, "leaf already exists")
			continue
		}
		at := place{spaceQueue, next}
		if err := putRecord(t.w, queueKey(t.tree.TreeId, next), l, now, time.Unix(0, 0)); err != nil {
			return nil, err
		}
		if err := t.w.Set(identityKey(t.tree.TreeId, l.LeafIdentityHash), at.bytes(), nil); err != nil {
			return nil, err
		}
		res[i] = queued(l, codes.OK, "")
		next++
	}
	return res, nil
}

// queueEnd returns the place after the last leaf in the queue.
func (t *logTX) queueEnd() (end uint64, err error) {
	p := prefix(spaceQueue, t.tree.TreeId, 0)
	it, err := t.r.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: after(p)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if it.Last() {
		end = lastUint64(it.Key()) + 1
	}
	return end, it.Error()
}

// dequeue hands out the next leaves of the queue. They stay in it until
// UpdateSequencedLeaves gives them an index, so that a transaction that fails
// leaves them there.
func (t *logTX) dequeue(limit int) ([]*trillian.LogLeaf, error) {
	var leaves []*trillian.LogLeaf
	from := queueKey(t.tree.TreeId, t.dequeued)
	to := after(prefix(spaceQueue, t.tree.TreeId, 0))
	err := scan(t.r, from, to, func(key, value []byte) (bool, error) {
		l, err := parseRecord(bytes.Clone(value), 0)
		if err != nil {
			return false, err
		}
		leaves = append(leaves, l)
		t.dequeued = lastUint64(key) + 1
		return len(leaves) < limit, nil
	})
	return leaves, err
}

// UpdateSequencedLeaves moves dequeued leaves to their place in the sequence.
func (t *logTX) UpdateSequencedLeaves(_ context.Context, leaves []*trillian.LogLeaf) error {
	for _, l := range leaves {
		if err := checkLeaf(l); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		if err := t.sequence(l); err != nil {
			return err
		}
	}
	return nil
}

func (t *logTX) sequence(l *trillian.LogLeaf) error {
	v, err := get(t.r, identityKey(t.tree.TreeId, l.LeafIdentityHash))
	if err != nil {
		return err
	}
	at, err := parsePlace(v)
	if err != nil || at.space != spaceQueue {
		return status.Errorf(codes.FailedPrecondition, "leaf %x is not queued", l.LeafIdentityHash)
	}
	if taken, err := get(t.r, leafKey(t.tree.TreeId, uint64(l.LeafIndex))); err != nil {
		return err
	} else if taken != nil {
		return status.Errorf(codes.FailedPrecondition, "leaf index %d is taken", l.LeafIndex)
	}
	stored, err := t.leafAt(at)
	if err != nil {
		return err
	}
	if err := t.w.Delete(at.key(t.tree.TreeId), nil); err != nil {
		return err
	}
	if err := l.IntegrateTimestamp.CheckValid(); err != nil {
		return fmt.Errorf("integrate timestamp: %w", err)
	}
	stored.LeafIndex = l.LeafIndex
	return t.putLeaf(stored, stored.QueueTimestamp.AsTime(), l.IntegrateTimestamp.AsTime())
}
