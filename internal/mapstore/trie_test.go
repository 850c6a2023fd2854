package mapstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// trie drives tiles and buckets with map keys of our choice, which no data hashes to.
type trie struct {
	t         testing.TB
	mem       memory
	cache     *Cache // nil: each version is opened as by a process that has just started
	latest    meta
	pairs     map[Hash]Hash
	parts     map[uint64]map[Hash]Hash // pairs at each version
	addresses map[Hash]address
}

func newTrie(t testing.TB) *trie {
	return &trie{t: t, mem: memory{}, pairs: map[Hash]Hash{}, parts: map[uint64]map[Hash]Hash{}, addresses: map[Hash]address{}}
}

func (tr *trie) at(m meta) *Snapshot {
	tr.t.Helper()
	view := tr.mem.picture()
	top, err := tr.cache.get(view, m)
	if err != nil {
		tr.t.Fatal(err)
	}
	return &Snapshot{view: view, meta: m, top: top}
}

// put writes new records under keys and returns what that did.
func (tr *trie) put(keys []Hash) outcome {
	tr.t.Helper()
	version := tr.latest.version + 1
	var changes []change
	for _, k := range keys {
		e := &entry{ns: 1, key: k, at: tr.addresses[k], stored: stored{record: fmt.Appendf(nil, "%x %d", k, version)}, changed: true}
		c := newChange(e)
		changes = append(changes, c)
		tr.pairs[k] = c.vh
	}
	base := tr.at(tr.latest)
	changes = sorted(changes)
	top, out, err := updater{base: base, version: version}.run(base.top, changes)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.mem.apply(out.writes)
	tr.cache.add(version, top)
	for _, c := range changes {
		tr.addresses[c.key] = c.at
	}
	tr.latest = meta{version: version, root: top.top(), keys: tr.latest.keys + out.keys}
	tr.parts[version] = maps.Clone(tr.pairs)
	return out
}

// sorted sorts changes by key and keeps the first of each.
func sorted(changes []change) []change {
	slices.SortStableFunc(changes, func(a, b change) int { return bytes.Compare(a.key[:], b.key[:]) })
	return slices.CompactFunc(changes, func(a, b change) bool { return a.key == b.key })
}

// check compares root, number of keys and the proofs about keys.
func (tr *trie) check(m meta, keys []Hash) {
	tr.t.Helper()
	pairs := tr.parts[m.version]
	if want := statusmap.Root(pairs); m.root != want || m.keys != uint64(len(pairs)) {
		tr.t.Fatalf("version %d: %d keys, root %x; want %d, %x", m.version, m.keys, m.root, len(pairs), want)
	}
	at := tr.at(m)
	for _, k := range keys {
		record, p, err := at.prove(1, k)
		if err != nil {
			tr.t.Fatal(err)
		}
		want := statusmap.Prove(pairs, k)
		if !bytes.Equal(p.Marshal(), want.Marshal()) {
			tr.t.Fatalf("version %d: proof about %x is\n%x, want\n%x", m.version, k, p.Marshal(), want.Marshal())
		}
		if vh, ok := pairs[k]; ok != (record != nil) || ok && statusmap.ValueHash(1, record) != vh {
			tr.t.Fatalf("version %d: %x has record %q", m.version, k, record)
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

// Clustered keys, of which many have the same tag, many batches: root and proofs
// equal the definition's, at every version, whatever is held.
func TestTrieAgainstDefinition(t *testing.T) {
	for seed := range uint64(24) {
		r, tr := rand.New(rand.NewPCG(seed, 1)), newTrie(t)
		if seed%2 == 1 {
			tr.cache = &Cache{Versions: 2}
		}
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
			tr.check(tr.latest, append(batch, near(r, batch[0]), near(r, batch[0])))
			metas = append(metas, tr.latest)
		}
		for _, m := range metas {
			tr.check(m, all)
		}
	}
}

// Keys that differ in the last bit only, put in together, one by one, and
// beside others.
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
	}
}

// More keys than a bucket holds that differ in the last bits only: tiles all
// the way down.
func TestTrieDeepestBucket(t *testing.T) {
	var keys []Hash
	for i := range byte(3 * bucketMax) {
		keys = append(keys, Hash{31: i})
	}
	for _, size := range []int{1, 5, bucketMax, bucketMax + 1, len(keys)} {
		tr := newTrie(t)
		for part := range slices.Chunk(keys, size) {
			tr.put(part)
		}
		tr.check(tr.latest, append(slices.Clone(keys), Hash{31: 0xff}, Hash{30: 1}, Hash{0: 1}))
		if err := tr.at(tr.latest).Check(t.Context()); err != nil {
			t.Error(err)
		}
		if depth := depth(tr.at(tr.latest).top); depth != maxNibbles-1 {
			t.Errorf("puts of %d: buckets at most %d nibbles down", size, depth)
		}
	}
}

