package mapstore

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// trie drives the tiles with map keys of our choice, which no data hashes to.
type trie struct {
	t      testing.TB
	mem    memory
	latest meta
	pairs  map[Hash]Hash
	parts  map[uint64]map[Hash]Hash // pairs at each version
}

func newTrie(t testing.TB) *trie {
	return &trie{t: t, mem: memory{}, pairs: map[Hash]Hash{}, parts: map[uint64]map[Hash]Hash{}}
}

func (tr *trie) at(m meta) *Snapshot { return &Snapshot{view: tr.mem, meta: m} }

// put writes new records under keys and returns what that did.
func (tr *trie) put(keys []Hash) outcome {
	tr.t.Helper()
	version := tr.latest.version + 1
	var leaves []leaf
	for _, k := range keys {
		e := &entry{ns: 1, stored: stored{record: fmt.Appendf(nil, "%x %d", k, version)}, changed: true}
		l := leaf{key: k, vh: statusmap.ValueHash(1, e.record), version: version, record: e}
		leaves = append(leaves, l)
		tr.pairs[k] = l.vh
	}
	slices.SortFunc(leaves, func(a, b leaf) int { return bytes.Compare(a.key[:], b.key[:]) })
	leaves = slices.CompactFunc(leaves, func(a, b leaf) bool { return a.key == b.key })
	m, out, err := updater{tr.at(tr.latest), version}.run(leaves)
	if err != nil {
		tr.t.Fatal(err)
	}
	m.version = version
	tr.mem.apply(out.writes)
	tr.latest, tr.parts[version] = m, maps.Clone(tr.pairs)
	return out
}

// check compares root, number of keys and the proofs about keys.
func (tr *trie) check(m meta, keys []Hash) {
	tr.t.Helper()
	pairs := tr.parts[m.version]
	if want := statusmap.Root(pairs); m.root != want || m.keys != uint64(len(pairs)) {
		tr.t.Fatalf("version %d: %d keys, root %x; want %d, %x", m.version, m.keys, m.root, len(pairs), want)
	}
	for _, k := range keys {
		leaf, p, err := tr.at(m).prove(k)
		if err != nil {
			tr.t.Fatal(err)
		}
		want := statusmap.Prove(pairs, k)
		if !bytes.Equal(p.Marshal(), want.Marshal()) {
			tr.t.Fatalf("version %d: proof about %x is\n%x, want\n%x", m.version, k, p.Marshal(), want.Marshal())
		}
		if _, ok := pairs[k]; ok && leaf.vh != pairs[k] {
			tr.t.Fatalf("version %d: %x has value %x", m.version, k, leaf.vh)
		}
	}
}

// near returns a key that shares a random number of leading bits with k.
func near(r *rand.Rand, k Hash) Hash {
	from := r.IntN(statusmap.KeyBits)
	k[from/8] ^= 0x80 >> (from % 8)
	for i := from + 1; i < statusmap.KeyBits; i++ {
		if r.IntN(2) == 0 {
			k[i/8] ^= 0x80 >> (i % 8)
		}
	}
	return k
}

// Clustered keys, many batches: root and proofs equal the definition's, at
// every version.
func TestTrieAgainstDefinition(t *testing.T) {
	for seed := range uint64(12) {
		r, tr := rand.New(rand.NewPCG(seed, 1)), newTrie(t)
		all, metas := []Hash{{}}, []meta{}
		for range 8 {
			var batch []Hash
			for range 1 + r.IntN(12) {
				k := near(r, all[r.IntN(len(all))])
				all, batch = append(all, k), append(batch, k)
			}
			if r.IntN(2) == 0 {
				batch = append(batch, all[r.IntN(len(all))])
			}
			tr.put(batch)
			metas = append(metas, tr.latest)
		}
		for _, m := range metas {
			tr.check(m, all)
		}
	}
}

