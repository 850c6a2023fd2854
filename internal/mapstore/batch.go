package mapstore

import (
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/treehash"
)

// Batch is the state that a batch of leaves makes out of the latest version:
// what has been applied lies over what is stored. With a source of leaves
// beside it, it is the mapfn.Reader of that batch. It is used by one
// goroutine.
type Batch struct {
	base    Snapshot
	records map[name]*entry
	// events are writes of list entries, in the order of their appearance.
	events      []backend.Write
	withdrawals [][]byte

	// next is what the last Commit has made of the map.
	next cached
}

// name is what a record is called; to find it by that takes less than its map key does.
type name struct {
	ns   mapfn.NS
	data string
}

// entry is a record that the batch has read or written.
type entry struct {
	ns  mapfn.NS
	key Hash
	at  address // of the record that the store has, 0 if it has none
	stored
	changed bool
	before  list   // its event list, as the store has it
	grown   []Hash // leaf hashes of the events since
}

// Batch starts a batch on s, which MUST be the latest version.
func (s *Snapshot) Batch() (*Batch, error) {
	if s.meta.version != s.head.version {
		return nil, fmt.Errorf("%w: version %d is not the latest, %d", ErrNoVersion, s.meta.version, s.head.version)
	}
	b := &Batch{base: *s, records: map[name]*entry{}}
	b.base.seen = map[path]bucket{}
	return b, nil
}

// entry returns the record at (ns, data), read or yet to be written.
func (b *Batch) entry(ns mapfn.NS, data []byte) (*entry, error) {
	if e := b.records[name{ns, string(data)}]; e != nil {
		return e, nil
	}
	key := statusmap.Key(byte(ns), data)
	st, at, err := b.base.lookup(ns, key)
	if err != nil {
		return nil, err
	}
	e := &entry{ns: ns, key: key, at: at, stored: st, before: st.list}
	b.records[name{ns, string(data)}] = e
	return e, nil
}

// Record returns the record at (ns, data) as the batch so far has left it, or
// nil if there is none. The caller MUST NOT modify it.
func (b *Batch) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	e, err := b.entry(ns, data)
	if err != nil {
		return nil, err
	}
	return e.record, nil
}

// Peaks returns the hashes of the perfect subtrees of the event list at (ns,
// data) as the batch so far has left it, from left to right.
func (b *Batch) Peaks(ns mapfn.NS, data []byte) ([]Hash, error) {
	e, err := b.entry(ns, data)
	if err != nil {
		return nil, err
	}
	return e.list.peaks, nil
}

// Apply puts what one leaf does over the state. It fails with ErrInconsistent if
// that is no change of a record; the batch is then unusable. That event lists have
// grown by exactly the events given is for Commit to check, once for each list. It
// keeps the slices in w.
func (b *Batch) Apply(w mapfn.Writes) error {
	for i := range w.Changes {
		if err := b.change(&w.Changes[i]); err != nil {
			return fmt.Errorf("changing the record at %d %q: %w", w.Changes[i].NS, w.Changes[i].Data, err)
		}
	}
	for _, wd := range w.Withdrawals {
		b.withdrawals = append(b.withdrawals, wd.Append(make([]byte, 0, mapfn.WithdrawalSize)))
	}
	return nil
}

func (b *Batch) change(c *mapfn.Change) error {
	if len(c.Data) > maxData || c.Record == nil {
		return fmt.Errorf("%w: data of %d bytes, record of %d", ErrInconsistent, len(c.Data), len(c.Record))
	}
	e, err := b.entry(c.NS, c.Data)
	if err != nil {
		return err
	}
	l, tail := e.list, e.tail
	if c.Event != nil {
		if !hasList(c.NS) {
			return fmt.Errorf("%w: event without a list", ErrInconsistent)
		}
		event := c.Event.Append(make([]byte, 0, mapfn.EventSize))
		e.grown, l = append(e.grown, treehash.Leaf(event)), list{l.count + 1, c.Peaks}
		if tail = append(tail, event...); l.count%rowLen == 0 {
			b.events, tail = append(b.events, backend.Write{Key: eventKey(e.key, l.count/rowLen-1), Value: tail}), nil
		}
	}
	e.stored, e.changed = stored{c.Record, l, tail}, true
	return nil
}

// check checks that the event list of a changed record is the one before and the
// events since, and that the record commits to it.
func (e *entry) check() error {
	if !hasList(e.ns) {
		return nil
	}
	peaks, err := treehash.Append(e.before.count, e.before.peaks, e.grown...)
	if err != nil {
		return err
	}
	if !slices.Equal(peaks, e.list.peaks) {
		return fmt.Errorf("%w: other peaks than those of %d events", ErrInconsistent, e.list.count)
	}
	count, want, err := committed(e.record)
	if err != nil {
		return err
	}
	if root, err := e.list.root(); err != nil || count != e.list.count || root != want {
		return fmt.Errorf("%w: record counts %d events with another root than these %d", ErrInconsistent, count, e.list.count)
	}
	return nil
}
