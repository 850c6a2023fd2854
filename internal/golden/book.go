package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
)

const (
	origin = "golden.example/log"
	// start is the time at index 0; index n is n seconds later.
	start = 1_795_000_000
)

// head is the first line of a file.
type head struct {
	About  string `json:"about"`
	Origin string `json:"origin"`
}

// line is a leaf. README.md beside the files says what its members are.
type line struct {
	Index  int         `json:"index"`
	Name   string      `json:"name"`
	Why    string      `json:"why"`
	Is     string      `json:"is"`
	Code   reason.Code `json:"code,omitempty"`
	Line   *int        `json:"line,omitempty"`
	Event  string      `json:"event,omitempty"`
	ID     string      `json:"id,omitempty"`
	Leaf   *string     `json:"leaf,omitempty"`
	Leaf64 []byte      `json:"leaf64,omitempty"`
	// Root is that of the status map after the leaf.
	Root  string `json:"root,omitempty"`
	State *state `json:"state,omitempty"`
}

// state is what a live seal says.
type state struct {
	Fn             uint16 `json:"fn"`
	Keys           int    `json:"keys"`
	Root           string `json:"root"`
	Withdrawals    int    `json:"withdrawals"`
	WithdrawalRoot string `json:"withdrawalRoot"`
	PrefixRoot     string `json:"prefixRoot"`
}

// record is one of the status map.
type record struct {
	NS     mapfn.NS `json:"ns"`
	Data   string   `json:"data"`
	Key    string   `json:"key"`
	Record string   `json:"record"`
	Events []string `json:"events,omitempty"`
}

// withdrawal is a record of the withdrawal list.
type withdrawal struct {
	Withdrawal string `json:"withdrawal"`
}

// book is a log that is being written.
type book struct {
	cast
	log     *replay.Log
	lines   []line
	leaves  [][]byte
	entries map[string]*entry.Entry // by name of step
	indexes map[string]uint64       // by name of step
	about   string

	records     map[string]record // by namespace and data
	withdrawals [][]byte
	list        *compact.Range
	last        *seal.Seal
}

// play makes the log of a script.
func play(s script) (*book, error) {
	ranges := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	b := &book{
		cast: newCast(), entries: map[string]*entry.Entry{}, indexes: map[string]uint64{},
		records: map[string]record{}, list: ranges.NewEmptyRange(0), about: s.about,
	}
	b.log = replay.New(origin, func(i uint64) ([]byte, error) { return b.leaves[i], nil })
	var bad []error // all that is not as it is written down
	for i, st := range s.steps {
		if _, ok := b.indexes[st.name]; ok {
			return nil, fmt.Errorf("%s: two steps are called %q", s.path, st.name)
		}
		if err := b.add(st); err != nil {
			bad = append(bad, fmt.Errorf("%s: step %d, %s: %w", s.path, i, st.name, err))
		}
	}
	return b, errors.Join(bad...)
}

// index is that of the next leaf.
func (b *book) index() uint64 { return uint64(len(b.leaves)) }

// at is the index of an earlier step.
func (b *book) at(name string) uint64 {
	i, ok := b.indexes[name]
	if !ok {
		panic("no step is called " + name)
	}
	return i
}

// entry is that of an earlier step.
func (b *book) entry(name string) *entry.Entry {
	e := b.entries[name]
	if e == nil {
		panic("no entry is called " + name)
	}
	return e
}

// lastOf is the member last of the record that the step's entry made.
func (b *book) lastOf(ns mapfn.NS, name string) uint64 {
	id := b.entry(name).ID
	return b.lastAt(ns, id[:])
}

func (b *book) lastAt(ns mapfn.NS, data []byte) uint64 {
	var r struct{ Last uint64 }
	if err := json.Unmarshal([]byte(b.records[placeOf(ns, data)].Record), &r); err != nil {
		panic(fmt.Sprintf("no record %d %x", ns, data))
	}
	return r.Last
}

func placeOf(ns mapfn.NS, data []byte) string { return string(append([]byte{byte(ns)}, data...)) }

// add adds a step's leaf and checks what became of it.
func (b *book) add(st step) error {
	leaf := st.make(b)
	b.indexes[st.name] = b.index()
	l := line{Index: len(b.leaves), Name: st.name, Why: st.why, Is: st.is, Code: st.code}
	if s := string(leaf); utf8.ValidString(s) {
		l.Leaf = &s
	} else {
		l.Leaf64 = leaf
	}
	if st.is == isFalse {
		l.Line = &st.line
	}
	if st.is == isSeal {
		l.State = b.present()
	}
	out, err := b.log.Add(leaf)
	b.leaves = append(b.leaves, leaf)
	if e := out.Entry; e != nil && err == nil {
		l.Event, l.ID = eventOf(e), hex.EncodeToString(e.ID[:])
	}
	must(b.keep(out.Writes))
	if err == nil {
		root := b.log.MapRoot()
		l.Root = hex.EncodeToString(root[:])
	}
	b.lines = append(b.lines, l)
	if got := outcome(leaf, out, err); got != st.outcome() {
		return fmt.Errorf("the leaf is %+v, should be %+v: %v %v", got, st.outcome(), out.Ignored, err)
	}
	return nil
}

