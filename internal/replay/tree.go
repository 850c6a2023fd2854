package replay

import (
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// trie is the status map in memory, for a reader that recomputes seals: the
// tree of statusmap/SPEC.md with the hashes that changed since the last root
// left open.
type trie struct {
	root *node
	keys uint64
}

// node is a leaf (no children) or has the subtrees of a bit; a missing subtree
// is empty. hash is valid unless stale.
type node struct {
	child   [2]*node
	key, vh mapfn.Hash // leaf
	hash    mapfn.Hash
	leaf    bool
	stale   bool
}

func bit(k *mapfn.Hash, i int) int { return int(k[i/8]>>(7-i%8)) & 1 }

// set binds key to vh.
func (t *trie) set(key, vh mapfn.Hash) {
	at := &t.root
	for depth := 0; ; depth++ {
		n := *at
		switch {
		case n == nil:
			*at = &node{key: key, vh: vh, leaf: true, stale: true}
			t.keys++
			return
		case n.leaf && n.key == key:
			n.vh, n.stale = vh, true
			return
		case n.leaf:
			// The leaf moves one level down, until the two part.
			parent := &node{stale: true}
			parent.child[bit(&n.key, depth)] = n
			*at = parent
			at = &parent.child[bit(&key, depth)]
		default:
			n.stale = true
			at = &n.child[bit(&key, depth)]
		}
	}
}

// rootHash recomputes what has changed.
func (t *trie) rootHash() mapfn.Hash { return t.root.sum() }

func (n *node) sum() mapfn.Hash {
	if n == nil {
		return mapfn.Hash{}
	}
	if n.stale {
		if n.leaf {
			n.hash = statusmap.LeafHash(n.key, n.vh)
		} else {
			n.hash = statusmap.NodeHash(n.child[0].sum(), n.child[1].sum())
		}
		n.stale = false
	}
	return n.hash
}
