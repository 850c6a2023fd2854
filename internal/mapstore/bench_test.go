package mapstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
)

// disk is a side store in Pebble, each batch of writes fsynced.
type disk struct{ db *pebble.DB }

func openDisk(t testing.TB, dir string) disk {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          256 << 20,
		MemTableSize:       64 << 20,
		Logger:             quiet{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return disk{db}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

func (d disk) write(t testing.TB, writes []backend.Write) {
	b := d.db.NewBatch()
	for _, w := range writes {
		var err error
		if w.Value == nil {
			err = b.Delete(w.Key, nil)
		} else {
			err = b.Set(w.Key, w.Value, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

func (d disk) View() backend.View { return diskView{d.db.NewSnapshot()} }

type diskView struct{ *pebble.Snapshot }

func (v diskView) Read(key []byte, fn func([]byte) error) error {
	b, closer, err := v.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return fn(nil)
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	return fn(b)
}

func (v diskView) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	it, err := v.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	for it.First(); it.Valid() && fn(it.Key(), it.Value()); it.Next() {
	}
	return it.Close()
}

// loader fills a disk with records as an attestation log has them: each leaf
// an attestation of a component, with a digest, in a package.
type loader struct {
	t       testing.TB
	disk    disk
	cache   *Cache
	version uint64
	history []uint64 // the last 64 versions
	next    int      // attestation

	// Time spent reading records, and making and writing commits: not that
	// for the making of changes, which is not this package's.
	reading, committing time.Duration
}

// subjects returns what the n-th attestation writes: if it is known, its own
// record only, as a withdrawal does.
func (l *loader) subjects(n int, known bool) []subject {
	att := fmt.Sprintf("attestation %d", n)
	out := []subject{{1, att}}
	if !known {
		out = append(out, subject{2, fmt.Sprintf("pkg:npm/p%d@%d", n/20, n)}, subject{3, fmt.Sprintf("pkg:npm/p%d", n/20)}, subject{4, "sha256:" + att})
	}
	return out
}

func (l *loader) change(b *Batch, n int, at subject) mapfn.Change {
	c := mapfn.Change{NS: at.ns, Data: []byte(at.data)}
	if !hasList(at.ns) {
		hash := hex.EncodeToString(make([]byte, 32))
		c.Record = fmt.Appendf(nil, `{"v":1,"state":"active","issued":%d,"leaf":"%s","last":%d,"key":"%s"}`, n, hash, l.version, hash)
		return c
	}
	e, err := b.entry(c.NS, c.Data)
	if err != nil {
		l.t.Fatal(err)
	}
	c.Event = &mapfn.Event{Index: uint64(n), Kind: mapfn.EventIssue, ID: Hash{byte(n)}}
	list := grown(l.t, e.list, c.Event.Append(nil))
	c.Record, c.Peaks = listRecord(l.t, list, uint64(n)), list.peaks
	return c
}

// batch commits about changes changes and returns how many they were; half of
// them to keys that are there already if update.
func (l *loader) batch(changes int, update bool) int {
	view := l.disk.View()
	defer view.Close()
	snap, err := Open(view, l.cache)
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := snap.Batch()
	if err != nil {
		l.t.Fatal(err)
	}
	l.version += uint64(changes)
	for i := 0; len(b.records) < changes; i++ {
		n, known := l.next, false
		if update && i%4 != 0 {
			n, known = (l.next*7919+i*104729)%l.next, true
		} else {
			l.next++
		}
		l.leaf(b, n, known)
	}
	l.history = append(l.history, l.version)
	l.history = l.history[max(0, len(l.history)-64):]
	start := time.Now()
	_, writes, err := b.Commit(l.version, l.history[0])
	if err != nil {
		l.t.Fatal(err)
	}
	l.disk.write(l.t, writes)
	b.Committed()
	l.committing += time.Since(start)
	return len(b.records)
}

// leaf applies the n-th attestation, or its withdrawal, to b.
func (l *loader) leaf(b *Batch, n int, known bool) {
	subjects := l.subjects(n, known)
	start := time.Now()
	for _, at := range subjects { // as step does
		if _, err := b.Record(at.ns, []byte(at.data)); err != nil {
			l.t.Fatal(err)
		}
	}
	l.reading += time.Since(start)
	var w mapfn.Writes
	for _, at := range subjects {
		w.Changes = append(w.Changes, l.change(b, n, at))
	}
	start = time.Now()
	if err := b.Apply(w); err != nil {
		l.t.Fatal(err)
	}
	l.committing += time.Since(start)
}

// fill commits new keys until there are so many, and leaves the store as it
// would be in the long run: pruned and compacted.
func (l *loader) fill(keys uint64) {
	for done := false; !done; {
		l.batch(20000, false)
		l.history = nil
		view := l.disk.View()
		snap, err := Open(view, l.cache)
		if err != nil {
			l.t.Fatal(err)
		}
		done = snap.Keys() >= keys
		view.Close()
	}
	for range 20 {
		l.batch(1000, true)
		l.history = nil
	}
	if err := l.disk.db.Compact(l.t.Context(), []byte{prefix}, []byte{prefix + 1}, true); err != nil {
		l.t.Fatal(err)
	}
}

func sizes(b *testing.B, run func(b *testing.B, l *loader)) {
	for _, keys := range []uint64{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			l := &loader{t: b, disk: openDisk(b, b.TempDir()), cache: new(Cache)}
			defer l.disk.db.Close()
			l.fill(keys)
			run(b, l)
		})
	}
}

// BenchmarkCommit reports changed keys per second, about half of them known
// before: for Apply, Commit and fsync, and with the reads that precede them.
func BenchmarkCommit(b *testing.B) {
	sizes(b, func(b *testing.B, l *loader) {
		l.reading, l.committing = 0, 0
		changed := 0.0
		for b.Loop() {
			changed += float64(l.batch(1000, true))
		}
		b.ReportMetric(changed/l.committing.Seconds(), "committed-keys/s")
		b.ReportMetric(changed/(l.reading+l.committing).Seconds(), "keys/s")
	})
}

func BenchmarkProve(b *testing.B) {
	sizes(b, func(b *testing.B, l *loader) {
		l.batch(1000, true)
		l.batch(1000, true)
		for name, at := range map[string]int{"latest": 0, "old": 1} {
			b.Run(name, func(b *testing.B) {
				view := l.disk.View()
				defer view.Close()
				snap, err := OpenAt(view, l.cache, l.history[len(l.history)-1-at])
				if err != nil {
					b.Fatal(err)
				}
				size, i := 0, 0
				for b.Loop() {
					i += 7919
					_, p, err := snap.Prove(1, fmt.Appendf(nil, "attestation %d", i%(l.next*2)))
					if err != nil {
						b.Fatal(err)
					}
					size += len(p.Marshal())
				}
				b.ReportMetric(float64(size)/float64(b.N), "B/proof")
			})
		}
	})
}

// The same over a real store, closed and opened again.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	l := &loader{t: t, disk: openDisk(t, dir), cache: new(Cache)}
	for range 5 {
		l.batch(100, l.next > 0)
	}
	want := func() Hash {
		view := l.disk.View()
		defer view.Close()
		snap, err := Open(view, nil)
		if err != nil {
			t.Fatal(err)
		}
		return snap.Root()
	}()
	if err := l.disk.db.Close(); err != nil {
		t.Fatal(err)
	}
	l.disk, l.cache = openDisk(t, dir), new(Cache)
	defer l.disk.db.Close()
	view := l.disk.View()
	defer view.Close()
	for _, v := range l.history {
		snap, err := OpenAt(view, l.cache, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v == l.version && snap.Root() != want {
			t.Errorf("root %x, want %x", snap.Root(), want)
		}
	}
	l.batch(100, true)
}
