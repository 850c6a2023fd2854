package provider

import (
	"encoding/binary"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
)

// The key spaces, one byte each. The package doc has the table.
const (
	spaceLayout   = 'V'
	spaceTree     = 'T'
	spaceRoot     = 'R'
	spaceLeaf     = 'L'
	spaceQueue    = 'Q'
	spaceIdentity = 'I'
	spaceMerkle   = 'M'
	spaceNode     = 'N'
	spaceSide     = 'S'
)

// treeSpaces are the spaces whose keys begin with a tree's id.
const treeSpaces = "TRLQIMN"

const prefixLen = 1 + 8

// prefix starts a key of the tree in space, with room for rest more bytes.
func prefix(space byte, tree int64, rest int) []byte {
	k := append(make([]byte, 0, prefixLen+rest), space)
	return binary.BigEndian.AppendUint64(k, uint64(tree))
}

func treeKey(tree int64) []byte { return prefix(spaceTree, tree, 0) }
func rootKey(tree int64) []byte { return prefix(spaceRoot, tree, 0) }

func leafKey(tree int64, index uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix(spaceLeaf, tree, 8), index)
}

func queueKey(tree int64, place uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix(spaceQueue, tree, 8), place)
}

func identityKey(tree int64, identity []byte) []byte {
	return append(prefix(spaceIdentity, tree, len(identity)), identity...)
}

func merkleKey(tree int64, hash []byte, index uint64) []byte {
	k := append(prefix(spaceMerkle, tree, len(hash)+8), hash...)
	return binary.BigEndian.AppendUint64(k, index)
}

// rowKey returns the key of the row that the node is in.
func rowKey(tree int64, id compact.NodeID) []byte {
	k := append(prefix(spaceNode, tree, 9), byte(id.Level))
	return binary.BigEndian.AppendUint64(k, id.Index/rowLen)
}

func sideKey(key []byte) []byte {
	return append([]byte{spaceSide}, key...)
}

// after returns the smallest key above all that begin with p, or nil if p is
// all ones.
func after(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			end := append([]byte(nil), p[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// lastUint64 reads the number at the end of a key.
func lastUint64(key []byte) uint64 {
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// place says where the leaf with some identity hash is: in the tree's
// sequence or in its queue.
type place struct {
	space byte // spaceLeaf or spaceQueue
	at    uint64
}

func (p place) bytes() []byte {
	return binary.BigEndian.AppendUint64([]byte{p.space}, p.at)
}

func (p place) key(tree int64) []byte {
	return binary.BigEndian.AppendUint64(prefix(p.space, tree, 8), p.at)
}

func parsePlace(b []byte) (place, error) {
	if len(b) != 9 || b[0] != spaceLeaf && b[0] != spaceQueue {
		return place{}, fmt.Errorf("%w: malformed identity index %x", ErrDamaged, b)
	}
	return place{b[0], binary.BigEndian.Uint64(b[1:])}, nil
}
