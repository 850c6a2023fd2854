package sequencer

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/transparency-dev/merkle/compact"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

// lastSeal is the newest live seal.
type lastSeal struct {
	index    uint64
	sealedAt uint64
	present  bool
}

// draft is a batch in the making.
type draft struct {
	first    uint64
	leaves   [][]byte
	hashes   []Hash // of the leaves, taken at admission
	items    []*item
	twins    []twin
	known    []known
	refused  []refusal
	side     []backend.Write
	state    *mapstore.Batch
	reader   *leafReader
	seal     *seal.Seal
	tree     *compact.Range // after the batch
	treeRoot Hash
	keep     uint64 // oldest version that stays provable
	sealed   []uint64
}

// known is an entry that is in the log already.
type known struct {
	*item
	index uint64
}

// refusal is an entry that the map function would ignore.
type refusal struct {
	*item
	why error
}

// twin is an entry that stands in a batch for the second time.
type twin struct {
	*item
	first *item
}

// draft runs the map function on the batch, in order, on top of the batch before
// it, which may still be on its way into the store. It says nothing to anybody.
func (s *Sequencer) draft(ctx context.Context, batch []*item, before *flight) (*draft, error) {
	view := before.over(s.cfg.Backend.View())
	defer view.Close()
	snapshot, err := mapstore.Open(view, s.cache)
	if err != nil {
		return nil, fmt.Errorf("opening the map: %w", err)
	}
	state, err := snapshot.Batch()
	if err != nil {
		return nil, err
	}
	d := &draft{first: s.tree.End(), state: state}
	d.reader = &leafReader{ctx: ctx, backend: s.cfg.Backend, first: d.first}
	if before != nil {
		d.reader.first, d.reader.leaves = before.first, slices.Clip(before.leaves)
	}
	seen := map[Hash]*item{}
	for _, i := range batch {
		if first := seen[i.ID]; first != nil {
			d.twins = append(d.twins, twin{i, first})
			continue
		}
		ok, err := s.accept(view, d, i)
		if err != nil {
			return nil, err
		}
		if ok {
			seen[i.ID] = i
		}
	}
	if len(d.items) == 0 {
		return d, nil
	}
	return d, s.finish(d)
}

// reader is the mapfn.Reader of a draft.
type reader struct {
	*mapstore.Batch
	*leafReader
}

// accept puts one entry into the draft, or notes what to answer.
func (s *Sequencer) accept(view backend.View, d *draft, i *item) (bool, error) {
	at, ok, err := logged(view, d, i)
	if err != nil {
		return false, err
	}
	if ok {
		d.known = append(d.known, known{i, at})
		return false, nil
	}
	index := d.first + uint64(len(d.leaves))
	// SPEC: a log does not append a charter that puts a function in force which
	// it cannot run: it could never append another leaf.
	if c := i.Charter; c != nil && c.MapFn > mapfn.Version {
		d.refused = append(d.refused, refusal{i, reason.Errorf(reason.MapFunction, "this log runs map functions up to %d, not %d", mapfn.Version, c.MapFn)})
		return false, nil
	}
	writes, err := mapfn.Apply(s.cfg.Origin, i.Entry, index, reader{d.state, d.reader})
	if code := reason.CodeOf(err); code != "" {
		// What the map would ignore is dropped here with its code, so every
		// entry that this log appends has effect.
		s.cfg.Metrics.mapRefused.WithLabelValues(string(code)).Inc()
		d.refused = append(d.refused, refusal{i, err})
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("map function at index %d: %w", index, err)
	}
	if err := d.state.Apply(effect(i.Entry, writes)); err != nil {
		return false, fmt.Errorf("map function at index %d: %w", index, err)
	}
	i.res.Index = index
	d.leaves = append(d.leaves, i.Leaf)
	d.reader.leaves = append(d.reader.leaves, i.Leaf)
	d.hashes = append(d.hashes, i.LeafHash)
	d.items = append(d.items, i)
	return true, nil
}

// logged returns where an entry stands that was appended before.
func logged(view backend.View, d *draft, i *item) (index uint64, ok bool, err error) {
	if i.Entry.Kind == entry.KindAttestation {
		return attested(d.state, i.ID)
	}
	return placeOf(view, i.ID)
}

// finish computes the seal and everything that is written beside the leaves. The
// next batch can be drafted from then on: if this one fails, so does that.
func (s *Sequencer) finish(d *draft) error {
	tree, err := extend(s.tree, d.hashes)
	if err != nil {
		return err
	}
	prefix, err := treehash.Root(tree)
	if err != nil {
		return err
	}
	index := tree.End()
	size := index + 1
	d.sealed = append(append([]uint64(nil), s.sealed...), size)
	d.sealed = d.sealed[max(0, len(d.sealed)-keptVersions):]
	d.keep = min(d.sealed[0], max(s.published.Load(), 1))
	result, side, err := d.state.Commit(size, d.keep)
	if err != nil {
		return fmt.Errorf("computing the map: %w", err)
	}
	fn, err := mapfn.InForce(reader{d.state, d.reader})
	if err != nil {
		return err
	}
	d.seal = s.newSeal(index, prefix, fn, result)
	leaf := d.seal.Marshal()
	d.leaves = append(d.leaves, leaf)
	d.hashes = append(d.hashes, treehash.Leaf(leaf))
	if d.tree, err = extend(tree, d.hashes[len(d.hashes)-1:]); err != nil {
		return err
	}
	if d.treeRoot, err = treehash.Root(d.tree); err != nil {
		return err
	}
	for _, i := range d.items {
		side = append(side, EntryWrites(i.Entry, i.res.Index)...)
	}
	d.side = append(side, SealWrite(index))
	if size-s.shortcut >= max(shortcutMin, size/shortcutPart) {
		d.side, s.shortcut = append(d.side, d.state.Shortcut()...), size
	}
	slices.SortFunc(d.side, func(a, b backend.Write) int { return bytes.Compare(a.Key, b.Key) })
	d.state.Committed()
	s.tree, s.sealed = d.tree, d.sealed
	s.lastSeal = lastSeal{d.seal.Index, d.seal.SealedAt, true}
	return nil
}

// A shortcut to the map is written when the log has grown by a part since the
// last, and by some leaves: so a start, after a crash too, reads few buckets. Of a log
// of a million attestations it takes 2 MB, and a start reads a third of the buckets.
const (
	shortcutPart = 128
	shortcutMin  = 8192
)

// newSeal writes the lines of the seal at index.
func (s *Sequencer) newSeal(index uint64, prefix Hash, fn uint16, r mapstore.Result) *seal.Seal {
	out := &seal.Seal{
		Origin: s.cfg.Origin, Index: index, MapFn: fn,
		// SPEC: a log writes max(previous sealed at, now).
		SealedAt: max(s.lastSeal.sealedAt, uint64(max(s.cfg.Now().Unix(), 0))),
		Keys:     r.Keys, MapRoot: r.Root,
		Withdrawals: r.WithdrawalCount, WithdrawalRoot: r.WithdrawalRoot,
		PrefixRoot: prefix,
	}
	if s.lastSeal.present {
		prev := s.lastSeal.index
		out.Prev = &prev
	}
	return out
}

// extend returns tree with leaf hashes appended; tree stays as it is.
func extend(tree *compact.Range, hashes []Hash) (*compact.Range, error) {
	out, err := treehash.Range(tree.End(), treehash.Peaks(tree))
	if err != nil {
		return nil, err
	}
	for i := range hashes {
		if err := out.Append(hashes[i][:], nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}
