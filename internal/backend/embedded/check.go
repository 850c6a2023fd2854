package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
)

// check compares the root with what it stands for: the Merkle nodes that make
// it up, the last leaf, and nothing behind it. It reads some 64 values; the
// leaves before are checked by whoever reads them against a proof.
func (s *Store) check(ctx context.Context, pic *picture) error {
	root, err := s.rootOfNodes(pic)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if root != pic.root.Hash {
		return fmt.Errorf("%w: root of size %d is %x, its nodes give %x", ErrDamaged, pic.root.Size, pic.root.Hash, root)
	}
	return s.checkEnd(ctx, pic)
}

// rootOfNodes computes the root from the perfect subtrees of the tree.
func (s *Store) rootOfNodes(pic *picture) (backend.Hash, error) {
	if pic.root.Size == 0 {
		return backend.Hash(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	var peaks [][]byte
	for _, id := range compact.RangeNodes(0, pic.root.Size, nil) {
		h, err := pic.snap.Nodes(s.tree.TreeId, id.Level, id.Index, 1)
		if err != nil {
			return backend.Hash{}, err
		}
		peaks = append(peaks, h[0][:])
	}
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r, err := f.NewRange(0, pic.root.Size, peaks)
	if err != nil {
		return backend.Hash{}, err
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		return backend.Hash{}, err
	}
	return backend.Hash(root), nil
}

// checkEnd compares the last leaf with its node, and finds none behind it.
func (s *Store) checkEnd(ctx context.Context, pic *picture) (err error) {
	tx, err := s.p.LogStorage().SnapshotForTree(ctx, s.tree)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Close()) }()
	size := int64(pic.root.Size)
	behind, err := tx.GetLeavesByRange(ctx, size, 1)
	if err != nil {
		return err
	}
	if len(behind) > 0 {
		return fmt.Errorf("%w: a leaf at %d, tree size is %d", ErrDamaged, size, size)
	}
	if size == 0 {
		return nil
	}
	last, err := tx.GetLeavesByRange(ctx, size-1, 1)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s.checkLeaf(pic, last)
}

func (s *Store) checkLeaf(pic *picture, last []*trillian.LogLeaf) error {
	index := pic.root.Size - 1
	node, err := pic.snap.Nodes(s.tree.TreeId, 0, index, 1)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(last) != 1 || backend.Hash(rfc6962.DefaultHasher.HashLeaf(last[0].LeafValue)) != node[0] {
		return fmt.Errorf("%w: leaf %d does not match its node", ErrDamaged, index)
	}
	return nil
}

// Check reads everything that Trillian keeps of the leaves: each record, and
// both indexes. It fails with ErrDamaged at the first thing that does not fit.
// That the leaves are those that were signed, and that the nodes fit them, is
// not checked here.
func (s *Store) Check(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.p.CheckLeaves(ctx, s.tree.TreeId, func(l *trillian.LogLeaf) error {
		if !bytes.Equal(l.MerkleLeafHash, rfc6962.DefaultHasher.HashLeaf(l.LeafValue)) {
			return fmt.Errorf("%w: another Merkle leaf hash", ErrDamaged)
		}
		if !bytes.Equal(l.LeafIdentityHash, identity(uint64(l.LeafIndex))) {
			return fmt.Errorf("%w: another identity hash", ErrDamaged)
		}
		return nil
	})
}
