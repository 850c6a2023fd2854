package evidence

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/treehash"
)

func leafHash(leaf []byte) Hash { return Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) }

// before is the state under the previous seal. None of its errors has a code of
// package reason: such a code would make a leaf ignored.
type before interface {
	mapfn.Reader
	// SPKI is asked for keys that the map has a record of. It never returns nil
	// without an error: the leaf would be ignored.
	mapfn.Keys
	// Touch is told of each record that a leaf writes.
	Touch(ns mapfn.NS, data []byte) error
}

// replay runs the map function over the leaves between two seals. What they have
// written lies over what was before: it is the mapfn.Reader and the mapfn.Keys of
// the next.
type replay struct {
	before
	origin      string
	written     map[Hash]mapfn.Change // by map key
	leaves      map[Hash][]byte       // by leaf hash
	keys        map[Hash][]byte       // that leaves have brought, by keyid
	withdrawals []mapfn.Withdrawal
}

func newReplay(origin string, b before) *replay {
	return &replay{before: b, origin: origin, written: map[Hash]mapfn.Change{}, leaves: map[Hash][]byte{}, keys: map[Hash][]byte{}}
}

// add adds the next leaf.
func (r *replay) add(leaf []byte, index uint64) error {
	w, err := mapfn.Step(r.origin, leaf, index, r, r)
	if err != nil && reason.CodeOf(err) == "" {
		return fmt.Errorf("leaf %d: %w", index, err)
	}
	r.leaves[leafHash(leaf)] = leaf
	if w == nil {
		return nil // ignored, or a seal
	}
	if err := r.keep(leaf); err != nil {
		return err
	}
	for _, c := range w.Changes {
		if err := r.Touch(c.NS, c.Data); err != nil {
			return fmt.Errorf("leaf %d: %w", index, err)
		}
		r.written[statusmap.Key(byte(c.NS), c.Data)] = c
	}
	r.withdrawals = append(r.withdrawals, w.Withdrawals...)
	return nil
}

// keep remembers the keys that an entry brings.
func (r *replay) keep(leaf []byte) error {
	e, err := entry.Parse(leaf)
	if err != nil {
		return err
	}
	for _, k := range e.NewKeys() {
		r.keys[k.ID()] = k.SPKI()
	}
	return nil
}

// SPKI implements mapfn.Keys.
func (r *replay) SPKI(id Hash) ([]byte, error) {
	if spki := r.keys[id]; spki != nil {
		return spki, nil
	}
	// SPEC: an entry whose key has no ns 5 record is ignored, whoever knows the
	// key. One that has a record is not, only because the file lacks the key.
	b, err := r.Record(mapfn.NSKey, id[:])
	if b == nil || err != nil {
		return nil, err
	}
	return r.before.SPKI(id)
}

// Record implements mapfn.Reader.
func (r *replay) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	if c, ok := r.written[statusmap.Key(byte(ns), data)]; ok {
		return c.Record, nil
	}
	return r.before.Record(ns, data)
}

// Peaks implements mapfn.Reader.
func (r *replay) Peaks(ns mapfn.NS, data []byte) ([]Hash, error) {
	if c, ok := r.written[statusmap.Key(byte(ns), data)]; ok && c.Event != nil {
		return c.Peaks, nil
	}
	return r.before.Peaks(ns, data)
}

// Leaf implements mapfn.Reader. The index was proven together with the hash.
func (r *replay) Leaf(index uint64, hash Hash) ([]byte, error) {
	if leaf, ok := r.leaves[hash]; ok {
		return leaf, nil
	}
	return r.before.Leaf(index, hash)
}

// shown is the state under the previous seal as a file shows it.
type shown struct {
	partial *statusmap.Partial
	records map[Hash]*record
	leaves  map[Hash][]byte // by leaf hash
	keys    map[Hash][]byte // by SHA-256
}

// shown proves the records under a map root.
func (f *falseSeal) shown(root Hash) (*shown, error) {
	s := &shown{statusmap.NewPartial(root), map[Hash]*record{}, map[Hash][]byte{}, map[Hash][]byte{}}
	for i := range f.Records {
		r := &f.Records[i]
		key := statusmap.Key(byte(r.NS), r.Data)
		proof, err := statusmap.ParseProof(r.Proof)
		if err == nil && r.Record == nil {
			err = s.partial.AddAbsent(key, proof)
		} else if err == nil {
			err = s.partial.AddPresent(key, statusmap.ValueHash(byte(r.NS), r.Record), proof)
			s.records[key] = r
		}
		if err != nil {
			return nil, fmt.Errorf("record %d %q: %w", r.NS, r.Data, err)
		}
	}
	for _, leaf := range f.Entries {
		s.leaves[leafHash(leaf)] = leaf
	}
	for _, spki := range f.Keys {
		s.keys[sha256.Sum256(spki)] = spki
	}
	return s, nil
}

// errNotShown means that the file is not complete.
var errNotShown = errors.New("the file does not show")

// Record implements mapfn.Reader.
func (s *shown) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	r, err := s.record(ns, data)
	if r == nil {
		return nil, err
	}
	return r.Record, nil
}

// record returns a record, or nil where the map has none.
func (s *shown) record(ns mapfn.NS, data []byte) (*record, error) {
	key := statusmap.Key(byte(ns), data)
	_, present, err := s.partial.Get(key)
	if r := s.records[key]; err == nil && present && r != nil {
		return r, nil // its value hash was proven
	}
	// A leaf that another proof leads to has a record that is not there.
	if err != nil || present {
		return nil, fmt.Errorf("%w record %d %q", errNotShown, ns, data)
	}
	return nil, nil
}

// Peaks implements mapfn.Reader.
func (s *shown) Peaks(ns mapfn.NS, data []byte) ([]Hash, error) {
	r, err := s.record(ns, data)
	if r == nil {
		return nil, err
	}
	count, want, err := listIn(ns, r.Record)
	if err != nil {
		return nil, err
	}
	if root, err := treehash.RootOf(count, r.Peaks); err != nil || root != want {
		return nil, fmt.Errorf("%w the list of %d %q: its peaks give %x: %v", errNotShown, ns, data, root, err)
	}
	return r.Peaks, nil
}

// listIn returns length and root of the event list in a record.
func listIn(ns mapfn.NS, b []byte) (count uint64, root Hash, err error) {
	if ns == mapfn.NSParty {
		p, err := mapfn.ParseParty(b)
		return p.Count, Hash(p.Root), err
	}
	l, err := mapfn.ParseList(b)
	return l.Count, Hash(l.Root), err
}

// Leaf implements mapfn.Reader.
func (s *shown) Leaf(index uint64, hash Hash) ([]byte, error) {
	if leaf, ok := s.leaves[hash]; ok {
		return leaf, nil
	}
	return nil, fmt.Errorf("%w leaf %d: %w", errNotShown, index, mapfn.ErrNoLeaf)
}

// SPKI implements mapfn.Keys.
func (s *shown) SPKI(id Hash) ([]byte, error) {
	if spki, ok := s.keys[id]; ok {
		return spki, nil
	}
	return nil, fmt.Errorf("%w key %x", errNotShown, id)
}

// Touch implements before.
func (s *shown) Touch(ns mapfn.NS, data []byte) error {
	if _, _, err := s.partial.Get(statusmap.Key(byte(ns), data)); err != nil {
		return fmt.Errorf("%w record %d %q, which is written", errNotShown, ns, data)
	}
	return nil
}
