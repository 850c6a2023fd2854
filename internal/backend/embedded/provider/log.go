package provider

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// logStorage is storage.LogStorage with one synced commit per call.
type logStorage struct{ p *Provider }

var _ storage.LogStorage = logStorage{}

// CheckDatabaseAccessible fails if the store has failed.
func (s logStorage) CheckDatabaseAccessible(context.Context) error { return s.p.Err() }

// GetActiveLogIDs returns the trees that take or drain leaves.
func (s logStorage) GetActiveLogIDs(ctx context.Context) ([]int64, error) {
	trees, err := storage.ListTrees(ctx, s.p.AdminStorage(), false)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, t := range trees {
		if t.TreeState == trillian.TreeState_ACTIVE || t.TreeState == trillian.TreeState_DRAINING {
			ids = append(ids, t.TreeId)
		}
	}
	return ids, nil
}

// SnapshotForTree returns a transaction together with
// storage.ErrTreeNeedsInit if the tree has no root: the caller closes it.
func (s logStorage) SnapshotForTree(ctx context.Context, tree *trillian.Tree) (storage.ReadOnlyLogTreeTX, error) {
	snap, err := s.p.snapshot()
	if err != nil {
		return nil, err
	}
	tx := &readTX{r: snap, tree: tree, done: func() error { return s.p.closeSnapshot(snap) }}
	_, err = tx.LatestSignedLogRoot(ctx)
	if errors.Is(err, storage.ErrTreeNeedsInit) {
		return tx, storage.ErrTreeNeedsInit
	}
	if err != nil {
		return nil, errors.Join(err, tx.Close())
	}
	return tx, nil
}

// ReadWriteTransaction runs f, also on a tree without a root, and commits
// what it wrote. It never runs f twice.
func (s logStorage) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	return s.p.update(ctx, func(b *pebble.Batch) error {
		return f(ctx, newLogTX(b, tree))
	})
}

// AddSequencedLeaves stores leaves in any order, with or without gaps.
func (s logStorage) AddSequencedLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, now time.Time) (res []*trillian.QueuedLogLeaf, err error) {
	err = s.p.update(ctx, func(b *pebble.Batch) (err error) {
		res, err = newLogTX(b, tree).addSequenced(leaves, now)
		return err
	})
	return res, err
}

// QueueLeaves queues leaves of a LOG tree.
func (s logStorage) QueueLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, now time.Time) (res []*trillian.QueuedLogLeaf, err error) {
	if tree.TreeType != trillian.TreeType_LOG {
		return nil, status.Errorf(codes.InvalidArgument, "queueing leaves in a tree of type %v", tree.TreeType)
	}
	err = s.p.update(ctx, func(b *pebble.Batch) (err error) {
		res, err = newLogTX(b, tree).queue(leaves, now)
		return err
	})
	return res, err
}
