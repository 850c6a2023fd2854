package mapstore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// Random batches against the model: the result of each commit, and every
// version that is kept, after every commit.
func TestAgainstModel(t *testing.T) {
	const names = 12
	for seed := range uint64(6) {
		s, src := newStore(t), newSource(t, seed, names)
		var versions []uint64
		for i := range uint64(14) {
			version := 10*i + 2
			keep := uint64(0)
			if i > 5 {
				keep = versions[i-5]
			}
			got := s.commit(src, 1+src.r.IntN(9), version, keep)
			if want := src.result(t); got != want {
				t.Fatalf("seed %d, version %d: %+v, want %+v", seed, version, got, want)
			}
			versions = append(versions, version)
			for _, v := range versions {
				if v >= keep {
					checkVersion(t, s.mem, s.cache, v, s.versions[v], names)
				}
			}
		}
		if err := s.open().Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// The same leaves in any division into batches give the same state; only the
// history differs.
func TestBatchingIndependence(t *testing.T) {
	const leaves, names = 60, 10
	var want Result
	for _, size := range []int{leaves, 1, 2, 7, 31} {
		s, src := newStore(t), newSource(t, 99, names)
		var got Result
		for done := 0; done < leaves; {
			n := min(size, leaves-done)
			done += n
			got = s.commit(src, n, uint64(done), uint64(done))
		}
		if want == (Result{}) {
			want = got
		}
		if got != want {
			t.Errorf("batches of %d: %+v, want %+v", size, got, want)
		}
		checkVersion(t, s.mem, nil, leaves, src.model, names)
	}
}

func TestEmptyStore(t *testing.T) {
	s := newStore(t)
	checkVersion(t, s.mem, nil, 0, newModel(), 2)
	if err := s.open().Check(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := OpenAt(s.mem, nil, 1); !errors.Is(err, ErrNoVersion) {
		t.Errorf("version 1: %v", err)
	}
	// A batch without changes makes a version all the same.
	src := newSource(t, 1, 2)
	for _, version := range []uint64{2, 3} {
		if got, want := s.commit(src, 0, version, 0), newModel().result(t); got != want {
			t.Errorf("empty batch: %+v, want %+v", got, want)
		}
		checkVersion(t, s.mem, nil, version, newModel(), 2)
	}
}

// A batch sees its own changes, and nobody else does.
func TestBatchReadsItsWrites(t *testing.T) {
	s, src := newStore(t), newSource(t, 5, 3)
	s.commit(src, 4, 4, 0)
	before := src.clone()
	b := s.batch()
	for range 20 {
		if err := b.Apply(src.leaf()); err != nil {
			t.Fatal(err)
		}
		for at, want := range src.records {
			got, err := b.Record(at.ns, []byte(at.data))
			if err != nil || string(got) != string(want) {
				t.Fatalf("%v: record %q, %v; want %q", at, got, err, want)
			}
			peaks, err := b.Peaks(at.ns, []byte(at.data))
			if err != nil || hasList(at.ns) && grownFrom(t, src.events[at]).count == 0 {
				t.Fatal(err)
			}
			if want := grownFrom(t, src.events[at]).peaks; !slices.Equal(peaks, want) {
				t.Fatalf("%v: peaks %x, want %x", at, peaks, want)
			}
		}
	}
	if got, err := b.Record(1, []byte("nowhere")); got != nil || err != nil {
		t.Errorf("absent: %q, %v", got, err)
	}
	checkVersion(t, s.mem, nil, 4, before, 3)
}

func grownFrom(t testing.TB, events []mapfn.Event) list {
	var raw [][]byte
	for _, e := range events {
		raw = append(raw, e.Append(nil))
	}
	return grown(t, list{}, raw...)
}

// Writing what is there already changes no bucket and stores no record.
func TestSameRecordAgain(t *testing.T) {
	s := newStore(t)
	put := func(version uint64, names ...string) memory {
		b := s.batch()
		for _, n := range names {
			if err := b.Apply(mapfn.Writes{Changes: []mapfn.Change{{NS: 1, Data: []byte(n), Record: []byte(`{"v":1}`)}}}); err != nil {
				t.Fatal(err)
			}
		}
		_, writes, err := b.Commit(version, 0)
		if err != nil {
			t.Fatal(err)
		}
		out := memory{}
		out.apply(writes)
		s.mem.apply(writes)
		return out
	}
	put(1, "a", "b", "c")
	if got := put(2, "a", "b").kinds(); got[kindLeaf]+got[kindRecord]+got[kindPage] != 0 || got[kindVersion] != 1 {
		t.Errorf("wrote %v", got)
	}
	if got := put(3, "a", "d").kinds(); got[kindLeaf] != 1 || got[kindRecord] != 0 || got[kindPage] != 1 {
		t.Errorf("wrote %v", got)
	}
	if err := s.open().Check(t.Context()); err != nil {
		t.Error(err)
	}
	if got := s.open().Keys(); got != 4 {
		t.Errorf("%d keys", got)
	}
}

func TestListPages(t *testing.T) {
	s, src := newStore(t), newSource(t, 8, 1)
	s.commit(src, 30, 30, 0)
	middle := src.clone()
	s.commit(src, 30, 60, 0)
	for version, m := range map[uint64]*model{30: middle, 60: src.model} {
		snap, err := OpenAt(s.mem, nil, version)
		if err != nil {
			t.Fatal(err)
		}
		at := subject{mapfn.NSComponent, "name 0"}
		for first := range uint64(len(m.events[at]) + 3) {
			for _, n := range []uint64{0, 1, 5, 1 << 63} {
				events, err := snap.Events(at.ns, []byte(at.data), first, n)
				if err != nil || !slices.Equal(events, page(m.events[at], first, n)) {
					t.Fatalf("version %d: events [%d, +%d): %v, %v", version, first, n, events, err)
				}
				ws, err := snap.Withdrawals(first, n)
				if err != nil || !slices.Equal(ws, page(m.withdrawals, first, n)) {
					t.Fatalf("version %d: withdrawals [%d, +%d): %v, %v", version, first, n, ws, err)
				}
			}
		}
		if got, want := snap.WithdrawalPeaks(), snap.meta.list.peaks; !slices.Equal(got, want) {
			t.Errorf("peaks %x, want %x", got, want)
		}
		for _, ns := range []mapfn.NS{mapfn.NSAttestation, 9} {
			if events, err := snap.Events(ns, []byte(at.data), 0, 9); len(events) != 0 || err != nil {
				t.Errorf("namespace %d has events: %v, %v", ns, events, err)
			}
		}
	}
}

func page[T any](all []T, first, n uint64) []T {
	size := uint64(len(all))
	first = min(first, size)
	return all[first : first+min(n, size-first)]
}

// What a map function must not do is refused before it is sealed.
func TestUnfitChanges(t *testing.T) {
	event := &mapfn.Event{Index: 7, Kind: mapfn.EventIssue}
	one := grownFrom(t, []mapfn.Event{*event})
	two := grownFrom(t, []mapfn.Event{*event, *event})
	good := mapfn.Change{NS: 2, Data: []byte("a"), Record: listRecord(t, one, 7), Event: event, Peaks: one.peaks}
	put := func(changes ...mapfn.Change) error {
		b := newStore(t).batch()
		for _, c := range changes {
			if err := b.Apply(mapfn.Writes{Changes: []mapfn.Change{c}}); err != nil {
				return err
			}
		}
		_, _, err := b.Commit(1, 0)
		return err
	}
	tests := []struct {
		name   string
		change func(*mapfn.Change)
	}{
		{"no record", func(c *mapfn.Change) { c.Record = nil }},
		{"long data", func(c *mapfn.Change) { c.Data = make([]byte, 65536) }},
		{"event without list", func(c *mapfn.Change) { c.NS = 1 }},
		{"no event", func(c *mapfn.Change) { c.Event, c.Peaks = nil, nil }},
		{"other event", func(c *mapfn.Change) { c.Event = &mapfn.Event{Index: 8} }},
		{"other peaks", func(c *mapfn.Change) { c.Peaks = []Hash{{1}} }},
		{"no peaks", func(c *mapfn.Change) { c.Peaks = nil }},
		{"other count", func(c *mapfn.Change) { c.Record = listRecord(t, two, 7) }},
		{"other root", func(c *mapfn.Change) { c.Record = listRecord(t, list{1, []Hash{{1}}}, 7) }},
		{"no root", func(c *mapfn.Change) { c.Record = []byte(`{"v":1,"count":1}`) }},
		{"no count", func(c *mapfn.Change) { c.Record = c.Record[len(`{"v":1,"count":1`):] }},
		{"bad root", func(c *mapfn.Change) { c.Record = slices.Concat(c.Record[:len(c.Record)-4], []byte(`zz"}`)) }},
		{"bad count", func(c *mapfn.Change) {
			c.Record = []byte(`{"v":1,"count":-1,` + string(c.Record[len(`{"v":1,"count":1,`):]))
		}},
	}
	for _, test := range tests {
		c := good
		test.change(&c)
		if err := put(c); !errors.Is(err, ErrInconsistent) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if err := put(good); err != nil {
		t.Error(err)
	}
	// Neither does a second change make good what the first has spoilt.
	later := mapfn.Change{NS: 2, Data: []byte("a"), Record: listRecord(t, two, 7), Event: event, Peaks: two.peaks}
	if err := put(good, later); err != nil {
		t.Error(err)
	}
	other := good
	other.Event = &mapfn.Event{Index: 8}
	if err := put(other, later); !errors.Is(err, ErrInconsistent) {
		t.Errorf("other event, then a good one: %v", err)
	}
}

func TestVersionsGoUp(t *testing.T) {
	s, src := newStore(t), newSource(t, 3, 3)
	s.commit(src, 3, 5, 0)
	for _, v := range [][2]uint64{{0, 0}, {4, 0}, {5, 0}, {6, 7}} {
		if _, _, err := s.batch().Commit(v[0], v[1]); !errors.Is(err, ErrInconsistent) {
			t.Errorf("version %d, keep %d: %v", v[0], v[1], err)
		}
	}
	s.commit(src, 3, 9, 0)
	if _, err := OpenAt(s.mem, nil, 7); !errors.Is(err, ErrNoVersion) {
		t.Errorf("version 7: %v", err)
	}
	old, err := OpenAt(s.mem, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Batch(); !errors.Is(err, ErrNoVersion) {
		t.Errorf("batch on an old version: %v", err)
	}
}

// What a failed write leaves behind, in the cache too, does no harm: another
// batch may take its version, or a lower one.
func TestDroppedCommit(t *testing.T) {
	s, src := newStore(t), newSource(t, 4, 6)
	s.commit(src, 10, 10, 0)
	for i := range uint64(10) {
		other := &source{t, src.r, src.names, src.index, src.model.clone()}
		b := s.batch()
		for range 5 {
			if err := b.Apply(other.leaf()); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := b.Commit(100*i+60, 0); err != nil {
			t.Fatal(err)
		}
		// Not written. A smaller batch comes first, then one of that version.
		s.commit(src, 2, 100*i+40, 0)
		s.commit(src, 3, 100*i+60, 0)
		checkVersion(t, s.mem, s.cache, 100*i+60, src.model, src.names)
	}
}

// Committing twice gives the same writes.
func TestCommitIsPure(t *testing.T) {
	s, src := newStore(t), newSource(t, 6, 30)
	s.commit(src, 300, 300, 0)
	b := s.batch()
	for range 200 {
		if err := b.Apply(src.leaf()); err != nil {
			t.Fatal(err)
		}
	}
	var before memory
	for range 3 {
		_, writes, err := b.Commit(500, 0)
		if err != nil {
			t.Fatal(err)
		}
		m := memory{}
		m.apply(writes)
		if before != nil && !maps.EqualFunc(m, before, slices.Equal) {
			t.Error("other writes")
		}
		before = m
	}
}

// A key is present with data up to the longest, and absent beyond.
func TestLongestData(t *testing.T) {
	s, b := newStore(t), newStore(t).batch()
	data := make([]byte, maxData)
	if err := b.Apply(mapfn.Writes{Changes: []mapfn.Change{{NS: 1, Data: data, Record: []byte("r")}}}); err != nil {
		t.Fatal(err)
	}
	_, writes, err := b.Commit(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.mem.apply(writes)
	for extra, want := range []string{"r", ""} {
		record, p, err := s.open().Prove(1, append(data, make([]byte, extra)...))
		if err != nil || string(record) != want {
			t.Errorf("%d more: %q, %v", extra, record, err)
		}
		if present := p.Terminal == statusmap.TerminalKey; present != (want != "") {
			t.Errorf("%d more: terminal %d", extra, p.Terminal)
		}
	}
}

func ExampleOpen() {
	side := memory{} // what backend.View shows
	snapshot, _ := Open(side, nil)
	batch, _ := snapshot.Batch()
	_ = batch.Apply(mapfn.Writes{Changes: []mapfn.Change{{NS: mapfn.NSAttestation, Data: []byte("id"), Record: []byte("record")}}})
	result, writes, _ := batch.Commit(2, 0)
	side.apply(writes) // in the durable write of the leaves
	batch.Committed()

	snapshot, _ = Open(side, nil)
	record, proof, _ := snapshot.Prove(mapfn.NSAttestation, []byte("id"))
	key, vh := statusmap.Key(1, []byte("id")), statusmap.ValueHash(1, record)
	fmt.Println(string(record), result.Keys, proof.VerifyPresent(result.Root, key, vh))
	// Output: record 1 <nil>
}
