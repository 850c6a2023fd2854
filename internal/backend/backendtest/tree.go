package backendtest

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/backend"
)

func testEmpty(t *testing.T, mk Maker) {
	s := open(t, mk)
	s.Check(t)
	_, err := s.Leaves(t.Context(), 0, 1)
	wantErr(t, "first leaf", err, backend.ErrOutOfRange)
	_, err = s.Hashes(t.Context(), 0, 0, 1)
	wantErr(t, "first hash", err, backend.ErrOutOfRange)
	s.Grow(t, nil)
	s.Check(t)
}

// testGrowth grows by batches of many sizes, compares the hashes of all
// complete subtrees at the end, and leaves the caller's slices alone.
func testGrowth(t *testing.T, mk Maker) {
	s := open(t, mk)
	for _, n := range []int{1, 1, 2, 3, 5, 8, 1, 64, 100, 256, 71} {
		leaves, side := Batch(uint64(len(s.Appended)), n, 100)
		given := make([][]byte, n)
		for i := range leaves {
			given[i] = bytes.Clone(leaves[i])
		}
		s.Grow(t, leaves, side...)
		if !slices.EqualFunc(leaves, given, bytes.Equal) {
			t.Fatal("the caller's leaves have changed")
		}
	}
	s.Check(t)
	size := uint64(len(s.Appended))
	for level := uint(0); size>>level > 0; level++ {
		got, err := s.Hashes(t.Context(), level, 0, size>>level)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range got {
			if want := s.perfect(level, uint64(i)); !bytes.Equal(h[:], want) {
				t.Fatalf("hash at level %d, index %d: %x, want %x", level, i, h, want)
			}
		}
	}
	if h, err := s.Hashes(t.Context(), 1, 3, 2); err != nil || len(h) != 2 || !bytes.Equal(h[1][:], s.perfect(1, 4)) {
		t.Errorf("two hashes from the middle: %x, %v", h, err)
	}
	for _, n := range []uint64{1, 2, 100} {
		if l, err := s.Leaves(t.Context(), 5, n); err != nil || uint64(len(l)) != n || !bytes.Equal(l[0], s.Appended[5]) {
			t.Errorf("%d leaves from 5: got %d, %v", n, len(l), err)
		}
	}
	// The same bytes again are another leaf.
	s.Grow(t, [][]byte{s.Appended[0], s.Appended[0]})
	s.Check(t)
}

// testProofs verifies every proof in every tree up to a size, and some in a
// larger one.
func testProofs(t *testing.T, mk Maker) {
	s := open(t, mk)
	leaves, _ := Batch(0, 33, 50)
	s.Grow(t, leaves)
	for size := uint64(1); size <= 33; size++ {
		for i := range size {
			s.checkInclusion(t, i, size)
			s.checkConsistency(t, i, size)
		}
		s.checkConsistency(t, size, size)
	}
	leaves, _ = Batch(33, 1000, 50)
	s.Grow(t, leaves)
	for _, size := range []uint64{255, 256, 257, 511, 512, 1000, 1023, 1024, 1025, 1033} {
		for i := uint64(0); i < size; i += 1 + size/17 {
			s.checkInclusion(t, i, size)
			s.checkConsistency(t, i, size)
		}
		s.checkInclusion(t, size-1, size)
	}
}

func testConflict(t *testing.T, mk Maker) {
	s := open(t, mk)
	leaves, side := Batch(0, 10, 100)
	s.Grow(t, leaves, side...)
	more, moreSide := Batch(10, 3, 100)
	for _, first := range []uint64{0, 9, 11, 1 << 40, math.MaxInt64, math.MaxUint64} {
		_, err := s.Append(t.Context(), first, more, moreSide)
		wantErr(t, "appending elsewhere", err, backend.ErrConflict)
	}
	_, err := s.Append(t.Context(), 0, leaves, side)
	wantErr(t, "appending the same again", err, backend.ErrConflict)
	_, err = s.Append(t.Context(), 9, nil, moreSide)
	wantErr(t, "side writes elsewhere", err, backend.ErrConflict)
	s.Check(t)
	s.Grow(t, more, moreSide...)
	s.Check(t)
}

