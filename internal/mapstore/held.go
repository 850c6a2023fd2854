package mapstore

import (
	"encoding/binary"

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
	// parts are the tops of the stubs by the bits after the bucket's path, so that a
	// change leads to an eighth of the hashing. It is nil if they are few.
	parts *[1 << partBits]Hash
}

// partBits is the number of bits by which a held bucket is divided into parts.
const partBits = 3

// partsFrom is the number of stubs from which the parts are worth their memory.
const partsFrom = 16

// partSet says which parts of a bucket change.
type partSet [1 << partBits]bool

// has reports whether key may be in the bucket, which is at bit d: false is certain.
func (h *held) has(key *Hash, d int) bool {
	_, found := indexTag(h.stubs, tagOf(key), d)
	return found
}

// part returns in which part of a bucket at bit d a tag is.
func part(tag uint64, d int) int { return int(tag << d >> (64 - partBits)) }

// hold returns stubs, which are sorted, as a bucket at bit d, or nil if that cannot
// be held. The parts of old, unless it is nil, are those of the new bucket but for
// the ones in changed.
func hold(stubs []stub, d int, old *held, changed partSet) *held {
	if d > 64-partBits {
		return nil
	}
	for i := 1; i < len(stubs); i++ {
		if stubs[i].tag == stubs[i-1].tag {
			return nil
		}
	}
	h := &held{stubs: stubs}
	if len(stubs) < partsFrom {
		return h
	}
	h.parts = new([1 << partBits]Hash)
	for i, from := 0, 0; i < len(h.parts); i++ {
		to := from
		for to < len(stubs) && part(stubs[to].tag, d) == i {
			to++
		}
		if old != nil && old.parts != nil && !changed[i] {
			h.parts[i] = old.parts[i]
		} else {
			h.parts[i] = top(stubs[from:to], d+partBits)
		}
		from = to
	}
	return h
}

// top returns the hash of the subtree of the bucket, which begins at bit d.
func (h *held) top(d int) Hash {
	if h.parts == nil {
		return top(h.stubs, d)
	}
	return topOf(h.stubs, d, h.parts[:])
}

// topOf returns the hash of the subtree of the stubs, which begins at bit d, where
// parts are the tops of all its parts.
func topOf(stubs []stub, d int, parts []Hash) Hash {
	if len(stubs) < 2 {
		return top(stubs, d)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	zero, one := split(stubs, d)
	half := len(parts) / 2
	// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
	return statusmap.NodeHash(topOf(zero, d+1, parts[:half]), topOf(one, d+1, parts[half:]))
}

// indexTag returns where a tag is, or would be, in the stubs of a bucket at bit d.
// Tags are spread evenly, so that one looks where it should be, and nearby: that is
// one place in memory, where halving reads from several.
func indexTag(stubs []stub, tag uint64, d int) (int, bool) {
	i := int(tag << d >> 48 * uint64(len(stubs)) >> 16)
	for i > 0 && stubs[i-1].tag >= tag {
		i--
	}
	for i < len(stubs) && stubs[i].tag < tag {
		i++
	}
	return i, i < len(stubs) && stubs[i].tag == tag
}
