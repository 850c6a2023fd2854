package mapstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

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

func (v diskView) Get(key []byte) ([]byte, error) {
	b, closer, err := v.Snapshot.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte{}, b...), nil
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
	id      string
}

func (l *loader) writes(b *Batch, n int, known bool) mapfn.Writes {
	hash := hex.EncodeToString(make([]byte, 32))
	att := fmt.Sprintf("attestation %d", n)
	record := fmt.Appendf(nil, `{"v":1,"state":"active","issued":%d,"leaf":"%s","last":%d,"key":"%s"}`, n, hash, l.version, hash)
	w := mapfn.Writes{Changes: []mapfn.Change{{NS: 1, Data: []byte(att), Record: record}}}
	if known {
		return w // withdrawn: its own record changes
	}
	for ns, name := range map[mapfn.NS]string{2: fmt.Sprintf("pkg:npm/p%d@%d", n/20, n), 3: fmt.Sprintf("pkg:npm/p%d", n/20), 4: "sha256:" + att} {
		data := []byte(name)
		e, _, err := b.entry(ns, data)
		if err != nil {
			l.t.Fatal(err)
		}
		event := mapfn.Event{Index: uint64(n), Kind: mapfn.EventIssue, ID: Hash{byte(n)}}
		list := grown(l.t, e.list, event.Append(nil))
		w.Changes = append(w.Changes, mapfn.Change{NS: ns, Data: data, Record: listRecord(l.t, list, uint64(n)), Event: &event, Peaks: list.peaks})
	}
	return w
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
		w := l.writes(b, n, known)
		for _, c := range w.Changes { // as step does
			if _, err := b.Record(c.NS, c.Data); err != nil {
				l.t.Fatal(err)
			}
		}
		if err := b.Apply(w); err != nil {
			l.t.Fatal(err)
		}
	}
	l.history = append(l.history, l.version)
	l.history = l.history[max(0, len(l.history)-64):]
	_, writes, err := b.Commit(l.version, l.history[0])
	if err != nil {
		l.t.Fatal(err)
	}
	l.disk.write(l.t, writes)
	b.Committed()
	return len(b.records)
}

func (l *loader) fill(keys uint64) {
	for {
		l.batch(20000, false)
		view := l.disk.View()
		snap, err := Open(view, l.cache)
		if err != nil {
			l.t.Fatal(err)
		}
		n := snap.Keys()
		view.Close()
		if n >= keys {
			return
		}
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

// BenchmarkCommit reports changed keys per second, reads, fsync and pruning
// included; half of the changes are to known keys.
func BenchmarkCommit(b *testing.B) {
	sizes(b, func(b *testing.B, l *loader) {
		changed := 0
		for b.Loop() {
			changed += l.batch(1000, true)
		}
		b.ReportMetric(float64(changed)/b.Elapsed().Seconds(), "keys/s")
	})
}

func BenchmarkProve(b *testing.B) {
	sizes(b, func(b *testing.B, l *loader) {
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
