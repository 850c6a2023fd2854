package sequencer

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// lastSeal is the newest live seal.
type lastSeal struct {
	index    uint64
	sealedAt uint64
	present  bool
}

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// draft is a batch in the making.
type draft struct {
	first    uint64
	leaves   [][]byte
	hashes   []Hash // of the leaves, taken at admission
	items    []*item
	twins    []twin
	side     []backend.Write
	state    *mapstore.Batch
	reader   *leafReader
	seal     *seal.Seal
	tree     *compact.Range // after the batch
	treeRoot Hash
	keep     uint64 // oldest version that stays provable
	sealed   []uint64
}

// twin is an entry that stands in a batch for the second time.
type twin struct {
	*item
	first *item
}

// turn orders, appends, signs and answers one batch. An error means that the
// store or this process cannot be trusted any more; who has no answer then gets
// it from the caller.
func (s *Sequencer) turn(ctx context.Context, batch []*item) error {
	return s.sequence(ctx, order(batch))
}

// sequence is turn for a batch whose order is settled.
func (s *Sequencer) sequence(ctx context.Context, batch []*item) error {
	view := s.cfg.Backend.View()
	defer view.Close()
	lap := s.cfg.Metrics.laps(s.cfg.Now)
	d, err := s.draft(ctx, view, batch)
	if err != nil || len(d.items) == 0 {
		return err
	}
	if err := s.finish(d); err != nil {
		return err
	}
	lap("map")
	// Crash before this: nothing has happened, submitters try again. Crash
	// after it: the batch is whole, leaves, seal and state, and start-up
	// signs it.
	root, err := s.cfg.Backend.Append(ctx, d.first, d.leaves, d.side)
	if err != nil {
		return fmt.Errorf("appending %d leaves: %w", len(d.leaves), err)
	}
	lap("append")
	if err := s.readBack(ctx, d, root); err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	lap("read back")
	s.tree, s.sealed = d.tree, d.sealed
	s.lastSeal = lastSeal{d.seal.Index, d.seal.SealedAt, true}
	if err := s.sign(ctx, root); err != nil {
		return err
	}
	lap("sign")
	s.cfg.Metrics.batch(d.items, root.Size, s.cfg.Now())
	for _, i := range d.items {
		i.answer(Result{Index: i.res.Index, Sealed: root.Size}, nil)
	}
	for _, t := range d.twins {
		t.answer(Result{t.first.res.Index, root.Size, true}, nil)
	}
	return nil
}

// draft runs the map function on the batch, in order, and answers what it
// ignores and what is in the log already.
func (s *Sequencer) draft(ctx context.Context, view backend.View, batch []*item) (*draft, error) {
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
	return d, nil
}

// reader is the mapfn.Reader of a draft.
type reader struct {
	*mapstore.Batch
	*leafReader
}

// accept puts one entry into the draft, or answers it.
func (s *Sequencer) accept(view backend.View, d *draft, i *item) (bool, error) {
	known, err := view.Get(idKey(i.ID))
	if err != nil {
		return false, err
	}
	if known != nil {
		p, err := s.placed(d.reader.ctx, known, i.ID)
		if err == nil {
			i.answer(Result{p.index, p.sealed, true}, nil)
		}
		return false, err
	}
	index := d.first + uint64(len(d.leaves))
	// SPEC: a log does not append a charter that puts a function in force which
	// it cannot run: it could never append another leaf.
	if c := i.Charter; c != nil && c.MapFn > mapfn.Version {
		i.answer(Result{}, reason.Errorf(reason.MapFunction, "this log runs map functions up to %d, not %d", mapfn.Version, c.MapFn))
		return false, nil
	}
	writes, err := mapfn.Apply(s.cfg.Origin, i.Entry.Entry, index, reader{d.state, d.reader})
	if code := reason.CodeOf(err); code != "" {
		// What the map would ignore is dropped here with its code, so every
		// entry that this log appends has effect.
		s.cfg.Metrics.mapRefused.WithLabelValues(string(code)).Inc()
		i.answer(Result{}, err)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("map function at index %d: %w", index, err)
	}
	if err := d.state.Apply(*writes); err != nil {
		return false, fmt.Errorf("map function at index %d: %w", index, err)
	}
	i.res.Index = index
	d.leaves = append(d.leaves, i.Leaf)
	d.reader.leaves = d.leaves
	d.hashes = append(d.hashes, i.LeafHash)
	d.items = append(d.items, i)
	return true, nil
}

// finish computes the seal and everything that is written beside the leaves.
func (s *Sequencer) finish(d *draft) error {
	tree, err := extend(s.tree, d.hashes)
	if err != nil {
		return err
	}
	prefix, err := rootOf(tree)
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
	d.hashes = append(d.hashes, Hash(rfc6962.DefaultHasher.HashLeaf(leaf)))
	if d.tree, err = extend(tree, d.hashes[len(d.hashes)-1:]); err != nil {
		return err
	}
	if d.treeRoot, err = rootOf(d.tree); err != nil {
		return err
	}
	d.side = append(side, indexWrites(d.items, size)...)
	return nil
}

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

// indexWrites finds the batch's entries by id, and the keys they bring.
func indexWrites(items []*item, size uint64) []backend.Write {
	var side []backend.Write
	for _, i := range items {
		side = append(side, backend.Write{Key: idKey(i.ID), Value: place{i.res.Index, size}.marshal()})
		for _, k := range i.NewKeys() {
			side = append(side, backend.Write{Key: spkiKey(k.ID()), Value: k.SPKI()})
		}
	}
	return side
}

