package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// adminStorage is storage.AdminStorage. Storage settings are kept and never
// read.
type adminStorage struct{ p *Provider }

var _ storage.AdminStorage = adminStorage{}

// CheckDatabaseAccessible fails if the store has failed.
func (s adminStorage) CheckDatabaseAccessible(context.Context) error { return s.p.Err() }

// Snapshot begins a read-only transaction.
func (s adminStorage) Snapshot(context.Context) (storage.ReadOnlyAdminTX, error) {
	snap, err := s.p.snapshot()
	if err != nil {
		return nil, err
	}
	return &adminReadTX{r: snap, done: func() error { return s.p.closeSnapshot(snap) }}, nil
}

// ReadWriteTransaction runs f once and commits what it wrote.
func (s adminStorage) ReadWriteTransaction(ctx context.Context, f storage.AdminTXFunc) error {
	return s.p.update(ctx, func(b *pebble.Batch) error {
		return f(ctx, &adminTX{adminReadTX: adminReadTX{r: b}, w: b})
	})
}

type adminReadTX struct {
	r      pebble.Reader
	closed bool
	done   func() error // releases r; nil if the opener does
}

func (t *adminReadTX) Commit() error { return t.Close() }

// Close may be called more than once.
func (t *adminReadTX) Close() error {
	if t.closed || t.done == nil {
		return nil
	}
	t.closed = true
	return t.done()
}

// GetTree fails with NotFound for an unknown tree.
func (t *adminReadTX) GetTree(_ context.Context, id int64) (*trillian.Tree, error) {
	v, err := get(t.r, treeKey(id))
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, status.Errorf(codes.NotFound, "tree %d not found", id)
	}
	return parseTree(v)
}

// ListTrees returns the trees by id.
func (t *adminReadTX) ListTrees(_ context.Context, includeDeleted bool) ([]*trillian.Tree, error) {
	var trees []*trillian.Tree
	all := []byte{spaceTree}
	err := scan(t.r, all, after(all), func(_, value []byte) (bool, error) {
		tree, err := parseTree(value)
		if err == nil && (includeDeleted || !tree.Deleted) {
			trees = append(trees, tree)
		}
		return true, err
	})
	return trees, err
}

func parseTree(b []byte) (*trillian.Tree, error) {
	var t trillian.Tree
	if err := proto.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("%w: malformed tree: %w", ErrDamaged, err)
	}
	return &t, nil
}

type adminTX struct {
	adminReadTX
	w *pebble.Batch
}

var _ storage.AdminTX = (*adminTX)(nil)

func (t *adminTX) put(tree *trillian.Tree) error {
	v, err := proto.Marshal(tree)
	if err != nil {
		return err
	}
	return t.w.Set(treeKey(tree.TreeId), v, nil)
}

// CreateTree stores a copy of tree under a new random id.
func (t *adminTX) CreateTree(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	if err := storage.ValidateTreeForCreation(ctx, tree); err != nil {
		return nil, err
	}
	id, err := storage.NewTreeID()
	if err != nil {
		return nil, err
	}
	now := timestamppb.Now()
	created := proto.Clone(tree).(*trillian.Tree)
	created.TreeId, created.CreateTime, created.UpdateTime = id, now, now
	return created, t.put(created)
}

// UpdateTree applies update to the tree; only what ValidateTreeForUpdate
// allows may change.
func (t *adminTX) UpdateTree(ctx context.Context, id int64, update func(*trillian.Tree)) (*trillian.Tree, error) {
	old, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	tree := proto.Clone(old).(*trillian.Tree)
	update(tree)
	if err := storage.ValidateTreeForUpdate(ctx, old, tree); err != nil {
		return nil, err
	}
	// A clock that stepped back must not make an update older than the tree.
	now := time.Now()
	if last := old.UpdateTime.AsTime(); now.Before(last) {
		now = last
	}
	tree.UpdateTime = timestamppb.New(now)
	return tree, t.put(tree)
}

// SoftDeleteTree marks a tree as deleted.
func (t *adminTX) SoftDeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	return t.mark(ctx, id, true)
}

// UndeleteTree takes the mark away.
func (t *adminTX) UndeleteTree(ctx context.Context, id int64) (*trillian.Tree, error) {
	return t.mark(ctx, id, false)
}

func (t *adminTX) mark(ctx context.Context, id int64, deleted bool) (*trillian.Tree, error) {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return nil, err
	}
	if tree.Deleted == deleted {
		return nil, status.Errorf(codes.FailedPrecondition, "tree %d: deleted is %v already", id, deleted)
	}
	tree.Deleted, tree.DeleteTime = deleted, nil
	if deleted {
		tree.DeleteTime = timestamppb.Now()
	}
	return tree, t.put(tree)
}

// HardDeleteTree removes a tree that is marked as deleted, with all it holds.
func (t *adminTX) HardDeleteTree(ctx context.Context, id int64) error {
	tree, err := t.GetTree(ctx, id)
	if err != nil {
		return err
	}
	if !tree.Deleted {
		return status.Errorf(codes.FailedPrecondition, "tree %d is not deleted", id)
	}
	for _, space := range []byte(treeSpaces) {
		p := prefix(space, id, 0)
		err = errors.Join(err, t.w.DeleteRange(p, after(p), nil))
	}
	return err
}
