package mapstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/backend"
)

// A shortcut is the hashes of the buckets of a version, all in one place: from
// it the tiles are made without reading each leaf. It is written
// now and then; a later version is made from it and from the buckets that have
// changed since. Nothing depends on it: what is made is compared with the root,
// and if it is not the same, all leaves are read.

// Shortcut returns the writes that let the next process open this version, and
// those soon after it, in a fraction of the time. They are for an Append of
// their own or with others; one or two bytes for each map key.
func (s *Snapshot) Shortcut() []backend.Write { return cached{s.meta.version, s.top}.shortcut() }

// Shortcut is that of the version which the last Commit has made.
func (b *Batch) Shortcut() []backend.Write { return b.next.shortcut() }

func (c cached) shortcut() []backend.Write {
	writes := make([]backend.Write, 0, len(c.top.slots))
	for i := range c.top.slots {
		b := append(make([]byte, 0, 1+8+c.top.slotLen(i)+sha256.Size), format)
		b = binary.BigEndian.AppendUint64(b, c.version)
		b = c.top.appendSlot(b, i)
		key := shortcutKey(i)
		writes = append(writes, backend.Write{Key: key, Value: addSum(key, b)})
	}
	return writes
}

// ShortcutVersion returns the version of which view has a shortcut, or 0.
func ShortcutVersion(view backend.View) (uint64, error) {
	value, err := backend.Get(view, shortcutKey(0))
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

var errForm = errors.New("malformed")

// appendSlot appends what lies in slot i: a byte that says how many keys, and
// of a bucket its top, of a tile its slots.
func (t *tile) appendSlot(b []byte, i int) []byte {
	s := &t.slots[i]
	if s.below == nil {
		b = append(b, t.count[16+i])
		if !t.isBucket(i) {
			return b
		}
		return append(b, t.node(16 + i)[:]...)
	}
	b = append(b, inTile)
	for j := range s.below.slots {
		b = s.below.appendSlot(b, j)
	}
	return b
}

// slotLen returns how many bytes appendSlot appends.
func (t *tile) slotLen(i int) int {
	s := &t.slots[i]
	switch n := 1; {
	case s.below != nil:
		for j := range s.below.slots {
			n += s.below.slotLen(j)
		}
		return n
	case t.isBucket(i):
		return n + len(Hash{})
	default:
		return n
	}
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
	t.setBucket(i, Hash(b[:32]), int(kind), nil)
	return b[32:], nil
}

// loadShortcut makes the tiles of a version from a shortcut of it, or of an
// earlier one that is not too far back. Nil means that there is none to use.
func loadShortcut(view backend.View, m meta) (*tile, error) {
	root := new(tile)
	var from uint64
	for i := range root.slots {
		key := shortcutKey(i)
		value, err := backend.Get(view, key)
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

// changedSince returns the map keys that have got a record in the versions from
// from, exclusive, to m, sorted, if they are few: otherwise to read all leaves
// is better.
func changedSince(view backend.View, from uint64, m meta) (keys []Hash, few bool, err error) {
	most := int(m.keys / 64)
	first := recordKey(from+1, Hash{})
	err = view.Scan(first, recordKey(m.version+1, Hash{}), func(key, _ []byte) bool {
		if n := len(key); n == len(first) {
			keys = append(keys, Hash(key[n-32:]))
		}
		return len(keys) <= most
	})
	if err != nil {
		return nil, false, err
	}
	var bad error
	err = view.Scan(pageKey(from+1, 0), pageKey(m.version+1, 0), func(_, page []byte) bool {
		bad = scanPage(page, func(key *Hash, _ []byte) bool {
			keys = append(keys, *key)
			return true
		})
		return bad == nil && len(keys) <= most
	})
	if err == nil {
		err = bad
	}
	slices.SortFunc(keys, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	return keys, len(keys) <= most, err
}

// refresh reads the buckets in which the keys, which are sorted, are now. The
// nodes above are out of date until sumAll is called.
func (t *tile) refresh(view backend.View, keys []Hash, version uint64) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for len(keys) > 0 {
		i, n := run(0, keys)
		part := keys[:n]
		group.Go(func() error { return t.refreshSlot(view, i, path{}.child(i), part, version) })
		keys = keys[n:]
	}
	return group.Wait()
}

// refreshSlot does that in slot i, which is at p, with the keys below.
func (t *tile) refreshSlot(view backend.View, i int, p path, keys []Hash, version uint64) error {
	below := t.slots[i].below
	if below == nil {
		return t.reread(view, i, p, version)
	}
	for len(keys) > 0 {
		j, n := run(p.n, keys)
		if err := below.refreshSlot(view, j, p.child(j), keys[:n], version); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
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
