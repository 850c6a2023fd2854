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

	// The nodes are a heap: node i has the halves 2i and 2i+1, 1 is the top
	// of the tile and 16+i is slot i. nodes[i-1] is the hash of node i, and
	// count[i] the number of map keys below, where 2 stands for two and more.
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
func (t *tile) sum(changed uint16) {
	var dirty [32]bool
	for i := range 16 {
		dirty[16+i] = changed>>i&1 == 1
	}
	for i := 15; i > 0; i-- {
		if dirty[2*i] || dirty[2*i+1] {
			dirty[i] = true
			t.sumNode(i)
		}
	}
}

func (t *tile) sumNode(i int) {
	l, r := 2*i, 2*i+1
	t.count[i] = min(t.count[l]+t.count[r], 2)
	switch {
	case t.count[i] == 2:
		// SPEC: T(S, d) = node(T(S0, d+1), T(S1, d+1))
		*t.node(i) = statusmap.NodeHash(*t.node(l), *t.node(r))
	case t.count[l] == 1:
		// SPEC: T(S, d) = leaf(k, vh) if S = {(k, vh)}, whatever d
		*t.node(i) = *t.node(l)
	default:
		*t.node(i) = *t.node(r) // the leaf, or zero
	}
}

// top returns the hash of the subtree that begins with this tile.
func (t *tile) top() Hash { return *t.node(1) }

// descend follows key, whose first 4n bits lead to t, as far as there are
// nodes, and returns the slot in which to go on, or false if there is nothing.
// If siblings is not nil, it appends to it those on the way.
func (t *tile) descend(key *Hash, n int, siblings *[]Hash) (int, bool) {
	at, i := 1, nibble(key, n)
	for level := 3; level >= 0 && t.count[at] == 2; level-- {
		at = 2*at + i>>level&1
		if siblings != nil {
			*siblings = append(*siblings, *t.node(at ^ 1))
		}
	}
	if t.count[at] == 0 {
		return 0, false
	}
	// A lone leaf, somewhere below the node at: the path need not lead to it.
	for at < 16 {
		at *= 2
		if t.count[at] == 0 {
			at++
		}
	}
	return at - 16, true
}
