package embedded

import (
	"sync"

	"github.com/transparency-dev/merkle/compact"
)

// nodeCache holds the Merkle nodes that many proofs share: of each level, once
// it has no more than sharedNodes, every node that was asked for. Of an audit
// path in a tree of a million leaves, 6 nodes are left to read of 20. A node that
// is stored never changes.
type nodeCache struct {
	mu    sync.RWMutex
	nodes map[compact.NodeID][]byte
}

// What bounds a nodeCache: about 5 MB.
const (
	sharedNodes = 1 << 14
	cachedNodes = 4 * sharedNodes // twice what the levels of one size have
)

// get returns the hash of a node that is complete in pic. It is not changed.
func (c *nodeCache) get(pic *picture, tree int64, id compact.NodeID) ([]byte, error) {
	if pic.root.Size>>id.Level > sharedNodes {
		return pic.snap.Node(tree, id)
	}
	c.mu.RLock()
	hash := c.nodes[id]
	c.mu.RUnlock()
	if hash != nil {
		return hash, nil
	}
	hash, err := pic.snap.Node(tree, id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes == nil || len(c.nodes) == cachedNodes {
		// Levels that have grown beyond sharedNodes were never taken out.
		c.nodes = make(map[compact.NodeID][]byte)
	}
	c.nodes[id] = hash
	return hash, nil
}
