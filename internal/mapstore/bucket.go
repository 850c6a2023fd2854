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

// leaf is a leaf of the map: a key, the leaf's hash, and where its record is. The hash
// stands for the value hash, from which it follows, because it is what the nodes above
// are made of, again and again.
type leaf struct {
	key, hash Hash
	at        address // of the record
}

func newLeaf(key, vh Hash, at address) leaf {
	return leaf{key, statusmap.LeafHash(key, vh), at}
}

// bucket holds the leaves below a path, 1 to bucketMax, sorted by key.
type bucket []leaf

// member is what a bucket is made of: leaves, or in memory stubs of them.
type member[T any] interface {
	*T
	bit(d int) byte // bit d of the key, counted from the highest of byte 0
	top() Hash      // hash of the leaf
	stub() stub
}

func (l *leaf) bit(d int) byte { return l.key[d/8] >> (7 - d%8) & 1 }

func (l *leaf) top() Hash { return l.hash }

// top returns the hash of the subtree of the members, which begins at bit d.
func top[T any, P member[T]](b []T, d int) Hash {
	switch len(b) {
	case 0:
		// SPEC: T(S, d) = 32 zero bytes if S is empty
		return Hash{}
	case 1:
		// SPEC: T(S, d) = leaf(k, vh) if S = {(k, vh)}, whatever d
		return P(&b[0]).top()
	}
	l, r := split[T, P](b, d)
	// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
	return statusmap.NodeHash(top[T, P](l, d+1), top[T, P](r, d+1))
}

// split divides the members by bit d of their keys.
func split[T any, P member[T]](b []T, d int) (zero, one []T) {
	i := 0
	for i < len(b) && P(&b[i]).bit(d) == 0 {
		i++
	}
	return b[:i], b[i:]
}

// follow follows key from bit d on to the end, where there is one member or none,
// and appends to siblings those on the way.
func follow[T any, P member[T]](b []T, key *leaf, d int, siblings *[]Hash) []T {
	for ; len(b) > 1; d++ {
		own, other := split[T, P](b, d)
		if key.bit(d) == 1 {
			own, other = other, own
		}
		*siblings = append(*siblings, top[T, P](other, d+1))
		b = own
	}
	return b
}

// index returns where key is, or would be.
func (b bucket) index(key *Hash) (int, bool) {
	return slices.BinarySearchFunc(b, key, func(l leaf, k *Hash) int { return bytes.Compare(l.key[:], k[:]) })
}

// put returns b, which is modified, with a change, and whether that is one.
func (b bucket) put(c *change) (bucket, bool) {
	i, found := b.index(&c.key)
	switch {
	case !found:
		return slices.Insert(b, i, c.leaf), true
	case b[i].hash == c.hash:
		return b, false
	}
	b[i] = c.leaf
	return b, true
}

// parseLeaf parses a leaf as it is stored.
func parseLeaf(key, value []byte) (leaf, bool) {
	if len(key) != len(leafKey(Hash{}, 0)) {
		return leaf{}, false
	}
	vh, at, ok := parseLeafValue(value, binary.BigEndian.Uint64(key[34:]))
	return newLeaf(Hash(key[2:34]), vh, at), ok
}

// readLeaves reads the leaves of a version below p, of which there are at most
// so many, unless that is negative.
func readLeaves(view backend.View, p path, version uint64, most int) (bucket, error) {
	from, to := p.keys()
	b, bad := make(bucket, 0, bucketMax), error(nil)
	err := view.Scan(from, to, func(key, value []byte) bool {
		l, ok := parseLeaf(key, value)
		if !ok {
			bad = fmt.Errorf("%w: malformed leaf %x", ErrCorrupt, key)
			return false
		}
		switch n := len(b); {
		case l.at.version() > version:
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
