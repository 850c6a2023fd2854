// Package treehash computes the hashes of RFC 6962 lists, like
// transparency-dev/merkle, in half the time and without that module's three
// allocations for each: every entry appends to a handful of lists. [Append] and
// [RootOf] are for those, of which there are very many, and which grow by one;
// for others there is a compact range.
package treehash

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 value.
type Hash = [sha256.Size]byte

// Empty returns the compact range of an empty list.
func Empty() *compact.Range { return factory().NewEmptyRange(0) }

// Range returns the compact range of a list of size leaves with the given peaks: the
// hashes of its perfect subtrees, from left to right. It fails if they are not as
// many as the size says.
func Range(size uint64, peaks []Hash) (*compact.Range, error) {
	hashes := make([][]byte, len(peaks))
	for i := range peaks {
		hashes[i] = peaks[i][:]
	}
	return factory().NewRange(0, size, hashes)
}

// Append returns the peaks of a list of size leaves, which has the given ones, once
// leaves are appended, of which these are the hashes. It fails if the peaks are not
// as many as the size says.
func Append(size uint64, peaks []Hash, leaves ...Hash) ([]Hash, error) {
	if err := checkCount(size, peaks); err != nil {
		return nil, err
	}
	out := append(make([]Hash, 0, len(peaks)+len(leaves)), peaks...)
	for _, h := range leaves {
		// SPEC: MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])), where k is
		// the largest power of two smaller than n: two perfect trees of one size
		// are the halves of the next.
		for n := size; n&1 == 1; n >>= 1 {
			last := len(out) - 1
			h, out = node(out[last], h), out[:last]
		}
		out = append(out, h)
		size++
	}
	return out, nil
}

// RootOf returns the root of a list of size leaves with the given peaks. It fails if
// they are not as many as the size says.
func RootOf(size uint64, peaks []Hash) (Hash, error) {
	if err := checkCount(size, peaks); err != nil {
		return Hash{}, err
	}
	if size == 0 {
		// SPEC: "empty list root = H("")"
		return sha256.Sum256(nil), nil
	}
	last := len(peaks) - 1
	root := peaks[last]
	for _, p := range slices.Backward(peaks[:last]) {
		root = node(p, root)
	}
	return root, nil
}

func checkCount(size uint64, peaks []Hash) error {
	if want := bits.OnesCount64(size); len(peaks) != want {
		return fmt.Errorf("a list of %d leaves has %d peaks, not %d", size, want, len(peaks))
	}
	return nil
}

// Peaks returns the peaks of a compact range.
func Peaks(r *compact.Range) []Hash {
	peaks := make([]Hash, len(r.Hashes()))
	for i, h := range r.Hashes() {
		peaks[i] = Hash(h)
	}
	return peaks
}

// Root returns the root of a compact range that begins at 0.
func Root(r *compact.Range) (Hash, error) {
	if r.End() == 0 {
		// SPEC: "empty list root = H("")"
		return sha256.Sum256(nil), nil
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		return Hash{}, err
	}
	return Hash(root), nil
}

func factory() *compact.RangeFactory { return &compact.RangeFactory{Hash: Hasher{}.HashChildren} }

func node(left, right Hash) Hash { return Hash(tlog.NodeHash(left, right)) }

// Hasher is a merkle.LogHasher of these hashes, for proofs. It takes no others than of
// 32 bytes.
type Hasher struct{}

// Size returns the length of a hash in bytes.
func (Hasher) Size() int { return sha256.Size }

// EmptyRoot returns the root of a list without leaves.
func (Hasher) EmptyRoot() []byte { return rfc6962.DefaultHasher.EmptyRoot() }

// HashLeaf returns the leaf hash of data.
func (Hasher) HashLeaf(data []byte) []byte {
	h := Leaf(data)
	return h[:]
}

// HashChildren returns the hash of the node above two others.
func (Hasher) HashChildren(left, right []byte) []byte {
	h := node(Hash(left), Hash(right))
	return h[:]
}

// Leaf returns the leaf hash of data.
func Leaf(data []byte) Hash {
	// SPEC: the leaf hash is SHA-256(0x00 || data)
	return Hash(tlog.RecordHash(data))
}
