package mapstore

import "sync/atomic"

// cachedNibbles is the length of the longest path whose tile is cached.
const cachedNibbles = 3

// Cache keeps the upper tiles of the map in memory, one for each of the 4,369
// shortest paths: about 11 MB when full. It only saves time: a tile in it has
// been checked like one that has just been read. It is safe for concurrent
// use; its zero value is empty. One Cache serves one store.
type Cache struct {
	tiles [1 + 16 + 256 + 4096]atomic.Pointer[cached]
}

type cached struct {
	version uint64
	*tile
}

// place returns where in the cache the tile at p belongs, or nil if nowhere.
func (c *Cache) place(p path) *atomic.Pointer[cached] {
	if c == nil || p.n > cachedNibbles {
		return nil
	}
	offset := [cachedNibbles + 1]int{0, 1, 1 + 16, 1 + 16 + 256}[p.n]
	return &c.tiles[offset+(int(p.bits[0])<<8|int(p.bits[1]))>>(16-4*p.n)]
}

// get returns the tile that r names if it is at hand and has the given top.
func (c *Cache) get(r ref, top Hash) *tile {
	if at := c.place(r.path); at != nil {
		if t := at.Load(); t != nil && t.version == r.version && t.top() == top {
			return t.tile
		}
	}
	return nil
}

// put keeps t, unless a newer tile has its place.
func (c *Cache) put(r ref, t *tile) {
	at := c.place(r.path)
	if at == nil {
		return
	}
	if old := at.Load(); old == nil || old.version <= r.version {
		// A race between two puts leaves one of them: either will do.
		at.Store(&cached{r.version, t})
	}
}
