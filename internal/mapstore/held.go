package mapstore

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/standing-log/standing/personality/statusmap"
)

// stub is what memory holds of a leaf: enough to hash the bucket again when
// another leaf changes, and to find the record. The rest of the key is in the store.
type stub struct {
	tag  uint64 // the first 8 bytes of the key
	at   address
	hash Hash
}

func tagOf(key *Hash) uint64 { return binary.BigEndian.Uint64(key[:]) }

func (l *leaf) stub() stub { return stub{tagOf(&l.key), l.at, l.hash} }

func (s *stub) bit(d int) byte { return byte(s.tag >> (63 - d) & 1) }

func (s *stub) top() Hash { return s.hash }

func (s *stub) stub() stub { return *s }

// held is a bucket in memory. No two of its leaves have the same tag: whoever
// looks for names that have needs 2^32 attempts, and gains that one bucket is read
// whenever it is used.
type held struct {
	stubs []stub // sorted
	// quarters are the tops of the stubs by the two bits after the bucket's path, so
	// that a change leads to a quarter of the hashing. It is nil if they are few.
	quarters *[4]Hash
}

// quartersFrom is the number of stubs from which the quarters are worth their memory.
const quartersFrom = 16

// has reports whether key may be in the bucket: false is certain.
func (h *held) has(key *Hash) bool {
	_, found := indexTag(h.stubs, tagOf(key))
	return found
}

// quarter returns in which quarter of a bucket at bit d a tag is.
func quarter(tag uint64, d int) int { return int(tag >> (62 - d) & 3) }

// hold returns stubs, which are sorted, as a bucket at bit d, or nil if that cannot
// be held. The quarters of old, unless it is nil, are those of the new bucket but
// for the ones in changed.
func hold(stubs []stub, d int, old *held, changed [4]bool) *held {
	if d > 62 {
		return nil
	}
	for i := 1; i < len(stubs); i++ {
		if stubs[i].tag == stubs[i-1].tag {
			return nil
		}
	}
	h := &held{stubs: stubs}
	if len(stubs) < quartersFrom {
		return h
	}
	h.quarters = new([4]Hash)
	for q := range h.quarters {
		if old != nil && old.quarters != nil && !changed[q] {
			h.quarters[q] = old.quarters[q]
			continue
		}
		h.quarters[q] = top(h.quarter(q, d), d+2)
	}
	return h
}

// quarter returns the stubs in a quarter.
func (h *held) quarter(q, d int) []stub {
	from := 0
	for from < len(h.stubs) && quarter(h.stubs[from].tag, d) < q {
		from++
	}
	to := from
	for to < len(h.stubs) && quarter(h.stubs[to].tag, d) == q {
		to++
	}
	return h.stubs[from:to]
}

// top returns the hash of the subtree of the bucket, which begins at bit d.
func (h *held) top(d int) Hash {
	if h.quarters == nil {
		return top(h.stubs, d)
	}
	zero, one := split(h.stubs, d)
	// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
	return statusmap.NodeHash(half(zero, h.quarters[0], h.quarters[1]), half(one, h.quarters[2], h.quarters[3]))
}

// half returns the top of the stubs whose halves have the tops zero and one.
func half(stubs []stub, zero, one Hash) Hash {
	if len(stubs) < 2 {
		return top(stubs, 0)
	}
	// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
	return statusmap.NodeHash(zero, one)
}

// indexTag returns where a tag is, or would be.
func indexTag(stubs []stub, tag uint64) (int, bool) {
	return slices.BinarySearchFunc(stubs, tag, func(s stub, tag uint64) int { return cmp.Compare(s.tag, tag) })
}
