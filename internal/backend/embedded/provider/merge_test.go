package provider

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// fakeDB counts the merges that are granted to it.
type fakeDB struct {
	waiting, running int
	asked            func()
}

func (f *fakeDB) GetAllowedWithoutPermission() int { return 1 }

func (f *fakeDB) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	waiting := f.waiting > 0
	if f.asked != nil {
		f.asked()
	}
	return waiting, pebble.WaitingCompaction{}
}

func (f *fakeDB) Schedule(pebble.CompactionGrantHandle) bool {
	f.waiting--
	f.running++
	return true
}

// One merge at a time, none before the first write or once the store is closed,
// and none is forgotten.
func TestMerging(t *testing.T) {
	db, m := &fakeDB{waiting: 3}, new(merging)
	m.Register(2, db)
	if ok, _ := m.TrySchedule(); ok {
		t.Fatal("a merge before the first write")
	}
	m.begin()
	if db.running != 1 {
		t.Fatalf("%d merges once it is written to", db.running)
	}
	if ok, _ := m.TrySchedule(); ok {
		t.Fatal("two merges at a time")
	}
	for want := 2; want <= 3; want++ {
		if m.Done(); db.running != want {
			t.Fatalf("%d merges after another one, want %d", db.running, want)
		}
	}
	m.Done()
	if ok, h := m.TrySchedule(); !ok || h == nil {
		t.Fatal("none although none is running")
	}
	// One that is asked for while Pebble is being told that it may.
	db.asked = func() {
		db.asked = nil
		if ok, _ := m.TrySchedule(); ok {
			t.Error("two merges at a time")
		}
		db.waiting++
	}
	if m.Done(); db.running != 4 {
		t.Fatalf("%d merges, want 4: one was forgotten", db.running)
	}
	m.Unregister()
	db.waiting++
	m.Done()
	if ok, _ := m.TrySchedule(); ok || db.running != 4 {
		t.Fatal("a merge after the store is closed")
	}
}
