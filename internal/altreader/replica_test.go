package altreader

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
)

const testOrigin = "log.example/test"

// replica is the same log as the alternative's, kept by the first implementation:
// mapfn.Step over a store that holds everything in memory.
type replica struct {
	leaves      [][]byte
	tree        *compact.Range
	records     map[string][]byte // namespace and data
	peaks       map[string][]mapfn.Hash
	values      map[statusmap.Hash]statusmap.Hash
	spki        map[mapfn.Hash][]byte
	withdrawals *compact.Range
	sealed      *seal.Seal
}

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

func newReplica() *replica {
	return &replica{
		tree: ranges.NewEmptyRange(0), withdrawals: ranges.NewEmptyRange(0),
		records: map[string][]byte{}, peaks: map[string][]mapfn.Hash{},
		values: map[statusmap.Hash]statusmap.Hash{}, spki: map[mapfn.Hash][]byte{},
	}
}

func at(ns mapfn.NS, data []byte) string { return string(append([]byte{byte(ns)}, data...)) }

// Record, Peaks and Leaf implement mapfn.Reader.
func (r *replica) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	return r.records[at(ns, data)], nil
}
func (r *replica) Peaks(ns mapfn.NS, data []byte) ([]mapfn.Hash, error) {
	return r.peaks[at(ns, data)], nil
}
func (r *replica) Leaf(index uint64, hash mapfn.Hash) ([]byte, error) {
	if index < uint64(len(r.leaves)) && leafHash(r.leaves[index]) == hash {
		return r.leaves[index], nil
	}
	return nil, mapfn.ErrNoLeaf
}

// SPKI implements mapfn.Keys.
func (r *replica) SPKI(id mapfn.Hash) ([]byte, error) { return r.spki[id], nil }

