package provider

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// merging lets Pebble merge tables, one merge at a time, from the first write on.
// Pebble's own scheduler would begin while the store opens, and opening waits for
// the end of that: seconds, after a crash under load, in which those who read what
// they need for a start would have to share the processor, too.
//
// Pebble calls TrySchedule with its locks held; without any of ours we call
// Pebble.
type merging struct {
	db pebble.DBForCompaction

	mu    sync.Mutex
	open  bool
	busy  bool // a merge runs, or is being offered
	asked bool // Pebble wanted one meanwhile
	calls sync.WaitGroup
}

var _ interface {
	pebble.CompactionScheduler
	pebble.CompactionGrantHandle
} = (*merging)(nil)

// begin says that the store is written to.
func (m *merging) begin() {
	m.mu.Lock()
	begun := m.open
	m.open = true
	m.mu.Unlock()
	if !begun {
		m.offer()
	}
}

// offer lets Pebble begin a merge if it has one waiting and none running.
func (m *merging) offer() {
	for m.take(true) {
		waiting, _ := m.db.GetWaitingCompaction()
		begun := waiting && m.db.Schedule(m)
		m.calls.Done()
		if begun || !m.release() {
			return
		}
	}
}

// take reserves the one place for a merge, and counts a call of Pebble if there
// is to be one.
func (m *merging) take(call bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open || m.busy {
		m.asked = true
		return false
	}
	m.busy, m.asked = true, false
	if call {
		m.calls.Add(1)
	}
	return true
}

// release gives the place back, and reports whether it was asked for meanwhile.
func (m *merging) release() (asked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy = false
	return m.asked
}

// Register implements pebble.CompactionScheduler.
func (m *merging) Register(_ int, db pebble.DBForCompaction) { m.db = db }

// Unregister implements pebble.CompactionScheduler: it returns when no call of
// Pebble is under way, and there will be none.
func (m *merging) Unregister() {
	m.mu.Lock()
	m.open = false
	m.mu.Unlock()
	m.calls.Wait()
}

// TrySchedule implements pebble.CompactionScheduler.
func (m *merging) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if !m.take(false) {
		return false, nil
	}
	return true, m
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler: it is
// always one.
func (m *merging) UpdateGetAllowedWithoutPermission() {}

// Done implements pebble.CompactionGrantHandle.
func (m *merging) Done() {
	m.release()
	m.offer()
}

// Started implements pebble.CompactionGrantHandle.
func (m *merging) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (m *merging) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (m *merging) CumulativeStats(pebble.CompactionGrantHandleStats) {}
