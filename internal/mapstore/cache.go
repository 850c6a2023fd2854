package mapstore

import (
	"cmp"
	"slices"
	"sync"

	"github.com/standing-log/standing/internal/backend"
)

// Cache keeps the tiles of a few versions in memory: about 1.3 KB for every
// 64 to 1,024 map keys, shared by versions where they did not change, and stubs of
// up to heldKeys leaves, in the buckets that were written since the process began.
// Without it the tiles are made anew from the leaves at each Open, which reads
// the whole map.
// It is safe for concurrent use; its zero value is empty. One Cache serves one
// store.
type Cache struct {
	// Versions is how many are kept; 0 means 4.
	Versions int

	mu   sync.Mutex
	tops []cached // the one used last is last
}

type cached struct {
	version uint64
	top     *tile
}

// cachedVersions is the number of versions in a Cache, unless it says another.
// Readers use the version published last, which with the newest one and those
// on the way to be published is a handful.
const cachedVersions = 4

// get returns the tiles of a version that is in view.
func (c *Cache) get(view backend.View, m meta) (*tile, error) {
	if m.keys == 0 && m.root == (Hash{}) {
		return new(tile), nil
	}
	if c == nil {
		return loadTop(view, m)
	}
	// Whoever comes while the map is being read waits for it here, rather than
	// to read it, too.
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.tops, func(t cached) bool { return t.version == m.version && t.top.top() == m.root })
	if i < 0 {
		top, err := loadTop(view, m)
		if err != nil {
			return nil, err
		}
		c.put(m.version, top)
		return top, nil
	}
	hit := c.tops[i]
	c.tops = append(slices.Delete(c.tops, i, i+1), hit)
	return hit.top, nil
}

// put keeps the tiles of a version. The lock is held.
func (c *Cache) put(version uint64, top *tile) {
	if len(c.tops) >= cmp.Or(c.Versions, cachedVersions) {
		c.tops = slices.Delete(c.tops, 0, 1)
	}
	c.tops = append(c.tops, cached{version, top})
}

// add is put for callers without the lock and perhaps without a cache.
func (c *Cache) add(version uint64, top *tile) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(version, top)
}