// add steps a leaf and writes what it does, after spoil, unless nil, changed
// it: a planted bug.
func (r *replica) add(t *testing.T, leaf []byte, spoil func(*mapfn.Writes)) (reason.Code, *mapfn.Writes) {
	t.Helper()
	w, err := mapfn.Step(testOrigin, leaf, uint64(len(r.leaves)), r, r)
	if err != nil && reason.CodeOf(err) == "" {
		t.Fatalf("leaf %d: Step: %v", len(r.leaves), err)
	}
	r.leaves = append(r.leaves, leaf)
	check(t, r.tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
	if w == nil {
		return reason.CodeOf(err), nil
	}
	if spoil != nil {
		spoil(w)
	}
	r.learn(leaf)
	for _, c := range w.Changes {
		n := at(c.NS, c.Data)
		r.records[n] = c.Record
		r.values[statusmap.Key(byte(c.NS), c.Data)] = statusmap.ValueHash(byte(c.NS), c.Record)
		if c.Event != nil {
			r.peaks[n] = c.Peaks
		}
	}
	for _, x := range w.Withdrawals {
		check(t, r.withdrawals.Append(rfc6962.DefaultHasher.HashLeaf(x.Append(nil)), nil))
	}
	return "", w
}

// learn keeps the keys of an entry that has effect.
func (r *replica) learn(leaf []byte) {
	e, err := entry.Parse(leaf)
	if err != nil {
		return
	}
	keep := func(keys ...entry.PublicKey) {
		for _, k := range keys {
			r.spki[k.ID()] = k.SPKI()
		}
	}
	switch {
	case e.Charter != nil:
		keep(e.Charter.Registrars...)
		keep(e.Charter.Roots...)
	case e.Party != nil && e.Party.Recovery != nil:
		keep(e.Party.Recovery.Key)
		for _, k := range e.Party.Keys {
			keep(k.Key)
		}
	case e.Key != nil && e.Key.Add != nil:
		keep(e.Key.Add.Key)
	}
}

// seal returns the seal that is due.
func (r *replica) seal(t *testing.T) *seal.Seal {
	t.Helper()
	s := &seal.Seal{
		Origin: testOrigin, Index: uint64(len(r.leaves)), MapFn: mapfn.Version, SealedAt: 1_795_000_000 + uint64(len(r.leaves)),
		Keys: uint64(len(r.values)), MapRoot: statusmap.Root(r.values),
		Withdrawals: r.withdrawals.End(), WithdrawalRoot: rangeRoot(t, r.withdrawals), PrefixRoot: rangeRoot(t, r.tree),
	}
	if r.sealed != nil {
		s.Prev = &r.sealed.Index
	}
	return s
}

func rangeRoot(t *testing.T, r *compact.Range) Hash {
	t.Helper()
	if r.End() == 0 {
		return sha256.Sum256(nil)
	}
	root, err := r.GetRootHash(nil)
	check(t, err)
	return Hash(root)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// both is a log replayed by both implementations.
type both struct {
	*testing.T
	*replica
	alt *Log
	// codes demands that an ignored leaf is ignored for the same cause, not
	// only that it is.
	codes bool
}

func newBoth(t *testing.T) *both {
	return &both{T: t, replica: newReplica(), alt: New(testOrigin), codes: true}
}

// add adds a leaf to both and compares what they say about it.
func (b *both) add(leaf []byte) Outcome {
	b.Helper()
	index := b.alt.Size()
	code, w := b.replica.add(b.T, leaf, nil)
	out, err := b.alt.Add(leaf)
	if err != nil {
		b.Fatalf("leaf %d: %v", index, err)
	}
	if out.Code != string(code) && (b.codes || out.Ignored != (code != "")) {
		b.Fatalf("leaf %d is ignored for %q by altreader, for %q by mapfn", index, out.Code, code)
	}
	if w != nil {
		b.compare(w)
	}
	return out
}

// compare compares the records that were written.
func (b *both) compare(w *mapfn.Writes) {
	b.Helper()
	for _, c := range w.Changes {
		if got := b.alt.Record(byte(c.NS), c.Data); string(got) != string(c.Record) {
			b.Fatalf("leaf %d: record %d %x is %s to altreader, %s to mapfn", b.alt.Size()-1, c.NS, c.Data, got, c.Record)
		}
	}
}

// seal adds the seal that is due and lets altreader check it.
func (b *both) seal() {
	b.Helper()
	s := b.replica.seal(b.T)
	if out := b.add(s.Marshal()); !out.Live {
		b.Fatalf("seal at %d is not live", s.Index)
	}
	b.sealed = s
}

// compareAll compares every record, both ways.
func (b *both) compareAll() {
	b.Helper()
	for n, want := range b.records {
		if got := b.alt.Record(n[0], []byte(n[1:])); string(got) != string(want) {
			b.Errorf("record %d %q is %s to altreader, %s to mapfn", n[0], n[1:], got, want)
		}
	}
	if got := b.alt.Keys(); got != uint64(len(b.records)) {
		b.Errorf("%d records to altreader, %d to mapfn", got, len(b.records))
	}
	if got, want := b.alt.Root(), statusmap.Root(b.values); got != want {
		b.Errorf("map root %x to altreader, %x to statusmap", got, want)
	}
	if got, want := b.alt.WithdrawalRoot(), rangeRoot(b.T, b.withdrawals); got != want {
		b.Errorf("withdrawal root %x to altreader, %x to mapfn", got, want)
	}
	if got, want := b.alt.TreeRoot(), rangeRoot(b.T, b.tree); got != want {
		b.Errorf("tree root %x to altreader, %x to merkle", got, want)
	}
}

// generate adds n generated leaves, with a seal behind every batch of random
// size.
func (b *both) generate(g *testlog.Generator, n int) {
	b.Helper()
	for i := range n {
		item := g.Next(b.alt.Size())
		if out := b.add(item.Leaf); out.Code != string(item.Want) {
			b.Fatalf("leaf %d is ignored for %q, should be for %q: %s", b.alt.Size()-1, out.Code, item.Want, describe(item.Leaf))
		}
		if i == 0 || i%97 == 0 || i == n-1 {
			b.seal()
		}
	}
}

func describe(leaf []byte) string {
	e, err := entry.Parse(leaf)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s by %s: %s", e.Kind, hex.EncodeToString(e.KeyID[:4]), e.Payload)
}

// sealError returns the *SealError in err.
func sealError(t *testing.T, err error) *SealError {
	t.Helper()
	var e *SealError
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, not a SealError", err)
	}
	return e
}