// Keys that differ in the last bit only, put in together, one by one, and
// beside others: 64 tiles below each other.
func TestTrieDeepestPair(t *testing.T) {
	var a, b Hash
	b[31] = 1
	c := Hash{0: 0x80}
	for _, order := range [][][]Hash{{{a, b}}, {{a}, {b}}, {{a, b}, {c}}, {{a}, {c}, {b}}, {{c}, {a}, {a, b}}} {
		tr := newTrie(t)
		for _, keys := range order {
			tr.put(keys)
			tr.check(tr.latest, []Hash{a, b, c, {31: 2}, {0: 0x40}})
		}
		// Two keys only, but a tile for each four bits they share.
		if n := len(tr.mem.latestTiles(tr)); n != maxNibbles {
			t.Errorf("%d tiles, want %d", n, maxNibbles)
		}
	}
}

// latestTiles returns the keys of the tiles that the latest version uses.
func (m memory) latestTiles(tr *trie) []string {
	counted := &reads{memory: m}
	s := &Snapshot{view: counted, meta: tr.latest}
	if err := s.Check(tr.t.Context()); err != nil {
		tr.t.Fatal(err)
	}
	return counted.of(kindTile)
}

// reads is a View that notes which keys were asked for.
type reads struct {
	memory
	keys []string
}

func (r *reads) Get(key []byte) ([]byte, error) {
	r.keys = append(r.keys, string(key))
	return r.memory.Get(key)
}

func (r *reads) of(kind byte) []string {
	return slices.DeleteFunc(slices.Clone(r.keys), func(k string) bool { return k[1] != kind })
}

// A tile is written once per batch however many of its leaves change, is read
// once, and is within the size that the layout promises.
func TestTilesPerBatch(t *testing.T) {
	r, tr := rand.New(rand.NewPCG(1, 2)), newTrie(t)
	keys := make([]Hash, 3000)
	for i := range keys {
		for j := range keys[i] {
			keys[i][j] = byte(r.Uint32())
		}
	}
	tr.put(keys)
	for range 5 {
		batch := keys[r.IntN(1000) : 1000+r.IntN(2000)]
		counted := &reads{memory: tr.mem}
		version := tr.latest.version + 1
		var leaves []leaf
		for _, k := range batch {
			leaves = append(leaves, leaf{key: k, vh: Hash{byte(version)}, version: version, record: &entry{ns: 1}})
		}
		slices.SortFunc(leaves, func(a, b leaf) int { return bytes.Compare(a.key[:], b.key[:]) })
		_, out, err := updater{&Snapshot{view: tr.mem, meta: tr.latest}, version}.run(leaves)
		if err != nil {
			t.Fatal(err)
		}
		// Serially, for the counter.
		serial := outcome{}
		root, err := (&Snapshot{view: counted}).load(ref{version: tr.latest.tile}, tr.latest.root)
		if err != nil {
			t.Fatal(err)
		}
		next := *root
		if _, err := (updater{&Snapshot{view: counted, meta: tr.latest}, version}).slots(path{}, &next, slices.Clone(leaves), &serial); err != nil {
			t.Fatal(err)
		}
		next.sum(0xffff)
		if len(counted.keys) != len(slices.Compact(slices.Sorted(slices.Values(counted.keys)))) {
			t.Error("a tile was read twice")
		}
		// Parallel is the same as serial, but for the root tile it adds last.
		if len(serial.writes)+1 != len(out.writes) || serial.keys != out.keys || len(serial.stale) != len(out.stale)-1 {
			t.Fatalf("%d writes, %d stale in parallel; %d, %d serially", len(out.writes), len(out.stale), len(serial.writes), len(serial.stale))
		}
		seen := map[string]bool{}
		for i, w := range out.writes {
			if seen[string(w.Key)] {
				t.Errorf("%x written twice", w.Key)
			}
			seen[string(w.Key)] = true
			if len(w.Value) > 1200 {
				t.Errorf("%x has %d bytes", w.Key, len(w.Value))
			}
			if i < len(serial.writes) && (!bytes.Equal(w.Key, serial.writes[i].Key) || !bytes.Equal(w.Value, serial.writes[i].Value)) {
				t.Fatalf("write %d differs in parallel", i)
			}
		}
		if !bytes.Equal(out.writes[len(out.writes)-1].Value, next.marshal()) {
			t.Error("another root tile in parallel")
		}
		tr.put(batch)
	}
	tr.check(tr.latest, keys[:50])
}

