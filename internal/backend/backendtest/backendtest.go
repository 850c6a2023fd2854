// Package backendtest is the one suite that every backend.Backend passes. It
// drives a store beside a model, a plain list of leaves and a map, computes
// from the model what RFC 6962 says, and compares.
package backendtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
)

// Maker makes one empty store for each call, and returns a function that opens
// it, the first time or again after the last Backend was closed.
type Maker func(t *testing.T) (open func() (backend.Backend, error))

// Run runs the suite against the stores of mk.
func Run(t *testing.T, mk Maker) {
	for name, f := range map[string]func(*testing.T, Maker){
		"Empty":         testEmpty,
		"Growth":        testGrowth,
		"Proofs":        testProofs,
		"Conflict":      testConflict,
		"Preconditions": testPreconditions,
		"SideOnly":      testSideOnly,
		"SideWrites":    testSideWrites,
		"Views":         testViews,
		"Swap":          testSwap,
		"Bounds":        testBounds,
		"LongLeaves":    testLongLeaves,
		"EmptyLeaves":   testEmptyLeaves,
		"Readers":       testReaders,
		"Writers":       testWriters,
		"Reopen":        testReopen,
		"Context":       testContext,
	} {
		t.Run(name, func(t *testing.T) { f(t, mk) })
	}
}

// Store is a Backend and the model of what it should hold. Tests of an
// implementation use it for what the suite cannot do, such as crashes.
type Store struct {
	backend.Backend
	Appended [][]byte
	Side     map[string][]byte
	// Roots[n] is the root of the first n leaves.
	Roots []backend.Hash

	tree *compact.Range
}

// NewStore returns the model of an empty store beside b.
func NewStore(b backend.Backend) *Store {
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	return &Store{
		Backend: b,
		Side:    make(map[string][]byte),
		Roots:   []backend.Hash{backend.Hash(rfc6962.DefaultHasher.EmptyRoot())},
		tree:    f.NewEmptyRange(0),
	}
}

func open(t *testing.T, mk Maker) *Store {
	t.Helper()
	b, err := mk(t)()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return NewStore(b)
}

// Grow appends to the store and the model alike.
func (s *Store) Grow(t *testing.T, leaves [][]byte, side ...backend.Write) {
	t.Helper()
	first := uint64(len(s.Appended))
	s.Expect(t, leaves, side...)
	got, err := s.Append(t.Context(), first, leaves, side)
	if err != nil {
		t.Fatalf("appending %d leaves at %d: %v", len(leaves), first, err)
	}
	if want := s.root(); got != want {
		t.Fatalf("appending %d leaves at %d: root %v, want %v", len(leaves), first, got, want)
	}
}

// Expect changes the model only.
func (s *Store) Expect(t *testing.T, leaves [][]byte, side ...backend.Write) {
	t.Helper()
	for _, l := range leaves {
		s.Appended = append(s.Appended, bytes.Clone(l))
		if err := s.tree.Append(rfc6962.DefaultHasher.HashLeaf(l), nil); err != nil {
			t.Fatal(err)
		}
		h, err := s.tree.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Roots = append(s.Roots, backend.Hash(h))
	}
	for _, w := range side {
		if w.Value == nil {
			delete(s.Side, string(w.Key))
		} else {
			s.Side[string(w.Key)] = append([]byte{}, w.Value...)
		}
	}
}

func (s *Store) root() backend.Root {
	n := len(s.Appended)
	return backend.Root{Size: uint64(n), Hash: s.Roots[n]}
}

// Check compares everything that the store holds with the model, with the
// proofs of some leaves and sizes.
func (s *Store) Check(t *testing.T) {
	t.Helper()
	got, err := s.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := s.root(); got != want {
		t.Fatalf("root %v, want %v", got, want)
	}
	s.checkLeaves(t)
	s.checkSide(t, s.View())
	size := uint64(len(s.Appended))
	for _, i := range []uint64{0, size / 3, size - 1} {
		if i < size {
			s.checkInclusion(t, i, size)
			s.checkConsistency(t, i, size)
		}
	}
}

