package replay

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/standing-log/standing/personality/statusmap"
)

// TestTrie compares the trie with the definition, on keys that part early and
// on keys that part late, while they are set, and set again.
func TestTrie(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() (h Hash) {
		for i := 0; i < 32; i += 8 {
			binary.BigEndian.PutUint64(h[i:], r.Uint64())
		}
		return h
	}
	base := random()
	for name, key := range map[string]func() Hash{
		"random": random,
		// One bit differs, so that each depth has a key.
		"one bit": func() Hash {
			k, n := base, r.IntN(256)
			k[n/8] ^= 1 << (n % 8)
			return k
		},
		// Only the last byte differs, or the first.
		"last byte":  func() Hash { k := base; k[31] = byte(r.Uint32()); return k },
		"first byte": func() Hash { k := base; k[0] = byte(r.Uint32()); return k },
		"clusters": func() Hash {
			k := base
			k[r.IntN(4)], k[28+r.IntN(4)] = byte(r.IntN(4)), byte(r.IntN(4))
			return k
		},
	} {
		t.Run(name, func(t *testing.T) {
			var tr trie
			pairs := map[Hash]Hash{}
			if tr.rootHash() != (Hash{}) {
				t.Fatal("the empty trie has a root")
			}
			for i := range 300 {
				k, v := key(), random()
				tr.set(k, v)
				pairs[k] = v
				// Often, but not each time: several changes share a root.
				if i < 20 || i%17 == 0 || i == 299 {
					if got, want := tr.rootHash(), statusmap.Root(pairs); got != want {
						t.Fatalf("%d keys: root %x, want %x", len(pairs), got, want)
					}
				}
			}
			if tr.keys != uint64(len(pairs)) {
				t.Errorf("%d keys, want %d", tr.keys, len(pairs))
			}
		})
	}
}
