package evidence

import (
	"crypto/sha256"
	"fmt"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// State is the state of a log under a live seal, in the hands of somebody who has
// all of it. Where there is no seal, it is the empty one.
type State interface {
	mapfn.Reader
	mapfn.Keys
	// Prove returns the record at (ns, data), nil if the map has none, and the
	// proof of presence or of absence.
	Prove(ns mapfn.NS, data []byte) ([]byte, statusmap.Proof, error)
}

// Lie is a false seal with what shows that it is one.
type Lie struct {
	Origin string
	// Checkpoint is one that the log signed, and whose tree holds the seal.
	Checkpoint []byte
	// First is the index of Leaves[0]: the live seal before, or leaf 0 if there
	// is none. The last of Leaves is the false seal.
	First  uint64
	Leaves [][]byte
	// Prefix are the peaks of the tree of the leaves before First.
	Prefix []Hash
	// Path is the consistency proof from the tree that ends in the false seal to
	// the checkpoint's.
	Path []Hash
	// Before is the state under Leaves[0], Withdrawals the peaks of its list. Nil
	// is the empty state, before leaf 0.
	Before      State
	Withdrawals []Hash
}

// FalseSeal makes the file. It does not judge it: Verify does.
func FalseSeal(l Lie) (*Evidence, error) {
	f := &falseSeal{First: l.First, Prefix: l.Prefix, Leaves: l.Leaves, Path: l.Path, Withdrawals: l.Withdrawals}
	if len(l.Leaves) > MaxLeaves {
		return nil, fmt.Errorf("%d leaves between two seals, at most %d fit into a file", len(l.Leaves), MaxLeaves)
	}
	if l.Before == nil {
		l.Before = empty{}
	}
	rec := &recorder{State: l.Before, file: f, seen: map[Hash]bool{}}
	r := newReplay(l.Origin, rec)
	for i, leaf := range l.Leaves {
		if i == 0 && f.beginsWithSeal() {
			continue
		}
		if err := r.add(leaf, l.First+uint64(i)); err != nil {
			return nil, err
		}
	}
	if _, err := mapfn.InForce(r); err != nil {
		return nil, err
	}
	return &Evidence{MediaType: MediaType, Checkpoint: string(l.Checkpoint), FalseSeal: f}, nil
}

// empty is the state before leaf 0.
type empty struct{}

func (empty) Record(mapfn.NS, []byte) ([]byte, error) { return nil, nil }
func (empty) Peaks(mapfn.NS, []byte) ([]Hash, error)  { return nil, nil }
func (empty) Leaf(uint64, Hash) ([]byte, error)       { return nil, mapfn.ErrNoLeaf }
func (empty) SPKI(Hash) ([]byte, error)               { return nil, nil }
func (empty) Prove(mapfn.NS, []byte) ([]byte, statusmap.Proof, error) {
	return nil, statusmap.Proof{}, nil
}

// recorder puts what is read of a state into a file.
type recorder struct {
	State
	file *falseSeal
	seen map[Hash]bool // map keys, leaf hashes and keyids: none is another's
}

// first reports whether h was not met before.
func (r *recorder) first(h Hash) bool {
	met := r.seen[h]
	r.seen[h] = true
	return !met
}

// Touch implements before: it proves a record.
func (r *recorder) Touch(ns mapfn.NS, data []byte) error {
	if !r.first(statusmap.Key(byte(ns), data)) {
		return nil
	}
	b, proof, err := r.Prove(ns, data)
	if err != nil {
		return err
	}
	peaks, err := r.State.Peaks(ns, data)
	if err != nil {
		return err
	}
	r.file.Records = append(r.file.Records, record{
		NS: ns, Data: append([]byte{}, data...), Record: bundle.Record(b), Proof: proof.Marshal(), Peaks: peaks,
	})
	return nil
}

// Record implements mapfn.Reader.
func (r *recorder) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	if err := r.Touch(ns, data); err != nil {
		return nil, err
	}
	return r.State.Record(ns, data)
}

// Leaf implements mapfn.Reader.
func (r *recorder) Leaf(index uint64, hash Hash) ([]byte, error) {
	leaf, err := r.State.Leaf(index, hash)
	if err == nil && r.first(hash) {
		r.file.Entries = append(r.file.Entries, leaf)
	}
	return leaf, err
}

// SPKI implements mapfn.Keys.
func (r *recorder) SPKI(id Hash) ([]byte, error) {
	spki, err := r.State.SPKI(id)
	if err == nil && sha256.Sum256(spki) != id {
		err = fmt.Errorf("key %x, of which there is a record, is not at hand", id)
	}
	if err == nil && r.first(id) {
		r.file.Keys = append(r.file.Keys, spki)
	}
	return spki, err
}

// SplitView makes the file about two checkpoints of a log. If the outer one is
// larger, root is what its tree has at the size of the inner one, as path, a
// consistency proof, shows.
func SplitView(small, large []byte, root Hash, path []Hash) *Evidence {
	return &Evidence{MediaType: MediaType, Checkpoint: string(large), SplitView: &splitView{
		Checkpoint: string(small), Root: bundle.ID(root), Path: path,
	}}
}

// BrokenPromise makes the file about a promise: the leaf at its index has the
// given hash, as path, an inclusion proof, shows under the checkpoint.
func BrokenPromise(promise, checkpoint []byte, leafHash Hash, path []Hash) *Evidence {
	return &Evidence{MediaType: MediaType, Checkpoint: string(checkpoint), BrokenPromise: &broken{
		Promise: string(promise), LeafHash: bundle.ID(leafHash), Path: path,
	}}
}
