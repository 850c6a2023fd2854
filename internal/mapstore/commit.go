package mapstore

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/backend"
)

// Result is what a seal says of the state.
type Result struct {
	Root            Hash   // of the map
	Keys            uint64 // of the map
	WithdrawalCount uint64
	WithdrawalRoot  Hash
}

// Commit returns the state after the batch and the side writes that make it
// the latest version. They belong into the durable write of the batch's leaves;
// if that fails, they are dropped and the batch with them.
//
// It fails with ErrInconsistent if the event list of a record has grown by anything
// else than the events applied, or if the record commits to another.
//
// The version, which will be the size of the tree, MUST be larger than the
// last. Versions from keep on remain readable, unless an earlier commit has
// let them go; keep is at most version.
func (b *Batch) Commit(version, keep uint64) (Result, []backend.Write, error) {
	base := b.base.meta
	if version <= base.version || version >= 1<<versionBits || keep > version {
		return Result{}, nil, fmt.Errorf("%w: version %d, keep %d, after version %d", ErrInconsistent, version, keep, base.version)
	}
	changes, err := b.changes()
	if err != nil {
		return Result{}, nil, err
	}
	u := updater{base: &b.base, version: version}
	top, out, err := u.run(b.base.top, changes)
	if err != nil {
		return Result{}, nil, fmt.Errorf("updating the map: %w", err)
	}
	withdrawals, records, err := base.list.withdraw(b.withdrawals)
	if err != nil {
		return Result{}, nil, fmt.Errorf("extending the withdrawal list: %w", err)
	}
	next := meta{version: version, root: top.top(), keys: base.keys + out.keys, list: withdrawals}
	root, err := withdrawals.root()
	if err != nil {
		return Result{}, nil, err
	}

	writes := append(append(out.writes, b.events...), records...)
	h := head{version: version, keep: max(keep, b.base.head.keep), cursor: b.base.head.cursor}
	writes, h.cursor, err = b.prune(writes, h)
	if err != nil {
		return Result{}, nil, fmt.Errorf("pruning: %w", err)
	}
	if base.version > 0 {
		// First, so that a version which is being pruned is not found.
		out.stale = slices.Insert(out.stale, 0, versionKey(base.version))
	}
	writes = appendStale(writes, version, out.stale)
	writes = append(writes,
		backend.Write{Key: versionKey(version), Value: next.marshal()},
		backend.Write{Key: headKey(), Value: h.marshal()})
	b.next = cached{version, top}
	return Result{next.root, next.keys, next.list.count, root}, writes, nil
}

// Committed tells the cache what the last Commit has made, for whoever opens
// that version: the next batch, and readers once the writes are in the store.
// If they never are, nobody does. Not to call it costs time only.
func (b *Batch) Committed() {
	b.base.cache.add(b.next.version, b.next.top)
}

// changes returns what the batch has changed, checked and sorted by key.
func (b *Batch) changes() ([]change, error) {
	out := make([]change, 0, len(b.records))
	for _, e := range b.records {
		if !e.changed {
			continue
		}
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("the record of %x, of namespace %d: %w", e.key, e.ns, err)
		}
		out = append(out, newChange(e))
	}
	slices.SortFunc(out, func(a, b change) int { return bytes.Compare(a.key[:], b.key[:]) })
	return out, nil
}
