package mapstore

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/mapfn"
)

// Rehearsal computes what seals say of the states between two commits. It is
// for those who read a log and check each seal, but store many batches of it at
// once: a Batch makes only the last of its states into a version. It is told of
// the same writes as the Batch, and used by the same goroutine.
type Rehearsal struct {
	batch   *Batch
	top     *tile // of the map, as far as Result has made it
	keys    uint64
	list    list                // the withdrawal list
	changed map[*entry]struct{} // since
	known   map[*entry]struct{} // that Result has put in
	records [][]byte            // of the withdrawal list, since
}

// Rehearse returns a Rehearsal that begins where b began.
func (b *Batch) Rehearse() *Rehearsal {
	m := b.base.meta
	return &Rehearsal{
		batch: b, top: b.base.top, keys: m.keys, list: m.list,
		changed: map[*entry]struct{}{}, known: map[*entry]struct{}{},
	}
}

// Apply says what one leaf does to the state, after Batch.Apply of the same.
func (r *Rehearsal) Apply(w mapfn.Writes) {
	for i := range w.Changes {
		c := &w.Changes[i]
		r.changed[r.batch.records[name{c.NS, string(c.Data)}]] = struct{}{}
	}
	for _, wd := range w.Withdrawals {
		r.records = append(r.records, wd.Append(make([]byte, 0, mapfn.WithdrawalSize)))
	}
}

// Result returns what a seal at this place says, as Commit would. Its cost
// depends on what was applied since the last one.
func (r *Rehearsal) Result() (Result, error) {
	u := updater{base: &r.batch.base, version: r.batch.base.head.version + 1, since: r.since}
	changes := make([]change, 0, len(r.changed))
	for e := range r.changed {
		changes = append(changes, r.change(e, u.version))
	}
	slices.SortFunc(changes, func(a, b change) int { return bytes.Compare(a.key[:], b.key[:]) })
	top, out, err := u.run(r.top, changes)
	if err != nil {
		return Result{}, fmt.Errorf("updating the map: %w", err)
	}
	list, err := r.list.grow(r.records...)
	if err != nil {
		return Result{}, fmt.Errorf("extending the withdrawal list: %w", err)
	}
	r.top, r.keys, r.list = top, r.keys+out.keys, list
	for e := range r.changed {
		r.known[e] = struct{}{}
	}
	clear(r.changed)
	r.records = nil
	root, err := list.root()
	return Result{top.top(), r.keys, list.count, root}, err
}

// change returns the change of a record since the last Result.
func (r *Rehearsal) change(e *entry, version uint64) change {
	c := newChange(e)
	if _, known := r.known[e]; known {
		c.old = alone(version)
	}
	return c
}

// since returns the changes of all keys below p since the batch began.
func (r *Rehearsal) since(p path) (out []change) {
	for _, e := range r.batch.records {
		if e.changed && p.above(&e.key) {
			out = append(out, newChange(e))
		}
	}
	return out
}
