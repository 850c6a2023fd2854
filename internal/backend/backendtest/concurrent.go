package backendtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
)

// testReaders reads from several goroutines while the log grows. Each sees
// trees that only grow, side writes that belong to their leaves, and proofs
// that verify.
func testReaders(t *testing.T, mk Maker) {
	s := open(t, mk)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			var last backend.Root
			for {
				var err error
				if last, err = s.look(t, last); err != nil {
					t.Errorf("reading beside an append: %v", err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 60 {
		leaves, side := Batch(uint64(len(s.Appended)), 9, 60)
		size := binary.BigEndian.AppendUint64(nil, uint64(len(s.Appended)+9))
		s.Grow(t, leaves, append(side, backend.Write{Key: []byte("size"), Value: size})...)
	}
	close(done)
	wg.Wait()
	s.Check(t)
}

// look reads the store once, given the root that it had before. It uses only
// what the store says: the model belongs to the writer.
func (s *Store) look(t *testing.T, last backend.Root) (backend.Root, error) {
	ctx := t.Context()
	root, err := s.Root(ctx)
	if err != nil || root.Size == 0 {
		return root, err
	}
	cons, err := s.ConsistencyProof(ctx, last.Size, root.Size)
	if err != nil {
		return root, err
	}
	if last.Size > 0 {
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, last.Size, root.Size, slicesOf(cons), last.Hash[:], root.Hash[:]); err != nil {
			return root, err
		}
	}
	index := root.Size - 1
	leaves, err := s.Leaves(ctx, index, 1)
	if err != nil {
		return root, err
	}
	path, err := s.InclusionProof(ctx, index, root.Size)
	if err != nil {
		return root, err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(leaves[0])
	if h, err := s.Hashes(ctx, 0, index, 1); err != nil || !bytes.Equal(h[0][:], leaf) {
		return root, fmt.Errorf("leaf %d does not match its hash: %w", index, err)
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, root.Size, leaf, slicesOf(path), root.Hash[:]); err != nil {
		return root, err
	}
	return root, s.lookAside(root)
}

// lookAside compares a view, taken after root, with itself: as many leaves'
// values as it says, and no fewer than root had.
func (s *Store) lookAside(root backend.Root) (err error) {
	v := s.View()
	defer func() { err = errors.Join(err, v.Close()) }()
	size, err := backend.Get(v, []byte("size"))
	if err != nil {
		return err
	}
	if len(size) != 8 || binary.BigEndian.Uint64(size) < root.Size {
		return fmt.Errorf("side store is at size %x, behind the root at %d", size, root.Size)
	}
	n := uint64(0)
	if err := v.Scan([]byte("leaf/"), []byte("leaf0"), func(_, _ []byte) bool { n++; return true }); err != nil {
		return err
	}
	if n != binary.BigEndian.Uint64(size) {
		return fmt.Errorf("side store has %d leaves' values and says %x", n, size)
	}
	return nil
}

// testWriters lets Append and Swap contend: each write happens wholly or is
// refused.
func testWriters(t *testing.T, mk Maker) {
	s := open(t, mk)
	key := []byte("counter")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 20 {
				if err := s.increment(t, key); err != nil {
					t.Errorf("swapping beside an append: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		leaves, side := Batch(uint64(len(s.Appended)), 5, 60)
		s.Grow(t, leaves, side...)
	}
	wg.Wait()
	s.Side[string(key)] = binary.BigEndian.AppendUint64(nil, 60)
	s.Check(t)
}

// increment adds one to the number at key, however often others come first.
func (s *Store) increment(t *testing.T, key []byte) error {
	for {
		v := s.View()
		old, err := backend.Get(v, key)
		if err := errors.Join(err, v.Close()); err != nil {
			return err
		}
		n := uint64(1)
		if old != nil {
			n += binary.BigEndian.Uint64(old)
		}
		err = s.Swap(t.Context(), key, old, binary.BigEndian.AppendUint64(nil, n))
		if !errors.Is(err, backend.ErrConflict) {
			return err
		}
	}
}