func TestPath(t *testing.T) {
	key := Hash{0x12, 0x34, 0xab, 31: 0xff}
	p := path{}
	for n := range maxNibbles {
		if !p.above(&key) || p.n != n {
			t.Fatalf("%v is not above %x", p, key)
		}
		for d := range 16 {
			if got, want := p.child(d).above(&key), d == nibble(&key, n); got != want {
				t.Fatalf("%v above %x: %v", p.child(d), key, got)
			}
		}
		p = p.child(nibble(&key, n))
	}
	if p.bits != key || p.String()[:6] != "1234ab" || (path{}).String() != "root" {
		t.Errorf("path %v", p)
	}
}

// The places in the cache are distinct, and those of long paths do not exist.
func TestCachePlaces(t *testing.T) {
	c, seen := new(Cache), map[any]path{}
	var walk func(p path)
	walk = func(p path) {
		at := c.place(p)
		if (at == nil) != (p.n > cachedNibbles) {
			t.Fatalf("%v: place %v", p, at)
		}
		if at == nil {
			return
		}
		if other, ok := seen[at]; ok {
			t.Fatalf("%v and %v share a place", p, other)
		}
		seen[at] = p
		for i := range 16 {
			walk(p.child(i))
		}
	}
	walk(path{})
	if len(seen) != len(c.tiles) {
		t.Errorf("%d places of %d used", len(seen), len(c.tiles))
	}
	r, a, b := ref{version: 3}, new(tile), new(tile)
	b.setLeaf(1, Hash{0x10}, Hash{1}, 1)
	b.sum(0xffff)
	c.put(r, b)
	if c.get(r, b.top()) != b || c.get(r, a.top()) != nil || c.get(ref{version: 2}, b.top()) != nil {
		t.Error("the cache gives out what was not asked for")
	}
	c.put(ref{version: 2}, a)
	if c.get(r, b.top()) != b {
		t.Error("an older tile took the place of a newer one")
	}
	if (*Cache)(nil).get(r, b.top()) != nil {
		t.Error("no cache has tiles")
	}
}

func FuzzParseTile(f *testing.F) {
	tr := newTrie(f)
	r := rand.New(rand.NewPCG(3, 3))
	keys := []Hash{{1}, {2}, {0x20}, {0x21}, {0x21, 1}}
	for range 10 {
		keys = append(keys, near(r, keys[r.IntN(len(keys))]))
	}
	tr.put(keys)
	for k, v := range tr.mem {
		if k[1] == kindTile {
			f.Add(k[10] == 0, v)
		}
	}
	f.Fuzz(func(t *testing.T, root bool, b []byte) {
		p := path{}
		if !root {
			p = p.child(2)
		}
		tile, err := parseTile(p, b)
		if err != nil {
			return
		}
		again, err := parseTile(p, tile.marshal())
		if err != nil || *again != *tile {
			t.Fatalf("%x: %v after a round trip", b, err)
		}
	})
}

func FuzzParseStored(f *testing.F) {
	record := listRecord(f, list{1, []Hash{{1}}}, 3)
	f.Add(byte(2), marshalStored(2, stored{record, list{1, []Hash{{1}}}}))
	f.Add(byte(1), marshalStored(1, stored{record: record}))
	f.Fuzz(func(t *testing.T, ns byte, b []byte) {
		var vh Hash
		if len(b) >= 2 && len(b) >= 2+32*int(b[1]) {
			vh = statusmap.ValueHash(ns, b[2+32*int(b[1]):])
		}
		st, err := parseStored(mapfn.NS(ns), b, vh)
		if err == nil && !bytes.Equal(marshalStored(mapfn.NS(ns), st), b) {
			t.Fatalf("%x has a second form", b)
		}
	})
}
