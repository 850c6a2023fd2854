package mapstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/statusmap"
)

// bucketMax is the number of leaves at which a bucket is full. A smaller one
// would make more tiles, which lie in memory; a larger one more to read and to
// hash for each key that changes.
const bucketMax = 64

// leaf is a leaf of the map: a key, the leaf's hash, and the version at which its
// record was written. The hash stands for the value hash, from which it follows,
// because it is what the nodes above are made of, again and again.
type leaf struct {
	key, hash Hash
	version   uint64
}

func newLeaf(key, vh Hash, version uint64) leaf {
	return leaf{key, statusmap.LeafHash(key, vh), version}
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
		return b[0].hash
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

// readLeaves reads the leaves of a version below p, of which there are at most
// so many, unless that is negative.
func readLeaves(view backend.View, p path, version uint64, most int) (bucket, error) {
	from, to := p.keys()
	b, bad := make(bucket, 0, bucketMax), error(nil)
	err := view.Scan(from, to, func(key, value []byte) bool {
		if len(key) != len(leafKey(Hash{}, 0)) || len(value) != len(Hash{}) {
			bad = fmt.Errorf("%w: malformed leaf %x", ErrCorrupt, key)
			return false
		}
		l := newLeaf(Hash(key[2:34]), Hash(value), binary.BigEndian.Uint64(key[34:]))
		switch n := len(b); {
		case l.version > version:
		case n > 0 && b[n-1].key == l.key:
			b[n-1] = l // a newer one
		case n == most:
			bad = fmt.Errorf("%w: more than %d leaves", ErrCorrupt, most)
		default:
			b = append(b, l)
		}
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	return b, err
}
