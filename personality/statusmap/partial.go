package statusmap

import (
	"errors"
	"fmt"
)

// ErrUnknown means that no proof that was added shows what stands at a key.
var ErrUnknown = errors.New("not shown by any proof")

// Partial is a map of which only a part is at hand: what proofs under its root
// show. It is enough to read there, to write there, and to recompute the root
// after that. Of the empty map everything is known.
//
// For any root, however malformed the tree under it: what Get returns was proven
// under that root, or written by Set.
type Partial struct {
	base   Hash // the root under which proofs are added
	root   *node
	frozen bool // Set was called: proofs are about another root now
}

// node is a subtree; nil is the empty one. A node is a leaf, or has children, or
// is unknown but for its hash.
type node struct {
	kind    nodeKind
	child   [2]*node // of an inner node
	key, vh Hash     // of a leaf
	hash    Hash     // unless stale
	stale   bool
}

type nodeKind byte

const (
	nodeUnknown nodeKind = iota
	nodeLeaf
	nodeInner
)

// NewPartial returns the map with the given root, of which nothing is known
// unless it is empty.
func NewPartial(root Hash) *Partial { return &Partial{base: root, root: unknown(root)} }

func unknown(h Hash) *node {
	if h == (Hash{}) {
		return nil // nothing but the empty subtree hashes to zero
	}
	return &node{hash: h}
}

// AddPresent adds what a proof shows: that the map holds key with the value hash
// vh. It fails as Proof.VerifyPresent does, and after a Set.
func (p *Partial) AddPresent(key, vh Hash, proof Proof) error {
	if err := proof.VerifyPresent(p.base, key, vh); err != nil {
		return err
	}
	return p.add(key, proof, newLeaf(key, vh))
}

// AddAbsent adds what a proof shows: that the map does not hold key. It fails as
// Proof.VerifyAbsent does, and after a Set.
func (p *Partial) AddAbsent(key Hash, proof Proof) error {
	if err := proof.VerifyAbsent(p.base, key); err != nil {
		return err
	}
	var end *node
	if proof.Terminal == TerminalOther {
		end = newLeaf(proof.OtherKey, proof.OtherValue)
	}
	return p.add(key, proof, end)
}

func newLeaf(key, vh Hash) *node {
	return &node{kind: nodeLeaf, key: key, vh: vh, hash: LeafHash(key, vh)}
}

// add opens the nodes on the path of a proof that was verified.
func (p *Partial) add(key Hash, proof Proof, end *node) error {
	if p.frozen {
		return errors.New("adding a proof to a map that was written to")
	}
	depth := len(proof.Siblings)
	path := make([]Hash, depth+1) // hashes of the nodes from the root to the end
	path[depth] = end.sum()
	for i := depth - 1; i >= 0; i-- {
		path[i] = join(&key, i, path[i+1], proof.Siblings[i])
	}
	at := &p.root
	for i, sibling := range proof.Siblings {
		n := *at
		// All proofs lead to one root: what contradicts an older one would be
		// a collision.
		if n == nil || n.kind == nodeLeaf {
			return fmt.Errorf("%w: contradicts another proof", ErrNotProven)
		}
		near := bit(&key, i)
		if n.kind == nodeUnknown {
			n.kind = nodeInner
			n.child[near], n.child[1-near] = unknown(path[i+1]), unknown(sibling)
		}
		at = &n.child[near]
	}
	if n := *at; n != nil && n.kind == nodeUnknown {
		*at = end
	}
	return nil
}

// join hashes the node at depth i on the path of key.
func join(key *Hash, i int, near, far Hash) Hash {
	if bit(key, i) == 0 {
		return NodeHash(near, far)
	}
	return NodeHash(far, near)
}

// Get returns the value hash that the map holds at key, and whether it holds
// one, or ErrUnknown.
func (p *Partial) Get(key Hash) (vh Hash, present bool, err error) {
	n := p.root
	for depth := 0; n != nil && n.kind == nodeInner; depth++ {
		n = n.child[bit(&key, depth)]
	}
	switch {
	case n == nil || n.kind == nodeLeaf && n.key != key:
		return Hash{}, false, nil
	case n.kind == nodeUnknown:
		return Hash{}, false, ErrUnknown
	}
	return n.vh, true, nil
}

// Set binds key to vh, and reports whether the map did not hold key before. It
// fails with ErrUnknown where Get does.
func (p *Partial) Set(key, vh Hash) (added bool, err error) {
	if _, _, err := p.Get(key); err != nil {
		return false, err
	}
	p.frozen = true
	at := &p.root
	for depth := 0; ; depth++ {
		n := *at
		switch {
		case n == nil:
			*at = &node{kind: nodeLeaf, key: key, vh: vh, stale: true}
			return true, nil
		case n.kind == nodeInner:
			n.stale = true
			at = &n.child[bit(&key, depth)]
		case n.key == key:
			n.vh, n.stale = vh, true
			return false, nil
		default:
			// The leaf moves one level down, until the two part.
			parent := &node{kind: nodeInner, stale: true}
			parent.child[bit(&n.key, depth)] = n
			*at = parent
			at = &parent.child[bit(&key, depth)]
		}
	}
}

// Root returns the root of the map as it is now. It recomputes what has changed.
func (p *Partial) Root() Hash { return p.root.sum() }

func (n *node) sum() Hash {
	if n == nil {
		return Hash{}
	}
	if n.stale {
		if n.kind == nodeLeaf {
			n.hash = LeafHash(n.key, n.vh)
		} else {
			n.hash = NodeHash(n.child[0].sum(), n.child[1].sum())
		}
		n.stale = false
	}
	return n.hash
}