// extend returns tree with leaf hashes appended; tree stays as it is.
func extend(tree *compact.Range, hashes []Hash) (*compact.Range, error) {
	old := make([][]byte, len(tree.Hashes()))
	copy(old, tree.Hashes())
	out, err := ranges.NewRange(0, tree.End(), old)
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

func rootOf(tree *compact.Range) (Hash, error) {
	if tree.End() == 0 {
		return Hash(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	root, err := tree.GetRootHash(nil)
	if err != nil {
		return Hash{}, err
	}
	return Hash(root), nil
}

// readBack compares what is stored now with what was admitted and computed:
// the leaves with the hashes of admission, the backend's root with our own, the
// state with what was written, the map with the seal. Nothing is signed before
// that.
func (s *Sequencer) readBack(ctx context.Context, d *draft, root backend.Root) error {
	if root != (backend.Root{Size: d.tree.End(), Hash: d.treeRoot}) {
		return damaged("the store has root %x at size %d, computed was %x at %d", root.Hash, root.Size, d.treeRoot, d.tree.End())
	}
	for n := 0; n < len(d.leaves); {
		got, err := s.cfg.Backend.Leaves(ctx, d.first+uint64(n), uint64(len(d.leaves)-n))
		if err != nil {
			return err
		}
		for _, leaf := range got {
			if Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) != d.hashes[n] {
				return damaged("leaf %d differs from the one admitted", d.first+uint64(n))
			}
			n++
		}
	}
	if err := s.checkSide(d.side); err != nil {
		return err
	}
	d.state.Committed()
	return s.checkSealed(d.seal)
}

// checkSide compares the side store with what was written there. What the map
// stores is not in the tree: without this a bit lost on its way would be found
// when it is read, behind a signature.
func (s *Sequencer) checkSide(side []backend.Write) error {
	view := s.cfg.Backend.View()
	defer view.Close()
	for _, w := range side {
		got, err := view.Get(w.Key)
		if err != nil {
			return err
		}
		if (got == nil) != (w.Value == nil) || !bytes.Equal(got, w.Value) {
			return damaged("side value %.60q differs from what was written", w.Key)
		}
	}
	return nil
}

// checkSealed compares the stored map with the seal.
func (s *Sequencer) checkSealed(want *seal.Seal) error {
	view := s.cfg.Backend.View()
	defer view.Close()
	m, err := mapstore.Open(view, s.cache)
	if err != nil {
		return fmt.Errorf("opening the map: %w", err)
	}
	list, err := m.WithdrawalRoot()
	if err != nil {
		return err
	}
	if m.Version() != want.Index+1 || m.Root() != want.MapRoot || m.Keys() != want.Keys ||
		m.WithdrawalCount() != want.Withdrawals || list != want.WithdrawalRoot {
		return damaged("the stored map at size %d is not the one that seal %d says", m.Version(), want.Index)
	}
	return nil
}

// sign reserves a root, signs it and hands it to the publisher.
func (s *Sequencer) sign(ctx context.Context, root backend.Root) error {
	// The publisher may have heard, during this turn, that a cosigner is ahead.
	if h := s.halted.Load(); h != nil {
		return h.err
	}
	if root.Size < s.reserved.Size || root.Size == s.reserved.Size && root.Hash != s.reserved.Hash {
		return fmt.Errorf("size %d does not extend size %d, which is signed", root.Size, s.reserved.Size)
	}
	if root != s.reserved {
		var old []byte
		if s.reserved.Size > 0 {
			old = marshalRoot(s.reserved)
		}
		// Crash before this: start-up reserves and signs the same root. A
		// second writer fails here. Crash after it: start-up signs it again,
		// which says nothing new.
		if err := s.cfg.Backend.Swap(ctx, reservedKey, old, marshalRoot(root)); err != nil {
			return fmt.Errorf("reserving size %d: %w", root.Size, err)
		}
		s.reserved = root
	}
	body := trust.Body{Origin: s.cfg.Origin, Size: root.Size, Root: root.Hash}
	signed, err := note.Sign(&note.Note{Text: body.String()}, s.cfg.Signers...)
	if err != nil {
		return fmt.Errorf("signing size %d: %w", root.Size, err)
	}
	s.mu.Lock()
	s.signed, s.signedTree = signed, root
	s.mu.Unlock()
	s.signedLen.Store(root.Size)
	s.sealedAt.Store(s.lastSeal.sealedAt)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// noteText returns the text of a signed note.
func noteText(n []byte) string {
	if i := bytes.Index(n, []byte("\n\n")); i >= 0 {
		return string(n[:i+1])
	}
	return ""
}

// Init writes leaf 0, the charter, and leaf 1, its seal, into an empty store.
func Init(ctx context.Context, cfg Config, charter *admission.Entry) error {
	root, err := cfg.Backend.Root(ctx)
	if err != nil {
		return err
	}
	if root.Size != 0 {
		return errors.New("the store holds a log already")
	}
	s := newSequencer(cfg)
	i := &item{Entry: charter, done: make(chan struct{})}
	if err := s.turn(ctx, []*item{i}); err != nil {
		return err
	}
	return i.err
}

func newSequencer(cfg Config) *Sequencer {
	cfg = cfg.Defaults()
	empty, _ := parseRoot(nil)
	return &Sequencer{
		cfg: cfg, cache: new(mapstore.Cache), tree: ranges.NewEmptyRange(0), reserved: empty,
		withdrawals: make(chan *item, cfg.QueueMax), entries: make(chan *item, cfg.QueueMax),
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
		agreed: make(chan struct{}), dead: make(chan struct{}), stopping: make(chan struct{}),
	}
}
