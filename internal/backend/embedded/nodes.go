package embedded

import (
	"sync/atomic"

	"github.com/transparency-dev/merkle/compact"

	"github.com/standing-log/standing/personality/treehash"
)

// nodeCache holds the Merkle nodes that many proofs share: of each level, once
// it has no more than sharedNodes, every node that was asked for. Of an audit
// path in a tree of a million leaves, 6 nodes are left of 20, in two groups. A node
// that is stored never changes. Nobody waits for anybody: all proofs come through here.
type nodeCache [64]atomic.Pointer[sharedLevel]

// sharedLevel is a level of which all nodes are shared, by index: 128 KiB, and 32
// bytes for each node that was asked for.
type sharedLevel [sharedNodes]atomic.Pointer[[32]byte]

const sharedNodes = 1 << 14

// get returns the hash of a node that is complete in pic, perhaps from g. It is not
// changed.
func (c *nodeCache) get(pic *picture, tree int64, id compact.NodeID, g *group) ([]byte, error) {
	level := &c[id.Level]
	nodes := level.Load()
	if pic.root.Size>>id.Level > sharedNodes {
		if nodes != nil { // of when it was small enough
			level.Store(nil)
		}
		return g.node(pic, tree, id)
	}
	if nodes == nil {
		nodes = new(sharedLevel)
		level.Store(nodes)
	}
	if hash := nodes[id.Index].Load(); hash != nil {
		return hash[:], nil
	}
	hash, err := g.node(pic, tree, id)
	if err != nil {
		return nil, err
	}
	kept := [32]byte(hash)
	nodes[id.Index].Store(&kept)
	return hash, nil
}

// group is the hashes of 16 nodes in a row, or fewer at the end of the tree, from
// which those of the three levels above follow. They are read at once, and to hash
// takes less time than to look up a key for each node. The zero value is empty.
type group struct {
	first  compact.NodeID
	hashes [][32]byte
}

const (
	groupLevels = 4
	groupLen    = 1 << groupLevels
)

// node returns the hash of a node that is complete in pic, and reads the group that
// it is in unless g is that.
func (g *group) node(pic *picture, tree int64, id compact.NodeID) ([]byte, error) {
	up := id.Level % groupLevels
	level, index := id.Level-up, id.Index<<up
	first := compact.NewNodeID(level, index/groupLen*groupLen)
	if g.hashes == nil || g.first != first {
		n := min(groupLen, pic.root.Size>>level-first.Index)
		hashes, err := pic.snap.Nodes(tree, level, first.Index, n)
		if err != nil {
			return nil, err
		}
		*g = group{first, hashes}
	}
	return above(g.hashes[index-first.Index:][:1<<up]), nil
}

// above returns the hash of the perfect subtree over hashes.
func above(hashes [][32]byte) []byte {
	half := len(hashes) / 2
	if half == 0 {
		return hashes[0][:]
	}
	return treehash.Hasher{}.HashChildren(above(hashes[:half]), above(hashes[half:]))
}
