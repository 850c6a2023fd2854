package altreader

import (
	"crypto/sha256"
	"encoding/binary"
)

// u64 and u16 are big-endian.
func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
func u16(n int) []byte    { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

// node is H(tag ‖ left ‖ right).
func node(tag byte, left, right Hash) Hash {
	var b [65]byte
	b[0] = tag
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// leafHash is RFC 6962's.
func leafHash(leaf []byte) Hash { return sha256.Sum256(append([]byte{0}, leaf...)) }

// list is an RFC 6962 list of which only the peaks are kept: the roots of the
// perfect trees that it consists of, one for each bit set in count, the
// largest first.
type list struct {
	count uint64
	peaks []Hash
}

func (l *list) add(record []byte) {
	h := leafHash(record)
	// Two trees of one size are one of the next.
	for n := l.count; n&1 == 1; n >>= 1 {
		last := len(l.peaks) - 1
		h = node(1, l.peaks[last], h)
		l.peaks = l.peaks[:last]
	}
	l.peaks = append(l.peaks, h)
	l.count++
}

// root is the Merkle tree hash of RFC 6962, section 2.1.
func (l *list) root() Hash {
	if l.count == 0 {
		return sha256.Sum256(nil)
	}
	last := len(l.peaks) - 1
	h := l.peaks[last]
	for i := last - 1; i >= 0; i-- {
		h = node(1, l.peaks[i], h)
	}
	return h
}

// trie is a node of the status map, T(S, d) of statusmap/SPEC.md: a leaf if it
// has no halves, of which one may be nil, but then the other is no leaf.
type trie struct {
	half [2]*trie
	key  Hash // of a leaf
	hash Hash // of a node: zero if something below it changed
}

func (t *trie) leaf() bool { return t.half[0] == nil && t.half[1] == nil }

// bit i of a key.
func bit(key Hash, i int) byte { return key[i/8] >> (7 - i%8) & 1 }

// set returns the subtree at depth d with key in it, and whether key is new.
func (t *trie) set(key, value Hash, d int) (*trie, bool) {
	added := &trie{key: key, hash: node(2, key, value)}
	switch {
	case t == nil:
		return added, true
	case t.leaf() && t.key == key:
		return added, false
	case t.leaf():
		// Two leaves stand below the bits that they share.
		parent := &trie{}
		parent.half[bit(t.key, d)] = t
		t = parent
	}
	isNew := false
	side := bit(key, d)
	t.half[side], isNew = t.half[side].set(key, value, d+1)
	t.hash = Hash{}
	return t, isNew
}

// root computes what changed since the last time.
func (t *trie) root() Hash {
	if t == nil {
		return Hash{}
	}
	if t.hash == (Hash{}) {
		t.hash = node(3, t.half[0].root(), t.half[1].root())
	}
	return t.hash
}

// mapKey and mapValue are those of statusmap/SPEC.md, section 1.
func mapKey(n name) Hash {
	b := append([]byte{0x11, n.ns}, u16(len(n.data))...)
	return sha256.Sum256(append(b, n.data...))
}

func mapValue(n name, record []byte) Hash {
	return sha256.Sum256(append([]byte{0x10, n.ns}, record...))
}
