package mapstore

import (
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
// whenever it is used. Once it has been made it is not modified, as tiles are not.
type held struct {
	base   []stub // sorted
	*crown        // nil if the bucket is small: then base has all of it
}

// crown is what a larger bucket has besides, so that a change leaves base where it is,
// and leads to a sixth of the hashing. It has no pointers, which the collector would
// follow, and fills 896 bytes, one of the sizes in which Go gives out memory.
type crown struct {
	late  [lateMax]stub // the first of them, sorted: stubs that are not in base yet
	lates int
	// nodes and count are a heap over the parts of the bucket: the stubs that have the
	// same bits after its path.
	nodes [2*parts - 1]Hash
	count [2 * parts]uint8
}

const (
	partBits = 3
	parts    = 1 << partBits
	// crownFrom is the number of stubs from which a crown is worth its memory.
	crownFrom = 16
	lateMax   = 8
)

// part returns in which part of a bucket at bit d a tag is.
func part(tag uint64, d int) int { return int(tag << d >> (64 - partBits)) }

// hold returns stubs, which are sorted and become its own, as a bucket at bit d, or nil
// if that cannot be held.
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
	h.complete(d)
	return h
}

// complete gives the bucket at bit d a crown if it is large enough, and has none.
func (h *held) complete(d int) {
	if h.crown == nil && len(h.base) >= crownFrom {
		h.crown = new(crown)
		h.sum(d, 1<<parts-1)
	}
}

// clone returns a copy with room for n more stubs, of which base is shared if there is
// a crown.
func (h *held) clone(n int) *held {
	if h.crown == nil {
		return &held{base: append(make([]stub, 0, len(h.base)+n), h.base...)}
	}
	c := *h.crown
	return &held{h.base, &c}
}

// put puts a stub, which belongs at p, into a clone of old.
func (h *held) put(s stub, p spot, old *held) {
	switch {
	case p.found:
		if !p.late && &h.base[0] == &old.base[0] {
			h.base = slices.Clone(h.base)
		}
		*h.at(p) = s
	case p.late:
		if h.lates == lateMax {
			h.base, h.lates, p.i = h.all(), 0, 0
		}
		copy(h.late[p.i+1:], h.late[p.i:h.lates])
		h.late[p.i], h.lates = s, h.lates+1
	default:
		h.base = slices.Insert(h.base, p.i, s)
	}
}

// sum computes the nodes over those parts of the bucket, which has a crown and is at
// bit d, of which the bit is set in changed.
func (h *held) sum(d int, changed uint16) {
	for i := range parts {
		if changed>>i&1 == 1 {
			a, b := inPart(h.base, i, d), inPart(h.tail(), i, d)
			h.nodes[parts+i-1], h.count[parts+i] = topOf(a, b, d+partBits), uint8(min(len(a)+len(b), 2))
		}
	}
	h.heap().sum(changed)
}

func (c *crown) heap() heap { return heap{c.nodes[:], c.count[:]} }

// tail returns the stubs that are not in base.
func (h *held) tail() []stub {
	if h.crown == nil {
		return nil
	}
	return h.late[:h.lates]
}

// top returns the hash of the subtree of the bucket, which begins at bit d.
func (h *held) top(d int) Hash {
	if h.crown == nil {
		return top(h.base, d)
	}
	return h.heap().top()
}

// len returns the number of stubs.
func (h *held) len() int { return len(h.base) + len(h.tail()) }

// all returns the stubs, sorted, which the caller does not modify.
func (h *held) all() []stub { return merge(h.base, h.tail()) }

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

// topOf is top of the stubs of both.
func topOf(a, b []stub, d int) Hash {
	switch {
	case len(b) == 0:
		return top(a, d)
	case len(a) == 0:
		return top(b, d)
	}
	a0, a1 := split(a, d)
	b0, b1 := split(b, d)
	// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
	return statusmap.NodeHash(topOf(a0, b0, d+1), topOf(a1, b1, d+1))
}

// follow follows key, which the bucket has, from bit d on to the end, and appends to
// siblings those on the way.
func (h *held) follow(key *leaf, d int, siblings *[]Hash) {
	stubs := h.base
	if h.crown != nil {
		i, _ := h.heap().descend(part(tagOf(&key.key), d), siblings)
		stubs = merge(inPart(h.base, i, d), inPart(h.tail(), i, d))
		d += partBits
	}
	follow(stubs, key, d, siblings)
}

// inPart returns those of the stubs of a bucket at bit d, sorted, that are in part i.
func inPart(stubs []stub, i, d int) []stub {
	if len(stubs) == 0 {
		return nil
	}
	bucket := stubs[0].tag >> (64 - d) << (64 - d)
	from, _ := indexTag(stubs, bucket|uint64(i)<<(64-d-partBits), d)
	to := len(stubs)
	if i++; i < parts {
		to, _ = indexTag(stubs, bucket|uint64(i)<<(64-d-partBits), d)
	}
	return stubs[from:to]
}

// spot is where a stub is in a bucket, or belongs.
type spot struct {
	i           int
	late, found bool
}

// spot returns where a tag is in the bucket at bit d, or belongs: among the late ones
// or, without a crown, in base.
func (h *held) spot(tag uint64, d int) spot {
	i, found := indexTag(h.base, tag, d)
	if found || h.crown == nil {
		return spot{i, false, found}
	}
	i, found = indexTag(h.tail(), tag, d)
	return spot{i, true, found}
}

// at returns the stub that is at p.
func (h *held) at(p spot) *stub {
	if p.late {
		return &h.late[p.i]
	}
	return &h.base[p.i]
}

// find returns the stub that key has in the bucket, which is at bit d, or nil. It may
// be another's.
func (h *held) find(key *Hash, d int) *stub {
	p := h.spot(tagOf(key), d)
	if !p.found {
		return nil
	}
	return h.at(p)
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
