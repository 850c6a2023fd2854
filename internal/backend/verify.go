package backend

import (
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// VerifyNodes checks that the nodes of a level, from the first-th on, have these
// hashes in tree, which b holds: read from it, or computed from leaves that
// were. It fails with ErrDamaged if they do not follow from the root, so that
// what passes may be served: a node beside them that has changed does not hide
// that they have.
func VerifyNodes(ctx context.Context, b Backend, tree Root, level uint, first uint64, hashes []Hash) error {
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := f.NewEmptyRange(first)
	for i := range hashes {
		if err := r.Append(hashes[i][:], nil); err != nil {
			return err
		}
	}
	for i, id := range compact.RangeNodes(first, r.End(), nil) {
		if err := verifyNode(ctx, b, tree, level+id.Level, id.Index, r.Hashes()[i]); err != nil {
			return err
		}
	}
	return nil
}

// verifyNode checks the hash of one perfect subtree.
func verifyNode(ctx context.Context, b Backend, tree Root, level uint, index uint64, hash []byte) error {
	path, err := b.InclusionProof(ctx, index<<level, tree.Size)
	if err != nil {
		return err
	}
	var above [][]byte
	for i := int(level); i < len(path); i++ {
		above = append(above, path[i][:])
	}
	// A tree whose leaves are the subtrees of this level has the same nodes
	// above them, and so the same root. The last subtree may be incomplete.
	subtrees := (tree.Size-1)>>level + 1
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, subtrees, hash, above, tree.Hash[:]); err != nil {
		return fmt.Errorf("%w: what is stored at or below node %d of level %d is not what was signed: %w", ErrDamaged, index, level, err)
	}
	return nil
}