func testPreconditions(t *testing.T, mk Maker) {
	s := open(t, mk)
	ok := []byte("leaf")
	for name, c := range map[string]struct {
		leaves [][]byte
		side   []backend.Write
	}{
		"long leaf":      {leaves: [][]byte{ok, make([]byte, backend.MaxLeaf+1)}},
		"empty side key": {leaves: [][]byte{ok}, side: []backend.Write{{Key: []byte("k"), Value: ok}, {Value: ok}}},
	} {
		if _, err := s.Append(t.Context(), 0, c.leaves, c.side); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s.Check(t)
}

// testEmptyLeaves appends what only a log of somebody else has.
func testEmptyLeaves(t *testing.T, mk Maker) {
	s := open(t, mk)
	ok := []byte("leaf")
	s.Grow(t, [][]byte{{}})
	s.Grow(t, [][]byte{ok, {}, {}, ok})
	s.Grow(t, [][]byte{ok})
	s.Check(t)
}

// testLongLeaves appends more than one reply can hold.
func testLongLeaves(t *testing.T, mk Maker) {
	s := open(t, mk)
	leaves, _ := Batch(0, 200, backend.MaxLeaf)
	for i := range leaves {
		leaves[i] = leaves[i][:backend.MaxLeaf]
	}
	s.Grow(t, leaves)
	s.Check(t)
	got, err := s.Leaves(t.Context(), 0, 200)
	if err != nil || len(got) == 0 || len(got) == 200 {
		t.Errorf("13 MB of leaves in one reply: got %d, %v", len(got), err)
	}
}

func testBounds(t *testing.T, mk Maker) {
	s := open(t, mk)
	leaves, _ := Batch(0, 10, 50)
	s.Grow(t, leaves)
	ctx := t.Context()
	const huge = math.MaxUint64
	for name, f := range map[string]func() error{
		"leaf 10":             func() error { _, err := s.Leaves(ctx, 10, 1); return err },
		"leaf huge":           func() error { _, err := s.Leaves(ctx, huge, 1); return err },
		"hash 10":             func() error { _, err := s.Hashes(ctx, 0, 10, 1); return err },
		"hashes 9-10":         func() error { _, err := s.Hashes(ctx, 0, 9, 2); return err },
		"hashes overflowing":  func() error { _, err := s.Hashes(ctx, 0, 1, huge); return err },
		"level 1, 5":          func() error { _, err := s.Hashes(ctx, 1, 5, 1); return err },
		"level 3, incomplete": func() error { _, err := s.Hashes(ctx, 3, 1, 1); return err },
		"level 4":             func() error { _, err := s.Hashes(ctx, 4, 0, 1); return err },
		"level 64":            func() error { _, err := s.Hashes(ctx, 64, 0, 1); return err },
		"level huge":          func() error { _, err := s.Hashes(ctx, math.MaxUint, 0, 1); return err },
		"inclusion 10 in 10":  func() error { _, err := s.InclusionProof(ctx, 10, 10); return err },
		"inclusion 0 in 0":    func() error { _, err := s.InclusionProof(ctx, 0, 0); return err },
		"inclusion 0 in 11":   func() error { _, err := s.InclusionProof(ctx, 0, 11); return err },
		"inclusion in huge":   func() error { _, err := s.InclusionProof(ctx, 0, huge); return err },
		"consistency 1-11":    func() error { _, err := s.ConsistencyProof(ctx, 1, 11); return err },
		"consistency 0-11":    func() error { _, err := s.ConsistencyProof(ctx, 0, 11); return err },
		"consistency 11-11":   func() error { _, err := s.ConsistencyProof(ctx, 11, 11); return err },
		"consistency 6-5":     func() error { _, err := s.ConsistencyProof(ctx, 6, 5); return err },
		"consistency to huge": func() error { _, err := s.ConsistencyProof(ctx, 1, huge); return err },
	} {
		wantErr(t, name, f(), backend.ErrOutOfRange)
	}
	if l, err := s.Leaves(ctx, 9, huge); err != nil || len(l) != 1 {
		t.Errorf("leaves from 9: got %d, %v", len(l), err)
	}
	if h, err := s.Hashes(ctx, 3, 0, 1); err != nil || !bytes.Equal(h[0][:], s.perfect(3, 0)) {
		t.Errorf("hash of the first eight leaves: %x, %v", h, err)
	}
}
