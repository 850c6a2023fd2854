package mapstore

import (
	"bytes"
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHeld puts a few changes at a time into buckets that are held: the root is always
// that of all leaves, each leaf is found, and what earlier versions hold stays as it was.
func TestHeld(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	random := func() (h Hash) {
		for i := range h {
			h[i] = byte(r.Uint32())
		}
		return h
	}
	var keys []Hash
	leaves, versions, roots := map[Hash]leaf{}, []*tile{new(tile)}, []Hash{{}}
	shared := 0 // buckets that have grown without a copy of what they had
	for n := range 700 {
		var changes []change
		for range 1 + r.IntN(3) {
			c := change{leaf: leaf{key: random(), hash: random()}, record: new(entry)}
			if len(keys) > 0 && r.IntN(4) == 0 {
				c.key = keys[r.IntN(len(keys))]
				if c.old = leaves[c.key].at; r.IntN(2) == 0 {
					c.hash = leaves[c.key].hash // no change
				}
			}
			changes = append(changes, c)
		}
		slices.SortFunc(changes, func(a, b change) int { return bytes.Compare(a.key[:], b.key[:]) })
		changes = slices.CompactFunc(changes, func(a, b change) bool { return a.key == b.key })
		last := versions[n]
		next, _, err := updater{base: &Snapshot{top: new(tile)}, version: uint64(n + 1)}.run(last, changes)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if c.old == 0 {
				keys = append(keys, c.key)
			}
			if leaves[c.key].hash != c.hash {
				leaves[c.key] = c.leaf
			}
			if a, b := heldAt(last, &c.key), heldAt(next, &c.key); a != nil && b != nil && a.crown != nil && b.crown != nil && b.lates > 0 && &a.base[0] == &b.base[0] {
				shared++
			}
		}
		all := slices.SortedFunc(maps.Values(leaves), func(a, b leaf) int { return bytes.Compare(a.key[:], b.key[:]) })
		if got, want := next.top(), top(all, 0); got != want {
			t.Fatalf("version %d: root %x, its %d leaves give %x", n+1, got, len(all), want)
		}
		versions, roots = append(versions, next), append(roots, next.top())
	}
	for key, l := range leaves {
		if b := heldAt(versions[len(versions)-1], &key); b == nil || !slices.Contains(b.all(), l.stub()) {
			t.Fatalf("%x is not held as %x of version %d", key, l.hash, l.at.version())
		}
	}
	for i, v := range versions {
		stubs := stubsBelow(v)
		if !slices.IsSortedFunc(stubs, func(a, b stub) int { return cmp.Compare(a.tag, b.tag) }) || top(stubs, 0) != roots[i] {
			t.Fatalf("version %d: what is held was modified later", i)
		}
	}
	if shared < 300 {
		t.Errorf("a bucket kept what it had at %d changes", shared)
	}
}

// heldAt returns the held bucket in which key would be, or nil.
func heldAt(t *tile, key *Hash) *held {
	for n := 0; ; n++ {
		s := t.slots[nibble(key, n)]
		if s.below == nil {
			return s.held
		}
		t = s.below
	}
}

// stubsBelow returns the stubs of all held buckets.
func stubsBelow(t *tile) (out []stub) {
	for _, s := range t.slots {
		switch {
		case s.below != nil:
			out = append(out, stubsBelow(s.below)...)
		case s.held != nil:
			out = append(out, s.held.all()...)
		}
	}
	return out
}
