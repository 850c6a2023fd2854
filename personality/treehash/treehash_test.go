package treehash_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/treehash"
)

// TestSame: roots are those of the library, whatever the length of the leaves.
func TestSame(t *testing.T) {
	theirs := &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	a, b := treehash.Empty(), theirs.NewEmptyRange(0)
	if root, err := treehash.Root(a); err != nil || !bytes.Equal(root[:], rfc6962.DefaultHasher.EmptyRoot()) {
		t.Errorf("empty: %x, %v", root, err)
	}
	for n := range 300 {
		data := bytes.Repeat([]byte{byte(n)}, n)
		leaf := treehash.Leaf(data)
		if err := a.Append(leaf[:], nil); err != nil {
			t.Fatal(err)
		}
		if err := b.Append(rfc6962.DefaultHasher.HashLeaf(data), nil); err != nil {
			t.Fatal(err)
		}
		again, err := treehash.Range(a.End(), treehash.Peaks(a))
		if err != nil {
			t.Fatal(err)
		}
		got, err := treehash.Root(again)
		if err != nil {
			t.Fatal(err)
		}
		want, err := b.GetRootHash(nil)
		if err != nil || !bytes.Equal(got[:], want) {
			t.Fatalf("%d leaves: %x, want %x, %v", n+1, got, want, err)
		}
	}
}

// TestHasher: the hashes are those of the library.
func TestHasher(t *testing.T) {
	var mine, theirs merkle.LogHasher = treehash.Hasher{}, rfc6962.DefaultHasher
	if mine.Size() != theirs.Size() || !bytes.Equal(mine.EmptyRoot(), theirs.EmptyRoot()) {
		t.Errorf("%d bytes, %x", mine.Size(), mine.EmptyRoot())
	}
	left, right := mine.HashLeaf([]byte("left")), mine.HashLeaf(nil)
	if !bytes.Equal(left, theirs.HashLeaf([]byte("left"))) || !bytes.Equal(right, theirs.HashLeaf(nil)) ||
		!bytes.Equal(mine.HashChildren(left, right), theirs.HashChildren(left, right)) {
		t.Errorf("%x", mine.HashChildren(left, right))
	}
}

// TestAppend: what grows by one or by many has the peaks and the root of the library's
// range, and peaks of another number are refused.
func TestAppend(t *testing.T) {
	theirs := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	var all, peaks []treehash.Hash
	for n := range uint64(300) {
		leaf := treehash.Leaf([]byte{byte(n), byte(n >> 8)})
		if err := theirs.Append(leaf[:], nil); err != nil {
			t.Fatal(err)
		}
		var err error
		if peaks, err = treehash.Append(n, peaks, leaf); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(peaks, treehash.Peaks(theirs)) {
			t.Fatalf("%d leaves: peaks %x, want %x", n+1, peaks, theirs.Hashes())
		}
		all = append(all, leaf)
		if part := n / 3; part > 0 {
			first, err := treehash.Append(0, nil, all[:part]...)
			if err != nil {
				t.Fatal(err)
			}
			if both, err := treehash.Append(part, first, all[part:]...); err != nil || !slices.Equal(both, peaks) {
				t.Fatalf("%d leaves after %d: peaks %x, want %x, %v", n+1-part, part, both, peaks, err)
			}
		}
		want, err := theirs.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := treehash.RootOf(n+1, peaks); err != nil || !bytes.Equal(got[:], want) {
			t.Fatalf("%d leaves: %x, want %x, %v", n+1, got, want, err)
		}
		if _, err := treehash.RootOf(n+1, peaks[1:]); err == nil {
			t.Errorf("%d leaves: a root without the first peak", n+1)
		}
		if _, err := treehash.Append(n+1, append(peaks, leaf), leaf); err == nil {
			t.Errorf("%d leaves: appended to a peak too many", n+1)
		}
	}
	if got, err := treehash.RootOf(0, nil); err != nil || !bytes.Equal(got[:], rfc6962.DefaultHasher.EmptyRoot()) {
		t.Errorf("empty: %x, %v", got, err)
	}
}
