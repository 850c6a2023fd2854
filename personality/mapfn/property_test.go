package mapfn_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/statusmap"
)

// generated is a log of n generated leaves, of which some are ignored, with
// what each did. It has no seals.
func generated(t *testing.T, seed uint64, n int) (*scene, []testlog.Item, []*mapfn.Writes) {
	t.Helper()
	s, g := emptyScene(t), testlog.New(origin, seed)
	g.Ignored = 0.3
	items, writes := make([]testlog.Item, n), make([]*mapfn.Writes, n)
	for i := range n {
		items[i] = g.Next(uint64(i))
		out, err := s.log.Add(items[i].Leaf)
		if err != nil {
			t.Fatal(err)
		}
		s.leaves = append(s.leaves, items[i].Leaf)
		if code := reason.CodeOf(out.Ignored); code != items[i].Want {
			t.Fatalf("leaf %d: ignored for %q, want %q", i, code, items[i].Want)
		}
		writes[i] = out.Writes
	}
	return s, items, writes
}

// TestNothingLeavesRevoked follows every attestation through generated logs.
func TestNothingLeavesRevoked(t *testing.T) {
	for seed := range uint64(2) {
		states, revoked := map[hash]mapfn.AttestationRecord{}, 0
		_, _, writes := generated(t, seed, 1000)
		for i, w := range writes {
			if w == nil {
				continue
			}
			for _, c := range w.Changes {
				if c.NS != mapfn.NSAttestation {
					continue
				}
				r, err := mapfn.ParseAttestation(c.Record)
				if err != nil {
					t.Fatal(err)
				}
				before, known := states[hash(c.Data)]
				switch {
				case before.State == mapfn.StateRevoked:
					t.Errorf("leaf %d changes the revoked attestation %x", i, c.Data)
				case before.State == mapfn.StateSuperseded && r.State != mapfn.StateRevoked && r.State != mapfn.StateSuperseded:
					t.Errorf("leaf %d makes a superseded attestation %s", i, r.State)
				case known && (r.Issued != before.Issued || r.Leaf != before.Leaf || r.Key != before.Key || r.Last <= before.Last):
					t.Errorf("leaf %d changes more than the state: %+v, before %+v", i, r, before)
				}
				states[hash(c.Data)] = r
				if r.State == mapfn.StateRevoked {
					revoked++
				}
			}
		}
		if revoked < 20 {
			t.Errorf("seed %d: only %d attestations were revoked", seed, revoked)
		}
	}
}

// TestOnlyGrows: claims that are withdrawn and ranges that are void stay so, in
// their order, and nothing leaves closed.
func TestOnlyGrows(t *testing.T) {
	_, _, writes := generated(t, 3, 1500)
	withdrawn, voids, closed := map[hash][]string{}, map[hash][]mapfn.Void{}, map[hash]bool{}
	grown := map[mapfn.NS]int{}
	for i, w := range writes {
		for _, c := range changes(w) {
			if len(c.Data) != len(hash{}) {
				continue
			}
			id := hash(c.Data)
			switch c.NS {
			case mapfn.NSAttestation:
				r, err := mapfn.ParseAttestation(c.Record)
				if err != nil || slices.ContainsFunc(withdrawn[id], func(s string) bool { return !slices.Contains(r.Withdrawn, s) }) {
					t.Fatalf("leaf %d: withdrawn are %q, %v, before %q", i, r.Withdrawn, err, withdrawn[id])
				}
				grown[c.NS] += len(r.Withdrawn) - len(withdrawn[id])
				withdrawn[id] = r.Withdrawn
			case mapfn.NSKey:
				r, err := mapfn.ParseKey(c.Record)
				if err != nil || len(r.Voids) < len(voids[id]) || !slices.Equal(r.Voids[:len(voids[id])], voids[id]) {
					t.Fatalf("leaf %d: void are %+v, %v, before %+v", i, r.Voids, err, voids[id])
				}
				grown[c.NS] += len(r.Voids) - len(voids[id])
				voids[id] = r.Voids
			case mapfn.NSProgramme:
				r, err := mapfn.ParseProgramme(c.Record)
				if err != nil || closed[id] {
					t.Fatalf("leaf %d changes the programme %x, which was closed: %v", i, id, err)
				}
				if closed[id] = r.State == mapfn.StateClosed; closed[id] {
					grown[c.NS]++
				}
			}
		}
	}
	for ns, least := range map[mapfn.NS]int{mapfn.NSAttestation: 20, mapfn.NSKey: 10, mapfn.NSProgramme: 1} {
		if grown[ns] < least {
			t.Errorf("namespace %d grew %d times only", ns, grown[ns])
		}
	}
}

