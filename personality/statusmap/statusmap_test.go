package statusmap

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// named returns the hash of a name, as the key or the value of that name.
func named(name string) Hash { return sha256.Sum256([]byte(name)) }

// unhex decodes a hash.
func unhex(t testing.TB, s string) (h Hash) {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		t.Fatalf("not a hash: %q", s)
	}
	copy(h[:], b)
	return h
}

// numbered is the key whose last byte is b and whose others are zero.
func numbered(b byte) (h Hash) {
	h[31] = b
	return h
}

// clustered returns a map of n keys, many of which share long prefixes.
func clustered(r *rand.Rand, n int) map[Hash]Hash {
	m := map[Hash]Hash{}
	var last Hash
	for len(m) < n {
		var k Hash
		for i := range k {
			k[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			copy(k[:], last[:r.IntN(33)])
		}
		m[k] = named(fmt.Sprint("v", len(m)))
		last = k
	}
	return m
}

func TestHashes(t *testing.T) {
	long := bytes.Repeat([]byte{'x'}, 65535)
	tests := []struct {
		name      string
		got, want Hash
	}{
		{"key", Key(2, []byte("pkg:npm/a@1")), named("\x11\x02\x00\x0bpkg:npm/a@1")},
		{"key of nothing", Key(7, nil), named("\x11\x07\x00\x00")},
		{"longest key", Key(3, long), named("\x11\x03\xff\xff" + string(long))},
		{"value", ValueHash(1, []byte(`{"v":1}`)), named("\x10\x01" + `{"v":1}`)},
		{"value of nothing", ValueHash(1, nil), named("\x10\x01")},
		{"leaf", LeafHash(numbered(1), numbered(2)), pair("\x02", numbered(1), numbered(2))},
		{"node", NodeHash(numbered(1), numbered(2)), pair("\x03", numbered(1), numbered(2))},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %x, want %x", test.name, test.got, test.want)
		}
	}
}

func pair(tag string, a, b Hash) Hash { return named(tag + string(a[:]) + string(b[:])) }

// No input to one hash function is an input to another, or to RFC 6962's.
func TestDomainsAreSeparate(t *testing.T) {
	a, b := numbered(1), numbered(2)
	ab := append(a[:], b[:]...)
	seen := map[Hash]string{
		pair("\x00", a, b): "RFC 6962 leaf",
		pair("\x01", a, b): "RFC 6962 node",
	}
	for name, h := range map[string]Hash{
		"leaf": LeafHash(a, b), "node": NodeHash(a, b), "record": ValueHash(0, ab), "key": Key(0, ab),
		"record in another namespace": ValueHash(1, ab), "key in another namespace": Key(1, ab),
	} {
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
}

// Data too long for its length field is not taken for other data.
func TestOverlongData(t *testing.T) {
	long := make([]byte, 65536+3)
	if Key(1, long) == Key(1, long[:3]) {
		t.Error("the length wrapped around")
	}
}

// slow is the definition once more, bit by bit and without sorting.
func slow(m map[Hash]Hash, depth int) Hash {
	if len(m) == 0 {
		return Hash{}
	}
	halves := [2]map[Hash]Hash{{}, {}}
	for k, v := range m {
		if len(m) == 1 {
			return LeafHash(k, v)
		}
		halves[k[depth>>3]<<(depth&7)>>7][k] = v
	}
	return NodeHash(slow(halves[0], depth+1), slow(halves[1], depth+1))
}

func TestRootIsTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 60 {
		m := clustered(r, n)
		if got, want := Root(m), slow(m, 0); got != want {
			t.Fatalf("%d keys: root %x, want %x", n, got, want)
		}
	}
}

// Every claim about every key: the true one verifies, its opposite and other
// values do not.
func TestProofs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 40 {
		m := clustered(r, n)
		root := Root(m)
		for k, vh := range m {
			checkPresent(t, m, root, k, vh)
		}
		for k := range m {
			// A neighbour of each key, at any depth.
			k[r.IntN(32)] ^= 1 << r.IntN(8)
			if _, ok := m[k]; !ok {
				checkAbsent(t, m, root, k)
			}
		}
		checkAbsent(t, m, root, named("nowhere"))
	}
}

func checkPresent(t *testing.T, m map[Hash]Hash, root, k, vh Hash) {
	t.Helper()
	p := reparse(t, Prove(m, k))
	if err := p.VerifyPresent(root, k, vh); err != nil {
		t.Fatalf("%d keys, present %x: %v", len(m), k, err)
	}
	if p.VerifyAbsent(root, k) == nil || p.VerifyPresent(root, k, named("other")) == nil ||
		p.VerifyPresent(named("other"), k, vh) == nil {
		t.Fatalf("%d keys, present %x: a false claim verifies", len(m), k)
	}
}

func checkAbsent(t *testing.T, m map[Hash]Hash, root, k Hash) {
	t.Helper()
	p := reparse(t, Prove(m, k))
	if err := p.VerifyAbsent(root, k); err != nil {
		t.Fatalf("%d keys, absent %x: %v", len(m), k, err)
	}
	if p.VerifyAbsent(named("other"), k) == nil {
		t.Fatalf("%d keys, absent %x: verifies under another root", len(m), k)
	}
	for _, vh := range []Hash{{}, p.OtherValue, named("v0")} {
		if p.VerifyPresent(root, k, vh) == nil {
			t.Fatalf("%d keys, absent %x: shown to be present", len(m), k)
		}
	}
}

