package mapstore

import (
	"github.com/standing-log/standing/personality/statusmap"
)

// slot is one sixteenth of a tile: a tile below, or a bucket, or nothing.
type slot struct {
	held  *held // the bucket; nil: it is read
	below *tile
}

// tile is four levels of the map, in memory: 16 slots and the 15 nodes above
// them. Once it has been made it is not modified, so that versions share the
// tiles that did not change between them. There are many: 1,280 bytes is one of
// the sizes in which Go gives out memory.
type tile struct {
	slots [16]slot

	// nodes and count are a heap over the slots.
	nodes [31]Hash
	count [32]uint8
}

func (t *tile) node(i int) *Hash { return &t.nodes[i-1] }

// isBucket reports whether slot i is a bucket.
func (t *tile) isBucket(i int) bool { return t.slots[i].below == nil && t.count[16+i] > 0 }

// setBucket makes slot i that of a bucket of n keys, which may be held. The nodes
// above are out of date until sum is called.
func (t *tile) setBucket(i int, top Hash, n int, h *held) {
	t.slots[i] = slot{held: h}
	*t.node(16 + i), t.count[16+i] = top, uint8(min(n, 2))
}

// setTile makes slot i hold a tile, which is not empty.
func (t *tile) setTile(i int, below *tile) {
	t.slots[i] = slot{below: below}
	*t.node(16 + i), t.count[16+i] = below.top(), below.count[1]
}

// place makes slot i of t, which is at p, hold the leaves, or stubs of them: in one
// bucket or, if they are too many, in buckets below. Those of which holds, unless it
// is nil, says so are held. The nodes above are out of date until sum is called.
func place[T keyed, P member[T]](t *tile, i int, p path, b []T, holds func(path) bool) {
	if len(b) > bucketMax {
		below := new(tile)
		for len(b) > 0 {
			j, n := run(p.n, b)
			place[T, P](below, j, p.child(j), b[:n], holds)
			b = b[n:]
		}
		below.sum(0xffff)
		t.setTile(i, below)
		return
	}
	d := 4 * p.n
	if holds != nil && holds(p) {
		stubs := make([]stub, len(b))
		for i := range b {
			stubs[i] = P(&b[i]).stub()
		}
		if h := hold(stubs, d); h != nil {
			t.setBucket(i, h.top(d), len(b), h)
			return
		}
	}
	t.setBucket(i, top[T, P](b, d), len(b), nil)
}

// sum computes the nodes above the slots whose bits are set in changed.
func (t *tile) sum(changed uint16) { t.heap().sum(changed) }

func (t *tile) heap() heap { return heap{t.nodes[:], t.count[:]} }

// top returns the hash of the subtree that begins with this tile.
func (t *tile) top() Hash { return t.heap().top() }

// descend follows key, whose first 4n bits lead to t, as far as there are
// nodes, and returns the slot in which to go on, or false if there is nothing.
// If siblings is not nil, it appends to it those on the way.
func (t *tile) descend(key *Hash, n int, siblings *[]Hash) (int, bool) {
	return t.heap().descend(nibble(key, n), siblings)
}

// heap is the nodes above a number of slots that is a power of two: node i has the
// halves 2i and 2i+1, 1 is the top and len(count)/2+i is slot i. nodes[i-1] is the hash
// of node i, and count[i] the number of map keys below, where 2 stands for two and more.
type heap struct {
	nodes []Hash
	count []uint8
}

func (h heap) top() Hash { return h.nodes[0] }

func (h heap) slots() int { return len(h.count) / 2 }

// sum computes the nodes above the slots whose bits are set in changed.
func (h heap) sum(changed uint16) {
	dirty := uint32(changed) << h.slots()
	for i := h.slots() - 1; i > 0; i-- {
		if dirty>>(2*i)&3 > 0 {
			dirty |= 1 << i
			h.sumNode(i)
		}
	}
}

func (h heap) sumNode(i int) {
	l, r := 2*i, 2*i+1
	h.count[i] = min(h.count[l]+h.count[r], 2)
	switch {
	case h.count[i] == 2:
		// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
		h.nodes[i-1] = statusmap.NodeHash(h.nodes[l-1], h.nodes[r-1])
	case h.count[l] == 1:
		// SPEC: T(S, d) = leaf(k, vh) if S = {(k, vh)}, whatever d
		h.nodes[i-1] = h.nodes[l-1]
	default:
		h.nodes[i-1] = h.nodes[r-1] // the leaf, or zero
	}
}

// descend follows bits, of which there are as many as the heap has levels, as far as
// there are nodes, and returns the slot in which to go on, or false if there is nothing.
// If siblings is not nil, it appends to it those on the way.
func (h heap) descend(key int, siblings *[]Hash) (int, bool) {
	at := 1
	for level := h.slots() / 2; level > 0 && h.count[at] == 2; level /= 2 {
		at = 2 * at
		if key&level > 0 {
			at++
		}
		if siblings != nil {
			*siblings = append(*siblings, h.nodes[at^1-1])
		}
	}
	if h.count[at] == 0 {
		return 0, false
	}
	// A lone leaf, somewhere below the node at: the path need not lead to it.
	for at < h.slots() {
		at *= 2
		if h.count[at] == 0 {
			at++
		}
	}
	return at - h.slots(), true
}
