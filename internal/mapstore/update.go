package mapstore

import (
	"bytes"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/backend"
)

// leaf is a map key that is to have a value.
type leaf struct {
	key, vh Hash
	version uint64 // at which the record was or is written
	record  *entry // to be written; nil if the leaf has only been moved
	known   bool   // the map had the key before
}

// updater puts leaves into the map of base, writing tiles of version.
type updater struct {
	base    *Snapshot
	version uint64
}

// outcome is what an update does to the store.
type outcome struct {
	writes []backend.Write
	stale  [][]byte // keys for which only earlier versions have a use
	keys   uint64   // map keys added
	fresh  []freshTile
}

// freshTile is a tile for the cache.
type freshTile struct {
	ref
	*tile
}

func (o *outcome) add(p *outcome) {
	o.writes = append(o.writes, p.writes...)
	o.stale = append(o.stale, p.stale...)
	o.keys += p.keys
	o.fresh = append(o.fresh, p.fresh...)
}

// run returns the map once leaves, which are sorted by key, have been put in.
func (u updater) run(leaves []leaf) (meta, outcome, error) {
	m, out, root := u.base.meta, outcome{}, new(tile)
	if m.tile != 0 {
		var err error
		if root, err = u.base.load(ref{version: m.tile}, m.root); err != nil {
			return m, out, err
		}
	}
	next, err := u.update(path{}, root, leaves, &out)
	if err != nil || next == nil {
		return m, out, err
	}
	if m.tile != 0 {
		out.stale = append(out.stale, ref{version: m.tile}.key())
	}
	m.root, m.tile, m.keys = next.top(), u.version, m.keys+out.keys
	return m, out, nil
}

// parallelFrom is the number of leaves from which it pays to use all cores.
const parallelFrom = 128

// update returns the tile at p once leaves, which are sorted and lie below p,
// have been put into old. It is nil if nothing changes.
func (u updater) update(p path, old *tile, leaves []leaf, out *outcome) (*tile, error) {
	t := *old
	put := u.slots
	if p.n == 0 && len(leaves) >= parallelFrom {
		put = u.slotsInParallel
	}
	changed, err := put(p, &t, leaves, out)
	if err != nil || changed == 0 {
		return nil, err
	}
	t.sum(changed)
	r := ref{u.version, p}
	out.writes = append(out.writes, backend.Write{Key: r.key(), Value: t.marshal()})
	if p.n <= cachedNibbles {
		out.fresh = append(out.fresh, freshTile{r, &t})
	}
	return &t, nil
}

// slots puts leaves into the slots of t and returns the set of those changed.
func (u updater) slots(p path, t *tile, leaves []leaf, out *outcome) (changed uint16, err error) {
	for len(leaves) > 0 {
		i, n := run(p, leaves)
		ok, err := u.slot(p, t, i, leaves[:n], out)
		if err != nil {
			return 0, err
		}
		if ok {
			changed |= 1 << i
		}
		leaves = leaves[n:]
	}
	return changed, nil
}

// slotsInParallel does the same. Nothing below one slot touches another's.
func (u updater) slotsInParallel(p path, t *tile, leaves []leaf, out *outcome) (changed uint16, err error) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	var parts [16]outcome
	var done [16]bool
	for len(leaves) > 0 {
		i, n := run(p, leaves)
		part := leaves[:n]
		group.Go(func() (err error) {
			done[i], err = u.slot(p, t, i, part, &parts[i])
			return err
		})
		leaves = leaves[n:]
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

// run returns how many of the leaves, from the first on, belong into the same
// slot of the tile at p, and which that is.
func run(p path, leaves []leaf) (slot, n int) {
	slot = nibble(&leaves[0].key, p.n)
	for n < len(leaves) && nibble(&leaves[n].key, p.n) == slot {
		n++
	}
	return slot, n
}

// slot puts leaves into slot i of t and reports whether that changes it.
func (u updater) slot(p path, t *tile, i int, leaves []leaf, out *outcome) (bool, error) {
	s := &t.slots[i]
	switch s.kind {
	case slotTile:
		r := ref{s.version, p.child(i)}
		old, err := u.base.load(r, t.nodes[16+i])
		if err != nil {
			return false, err
		}
		next, err := u.update(r.path, old, leaves, out)
		if err != nil || next == nil {
			return false, err
		}
		out.stale = append(out.stale, r.key())
		t.setTile(i, next.top(), u.version)
		return true, nil
	case slotLeaf:
		if leaves = join(s, leaves, out); leaves == nil {
			return false, nil
		}
	}
	return true, u.fill(p, t, i, leaves, out)
}

// join returns leaves together with the one in the slot s, unless one of them
// replaces it. It is nil if the only leaf is the same as before.
func join(s *slot, leaves []leaf, out *outcome) []leaf {
	old := leaf{key: s.key, vh: s.vh, version: s.version, known: true}
	at, found := slices.BinarySearchFunc(leaves, s.key, func(l leaf, k Hash) int {
		return bytes.Compare(l.key[:], k[:])
	})
	switch {
	case !found:
		return slices.Concat(leaves[:at], []leaf{old}, leaves[at:])
	case leaves[at].vh != s.vh:
		leaves[at].known = true
		out.stale = append(out.stale, recordKey(s.version, s.key))
	case len(leaves) == 1:
		return nil
	default:
		leaves[at] = old
	}
	return leaves
}

// fill makes slot i of t, which is empty or whose leaf is among leaves, hold
// leaves, and writes their records.
func (u updater) fill(p path, t *tile, i int, leaves []leaf, out *outcome) error {
	if len(leaves) > 1 {
		// SPEC: a subtree of two keys or more is a node, at every depth.
		below, err := u.update(p.child(i), new(tile), leaves, out)
		if err != nil {
			return err
		}
		t.setTile(i, below.top(), u.version)
		return nil
	}
	l := leaves[0]
	t.setLeaf(i, l.key, l.vh, l.version)
	if l.record != nil {
		value := marshalStored(l.record.ns, l.record.stored)
		out.writes = append(out.writes, backend.Write{Key: recordKey(u.version, l.key), Value: value})
		if !l.known {
			out.keys++
		}
	}
	return nil
}