// reparse returns p after a round trip through its encoding.
func reparse(t *testing.T, p Proof) Proof {
	t.Helper()
	b := p.Marshal()
	if len(b) > MaxProofSize {
		t.Fatalf("proof of %d bytes", len(b))
	}
	q, err := ParseProof(b)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	if !bytes.Equal(q.Marshal(), b) || q.Terminal != p.Terminal || !slices.Equal(q.Siblings, p.Siblings) ||
		q.OtherKey != p.OtherKey || q.OtherValue != p.OtherValue {
		t.Fatalf("%+v became %+v", p, q)
	}
	return q
}

// No other single byte anywhere in an encoding leaves a proof of anything.
func TestEveryMutationFails(t *testing.T) {
	m := map[Hash]Hash{numbered(0): named("v0"), numbered(1): named("v1")}
	keys := []Hash{numbered(1), named("k0"), named("k9"), named("k11")}
	for i := range 4 {
		m[named(fmt.Sprint("k", i))] = named(fmt.Sprint("v", i))
	}
	root := Root(m)
	for _, k := range keys {
		vh, present := m[k]
		good := Prove(m, k).Marshal()
		for i := range good {
			for x := 1; x < 256; x++ {
				bad := bytes.Clone(good)
				bad[i] ^= byte(x)
				p, err := ParseProof(bad)
				if err != nil {
					continue
				}
				if p.VerifyAbsent(root, k) == nil || present && p.VerifyPresent(root, k, vh) == nil {
					t.Fatalf("%x: byte %d ^ %#x still verifies", good, i, x)
				}
			}
		}
		for i := range good {
			if _, err := ParseProof(good[:i]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%x cut to %d bytes: %v", good, i, err)
			}
		}
	}
}

// Two keys that differ in the last bit only: 256 levels, and a small proof.
func TestDeepestPair(t *testing.T) {
	m := map[Hash]Hash{numbered(0): named("v0"), numbered(1): named("v1")}
	p := reparse(t, Prove(m, numbered(1)))
	if got := len(p.Marshal()); got != 68 || len(p.Siblings) != KeyBits {
		t.Errorf("proof of %d bytes, depth %d; want 68, %d", got, len(p.Siblings), KeyBits)
	}
	root := Root(m)
	checkPresent(t, m, root, numbered(0), named("v0"))
	checkPresent(t, m, root, numbered(1), named("v1"))
	checkAbsent(t, m, root, numbered(2))
	checkAbsent(t, m, root, named("far"))

	// As long as a proof can be: a sibling at every level.
	full := map[Hash]Hash{{}: named("v")}
	for i := range KeyBits {
		var k Hash
		k[i/8] |= 0x80 >> (i % 8)
		full[k] = named("v")
	}
	checkPresent(t, full, Root(full), Hash{}, named("v"))
	if got := len(Prove(full, Hash{}).Marshal()); got != MaxProofSize-64 {
		t.Errorf("longest proof is %d bytes", got)
	}
}

// A Proof put together by hand is held to the same rules as a parsed one, and
// its encoding is refused.
func TestProofsByHand(t *testing.T) {
	one, other := named("k1"), named("k9")
	tests := []struct {
		name string
		p    Proof
	}{
		{"terminal", Proof{Terminal: 3}},
		{"depth", Proof{Siblings: slices.Repeat([]Hash{one}, 257)}},
		{"depth that wraps", Proof{Siblings: slices.Repeat([]Hash{one}, 65536+1)}},
		{"deepest sibling", Proof{Terminal: TerminalKey, Siblings: []Hash{one, {}}}},
	}
	for _, test := range tests {
		if err := test.p.VerifyPresent(one, other, one); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: present: %v", test.name, err)
		}
		if err := test.p.VerifyAbsent(one, other); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: absent: %v", test.name, err)
		}
		if _, err := ParseProof(test.p.Marshal()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: parsed: %v", test.name, err)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	m := clustered(rand.New(rand.NewPCG(7, 8)), 9)
	for k := range m {
		f.Add(Prove(m, k).Marshal())
		k[1] ^= 4
		f.Add(Prove(m, k).Marshal())
	}
	f.Add(Prove(nil, Hash{}).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		if again := p.Marshal(); !bytes.Equal(again, b) {
			t.Fatalf("%x has a second encoding %x", b, again)
		}
		// Of present and absent, at most one, under the root it leads to.
		root, err := rootOf(p, Hash{}, named("v"))
		if err == nil && p.VerifyPresent(root, Hash{}, named("v")) == nil && p.VerifyAbsent(root, Hash{}) == nil {
			t.Fatalf("%x shows both", b)
		}
	})
}

// rootOf returns the root to which p leads from key.
func rootOf(p Proof, key, vh Hash) (Hash, error) {
	h := Hash{}
	switch p.Terminal {
	case TerminalKey:
		h = LeafHash(key, vh)
	case TerminalOther:
		h = LeafHash(p.OtherKey, p.OtherValue)
	}
	for i, s := range slices.Backward(p.Siblings) {
		if bit(&key, i) == 1 {
			h, s = s, h
		}
		h = NodeHash(h, s)
	}
	return h, p.check()
}

func BenchmarkVerifyPresent(b *testing.B) {
	m := map[Hash]Hash{}
	for i := range 1 << 14 {
		m[named(fmt.Sprint(i))] = named("v")
	}
	root, k := Root(m), named("7")
	enc := Prove(m, k).Marshal()
	for b.Loop() {
		p, err := ParseProof(enc)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.VerifyPresent(root, k, named("v")); err != nil {
			b.Fatal(err)
		}
	}
}
