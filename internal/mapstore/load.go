package mapstore

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/standing-log/standing/internal/backend"
)

// loadTop makes the tiles of a version, and checks them against the root in m:
// from a shortcut if there is one, or from all buckets.
func loadTop(view backend.View, m meta) (*tile, error) {
	// Whatever is wrong with a shortcut, the buckets decide.
	if root, err := loadShortcut(view, m); err == nil && root != nil && root.top() == m.root {
		return root, nil
	}
	root := new(tile)
	if err := root.read(view, []byte{prefix, kindBucket}, []byte{prefix, kindBucket + 1}, m.version); err != nil {
		return nil, fmt.Errorf("reading the map: %w", err)
	}
	root.sumAll()
	if root.top() != m.root {
		return nil, fmt.Errorf("%w: the buckets of version %d give root %x, not %x", ErrCorrupt, m.version, root.top(), m.root)
	}
	return root, nil
}

// read puts the buckets of a version whose keys are in [from, to) into the
// tiles below t, the root. It hashes no leaf: a bucket that says something false
// of itself gives another root, or is found out when it is read.
func (t *tile) read(view backend.View, from, to []byte, version uint64) error {
	var bad error
	err := view.Scan(from, to, func(key, value []byte) bool {
		var r ref
		if r, bad = parseRef(key); bad != nil {
			return false
		}
		if r.version > version {
			return true
		}
		n, top, err := parseHeadOf(value)
		if err != nil {
			bad = fmt.Errorf("%w: %v: %v", ErrCorrupt, r, err)
			return false
		}
		t.insert(r, top, n)
		return true
	})
	if err == nil {
		err = bad
	}
	return err
}

// insert puts a bucket into the tiles below t, in the order of the keys of
// buckets: a newer one replaces an older one, and one further down the one that
// it was split from.
func (t *tile) insert(r ref, top Hash, n int) {
	for depth := range r.path.n - 1 {
		s := &t.slots[nibble(&r.path.bits, depth)]
		if s.below == nil {
			*s = slot{below: new(tile)}
		}
		t = s.below
	}
	t.setBucket(nibble(&r.path.bits, r.path.n-1), r.version, top, n, nil)
}

// sumAll computes all nodes of t and of the tiles below.
func (t *tile) sumAll() {
	for i := range t.slots {
		if below := t.slots[i].below; below != nil {
			below.sumAll()
			t.setTile(i, below)
		}
	}
	t.sum(0xffff)
}

// key returns the key of the bucket: paths sort before those below them.
func (r ref) key() []byte {
	b := make([]byte, 0, 2+r.path.n+1+8)
	b = append(b, prefix, kindBucket)
	for i := range r.path.n {
		b = append(b, byte(nibble(&r.path.bits, i)+1))
	}
	b = append(b, 0)
	return binary.BigEndian.AppendUint64(b, r.version)
}

// parseRef is the inverse of key.
func parseRef(key []byte) (ref, error) {
	bad := fmt.Errorf("%w: key %x is not that of a bucket", ErrCorrupt, key)
	rest := key[2:]
	n := bytes.IndexByte(rest, 0)
	if n < 1 || n > maxNibbles || len(rest) != n+1+8 {
		return ref{}, bad
	}
	var p path
	for _, c := range rest[:n] {
		if c > 16 {
			return ref{}, bad
		}
		p = p.child(int(c - 1))
	}
	return ref{binary.BigEndian.Uint64(rest[n+1:]), p}, nil
}
