package statusmap

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// keysOf gives keys that part early and keys that part late.
func keysOf(r *rand.Rand) map[string]func() Hash {
	random := func() (h Hash) {
		for i := 0; i < 32; i += 8 {
			binary.BigEndian.PutUint64(h[i:], r.Uint64())
		}
		return h
	}
	base := random()
	return map[string]func() Hash{
		"random": random,
		// One bit differs, so that each depth has a key.
		"one bit": func() Hash {
			k, n := base, r.IntN(256)
			k[n/8] ^= 1 << (n % 8)
			return k
		},
		"last byte":  func() Hash { k := base; k[31] = byte(r.Uint32()); return k },
		"first byte": func() Hash { k := base; k[0] = byte(r.Uint32()); return k },
		"clusters": func() Hash {
			k := base
			k[r.IntN(4)], k[28+r.IntN(4)] = byte(r.IntN(4)), byte(r.IntN(4))
			return k
		},
	}
}

// TestPartialFromEmpty compares a map that is filled from nothing with the
// definition, while keys are set, and set again.
func TestPartialFromEmpty(t *testing.T) {
	for name, key := range keysOf(rand.New(rand.NewPCG(1, 2))) {
		t.Run(name, func(t *testing.T) {
			p := NewPartial(Hash{})
			pairs := map[Hash]Hash{}
			if p.Root() != (Hash{}) {
				t.Fatal("the empty map has a root")
			}
			for i := range 300 {
				k, v := key(), named(string(rune(i)))
				_, had := pairs[k]
				added, err := p.Set(k, v)
				if err != nil || added == had {
					t.Fatalf("key %d: added %t, had %t: %v", i, added, had, err)
				}
				pairs[k] = v
				// Often, but not each time: several changes share a root.
				if i < 20 || i%17 == 0 || i == 299 {
					if got, want := p.Root(), Root(pairs); got != want {
						t.Fatalf("%d keys: root %x, want %x", len(pairs), got, want)
					}
				}
			}
		})
	}
}

// TestPartial: with proofs of some keys alone, those are read and written, the
// root is that of the whole map after each write, and nothing else is known.
func TestPartial(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, key := range keysOf(r) {
		t.Run(name, func(t *testing.T) {
			whole := map[Hash]Hash{}
			for i := range 200 {
				whole[key()] = named(string(rune(i)))
			}
			root := Root(whole)
			for range 20 {
				testPartial(t, r, key, whole, root)
			}
		})
	}
}

func testPartial(t *testing.T, r *rand.Rand, key func() Hash, whole map[Hash]Hash, root Hash) {
	t.Helper()
	p, shown := NewPartial(root), map[Hash]bool{}
	for range 1 + r.IntN(12) {
		k := key()
		shown[k] = true
		proof := Prove(whole, k)
		var err error
		if vh, ok := whole[k]; ok {
			err = p.AddPresent(k, vh, proof)
		} else {
			err = p.AddAbsent(k, proof)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if p.Root() != root {
		t.Fatal("proofs have changed the root")
	}
	for k := range whole {
		vh, present, err := p.Get(k)
		if errors.Is(err, ErrUnknown) && !shown[k] {
			if _, err := p.Set(k, named("x")); !errors.Is(err, ErrUnknown) {
				t.Fatalf("an unknown key was set: %v", err)
			}
			continue
		}
		if err != nil || !present || vh != whole[k] {
			t.Fatalf("a key that the map has: %t %v", present, err)
		}
	}
	next := map[Hash]Hash{}
	for k, v := range whole {
		next[k] = v
	}
	for k := range shown {
		v := named(string(k[:]))
		_, had := next[k]
		if added, err := p.Set(k, v); err != nil || added == had {
			t.Fatalf("added %t, had %t: %v", added, had, err)
		}
		next[k] = v
		if got, present, err := p.Get(k); got != v || !present || err != nil {
			t.Fatal("what was set is not there")
		}
		if p.Root() != Root(next) {
			t.Fatalf("%d keys shown: another root than that of the whole map", len(shown))
		}
	}
}

// TestPartialRefuses: proofs under another root, of something else, or added too
// late, show nothing.
func TestPartialRefuses(t *testing.T) {
	a, b, c := named("a"), named("b"), named("c")
	m := map[Hash]Hash{a: named("1"), b: named("2")}
	root := Root(m)
	p := NewPartial(root)
	for name, err := range map[string]error{
		"other value":   p.AddPresent(a, named("2"), Prove(m, a)),
		"other key":     p.AddPresent(c, named("1"), Prove(m, a)),
		"present":       p.AddAbsent(a, Prove(m, a)),
		"absent":        p.AddPresent(c, named("1"), Prove(m, c)),
		"other map":     p.AddPresent(a, named("1"), Prove(map[Hash]Hash{a: named("1")}, a)),
		"absence there": p.AddAbsent(c, Prove(map[Hash]Hash{a: named("1")}, c)),
	} {
		if !errors.Is(err, ErrNotProven) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := p.Get(a); !errors.Is(err, ErrUnknown) {
		t.Errorf("a refused proof has shown something: %v", err)
	}
	if err := p.AddPresent(a, m[a], Prove(m, a)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Set(a, named("3")); err != nil {
		t.Fatal(err)
	}
	if err := p.AddPresent(b, m[b], Prove(m, b)); err == nil {
		t.Error("a proof under the old root was added to the new one")
	}
}

// TestPartialUnderMalformedTrees: whatever tree an operator has made the root
// from, proofs that verify never make Get answer in two ways.
func TestPartialUnderMalformedTrees(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		keys := make([]Hash, 4)
		for i := range keys {
			keys[i] = named(string(rune(r.IntN(1000))))
		}
		tree := twist(r, keys, 0)
		p := NewPartial(tree.hash)
		type answer struct {
			vh      Hash
			present bool
		}
		said := map[Hash]answer{}
		for _, k := range keys {
			tree.candidates(k, keys, func(proof Proof) {
				_ = p.AddAbsent(k, proof)
				for v := range 3 {
					_ = p.AddPresent(k, named("v"+string(rune('0'+v))), proof)
				}
			})
			for _, k := range keys {
				vh, present, err := p.Get(k)
				if err != nil {
					continue
				}
				if old, ok := said[k]; ok && old != (answer{vh, present}) {
					t.Fatalf("two answers about %x", k)
				}
				said[k] = answer{vh, present}
			}
		}
		if p.Root() != tree.hash {
			t.Fatal("proofs have changed the root")
		}
	}
}