// depth is the number of nibbles of the longest path below t.
func depth(t *tile) int {
	n := 0
	for i := range t.slots {
		if below := t.slots[i].below; below != nil {
			n = max(n, depth(below))
		}
	}
	return n + 1
}

// reads is a View that notes which keys were asked for, and which leaves were
// seen.
type reads struct {
	memory
	mu   sync.Mutex
	keys []string
}

func (r *reads) add(key []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, string(key))
}

func (r *reads) Read(key []byte, fn func([]byte) error) error {
	r.add(key)
	return r.memory.Read(key, fn)
}

func (r *reads) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	return r.memory.Scan(from, to, func(key, value []byte) bool {
		if key[1] == kindLeaf {
			r.add(key)
		}
		return fn(key, value)
	})
}

// A batch writes a leaf and a record for each key that changes and nothing else,
// and reads a bucket once.
func TestBucketsPerBatch(t *testing.T) {
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
		version := tr.latest.version + 1
		var changes []change
		for _, k := range batch {
			e := &entry{ns: 1, key: k, at: tr.addresses[k], stored: stored{record: []byte{byte(version)}}}
			changes = append(changes, newChange(e))
		}
		changes = sorted(changes)
		base := tr.at(tr.latest)
		top, out, err := updater{base: base, version: version}.run(base.top, changes)
		if err != nil {
			t.Fatal(err)
		}
		// Serially, for the counter.
		counted, serial := &reads{memory: tr.mem}, outcome{}
		next := *base.top
		changed, err := updater{base: &Snapshot{view: counted, meta: base.meta, top: base.top}, version: version}.slots(path{}, &next, changes, &serial)
		if err != nil {
			t.Fatal(err)
		}
		next.sum(changed)
		if len(counted.keys) != len(slices.Compact(slices.Sorted(slices.Values(counted.keys)))) {
			t.Error("a bucket was read twice")
		}
		if top.top() != next.top() || !slices.EqualFunc(out.writes, serial.writes, sameWrite) || len(out.stale) != len(serial.stale) {
			t.Fatal("parallel is not the same as serial")
		}
		seen := map[string]bool{}
		for _, w := range out.writes {
			if seen[string(w.Key)] {
				t.Errorf("%x written twice", w.Key)
			}
			seen[string(w.Key)] = true
		}
		if len(out.writes) != 2*len(changes) {
			t.Errorf("%d writes for %d changes", len(out.writes), len(changes))
		}
		tr.put(batch)
	}
	tr.check(tr.latest, keys[:50])
}

// In a map that is too large to be held, what is held shrinks to a part.
func TestHeldIsBounded(t *testing.T) {
	r, tr := rand.New(rand.NewPCG(7, 7)), newTrie(t)
	tr.cache = new(Cache)
	keys := make([]Hash, 3000)
	for i := range keys {
		for j := range keys[i] {
			keys[i][j] = byte(r.Uint32())
		}
	}
	tr.put(keys)
	if all, held := buckets(tr.at(tr.latest).top, path{}, 256); all == 0 || held != all {
		t.Fatalf("%d of %d buckets are held", held, all)
	}
	tr.latest.keys += 3 * heldKeys
	tr.put(keys)
	top := tr.at(tr.latest).top
	all, held := buckets(top, path{}, 256)
	if _, low := buckets(top, path{}, 256/6); held == 0 || held != low || held > all/2 {
		t.Errorf("%d of %d buckets are held, of the lowest %d", held, all, low)
	}
}

// buckets counts the buckets below t, which is at p, and those of them that are
// held and whose paths begin with less than the given byte.
func buckets(t *tile, p path, below int) (all, held int) {
	for i := range t.slots {
		next := p.child(i)
		if s := t.slots[i]; s.below != nil {
			a, h := buckets(s.below, next, below)
			all, held = all+a, held+h
		} else if t.isBucket(i) {
			all++
			if s.held != nil && int(next.bits[0]) < below {
				held++
			}
		}
	}
	return all, held
}