// TestIgnoredChangesNothing leaves every ignored leaf out but its place.
func TestIgnoredChangesNothing(t *testing.T) {
	s, items, writes := generated(t, 4, 500)
	other, ignored := emptyScene(t), 0
	for i, item := range items {
		leaf := item.Leaf
		if item.Want != "" {
			leaf = fmt.Appendf(nil, "nothing %d", i)
			ignored++
			if writes[i] != nil {
				t.Fatalf("leaf %d is ignored and writes %+v", i, writes[i])
			}
		}
		out, err := other.log.Add(leaf)
		if err != nil {
			t.Fatal(err)
		}
		other.leaves = append(other.leaves, leaf)
		if !slices.EqualFunc(changes(out.Writes), changes(writes[i]), same) || !slices.Equal(withdrawals(out.Writes), withdrawals(writes[i])) {
			t.Fatalf("leaf %d writes something else where the leaves before it that are ignored are others", i)
		}
	}
	if ignored < 80 || other.log.MapRoot() != s.log.MapRoot() {
		t.Errorf("map roots %x and %x, with %d ignored leaves", other.log.MapRoot(), s.log.MapRoot(), ignored)
	}
}

func changes(w *mapfn.Writes) []mapfn.Change {
	if w == nil {
		return nil
	}
	return w.Changes
}

func withdrawals(w *mapfn.Writes) []mapfn.Withdrawal {
	if w == nil {
		return nil
	}
	return w.Withdrawals
}

func same(a, b mapfn.Change) bool {
	return a.NS == b.NS && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Record, b.Record) && slices.Equal(a.Peaks, b.Peaks)
}

// TestReplayed logs every entry that had effect once more, and in reverse:
// nothing changes.
func TestReplayed(t *testing.T) {
	s, items, _ := generated(t, 5, 500)
	before := s.log.MapRoot()
	again := slices.Clone(items)
	slices.Reverse(again)
	for i, item := range slices.Concat(items, again) {
		if item.Want != "" {
			continue
		}
		if out, err := s.log.Add(item.Leaf); err != nil || out.Ignored == nil {
			t.Fatalf("leaf %d logged again has effect: %+v, %v", i, out.Writes, err)
		}
	}
	if s.log.MapRoot() != before {
		t.Error("the map has changed")
	}
}

// memory is a side store, and its own View.
type memory map[string][]byte

func (m memory) Read(key []byte, fn func([]byte) error) error { return fn(m[string(key)]) }
func (m memory) Close() error                                 { return nil }

func (m memory) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	var keys []string
	for k := range m {
		if k >= string(from) && (len(to) == 0 || k < string(to)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !fn([]byte(k), m[k]) {
			break
		}
	}
	return nil
}

func (m memory) apply(writes []backend.Write) {
	for _, w := range writes {
		if w.Value == nil {
			delete(m, string(w.Key))
		} else {
			m[string(w.Key)] = w.Value
		}
	}
}

// batchReader is a batch with the leaves beside it.
type batchReader struct {
	*mapstore.Batch
	*scene
}

func (b batchReader) Leaf(i uint64, h hash) ([]byte, error) { return b.log.Leaf(i, h) }

