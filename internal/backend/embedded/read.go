package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/trillian"
	"github.com/google/trillian/trees"

	"github.com/standing-log/standing/internal/backend"
)

// maxLeaves is the most leaves that one call returns; a long row of short
// leaves would otherwise become a large reply.
const maxLeaves = 8192

// Leaves implements backend.Backend. A reply ends after about 4 MiB.
func (s *Store) Leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	size := s.now.root().Size
	if first >= size {
		return nil, beyond("leaf", first, size)
	}
	// Trillian returns leaves that are not integrated, too: clip.
	n = min(n, size-first, maxLeaves)
	if n == 0 {
		return nil, nil
	}
	resp, err := s.read.GetLeavesByRange(trees.NewContext(ctx, s.tree), &trillian.GetLeavesByRangeRequest{
		LogId: s.tree.TreeId, StartIndex: int64(first), Count: int64(n),
	})
	if err != nil {
		return nil, fmt.Errorf("reading leaves from %d: %w", first, err)
	}
	if len(resp.Leaves) == 0 {
		return nil, fmt.Errorf("%w: no leaf %d, tree size is %d", ErrDamaged, first, size)
	}
	leaves := make([][]byte, len(resp.Leaves))
	for i, l := range resp.Leaves {
		leaves[i] = l.LeafValue
	}
	return leaves, nil
}

// Hashes implements backend.Backend: it reads Trillian's Merkle nodes.
func (s *Store) Hashes(ctx context.Context, level uint, first, n uint64) ([]backend.Hash, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	pic := s.now.borrow()
	defer s.now.release(pic)
	complete := uint64(0)
	if level < 64 {
		complete = pic.root.Size >> level
	}
	if first > complete || n > complete-first {
		return nil, fmt.Errorf("%w: hashes %d+%d of level %d, tree size is %d", backend.ErrOutOfRange, first, n, level, pic.root.Size)
	}
	if n == 0 {
		return nil, nil
	}
	hashes, err := pic.snap.Nodes(s.tree.TreeId, level, first, n)
	if err != nil {
		return nil, fmt.Errorf("reading hashes: %w", err)
	}
	return hashes, nil
}

// InclusionProof implements backend.Backend.
func (s *Store) InclusionProof(ctx context.Context, index, size uint64) ([]backend.Hash, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	// Trillian answers with no proof and no error beyond its root.
	if last := s.now.root().Size; size > last {
		return nil, beyond("size", size, last)
	}
	if index >= size {
		return nil, beyond("leaf", index, size)
	}
	resp, err := s.read.GetInclusionProof(trees.NewContext(ctx, s.tree), &trillian.GetInclusionProofRequest{
		LogId: s.tree.TreeId, LeafIndex: int64(index), TreeSize: int64(size),
	})
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d in size %d: %w", index, size, err)
	}
	return hashesOf(resp.Proof)
}

// ConsistencyProof implements backend.Backend.
func (s *Store) ConsistencyProof(ctx context.Context, from, to uint64) ([]backend.Hash, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if last := s.now.root().Size; to > last {
		return nil, beyond("size", to, last)
	}
	if from > to {
		return nil, beyond("size", from, to)
	}
	if from == 0 || from == to {
		return nil, nil
	}
	resp, err := s.read.GetConsistencyProof(trees.NewContext(ctx, s.tree), &trillian.GetConsistencyProofRequest{
		LogId: s.tree.TreeId, FirstTreeSize: int64(from), SecondTreeSize: int64(to),
	})
	if err != nil {
		return nil, fmt.Errorf("proving size %d in size %d: %w", from, to, err)
	}
	return hashesOf(resp.Proof)
}

func beyond(what string, is, size uint64) error {
	return fmt.Errorf("%w: %s %d, tree size is %d", backend.ErrOutOfRange, what, is, size)
}

func hashesOf(p *trillian.Proof) ([]backend.Hash, error) {
	if p == nil {
		return nil, errors.New("no proof from Trillian")
	}
	hashes := make([]backend.Hash, len(p.Hashes))
	for i, h := range p.Hashes {
		if len(h) != len(hashes[i]) {
			return nil, fmt.Errorf("proof hash of %d bytes from Trillian", len(h))
		}
		hashes[i] = backend.Hash(h)
	}
	return hashes, nil
}
