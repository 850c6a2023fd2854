package mapstore

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/standing-log/standing/personality/statusmap"
)

// What a slot of a tile holds.
const (
	slotEmpty = iota
	slotLeaf
	slotTile
)

// slot is one sixteenth of a tile.
type slot struct {
	kind    uint8
	version uint64 // of the record, or of the tile below
	key, vh Hash   // of the leaf
}

// tile is four levels of the map: 16 slots and the 15 nodes above them. Once
// it has been made it is not modified.
type tile struct {
	slots [16]slot

	// nodes is a heap: node i has the halves 2i and 2i+1, 1 is the top of
	// the tile and 16+i is slot i. count is the number of map keys below,
	// where 2 stands for two and more.
	nodes [32]Hash
	count [32]uint8
}

// setLeaf makes slot i hold the leaf. The nodes above are out of date until
// sum is called.
func (t *tile) setLeaf(i int, key, vh Hash, version uint64) {
	t.slots[i] = slot{slotLeaf, version, key, vh}
	t.nodes[16+i], t.count[16+i] = statusmap.LeafHash(key, vh), 1
}

// setTile makes slot i hold the tile below it with the given top.
func (t *tile) setTile(i int, top Hash, version uint64) {
	t.slots[i] = slot{kind: slotTile, version: version}
	t.nodes[16+i], t.count[16+i] = top, 2
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
		t.nodes[i] = statusmap.NodeHash(t.nodes[l], t.nodes[r])
	case t.count[l] == 1:
		// SPEC: T(S, d) = leaf(k, vh) if S = {(k, vh)}, whatever d
		t.nodes[i] = t.nodes[l]
	default:
		t.nodes[i] = t.nodes[r] // the leaf, or zero
	}
}

// top returns the hash of the subtree that begins with this tile.
func (t *tile) top() Hash { return t.nodes[1] }

// descend follows key, whose first 4n bits lead to t, as far as there are
// nodes. It returns the slot that stands at the end, nil if that is empty, and
// its number. If siblings is not nil, it appends to it those on the way.
func (t *tile) descend(key *Hash, n int, siblings *[]Hash) (*slot, int) {
	at, i := 1, nibble(key, n)
	for level := 3; level >= 0 && t.count[at] == 2; level-- {
		at = 2*at + i>>level&1
		if siblings != nil {
			*siblings = append(*siblings, t.nodes[at^1])
		}
	}
	if t.count[at] == 0 {
		return nil, i
	}
	if at >= 16 {
		return &t.slots[i], i
	}
	// A lone leaf, somewhere below the node at: the path need not lead to it.
	for at < 16 {
		at *= 2
		if t.count[at] == 0 {
			at++
		}
	}
	return &t.slots[at-16], at - 16
}

// marshal returns the stored form of t.
func (t *tile) marshal() []byte {
	var leaves, tiles uint16
	for i, s := range t.slots {
		switch s.kind {
		case slotLeaf:
			leaves |= 0x8000 >> i
		case slotTile:
			tiles |= 0x8000 >> i
		}
	}
	b := make([]byte, 0, 4+(64+5)*bits.OnesCount16(leaves)+(32+5)*bits.OnesCount16(tiles))
	b = binary.BigEndian.AppendUint16(b, leaves)
	b = binary.BigEndian.AppendUint16(b, tiles)
	for i := range t.slots {
		s := &t.slots[i]
		switch s.kind {
		case slotEmpty:
			continue
		case slotLeaf:
			b = append(b, s.key[:]...)
			b = append(b, s.vh[:]...)
		case slotTile:
			b = append(b, t.nodes[16+i][:]...)
		}
		b = binary.AppendUvarint(b, s.version)
	}
	return b
}

// Reasons for which a stored tile is not one; load wraps them in ErrCorrupt.
var (
	errTileForm  = errors.New("malformed")
	errTilePlace = errors.New("leaf out of place")
)

// parseTile parses the tile stored at p and computes its nodes.
func parseTile(p path, b []byte) (*tile, error) {
	if len(b) < 4 {
		return nil, errTileForm
	}
	leaves, tiles := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	b = b[4:]
	if leaves&tiles != 0 || p.n == maxNibbles-1 && tiles != 0 {
		return nil, errTileForm
	}
	t := new(tile)
	for i := range t.slots {
		size := 32
		switch {
		case leaves<<i&0x8000 != 0:
			size = 64
		case tiles<<i&0x8000 == 0:
			continue
		}
		if len(b) <= size {
			return nil, errTileForm
		}
		version, n := binary.Uvarint(b[size:])
		if n <= 0 {
			return nil, errTileForm
		}
		if size == 32 {
			t.setTile(i, Hash(b[:32]), version)
		} else {
			t.setLeaf(i, Hash(b[:32]), Hash(b[32:64]), version)
			// The hash of a tile does not tell where a lone leaf stands, so
			// its place is checked here.
			if k := &t.slots[i].key; !p.above(k) || nibble(k, p.n) != i {
				return nil, errTilePlace
			}
		}
		b = b[size+n:]
	}
	if len(b) != 0 {
		return nil, errTileForm
	}
	t.sum(0xffff)
	if p.n > 0 && t.count[1] < 2 {
		return nil, errTileForm
	}
	return t, nil
}