// TestBatches: the same leaves, divided otherwise into batches of the stored
// map, give the same state.
func TestBatches(t *testing.T) {
	const n = 300
	s, items, _ := generated(t, 6, n)
	for _, size := range []int{1, 2, 13, n} {
		store := memory{}
		var got mapstore.Result
		for done := 0; done < n; {
			snapshot, err := mapstore.Open(store, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := snapshot.Batch()
			if err != nil {
				t.Fatal(err)
			}
			for end := min(done+size, n); done < end; done++ {
				w, err := mapfn.Step(origin, items[done].Leaf, uint64(done), batchReader{b, s}, s.log)
				if code := reason.CodeOf(err); code != items[done].Want || err != nil && code == "" {
					t.Fatalf("batches of %d, leaf %d: %v", size, done, err)
				}
				if w != nil {
					if err := b.Apply(*w); err != nil {
						t.Fatal(err)
					}
				}
			}
			var writes []backend.Write
			if got, writes, err = b.Commit(uint64(done), uint64(done)); err != nil {
				t.Fatal(err)
			}
			store.apply(writes)
		}
		if got.Root != s.log.MapRoot() {
			t.Errorf("batches of %d: map root %x, want %x", size, got.Root, s.log.MapRoot())
		}
	}
}

// bounded records what one step reads and fails the read number fail, counted
// from 1. It objects to what SPEC.md, "Bounded reads", does not allow.
type bounded struct {
	s       *scene
	e       *entry.Entry
	read    map[hash][]byte // by map key
	reads   int
	fail    int
	illegal error
}

var errRead = errors.New("disk on fire")

func (b *bounded) next() error {
	b.reads++
	if b.reads == b.fail {
		return errRead
	}
	return nil
}

// SPEC: map records, absence included.
func (b *bounded) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	record, err := b.s.log.Record(ns, data)
	b.read[statusmap.Key(byte(ns), data)] = record
	return record, errors.Join(err, b.next())
}

// SPEC: the peaks under a list root of a record it read.
func (b *bounded) Peaks(ns mapfn.NS, data []byte) ([]hash, error) {
	if b.read[statusmap.Key(byte(ns), data)] == nil {
		b.illegal = fmt.Errorf("peaks of %d %x, whose record was not read", ns, data)
	}
	peaks, err := b.s.log.Peaks(ns, data)
	return peaks, errors.Join(err, b.next())
}

// SPEC: a leaf whose leaf hash a record it read contains, at the index beside
// it.
func (b *bounded) Leaf(index uint64, h hash) ([]byte, error) {
	named := false
	for _, record := range b.read {
		if r, err := mapfn.ParseAttestation(record); err == nil {
			named = named || r.Issued == index && hash(r.Leaf) == h
		}
		if r, err := mapfn.ParseProgramme(record); err == nil {
			named = named || r.At == index && hash(r.Leaf) == h
		}
	}
	if !named {
		b.illegal = fmt.Errorf("leaf %d, which no record read names", index)
	}
	leaf, err := b.s.log.Leaf(index, h)
	return leaf, errors.Join(err, b.next())
}

// SPEC: the SubjectPublicKeyInfo whose SHA-256 is a keyid.
func (b *bounded) SPKI(id hash) ([]byte, error) {
	if b.e == nil || id != b.e.KeyID {
		b.illegal = fmt.Errorf("key %x, which the leaf does not name", id)
	}
	spki, err := b.s.log.SPKI(id)
	return spki, errors.Join(err, b.next())
}

// TestBoundedReads replays a log, watching every read; and lets each read of
// each leaf fail, which must fail the step, and never ignore the leaf.
func TestBoundedReads(t *testing.T) {
	s, g := emptyScene(t), testlog.New(origin, 8)
	g.Ignored = 0.3
	most := 0
	for i := range uint64(160) {
		item := g.Next(i)
		b := &bounded{s: s, e: item.Entry, read: map[hash][]byte{}}
		_, err := mapfn.Step(origin, item.Leaf, i, b, b)
		if reason.CodeOf(err) != item.Want || b.illegal != nil {
			t.Fatalf("leaf %d: %v; illegal: %v", i, err, b.illegal)
		}
		most = max(most, b.reads)
		for n := 1; n <= b.reads; n++ {
			f := &bounded{s: s, e: item.Entry, read: map[hash][]byte{}, fail: n}
			if w, err := mapfn.Step(origin, item.Leaf, i, f, f); !errors.Is(err, errRead) || reason.CodeOf(err) != "" || w != nil {
				t.Fatalf("leaf %d: read %d of %d fails: Step = %+v, %v", i, n, b.reads, w, err)
			}
		}
		if _, err := s.log.Add(item.Leaf); err != nil {
			t.Fatal(err)
		}
		s.leaves = append(s.leaves, item.Leaf)
	}
	if most < 10 {
		t.Errorf("no leaf read more than %d times", most)
	}
}
