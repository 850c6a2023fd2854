package mapstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/backend"
)

// A shortcut is what the buckets of a version say of themselves, all in one
// place: from it the tiles are made without reading each bucket. It is written
// now and then; a later version is made from it and from the buckets that have
// changed since. Nothing depends on it: what is made is compared with the root,
// and if it is not the same, all buckets are read.

// Shortcut returns the writes that let the next process open this version, and
// those soon after it, in a fraction of the time. They are for an Append of
// their own or with others; about five bytes for each map key.
func (s *Snapshot) Shortcut() []backend.Write { return cached{s.meta.version, s.top}.shortcut() }

// Shortcut is that of the version which the last Commit has made.
func (b *Batch) Shortcut() []backend.Write { return b.next.shortcut() }

func (c cached) shortcut() []backend.Write {
	writes := make([]backend.Write, 0, len(c.top.slots))
	for i := range c.top.slots {
		b := binary.BigEndian.AppendUint64([]byte{format}, c.version)
		b = c.top.appendSlot(b, i)
		key := shortcutKey(i)
		writes = append(writes, backend.Write{Key: key, Value: addSum(key, b)})
	}
	return writes
}

// ShortcutVersion returns the version of which view has a shortcut, or 0.
func ShortcutVersion(view backend.View) (uint64, error) {
	value, err := view.Get(shortcutKey(0))
	if value == nil || err != nil {
		return 0, err
	}
	version, _, err := parseShortcut(shortcutKey(0), value)
	if err != nil {
		return 0, nil // it is of no use, and may be written again
	}
	return version, nil
}

func shortcutKey(slot int) []byte { return []byte{prefix, kindShortcut, byte(slot)} }

func parseShortcut(key, value []byte) (version uint64, rest []byte, err error) {
	b, err := checkSum(key, value)
	if err != nil || len(b) < 8 {
		return 0, nil, fmt.Errorf("%w: shortcut %x", ErrCorrupt, key)
	}
	return binary.BigEndian.Uint64(b), b[8:], nil
}

// inTile marks a tile in a shortcut; what is less is the number of keys in a
// bucket, where 2 stands for two and more.
const inTile = 3

// appendSlot appends what lies in slot i: a byte that says how many keys, and
// of a bucket its top and its version, of a tile its slots.
func (t *tile) appendSlot(b []byte, i int) []byte {
	s := &t.slots[i]
	if s.below == nil {
		b = append(b, t.count[16+i])
		if !t.isBucket(i) {
			return b
		}
		b = append(b, t.node(16 + i)[:]...)
		return binary.AppendUvarint(b, s.version)
	}
	b = append(b, inTile)
	for j := range s.below.slots {
		b = s.below.appendSlot(b, j)
	}
	return b
}

// parseSlot fills slot i of t, which is empty and at depth nibbles, from the
// beginning of b, and returns the rest. The nodes above are out of date until
// sumAll is called.
func (t *tile) parseSlot(b []byte, i, depth int) ([]byte, error) {
	if len(b) == 0 || b[0] > inTile || depth > maxNibbles {
		return nil, errForm
	}
	kind, b := b[0], b[1:]
	switch kind {
	case 0:
		return b, nil
	case inTile:
		below := new(tile)
		var err error
		for j := range below.slots {
			if b, err = below.parseSlot(b, j, depth+1); err != nil {
				return nil, err
			}
		}
		t.slots[i] = slot{below: below}
		return b, nil
	}
	if len(b) < len(Hash{}) {
		return nil, errForm
	}
	top := Hash(b[:32])
	version, n := binary.Uvarint(b[32:])
	if n <= 0 {
		return nil, errForm
	}
	t.setBucket(i, version, top, int(kind), nil)
	return b[32+n:], nil
}

// loadShortcut makes the tiles of a version from a shortcut of it, or of an
// earlier one that is not too far back. Nil means that there is none to use.
func loadShortcut(view backend.View, m meta) (*tile, error) {
	root := new(tile)
	var from uint64
	for i := range root.slots {
		key := shortcutKey(i)
		value, err := view.Get(key)
		if value == nil || err != nil {
			return nil, err
		}
		version, rest, err := parseShortcut(key, value)
		if err == nil {
			rest, err = root.parseSlot(rest, i, 1)
		}
		if i == 0 {
			from = version
		}
		if err != nil || len(rest) > 0 || version != from || version > m.version {
			return nil, err
		}
	}
	keys, few, err := changedSince(view, from, m)
	if !few || err != nil {
		return nil, err
	}
	if err := root.refresh(view, keys, m.version); err != nil {
		return nil, err
	}
	root.sumAll()
	return root, nil
}

// changed is a map key and the version in which it got a record.
type changed struct {
	key     Hash
	version uint64
}

// changedSince returns the map keys that have got a record in the versions from
// from, exclusive, to m, sorted, if they are few: otherwise to read all buckets
// is better.
func changedSince(view backend.View, from uint64, m meta) (keys []changed, few bool, err error) {
	most := int(m.keys / 8)
	first := recordKey(from+1, Hash{})
	err = view.Scan(first, recordKey(m.version+1, Hash{}), func(key, _ []byte) bool {
		if n := len(key); n == len(first) {
			keys = append(keys, changed{Hash(key[n-32:]), binary.BigEndian.Uint64(key[n-40:])})
		}
		return len(keys) <= most
	})
	slices.SortFunc(keys, func(a, b changed) int { return bytes.Compare(a.key[:], b.key[:]) })
	return keys, len(keys) <= most, err
}

// refresh reads the buckets in which the keys, which are sorted, are now.
func (t *tile) refresh(view backend.View, keys []changed, version uint64) error {
	for len(keys) > 0 {
		in, p := t, path{}
		j := nibble(&keys[0].key, 0)
		for in.slots[j].below != nil {
			in, p = in.slots[j].below, p.child(j)
			j = nibble(&keys[0].key, p.n)
		}
		p = p.child(j)
		newest, n := uint64(0), 0
		for ; n < len(keys) && p.above(&keys[n].key); n++ {
			newest = max(newest, keys[n].version)
		}
		keys = keys[n:]
		in.clear(j)
		if err := in.reread(view, j, ref{newest, p}, t, version); err != nil {
			return err
		}
	}
	return nil
}

// reread fills slot j of t, which is at the path of r and empty: with the bucket
// r, or, if it has been split, with those below, which go into root.
func (t *tile) reread(view backend.View, j int, r ref, root *tile, version uint64) error {
	value, err := view.Get(r.key())
	if err != nil {
		return err
	}
	if value != nil {
		n, top, err := parseHeadOf(value)
		if err == nil {
			t.setBucket(j, r.version, top, n, nil)
		}
		return err
	}
	// Behind a path, and before the next one, come those below it.
	from := ref{0, r.path}.key()
	return root.read(view, from, append(from[:len(from)-9:len(from)-9], 17), version)
}

// clear empties slot i. The nodes above are out of date until sumAll is called.
func (t *tile) clear(i int) {
	t.slots[i], *t.node(16 + i), t.count[16+i] = slot{}, Hash{}, 0
}
