package mapstore

import (
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/statusmap"
)

// change is a map key that is to have a value.
type change struct {
	leaf           // as it is to be
	vh     Hash    // value hash
	old    address // of the record that the key has, 0 if it has none
	record *entry  // to be written if the value is new
}

// newChange returns the change that a record is. It has its own address from run on.
func newChange(record *entry) change {
	vh := statusmap.ValueHash(byte(record.ns), record.record)
	return change{newLeaf(record.key, vh, 0), vh, record.at, record}
}

// updater puts changes into a map, writing leaves of version.
type updater struct {
	base    *Snapshot // what the store has
	version uint64
	// since, unless it is nil, says that nothing is written, and that the map is
	// not base but what these changes have made of it. Then all buckets are held
	// that can be.
	since func(path) []change
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

// run returns top once the changes, which are sorted by key, have been put in.
func (u updater) run(top *tile, changes []change) (*tile, outcome, error) {
	out := outcome{}
	u.address(changes)
	next, err := u.update(path{}, top, changes, &out)
	if err != nil {
		return nil, outcome{}, err
	}
	if u.since == nil {
		out.writes = append(out.writes, pages(changes)...)
	}
	if next == nil {
		next = top
	}
	return next, out, nil
}

// address says where the records of the changes will lie.
func (u updater) address(changes []change) {
	added := 0
	for i := range changes {
		c := &changes[i]
		if c.at = alone(u.version); c.old == 0 {
			c.at = paged(u.version, added)
			added++
		}
	}
}

// parallelFrom is the number of changes from which it pays to use all cores.
const parallelFrom = 128

// update returns the tile at p once the changes, which are sorted and lie below
// p, have been put into old. It is nil if nothing changes.
func (u updater) update(p path, old *tile, changes []change, out *outcome) (*tile, error) {
	t := *old
	put := u.slots
	if p.n == 0 && len(changes) >= parallelFrom && u.since == nil {
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
type keyed interface{ leaf | stub | change | Hash }

// run returns how many of the items, from the first on, belong into the same
// slot of a tile at depth n, and which that is.
func run[T keyed](depth int, items []T) (slot, n int) {
	slot = nibbleOf(&items[0], depth)
	for n < len(items) && nibbleOf(&items[n], depth) == slot {
		n++
	}
	return slot, n
}

// nibbleOf returns the n-th nibble of the item's key. Stubs have the first 16.
func nibbleOf[T keyed](item *T, n int) int {
	switch v := any(item).(type) {
	case *stub:
		return int(v.tag>>(60-4*n)) & 15
	case *leaf:
		return nibble(&v.key, n)
	case *change:
		return nibble(&v.key, n)
	case *Hash:
		return nibble(v, n)
	}
	return 0
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
	if s.held != nil {
		if changed, ok := u.putHeld(t, i, below, changes, out); ok {
			return changed, nil
		}
	}
	return u.putRead(t, i, below, changes, out)
}

// putHeld puts changes into the held bucket in slot i of t, which is at p, and
// reports whether that changes it. It is not ok, and nothing is done, if the tags do
// not tell the keys apart.
func (u updater) putHeld(t *tile, i int, p path, changes []change, out *outcome) (changed, ok bool) {
	old, d := t.slots[i].held, 4*p.n
	next := old.clone(len(changes))
	var parts uint16 // that change
	before := *out
	for j := range changes {
		c := &changes[j]
		s := c.stub()
		is := next.spot(s.tag, d)
		if is.found != (c.old > 0) {
			*out = before
			return false, false
		}
		if is.found && next.at(is).hash == s.hash {
			continue
		}
		next.put(s, is, old)
		parts |= 1 << part(s.tag, d)
		u.write(c, out)
	}
	n := next.len()
	switch {
	case parts == 0:
		return false, true
	case n > bucketMax:
		place(t, i, p, next.all(), u.holds)
		return true, true
	case next.crown != nil:
		next.sum(d, parts)
	default:
		next.complete(d)
	}
	top := next.top(d)
	if !u.holds(p) {
		next = nil
	}
	t.setBucket(i, top, n, next)
	return true, true
}

// putRead does the same with a bucket that is read, or none.
func (u updater) putRead(t *tile, i int, p path, changes []change, out *outcome) (changed bool, err error) {
	next, err := u.base.below(p)
	if err != nil {
		return false, err
	}
	next = slices.Clone(next)
	if u.since != nil {
		// The store has nothing of what was put in before.
		for _, c := range u.since(p) {
			next, _ = next.put(&c)
		}
	}
	for j := range changes {
		c := &changes[j]
		var is bool
		if _, found := next.index(&c.key); u.since == nil && found != (c.old > 0) {
			return false, fmt.Errorf("%w: the leaf of %x had version %d, and bucket %v has one: %t", ErrInconsistent, c.key, c.old.version(), p, found)
		}
		if next, is = next.put(c); is || u.since != nil {
			changed = true
			u.write(c, out)
		}
	}
	if changed {
		place(t, i, p, next, u.holds)
	}
	return changed, nil
}

// write writes the leaf of a change, and its record unless that is in a page, and
// counts its key if it is new.
func (u updater) write(c *change, out *outcome) {
	if c.old == 0 {
		out.keys++
	}
	if u.since != nil {
		return
	}
	out.writes = append(out.writes, backend.Write{Key: leafKey(c.key, u.version), Value: c.at.leafValue(&c.vh)})
	if c.at.page() == 0 {
		out.writes = append(out.writes,
			backend.Write{Key: c.at.key(&c.key), Value: appendStored(nil, c.record.ns, c.record.stored)})
	}
	if c.old == 0 {
		return
	}
	if out.stale = append(out.stale, leafKey(c.key, c.old.version())); c.old.page() == 0 {
		out.stale = append(out.stale, c.old.key(&c.key))
	}
}

// heldKeys is the number of map keys of which stubs are held in memory, at about
// 65 bytes each: in a map that is no larger, a batch that adds keys reads nothing. In
// a larger one, half as many are, those of the lowest paths: memory is bounded, and
// the tiles grow to as much as the other half takes.
const heldKeys = 13 << 18

// holds reports whether the bucket at p is to be held.
func (u updater) holds(p path) bool {
	keys := u.base.meta.keys
	return u.since != nil || keys <= heldKeys || uint64(p.bits[0]) < 256*heldKeys/2/keys
}
