package mapstore

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// Rehearsal computes what seals say of the states between two commits. It is
// for those who read a log and check each seal, but store many batches of it at
// once: a Batch makes only the last of its states into a version. It is told of
// the same writes as the Batch, and used by the same goroutine.
type Rehearsal struct {
	at      Snapshot // a picture of the state, as far as Result has made it
	changes map[Hash]Hash
	records [][]byte // of the withdrawal list
}

// Rehearse returns a Rehearsal that begins where b began.
func (b *Batch) Rehearse() *Rehearsal {
	r := &Rehearsal{at: b.base, changes: map[Hash]Hash{}}
	r.at.cache = nil
	return r
}

// Apply puts what one leaf does over the state. That it follows from the state
// is for Batch.Apply to check.
func (r *Rehearsal) Apply(w mapfn.Writes) {
	for i := range w.Changes {
		c := &w.Changes[i]
		r.changes[statusmap.Key(byte(c.NS), c.Data)] = statusmap.ValueHash(byte(c.NS), c.Record)
	}
	for _, wd := range w.Withdrawals {
		r.records = append(r.records, wd.Append(make([]byte, 0, mapfn.WithdrawalSize)))
	}
}

// Result returns what a seal at this place says, as Commit would. Its cost
// depends on what was applied since the last one.
func (r *Rehearsal) Result() (Result, error) {
	// The buckets that it changes are held in its tiles; the others are as the
	// store has them, and found among those that the Batch has read.
	u := updater{base: &r.at, version: r.at.head.version + 1, rehearsal: true}
	changes := make([]change, 0, len(r.changes))
	for key, vh := range r.changes {
		changes = append(changes, newChange(key, vh, u.version, nil))
	}
	slices.SortFunc(changes, func(a, b change) int { return bytes.Compare(a.key[:], b.key[:]) })
	top, out, err := u.run(changes)
	if err != nil {
		return Result{}, fmt.Errorf("updating the map: %w", err)
	}
	list, err := r.at.meta.list.grow(r.records...)
	if err != nil {
		return Result{}, fmt.Errorf("extending the withdrawal list: %w", err)
	}
	r.at.top, r.at.meta.keys, r.at.meta.list = top, r.at.meta.keys+out.keys, list
	clear(r.changes)
	r.records = nil
	root, err := list.root()
	return Result{top.top(), r.at.meta.keys, list.count, root}, err
}
