package embedded

import (
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/proof"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/treehash"
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
	pic := s.now.borrow()
	defer s.now.release(pic)
	size := pic.root.Size
	if first >= size {
		return nil, beyond("leaf", first, size)
	}
	if n = min(n, size-first, maxLeaves); n == 0 {
		return nil, nil
	}
	leaves, err := pic.snap.Leaves(s.tree.TreeId, first, n)
	if err != nil {
		return nil, fmt.Errorf("reading leaves from %d: %w", first, err)
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
	pic := s.now.borrow()
	defer s.now.release(pic)
	if last := pic.root.Size; size > last {
		return nil, beyond("size", size, last)
	}
	if index >= size {
		return nil, beyond("leaf", index, size)
	}
	want, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	path, err := s.path(pic, want)
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d in size %d: %w", index, size, err)
	}
	return path, nil
}

// ConsistencyProof implements backend.Backend.
func (s *Store) ConsistencyProof(ctx context.Context, from, to uint64) ([]backend.Hash, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	pic := s.now.borrow()
	defer s.now.release(pic)
	if last := pic.root.Size; to > last {
		return nil, beyond("size", to, last)
	}
	if from > to {
		return nil, beyond("size", from, to)
	}
	if from == 0 || from == to {
		return nil, nil
	}
	want, err := proof.Consistency(from, to)
	if err != nil {
		return nil, err
	}
	path, err := s.path(pic, want)
	if err != nil {
		return nil, fmt.Errorf("proving size %d in size %d: %w", from, to, err)
	}
	return path, nil
}

// path makes a proof of Trillian's Merkle nodes, as Trillian's server does. That
// takes a snapshot of its own each time, which waits for whoever changes the set
// of tables, and reads every node from it.
func (s *Store) path(pic *picture, want proof.Nodes) ([]backend.Hash, error) {
	nodes := make([][]byte, len(want.IDs))
	var g group
	for i, id := range want.IDs {
		var err error
		if nodes[i], err = s.nodes.get(pic, s.tree.TreeId, id, &g); err != nil {
			return nil, err
		}
	}
	path, err := want.Rehash(nodes, treehash.Hasher{}.HashChildren)
	if err != nil {
		return nil, err
	}
	hashes := make([]backend.Hash, len(path))
	for i := range path {
		hashes[i] = backend.Hash(path[i])
	}
	return hashes, nil
}

func beyond(what string, is, size uint64) error {
	return fmt.Errorf("%w: %s %d, tree size is %d", backend.ErrOutOfRange, what, is, size)
}
