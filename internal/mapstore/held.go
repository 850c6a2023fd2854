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
// whenever it is used. Once it has been made it is not modified, as tiles are not.
type held struct {
	// base and late are the stubs, sorted each by itself. What is new is in late until
	// that is full: most changes copy that alone, and leave base where it is.
	base, late []stub
	// parts are the tops of the stubs by the bits after the bucket's path, so that a
	// change leads to an eighth of the hashing, and counts how many there are, where 2
	// stands for two and more. It is nil if they are few; then late is empty, too.
	parts  *[1 << partBits]Hash
	counts [1 << partBits]uint8
}

const (
	// partBits is the number of bits by which a held bucket is divided into parts.
	partBits = 3
	// partsFrom is the number of stubs from which the parts are worth their memory.
	partsFrom = 16
	// lateMax is the number of stubs at which late is full.
	lateMax = 8
)

// partSet says which parts of a bucket change.
type partSet [1 << partBits]bool

// part returns in which part of a bucket at bit d a tag is.
func part(tag uint64, d int) int { return int(tag << d >> (64 - partBits)) }

// hold returns stubs, which are sorted, as a bucket at bit d, or nil if that cannot
// be held.
func hold(stubs []stub, d int) *held {
	if d > 64-partBits {
		return nil
	}
	for i := 1; i < len(stubs); i++ {
		if stubs[i].tag == stubs[i-1].tag {
			return nil
		}
	}
	h := &held{base: stubs}
	h.finish(d, &held{}, partSet{})
	return h
}

// finish completes the bucket at bit d that has the stubs of old but for those of the
// parts in changed.
func (h *held) finish(d int, old *held, changed partSet) {
	n := h.len()
	if len(h.late) > lateMax || n < partsFrom {
		h.base, h.late = h.all(), nil
	}
	if n < partsFrom {
		return
	}
	h.parts = new([1 << partBits]Hash)
	if old.parts != nil {
		*h.parts, h.counts = *old.parts, old.counts
	}
	for i := range h.parts {
		if changed[i] || old.parts == nil {
			stubs := merge(inPart(h.base, i, d), inPart(h.late, i, d))
			h.parts[i], h.counts[i] = top(stubs, d+partBits), uint8(min(len(stubs), 2))
		}
	}
}

// len returns the number of stubs.
func (h *held) len() int { return len(h.base) + len(h.late) }

// all returns the stubs, sorted, which the caller does not modify.
func (h *held) all() []stub { return merge(h.base, h.late) }

// merge returns the stubs of both, sorted as they are, which the caller does not
// modify.
func merge(a, b []stub) []stub {
	if len(b) == 0 {
		return a
	}
	out := make([]stub, 0, len(a)+len(b))
	for _, s := range b {
		i := 0
		for i < len(a) && a[i].tag < s.tag {
			i++
		}
		out, a = append(append(out, a[:i]...), s), a[i:]
	}
	return append(out, a...)
}

// inPart returns those of the stubs of a bucket at bit d, sorted, that are in part i.
func inPart(stubs []stub, i, d int) []stub {
	if len(stubs) == 0 {
		return nil
	}
	bucket := stubs[0].tag >> (64 - d) << (64 - d)
	from, _ := indexTag(stubs, bucket|uint64(i)<<(64-d-partBits), d)
	to := len(stubs)
	if i++; i < 1<<partBits {
		to, _ = indexTag(stubs, bucket|uint64(i)<<(64-d-partBits), d)
	}
	return stubs[from:to]
}

// index returns where a tag is, or would be among the late ones, in the bucket at bit
// d.
func (h *held) index(tag uint64, d int) (late bool, at int, found bool) {
	if at, found = indexTag(h.base, tag, d); found {
		return false, at, true
	}
	at, found = indexTag(h.late, tag, d)
	return true, at, found
}

// find returns the stub that key has in the bucket, which is at bit d, or nil. It may
// be another's.
func (h *held) find(key *Hash, d int) *stub {
	late, at, found := h.index(tagOf(key), d)
	if !found {
		return nil
	}
	return &h.stubs(late)[at]
}

func (h *held) stubs(late bool) []stub {
	if late {
		return h.late
	}
	return h.base
}

// top returns the hash of the subtree of the bucket, which begins at bit d.
func (h *held) top(d int) Hash {
	if h.parts == nil {
		return top(h.base, d)
	}
	top, _ := topOf(h.parts[:], h.counts[:])
	return top
}

// topOf returns the hash of the subtree of parts, and how many leaves it has, where 2
// stands for two and more.
func topOf(parts []Hash, counts []uint8) (Hash, uint8) {
	if len(parts) == 1 {
		return parts[0], counts[0]
	}
	half := len(parts) / 2
	l, nl := topOf(parts[:half], counts[:half])
	r, nr := topOf(parts[half:], counts[half:])
	switch {
	case nl+nr >= 2:
		// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
		return statusmap.NodeHash(l, r), 2
	case nl == 1:
		// SPEC: T(S, d) = leaf(k, vh) if S = {(k, vh)}, whatever d
		return l, 1
	default:
		return r, nr // the leaf, or zero
	}
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