// result is what became of a leaf.
type result struct {
	is   string
	code reason.Code
	line int
}

func (st step) outcome() result { return result{st.is, st.code, st.line} }

func outcome(leaf []byte, out replay.Outcome, err error) result {
	var f *replay.FalseSealError
	switch {
	case errors.As(err, &f):
		return result{is: isFalse, line: f.Line}
	case errors.Is(err, mapfn.ErrFunction):
		return result{is: isStop}
	case err != nil:
		return result{is: err.Error()}
	case out.Seal != nil:
		return result{is: isSeal}
	case seal.Is(leaf):
		return result{is: isStray}
	case out.Ignored != nil:
		return result{is: isIgnored, code: reason.CodeOf(out.Ignored)}
	}
	return result{is: isEffective}
}

// eventOf names an entry's kind and action.
func eventOf(e *entry.Entry) string {
	action := ""
	switch {
	case e.Party != nil:
		action = " " + e.Party.Action
	case e.Key != nil:
		action = " " + e.Key.Action
	case e.Programme != nil:
		action = " " + e.Programme.Action
	case e.Revocation != nil:
		action = " " + e.Revocation.Action
	}
	return string(e.Kind) + action
}

// keep notes what an effective leaf wrote.
func (b *book) keep(w *mapfn.Writes) error {
	if w == nil {
		return nil
	}
	for _, c := range w.Changes {
		key, at := statusmap.Key(byte(c.NS), c.Data), placeOf(c.NS, c.Data)
		r := record{c.NS, string(c.Data), hex.EncodeToString(key[:]), string(c.Record), b.records[at].Events}
		if len(c.Data) == sha256.Size {
			r.Data = hex.EncodeToString(c.Data)
		}
		if c.Event != nil {
			r.Events = append(slices.Clip(r.Events), hex.EncodeToString(c.Event.Append(nil)))
		}
		b.records[at] = r
	}
	for _, x := range w.Withdrawals {
		b.withdrawals = append(b.withdrawals, x.Append(nil))
		if err := b.list.Append(rfc6962.DefaultHasher.HashLeaf(x.Append(nil)), nil); err != nil {
			return err
		}
	}
	return nil
}

// spoil makes a seal false, or a stray.
type spoil func(b *book, s *seal.Seal)

// due returns the seal that is due.
func (b *book) due() *seal.Seal {
	prefix, err := b.log.Root()
	must(err)
	fn, err := mapfn.InForce(b.log)
	must(err)
	s := &seal.Seal{
		Origin: origin, Index: b.index(), MapFn: fn, SealedAt: start + b.index(),
		Keys: uint64(len(b.records)), MapRoot: b.log.MapRoot(),
		Withdrawals: uint64(len(b.withdrawals)), WithdrawalRoot: b.listRoot(), PrefixRoot: prefix,
	}
	if b.last != nil {
		prev := b.last.Index
		s.Prev = &prev
	}
	return s
}

func (b *book) listRoot() entry.Hash {
	if b.list.End() == 0 {
		return entry.Hash(rfc6962.DefaultHasher.EmptyRoot())
	}
	h, err := b.list.GetRootHash(nil)
	must(err)
	return entry.Hash(h)
}

// seal is the seal that is due, spoilt unless spoil is nil.
func (b *book) seal(spoil spoil) []byte {
	s := b.due()
	if spoil == nil {
		b.last = s
		return s.Marshal()
	}
	spoil(b, s)
	return s.Marshal()
}

func (b *book) present() *state {
	s := b.last
	return &state{
		s.MapFn, int(s.Keys), hex.EncodeToString(s.MapRoot[:]), int(s.Withdrawals),
		hex.EncodeToString(s.WithdrawalRoot[:]), hex.EncodeToString(s.PrefixRoot[:]),
	}
}

// file is the log.
func (b *book) file() ([]byte, error) {
	first, err := encode(head{b.about, origin})
	if err != nil {
		return nil, err
	}
	rest, err := encode(b.lines...)
	return append(first, rest...), err
}

// state is the state after the last leaf: records in order of namespace and
// data, then the withdrawal list in its own.
func (b *book) state() ([]byte, error) {
	var records []record
	for _, r := range b.records {
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.NS, b.NS), cmp.Compare(a.Data, b.Data))
	})
	out, err := encode(records...)
	if err != nil {
		return nil, err
	}
	var list []withdrawal
	for _, w := range b.withdrawals {
		list = append(list, withdrawal{hex.EncodeToString(w)})
	}
	rest, err := encode(list...)
	return append(out, rest...), err
}

// encode writes one JSON value a line.
func encode[T any](values ...T) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
