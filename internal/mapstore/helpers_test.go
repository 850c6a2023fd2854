package mapstore

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// memory is a side store; what was written last wins. It is its own View, and
// not a consistent one: tests take a clone.
type memory map[string][]byte

func (m memory) Read(key []byte, fn func([]byte) error) error { return fn(m[string(key)]) }

func (m memory) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	var keys []string
	for k := range m {
		if k >= string(from) && k < string(to) {
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

func (m memory) Close() error { return nil }

// picture is a memory that does not change any more, and is quick to scan.
type picture struct {
	memory
	keys []string // sorted
}

func (m memory) picture() picture {
	return picture{maps.Clone(m), slices.Sorted(maps.Keys(m))}
}

func (p picture) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	i, _ := slices.BinarySearch(p.keys, string(from))
	for ; i < len(p.keys) && p.keys[i] < string(to) && fn([]byte(p.keys[i]), p.memory[p.keys[i]]); i++ {
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

// kinds counts the keys by kind.
func (m memory) kinds() map[byte]int {
	out := map[byte]int{}
	for k := range m {
		out[k[1]]++
	}
	return out
}

// model is the state by other means: maps, whole lists, and the definition of
// the root.
type model struct {
	records     map[subject][]byte
	events      map[subject][]mapfn.Event
	withdrawals []mapfn.Withdrawal
}

type subject struct {
	ns   mapfn.NS
	data string
}

func newModel() *model {
	return &model{records: map[subject][]byte{}, events: map[subject][]mapfn.Event{}}
}

func (m *model) clone() *model {
	out := &model{maps.Clone(m.records), maps.Clone(m.events), slices.Clone(m.withdrawals)}
	for s, e := range out.events {
		out.events[s] = slices.Clone(e)
	}
	return out
}

// pairs returns the map from keys to value hashes.
func (m *model) pairs() map[Hash]Hash {
	out := map[Hash]Hash{}
	for s, r := range m.records {
		out[statusmap.Key(byte(s.ns), []byte(s.data))] = statusmap.ValueHash(byte(s.ns), r)
	}
	return out
}

func (m *model) result(t testing.TB) Result {
	t.Helper()
	var raw [][]byte
	for _, w := range m.withdrawals {
		raw = append(raw, w.Append(nil))
	}
	return Result{statusmap.Root(m.pairs()), uint64(len(m.records)), uint64(len(raw)), mustRoot(t, grown(t, list{}, raw...))}
}

func grown(t testing.TB, l list, entries ...[]byte) list {
	t.Helper()
	l, err := l.grow(entries...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustRoot(t testing.TB, l list) Hash {
	t.Helper()
	h, err := l.root()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// listRecord is the record of a component whose list is l.
func listRecord(t testing.TB, l list, last uint64) []byte {
	root := mustRoot(t, l)
	return fmt.Appendf(nil, `{"v":1,"count":%d,"last":%d,"root":"%s"}`, l.count, last, hex.EncodeToString(root[:]))
}

// source makes random changes that fit.
type source struct {
	t     testing.TB
	r     *rand.Rand
	names int // how many different subjects there are
	index uint64
	*model
}

func newSource(t testing.TB, seed uint64, names int) *source {
	return &source{t, rand.New(rand.NewPCG(seed, seed)), names, 0, newModel()}
}

func (s *source) hash() (h Hash) {
	for i := range h {
		h[i] = byte(s.r.Uint32())
	}
	return h
}

// leaf returns the writes of one leaf and puts them into the model.
func (s *source) leaf() mapfn.Writes {
	s.index++
	var w mapfn.Writes
	seen := map[subject]bool{}
	for range 1 + s.r.IntN(4) {
		at := subject{mapfn.NS(1 + s.r.IntN(6)), fmt.Sprintf("name %d", s.r.IntN(s.names))}
		if seen[at] {
			continue
		}
		seen[at] = true
		w.Changes = append(w.Changes, s.change(at))
	}
	for range s.r.IntN(3) {
		w.Withdrawals = append(w.Withdrawals, mapfn.Withdrawal{Index: s.index, Kind: 1, Reason: uint8(s.r.IntN(19)), ID: s.hash(), To: s.index})
	}
	s.withdrawals = append(s.withdrawals, w.Withdrawals...)
	return w
}

func (s *source) change(at subject) mapfn.Change {
	c := mapfn.Change{NS: at.ns, Data: []byte(at.data)}
	if hasList(at.ns) {
		c.Event = &mapfn.Event{Index: s.index, Kind: mapfn.EventIssue, ID: s.hash()}
		s.events[at] = append(s.events[at], *c.Event)
		var raw [][]byte
		for _, e := range s.events[at] {
			raw = append(raw, e.Append(nil))
		}
		l := grown(s.t, list{}, raw...)
		c.Record, c.Peaks = listRecord(s.t, l, s.index), l.peaks
	} else {
		c.Record = fmt.Appendf(nil, `{"v":1,"n":%d}`, s.r.IntN(4)) // often the same as before
	}
	s.records[at] = c.Record
	return c
}

// store is a side store together with what it should hold at each version.
type store struct {
	t        testing.TB
	mem      memory
	cache    *Cache
	versions map[uint64]*model
	latest   uint64
}

func newStore(t testing.TB) *store {
	return &store{t: t, mem: memory{}, cache: new(Cache), versions: map[uint64]*model{0: newModel()}}
}

func (s *store) open() *Snapshot {
	s.t.Helper()
	snap, err := Open(s.mem.picture(), s.cache)
	if err != nil {
		s.t.Fatal(err)
	}
	return snap
}

func (s *store) batch() *Batch {
	s.t.Helper()
	b, err := s.open().Batch()
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// commit runs a batch of n leaves from src.
func (s *store) commit(src *source, n int, version, keep uint64) Result {
	s.t.Helper()
	b := s.batch()
	for range n {
		if err := b.Apply(src.leaf()); err != nil {
			s.t.Fatal(err)
		}
	}
	res, writes, err := b.Commit(version, keep)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mem.apply(writes)
	b.Committed()
	s.latest, s.versions[version] = version, src.clone()
	return res
}

// checkVersion compares everything that a version says with the model.
func checkVersion(t testing.TB, view backend.View, cache *Cache, version uint64, m *model, names int) {
	t.Helper()
	if mem, ok := view.(memory); ok {
		view = mem.picture()
	}
	if err := compareVersion(t, view, cache, version, m, names); err != nil {
		t.Fatalf("version %d: %v", version, err)
	}
}

func compareVersion(t testing.TB, view backend.View, cache *Cache, version uint64, m *model, names int) error {
	t.Helper()
	s, err := OpenAt(view, cache, version)
	if err != nil {
		return err
	}
	root, err := s.WithdrawalRoot()
	if err != nil {
		return err
	}
	if got, want := (Result{s.Root(), s.Keys(), s.WithdrawalCount(), root}), m.result(t); got != want || s.Version() != version {
		return fmt.Errorf("is %+v, want %+v", got, want)
	}
	ws, err := s.Withdrawals(0, 1<<40)
	if err != nil {
		return err
	}
	if !slices.Equal(ws, m.withdrawals) {
		return fmt.Errorf("withdrawals %v, want %v", ws, m.withdrawals)
	}
	for i := range names {
		for ns := mapfn.NS(1); ns <= 7; ns++ {
			if err := compareSubject(s, subject{ns, fmt.Sprintf("name %d", i)}, m); err != nil {
				return fmt.Errorf("%d %d: %w", ns, i, err)
			}
		}
	}
	return nil
}

func compareSubject(s *Snapshot, at subject, m *model) error {
	data, want := []byte(at.data), m.records[at]
	record, err := s.Record(at.ns, data)
	if err != nil {
		return err
	}
	events, err := s.Events(at.ns, data, 0, 1<<40)
	if err != nil {
		return err
	}
	proven, p, err := s.Prove(at.ns, data)
	if err != nil {
		return err
	}
	if !bytes.Equal(record, want) || !bytes.Equal(proven, want) || (record == nil) != (want == nil) {
		return fmt.Errorf("record %q, proven %q, want %q", record, proven, want)
	}
	if !slices.Equal(events, m.events[at]) {
		return fmt.Errorf("events %v, want %v", events, m.events[at])
	}
	key := statusmap.Key(byte(at.ns), data)
	if want == nil {
		return p.VerifyAbsent(s.Root(), key)
	}
	return p.VerifyPresent(s.Root(), key, statusmap.ValueHash(byte(at.ns), want))
}