func sameWrite(a, b backend.Write) bool {
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
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

// The keys between the bounds of a path are those below it.
func TestPathKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		p, key := path{}, Hash{}
		for i := range key {
			key[i] = []byte{0, 0xff, byte(r.Uint32())}[r.IntN(3)]
		}
		for n := range maxNibbles {
			p = p.child(nibble(&key, n))
			from, to := p.keys()
			for _, k := range []Hash{key, near(r, key), near(r, key), {}, Hash(bytes.Repeat([]byte{0xff}, 32))} {
				row := leafKey(k, r.Uint64())
				if in := bytes.Compare(from, row) <= 0 && bytes.Compare(row, to) < 0; in != p.above(&k) {
					t.Fatalf("%x below %v: %t", k, p, in)
				}
			}
		}
	}
}

// A cache keeps what is used, up to a number, and confuses no two trees of one
// version.
func TestCache(t *testing.T) {
	tr, c := newTrie(t), new(Cache)
	var metas []meta
	for i := range byte(cachedVersions + 3) {
		tr.put([]Hash{{i}})
		metas = append(metas, tr.latest)
	}
	first := func() *tile {
		top, err := c.get(tr.mem, metas[0])
		if err != nil {
			t.Fatal(err)
		}
		return top
	}
	kept := first()
	for _, m := range metas {
		if _, err := c.get(tr.mem, m); err != nil {
			t.Fatal(err)
		}
		if first() != kept {
			t.Error("what is used all the time is not kept")
		}
	}
	if len(c.tops) != cachedVersions {
		t.Errorf("%d versions are kept", len(c.tops))
	}
	other := metas[0]
	other.root = Hash{1}
	if _, err := c.get(tr.mem, other); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another root at that version: %v", err)
	}
}

// FuzzLeaves: whatever rows the store has, what is read are sorted leaves below
// the path, of the version or before, each key once, and no more than asked for.
func FuzzLeaves(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{1, 2}, uint64(2), byte(3))
	f.Add([]byte{0x20, 0x21, 0x20}, []byte{3, 2, 1}, uint64(2), byte(1))
	f.Fuzz(func(t *testing.T, keys, versions []byte, version uint64, most byte) {
		rows, p := memory{}, path{}.child(2)
		for i := range min(len(keys), len(versions)) {
			row := leafKey(Hash{keys[i]}, uint64(versions[i]))
			if keys[i] == 0x2f {
				row = row[:len(row)-int(versions[i])%8]
			}
			rows[string(row)] = make([]byte, 32)
		}
		got, err := readLeaves(rows, p, version, int(most))
		if err != nil {
			return
		}
		want := map[Hash]uint64{}
		for row := range rows {
			key := Hash([]byte(row[2:34]))
			if p.above(&key) {
				if v := binary.BigEndian.Uint64([]byte(row[34:])); v <= version {
					want[key] = max(want[key], v)
				}
			}
		}
		if len(got) != len(want) || len(got) > int(most) {
			t.Fatalf("%d leaves, want %d, at most %d", len(got), len(want), most)
		}
		for i, l := range got {
			if v, ok := want[l.key]; !ok || v != l.at.version() || i > 0 && bytes.Compare(got[i-1].key[:], l.key[:]) >= 0 {
				t.Fatalf("leaf %d: %x of version %d, want %d", i, l.key, l.at.version(), v)
			}
		}
	})
}

func FuzzParseStored(f *testing.F) {
	for _, n := range []int{1, 2, 15, 16, 17, 33} {
		events := make([]byte, n*mapfn.EventSize)
		l, err := list{}.grow(entries(events)...)
		if err != nil {
			f.Fatal(err)
		}
		record := listRecord(f, l, 3)
		good := appendStored(nil, 2, stored{record, l, events[n/rowLen*rowLen*mapfn.EventSize:]})
		if _, _, err := parseStored(2, good); err != nil {
			f.Fatal(err)
		}
		f.Add(byte(2), good)
		f.Add(byte(2), appendStored(nil, 2, stored{record: record, list: l}))
		f.Add(byte(1), appendStored(nil, 1, stored{record: record}))
	}
	f.Fuzz(func(t *testing.T, ns byte, b []byte) {
		st, _, err := parseStored(mapfn.NS(ns), b)
		if err == nil && !bytes.Equal(appendStored(nil, mapfn.NS(ns), st), b) {
			t.Fatalf("%x has a second form", b)
		}
	})
}