func (s *Store) checkLeaves(t *testing.T) {
	t.Helper()
	for at := 0; at < len(s.Appended); {
		got, err := s.Leaves(t.Context(), uint64(at), math.MaxUint64)
		if err != nil {
			t.Fatalf("reading leaves from %d: %v", at, err)
		}
		if len(got) == 0 || len(got) > len(s.Appended)-at {
			t.Fatalf("reading leaves from %d of %d: got %d", at, len(s.Appended), len(got))
		}
		for i, l := range got {
			if !bytes.Equal(l, s.Appended[at+i]) {
				t.Fatalf("leaf %d is %.32q, want %.32q", at+i, l, s.Appended[at+i])
			}
		}
		at += len(got)
	}
}

// checkSide compares a view with the model's side store, and closes it.
func (s *Store) checkSide(t *testing.T, v backend.View) {
	t.Helper()
	checkView(t, v, s.Side)
	if err := v.Close(); err != nil {
		t.Fatalf("closing a view: %v", err)
	}
}

func checkView(t *testing.T, v backend.View, want map[string][]byte) {
	t.Helper()
	var keys []string
	err := v.Scan(nil, nil, func(key, value []byte) bool {
		keys = append(keys, string(key))
		if w, ok := want[string(key)]; !ok || !bytes.Equal(w, value) {
			t.Errorf("side %q is %q, want %q", key, value, w)
		}
		return true
	})
	if err != nil {
		t.Fatalf("scanning: %v", err)
	}
	if w := slices.Sorted(maps.Keys(want)); !slices.Equal(keys, w) {
		t.Fatalf("side keys %q, want %q", keys, w)
	}
	gets := 20 // the scan has seen them all
	for k, w := range want {
		if gets--; gets < 0 {
			break
		}
		got, err := backend.Get(v, []byte(k))
		if err != nil || got == nil || !bytes.Equal(got, w) {
			t.Fatalf("side %q is %q, %v, want %q", k, got, err, w)
		}
	}
}

func (s *Store) checkInclusion(t *testing.T, index, size uint64) {
	t.Helper()
	hashes, err := s.InclusionProof(t.Context(), index, size)
	if err != nil {
		t.Fatalf("proving %d in %d: %v", index, size, err)
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(s.Appended[index])
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf, slicesOf(hashes), s.Roots[size][:]); err != nil {
		t.Fatalf("proof of %d in %d: %v", index, size, err)
	}
}

func (s *Store) checkConsistency(t *testing.T, from, to uint64) {
	t.Helper()
	hashes, err := s.ConsistencyProof(t.Context(), from, to)
	if err != nil {
		t.Fatalf("proving %d in %d: %v", from, to, err)
	}
	if (from == 0 || from == to) && len(hashes) > 0 {
		t.Fatalf("proof of %d in %d has %d hashes", from, to, len(hashes))
	}
	if from == 0 {
		return
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, to, slicesOf(hashes), s.Roots[from][:], s.Roots[to][:]); err != nil {
		t.Fatalf("proof of %d in %d: %v", from, to, err)
	}
}

func slicesOf(hashes []backend.Hash) [][]byte {
	var s [][]byte
	for i := range hashes {
		s = append(s, hashes[i][:])
	}
	return s
}

// perfect returns the hash of the perfect subtree at level and index.
func (s *Store) perfect(level uint, index uint64) []byte {
	if level == 0 {
		return rfc6962.DefaultHasher.HashLeaf(s.Appended[index])
	}
	return rfc6962.DefaultHasher.HashChildren(s.perfect(level-1, 2*index), s.perfect(level-1, 2*index+1))
}

// Batch makes n distinct leaves that begin with first, and one side write for
// each, so that leaves and side writes can be held against each other.
func Batch(first uint64, n, length int) ([][]byte, []backend.Write) {
	rng := rand.New(rand.NewPCG(first, uint64(n)))
	leaves, side := make([][]byte, n), make([]backend.Write, n)
	for i := range leaves {
		key := fmt.Appendf(nil, "leaf/%08d", first+uint64(i))
		leaves[i] = bytes.Clone(key)
		for len(leaves[i]) < length {
			leaves[i] = binary.BigEndian.AppendUint64(leaves[i], rng.Uint64())
		}
		side[i] = backend.Write{Key: key, Value: leaves[i][:8]}
	}
	return leaves, side
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func testContext(t *testing.T, mk Maker) {
	s := open(t, mk)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	leaves, side := Batch(0, 3, 100)
	_, err := s.Append(ctx, 0, leaves, side)
	wantErr(t, "appending with an ended context", err, context.Canceled)
	s.Check(t)
}
