// Package replay reads a log from its leaves alone and recomputes everything:
// the tree, the state, and each seal. It is what fsck runs, and what a cosigner
// that vouches for status must run.
//
// Invariants:
//
//   - Nothing is taken from the log but its leaves, in order.
//   - A live seal with one wrong line ends the replay with a *FalseSealError;
//     nothing after it is looked at.
//   - Memory grows with the number of map keys, not with the size of leaves.
package replay

import (
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/treehash"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Log is the state after the leaves added so far.
type Log struct {
	origin string
	leaf   func(index uint64) ([]byte, error)

	tree        *compact.Range
	withdrawals *compact.Range
	status      *statusmap.Partial
	mapKeys     uint64
	records     map[Hash]stored // by map key
	keys        map[Hash][]byte // SubjectPublicKeyInfo by keyid
	last        *seal.Seal      // the newest live seal
	stats       Stats
}

// Stats counts leaves.
type Stats struct {
	Entries, Seals, Ignored, Strays uint64
}

type stored struct {
	record []byte
	peaks  []Hash
}

// New returns the empty state of a log. leaf reads a leaf that was added before
// once more; its bytes are checked against a hash.
func New(origin string, leaf func(index uint64) ([]byte, error)) *Log {
	return &Log{
		origin: origin, leaf: leaf,
		tree: treehash.Empty(), withdrawals: treehash.Empty(),
		status: statusmap.NewPartial(Hash{}), records: map[Hash]stored{}, keys: map[Hash][]byte{},
	}
}

// Outcome is what a leaf was.
type Outcome struct {
	Entry   *entry.Entry // nil unless it parses
	Seal    *seal.Seal   // nil unless it is live
	Ignored error        // why it has no effect; nil if it has, or is a live seal
	Writes  *mapfn.Writes
}

// Size returns the number of leaves added.
func (l *Log) Size() uint64 { return l.tree.End() }

// Stats returns what was counted.
func (l *Log) Stats() Stats { return l.stats }

// Seal returns the newest live seal, or nil before the first.
func (l *Log) Seal() *seal.Seal { return l.last }

// Root returns the RFC 6962 root of the leaves added.
func (l *Log) Root() (Hash, error) { return treehash.Root(l.tree) }

// MapRoot returns the root of the status map.
func (l *Log) MapRoot() Hash { return l.status.Root() }

// Add adds the next leaf. A *FalseSealError ends the replay.
func (l *Log) Add(leaf []byte) (Outcome, error) {
	index := l.tree.End()
	var out Outcome
	var err error
	if seal.Is(leaf) {
		out, err = l.addSeal(leaf, index)
	} else {
		out, err = l.addEntry(leaf, index)
	}
	if err != nil {
		return out, err
	}
	return out, l.tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil)
}

func (l *Log) addEntry(leaf []byte, index uint64) (Outcome, error) {
	w, err := mapfn.Step(l.origin, leaf, index, l, l)
	e, parseErr := entry.Parse(leaf)
	out := Outcome{Entry: e, Writes: w}
	if parseErr != nil {
		out.Entry = nil
	}
	if reason.CodeOf(err) != "" {
		l.stats.Ignored++
		out.Ignored = err
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("leaf %d: %w", index, err)
	}
	l.stats.Entries++
	l.keep(e)
	return out, l.apply(w)
}

// keep remembers the keys that an effective entry brings.
func (l *Log) keep(e *entry.Entry) {
	for _, k := range e.NewKeys() {
		l.keys[k.ID()] = k.SPKI()
	}
}

func (l *Log) apply(w *mapfn.Writes) error {
	for _, c := range w.Changes {
		key := statusmap.Key(byte(c.NS), c.Data)
		l.records[key] = stored{c.Record, c.Peaks}
		added, err := l.status.Set(key, statusmap.ValueHash(byte(c.NS), c.Record))
		if err != nil {
			return err
		}
		if added {
			l.mapKeys++
		}
	}
	for _, wd := range w.Withdrawals {
		if err := l.withdrawals.Append(rfc6962.DefaultHasher.HashLeaf(wd.Append(nil)), nil); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) addSeal(leaf []byte, index uint64) (Outcome, error) {
	// A seal writes nothing, but may stand where another function is in force.
	if _, err := mapfn.Step(l.origin, leaf, index, l, l); err != nil {
		return Outcome{}, err
	}
	prefix, err := treehash.Root(l.tree)
	if err != nil {
		return Outcome{}, err
	}
	s, live := seal.Live(leaf, l.origin, index, prefix)
	if !live {
		l.stats.Strays++
		return Outcome{Ignored: fmt.Errorf("leaf %d is a stray seal", index)}, nil
	}
	if err := l.check(s); err != nil {
		return Outcome{Seal: s}, err
	}
	l.stats.Seals++
	l.last = s
	return Outcome{Seal: s}, nil
}

// check compares every line of a live seal with what was computed.
func (l *Log) check(s *seal.Seal) error {
	list, err := treehash.Root(l.withdrawals)
	if err != nil {
		return err
	}
	fn, err := mapfn.InForce(l)
	if err != nil {
		return err
	}
	return CheckSeal(s, seal.State{
		Last: l.last, MapFn: fn, Keys: l.mapKeys, MapRoot: l.status.Root(),
		Withdrawals: l.withdrawals.End(), WithdrawalRoot: list,
	})
}

// Record implements mapfn.Reader.
func (l *Log) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	return l.records[statusmap.Key(byte(ns), data)].record, nil
}

// Peaks implements mapfn.Reader.
func (l *Log) Peaks(ns mapfn.NS, data []byte) ([]Hash, error) {
	return l.records[statusmap.Key(byte(ns), data)].peaks, nil
}

// Leaf implements mapfn.Reader.
func (l *Log) Leaf(index uint64, hash Hash) ([]byte, error) {
	leaf, err := l.leaf(index)
	if err != nil {
		return nil, err
	}
	if treehash.Leaf(leaf) != hash {
		return nil, fmt.Errorf("leaf %d: %w: it does not have hash %x", index, mapfn.ErrNoLeaf, hash)
	}
	return leaf, nil
}

// SPKI implements mapfn.Keys.
func (l *Log) SPKI(id Hash) ([]byte, error) { return l.keys[id], nil }
