package oracle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
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

// listRoot is the Merkle tree hash of RFC 6962, section 2.1, over leaf hashes.
func listRoot(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	// k is the largest power of two smaller than the number of leaves.
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	return node(1, listRoot(leaves[:k]), listRoot(leaves[k:]))
}

// rootOf is listRoot of the records themselves.
func rootOf(records [][]byte) Hash {
	hashes := make([]Hash, len(records))
	for i, r := range records {
		hashes[i] = leafHash(r)
	}
	return listRoot(hashes)
}

// record is a record as the map holds it.
type record struct {
	text       []byte
	key, value Hash
}

// newRecord hashes a record (statusmap/SPEC.md, section 1).
func newRecord(n name, text []byte) record {
	key := append([]byte{0x11, n.ns}, u16(len(n.data))...)
	value := append([]byte{0x10, n.ns}, text...)
	return record{text, sha256.Sum256(append(key, n.data...)), sha256.Sum256(value)}
}

// mapRoot is T(S, 0) of statusmap/SPEC.md, section 2.
func mapRoot(records map[name]record) Hash {
	set := make([]record, 0, len(records))
	for _, r := range records {
		set = append(set, r)
	}
	slices.SortFunc(set, func(a, b record) int { return bytes.Compare(a.key[:], b.key[:]) })
	return subtree(set, 0)
}

// subtree is T(S, d), S being sorted.
func subtree(set []record, d int) Hash {
	switch len(set) {
	case 0:
		return Hash{}
	case 1:
		return node(2, set[0].key, set[0].value)
	}
	ones := slices.IndexFunc(set, func(r record) bool { return r.key[d/8]>>(7-d%8)&1 == 1 })
	if ones < 0 {
		ones = len(set)
	}
	return node(3, subtree(set[:ones], d+1), subtree(set[ones:], d+1))
}
