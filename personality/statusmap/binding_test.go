package statusmap

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// twisted is a tree that no map has: leaves out of place, keys twice, empty
// nodes, chains that should have collapsed. The operator chooses the root, so
// nothing about the tree under it may be taken for granted.
type twisted struct {
	left, right *twisted // nil, nil: a leaf, or empty if key is nil
	key         *Hash
	value, hash Hash
}

func twist(r *rand.Rand, keys []Hash, depth int) *twisted {
	n := &twisted{}
	switch kind := r.IntN(10); {
	case depth < 7 && kind < 7:
		n.left, n.right = twist(r, keys, depth+1), twist(r, keys, depth+1)
		n.hash = NodeHash(n.left.hash, n.right.hash)
	case kind == 7:
		// Empty.
	default:
		n.key = &keys[r.IntN(len(keys))]
		n.value = named(fmt.Sprint("v", r.IntN(3)))
		n.hash = LeafHash(*n.key, n.value)
	}
	return n
}

// candidates calls try with every proof that can be read off the path of key:
// each node on it taken for each kind of terminal.
func (n *twisted) candidates(key Hash, keys []Hash, try func(Proof)) {
	var siblings []Hash
	for {
		p := Proof{Siblings: siblings}
		try(p)
		p.Terminal = TerminalKey
		try(p)
		p.Terminal = TerminalOther
		for _, k := range keys {
			for v := range 3 {
				p.OtherKey, p.OtherValue = k, named(fmt.Sprint("v", v))
				try(p)
			}
		}
		if n.left == nil {
			return
		}
		// A node taken for a leaf of its halves.
		p.OtherKey, p.OtherValue = n.left.hash, n.right.hash
		try(p)
		near, far := n.left, n.right
		if bit(&key, len(siblings)) == 1 {
			near, far = far, near
		}
		siblings = append(siblings[:len(siblings):len(siblings)], far.hash)
		n = near
	}
}

func TestBindingUnderMalformedTrees(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	tried, verified := 0, 0
	for range 400 {
		keys := make([]Hash, 5)
		for i := range keys {
			keys[i] = numbered(byte(i))
			keys[i][0] = byte(r.Uint32())
		}
		tree := twist(r, keys, 0)
		for _, key := range keys {
			claims := map[string]bool{}
			tree.candidates(key, keys, func(p Proof) {
				tried++
				if p.VerifyAbsent(tree.hash, key) == nil {
					verified++
					claims["absent"] = true
				}
				for v := range 3 {
					vh := named(fmt.Sprint("v", v))
					if p.VerifyPresent(tree.hash, key, vh) == nil {
						verified++
						claims[fmt.Sprint("present ", v)] = true
					}
				}
			})
			if len(claims) > 1 {
				t.Fatalf("key %x: one root, many answers: %v", key, claims)
			}
		}
	}
	// The test says nothing unless a good part of the candidates verify.
	if verified < 1000 {
		t.Errorf("%d of %d candidates verified", verified, tried)
	}
}

// Where two proofs of one claim verify, they are the same proof: the encoding
// has no second form even where the tree has one.
func TestOneProofPerClaim(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		m := clustered(r, 1+r.IntN(12))
		root := Root(m)
		for key := range m {
			p := Prove(m, key)
			for cut := range len(p.Siblings) {
				shorter := p
				shorter.Siblings = p.Siblings[:cut]
				longer := p
				longer.Siblings = append(p.Siblings[:len(p.Siblings):len(p.Siblings)], p.Siblings[cut])
				if shorter.VerifyPresent(root, key, m[key]) == nil || longer.VerifyPresent(root, key, m[key]) == nil {
					t.Fatalf("%x is present at two depths", key)
				}
			}
		}
	}
}
