package mapstore

import (
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/backend"
)

// change is a map key that is to have a value.
type change struct {
	leaf          // its version is that of the batch
	vh     Hash   // value hash
	record *entry // to be written if the value is new
}

func newChange(key, vh Hash, version uint64, record *entry) change {
	return change{newLeaf(key, vh, version), vh, record}
}

// updater puts changes into the map of base, writing leaves of version.
type updater struct {
	base    *Snapshot
	version uint64
	// rehearsal says that nothing is written: then all buckets that change are
	// held.
	rehearsal bool
}

// outcome is what an update does to the store.
type outcome struct {
	writes []backend.Write
	stale  [][]byte // keys for which only earlier versions have a use
	keys   uint64   // map keys added
}

func (o *outcome) add(p *outcome) {
	o.writes = append(o.writes, p.writes...)
	o.stale = append(o.stale, p.stale...)
	o.keys += p.keys
}

// run returns the map once the changes, which are sorted by key, have been put
// in.
func (u updater) run(changes []change) (*tile, outcome, error) {
	out := outcome{}
	next, err := u.update(path{}, u.base.top, changes, &out)
	if err != nil {
		return nil, outcome{}, err
	}
	if next == nil {
		next = u.base.top
	}
	return next, out, nil
}

// parallelFrom is the number of changes from which it pays to use all cores.
const parallelFrom = 128

// update returns the tile at p once the changes, which are sorted and lie below
// p, have been put into old. It is nil if nothing changes.
func (u updater) update(p path, old *tile, changes []change, out *outcome) (*tile, error) {
	t := *old
	put := u.slots
	if p.n == 0 && len(changes) >= parallelFrom && !u.rehearsal {
		put = u.slotsInParallel
	}
	changed, err := put(p, &t, changes, out)
	if err != nil || changed == 0 {
		return nil, err
	}
	t.sum(changed)
	return &t, nil
}

// slots puts changes into the slots of t and returns the set of those changed.
func (u updater) slots(p path, t *tile, changes []change, out *outcome) (changed uint16, err error) {
	for len(changes) > 0 {
		i, n := run(p.n, changes)
		ok, err := u.slot(p, t, i, changes[:n], out)
		if err != nil {
			return 0, err
		}
		if ok {
			changed |= 1 << i
		}
		changes = changes[n:]
	}
	return changed, nil
}

// slotsInParallel does the same. Nothing below one slot touches another's.
func (u updater) slotsInParallel(p path, t *tile, changes []change, out *outcome) (changed uint16, err error) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	var parts [16]outcome
	var done [16]bool
	for len(changes) > 0 {
		i, n := run(p.n, changes)
		part := changes[:n]
		group.Go(func() (err error) {
			done[i], err = u.slot(p, t, i, part, &parts[i])
			return err
		})
		changes = changes[n:]
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	for i := range parts {
		out.add(&parts[i])
		if done[i] {
			changed |= 1 << i
		}
	}
	return changed, nil
}

// keyed is what has a map key.
type keyed interface{ leaf | change | Hash }

// run returns how many of the items, from the first on, belong into the same
// slot of a tile at depth n, and which that is.
func run[T keyed](depth int, items []T) (slot, n int) {
	slot = nibble(keyOf(&items[0]), depth)
	for n < len(items) && nibble(keyOf(&items[n]), depth) == slot {
		n++
	}
	return slot, n
}

func keyOf[T keyed](item *T) *Hash {
	switch v := any(item).(type) {
	case *leaf:
		return &v.key
	case *change:
		return &v.key
	case *Hash:
		return v
	}
	return nil
}

// slot puts changes into slot i of t and reports whether that changes it.
func (u updater) slot(p path, t *tile, i int, changes []change, out *outcome) (bool, error) {
	s, below := t.slots[i], p.child(i)
	if s.below != nil {
		next, err := u.update(below, s.below, changes, out)
		if err != nil || next == nil {
			return false, err
		}
		t.setTile(i, next)
		return true, nil
	}
	var old bucket
	switch {
	case s.leaves != nil:
		old = *s.leaves
	case t.isBucket(i):
		var err error
		if old, err = u.base.bucket(below, *t.node(16 + i)); err != nil {
			return false, err
		}
	}
	next, changed := u.merge(old, changes, out)
	if !changed {
		return false, nil
	}
	t.place(i, below, next, u.holds)
	return true, nil
}

// merge returns old with the changes, and whether there is any, and writes the
// leaves and records that are new.
func (u updater) merge(old bucket, changes []change, out *outcome) (bucket, bool) {
	next, changed := append(make(bucket, 0, len(old)+len(changes)), old...), false
	for i := range changes {
		c := &changes[i]
		at, found := next.index(&c.key)
		switch {
		case !found:
			next = slices.Insert(next, at, c.leaf)
			out.keys++
		case next[at].hash == c.hash:
			continue
		default:
			if !u.rehearsal {
				out.stale = append(out.stale, leafKey(c.key, next[at].version), recordKey(next[at].version, c.key))
			}
			next[at] = c.leaf
		}
		changed = true
		if !u.rehearsal {
			out.writes = append(out.writes,
				backend.Write{Key: leafKey(c.key, u.version), Value: c.vh[:]},
				backend.Write{Key: recordKey(u.version, c.key), Value: marshalStored(c.record.ns, c.record.stored)})
		}
	}
	return next, changed
}

// heldKeys is the number of map keys whose leaves are held in memory, at about
// 80 bytes each: in a small map a batch finds what it changes there. In a larger
// one they are those of as many paths, the lowest: memory is bounded, and the
// collector needs room, too.
const heldKeys = 3 << 19

// holds reports whether the leaves of the bucket at p are to be held.
func (u updater) holds(p path) bool {
	keys := u.base.meta.keys
	return u.rehearsal || keys <= heldKeys || uint64(p.bits[0]) < 256*heldKeys/keys
}
