package embedded_test

import (
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend/embedded"
)

// TestProofsOfGrowth proves leaves of a tree that grows until the lower levels
// are read from the store, and not kept in memory any more.
func TestProofsOfGrowth(t *testing.T) {
	s, err := embedded.Open(t.Context(), embedded.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, size := range []uint64{1, 10_000, 16_384, 16_385, 40_001} {
		old, err := s.Root(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var leaves [][]byte
		for i := old.Size; i < size; i++ {
			leaves = append(leaves, binary.BigEndian.AppendUint64(nil, i))
		}
		root, err := s.Append(t.Context(), old.Size, leaves, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := uint64(0); i < size; i += 1 + size/300 {
			path, err := s.InclusionProof(t.Context(), i, size)
			if err != nil {
				t.Fatal(err)
			}
			hash := rfc6962.DefaultHasher.HashLeaf(binary.BigEndian.AppendUint64(nil, i))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, size, hash, slices(path), root.Hash[:]); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, size, err)
			}
		}
		path, err := s.ConsistencyProof(t.Context(), old.Size, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, size, slices(path), old.Hash[:], root.Hash[:]); old.Size > 0 && err != nil {
			t.Fatalf("%d in %d: %v", old.Size, size, err)
		}
	}
}

func slices(path [][32]byte) [][]byte {
	out := make([][]byte, len(path))
	for i := range path {
		out[i] = path[i][:]
	}
	return out
}
