package mapstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/standing-log/standing/personality/statusmap"
)

// bucketMax is the number of leaves at which a bucket is full. A smaller one
// would make more tiles, which lie in memory; a larger one more bytes to write
// for each key that changes.
const bucketMax = 16

// leaf is a leaf of the map: a key, its value hash, and the version at which
// its record was written.
type leaf struct {
	key, vh Hash
	version uint64
}

// bucket holds the leaves below a path, 1 to bucketMax, sorted by key.
type bucket []leaf

// top returns the hash of the subtree of the leaves, which begins at bit d.
func (b bucket) top(d int) Hash {
	switch len(b) {
	case 0:
		// SPEC: T(S, d) = 32 zero bytes if S is empty
		return Hash{}
	case 1:
		// SPEC: T(S, d) = leaf(k, vh) if S = {(k, vh)}, whatever d
		return statusmap.LeafHash(b[0].key, b[0].vh)
	}
	l, r := b.split(d)
	// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
	return statusmap.NodeHash(l.top(d+1), r.top(d+1))
}

// split divides the leaves by bit d of their keys.
func (b bucket) split(d int) (zero, one bucket) {
	i := 0
	for i < len(b) && bit(&b[i].key, d) == 0 {
		i++
	}
	return b[:i], b[i:]
}

// bit returns bit d of key, counted from the highest of byte 0.
func bit(key *Hash, d int) byte { return key[d/8] >> (7 - d%8) & 1 }

// find follows key from bit d on and returns the leaf that stands at the end,
// or nil. If siblings is not nil, it appends to it those on the way.
func (b bucket) find(key *Hash, d int, siblings *[]Hash) *leaf {
	for ; len(b) > 1; d++ {
		own, other := b.split(d)
		if bit(key, d) == 1 {
			own, other = other, own
		}
		if siblings != nil {
			*siblings = append(*siblings, other.top(d+1))
		}
		b = own
	}
	if len(b) == 0 {
		return nil
	}
	return &b[0]
}

// index returns where key is, or would be.
func (b bucket) index(key *Hash) (int, bool) {
	return slices.BinarySearchFunc(b, key, func(l leaf, k *Hash) int { return bytes.Compare(l.key[:], k[:]) })
}

// marshal returns the stored form: u8 number of leaves, top, leaves.
func (b bucket) marshal(top Hash) []byte {
	out := make([]byte, 0, bucketHead+len(b)*(64+4))
	out = append(out, byte(len(b)))
	out = append(out, top[:]...)
	for i := range b {
		out = append(out, b[i].key[:]...)
		out = append(out, b[i].vh[:]...)
		out = binary.AppendUvarint(out, b[i].version)
	}
	return out
}

// bucketHead is the length of what stands before the leaves.
const bucketHead = 1 + 32

// Reasons for which a stored bucket is not one; callers wrap them in
// ErrCorrupt.
var (
	errForm  = errors.New("malformed")
	errPlace = errors.New("leaf out of place")
	errTop   = errors.New("hashes to something else")
)

// parseHeadOf returns what a stored bucket says of itself. It is believed only
// for as long as it takes to compare the root that follows from it.
func parseHeadOf(b []byte) (n int, top Hash, err error) {
	if len(b) < bucketHead || b[0] < 1 || b[0] > bucketMax {
		return 0, Hash{}, errForm
	}
	return int(b[0]), Hash(b[1:bucketHead]), nil
}

// parseBucket parses the bucket stored at p, which MUST have the top given.
func parseBucket(p path, value []byte, want Hash) (bucket, error) {
	n, top, err := parseHeadOf(value)
	if err != nil {
		return nil, err
	}
	rest, out := value[bucketHead:], make(bucket, n)
	for i := range out {
		if len(rest) <= 64 {
			return nil, errForm
		}
		version, size := binary.Uvarint(rest[64:])
		if size <= 0 {
			return nil, errForm
		}
		out[i] = leaf{Hash(rest[:32]), Hash(rest[32:64]), version}
		// The hash does not tell where a lone leaf stands, so the place is
		// checked here.
		if !p.above(&out[i].key) || i > 0 && bytes.Compare(out[i-1].key[:], out[i].key[:]) >= 0 {
			return nil, errPlace
		}
		rest = rest[64+size:]
	}
	if len(rest) != 0 {
		return nil, errForm
	}
	if top != want || out.top(4*p.n) != want {
		return nil, errTop
	}
	return out, nil
}
