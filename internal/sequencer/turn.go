package sequencer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

// flight is a batch that is on its way into the store. A nil flight has arrived.
type flight struct {
	*draft
	landed atomic.Bool   // signed; answers follow
	done   chan struct{} // closed after the answers
	err    error         // once done is closed
}

// wait returns when the batch is durable, signed and answered, or why it is not.
func (f *flight) wait() error {
	if f == nil {
		return nil
	}
	<-f.done
	return f.err
}

// arrived reports whether the batch is signed. Whoever has its answer sees that.
func (f *flight) arrived() bool { return f == nil || f.landed.Load() }

// over lays what the batch writes over a view, which may have it already.
func (f *flight) over(view backend.View) backend.View {
	if f == nil {
		return view
	}
	return &overlay{view, f.side}
}

// turn takes one batch from its order to its answers. An error means that the
// store or this process cannot be trusted any more; who has no answer then gets
// it from the caller.
func (s *Sequencer) turn(ctx context.Context, batch []*item) error {
	f, err := s.begin(ctx, order(batch), nil)
	if err != nil {
		return err
	}
	return f.wait()
}

// begin drafts a batch whose order is settled, while the one before it is being
// written; waits for that one; and begins to write. So one batch at most is in
// the store without being signed, and the map of the next is computed while the
// disk is at work. If the one before fails, nothing of this one happens.
func (s *Sequencer) begin(ctx context.Context, batch []*item, before *flight) (*flight, error) {
	lap := s.cfg.Metrics.laps(s.cfg.Now)
	d, err := s.draft(ctx, batch, before)
	if err == nil && len(d.items) > 0 {
		lap(stepMap)
	}
	if err := before.wait(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	// What the answers rest on is durable now.
	if err := s.dismiss(ctx, d); err != nil || len(d.items) == 0 {
		return nil, err
	}
	lap(stepWait)
	f := &flight{draft: d, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.err = s.write(ctx, f, lap)
	}()
	return f, nil
}

// dismiss answers the entries of the batch that are not to be appended.
func (s *Sequencer) dismiss(ctx context.Context, d *draft) error {
	for _, r := range d.refused {
		r.answer(Result{}, r.why)
	}
	for _, k := range d.known {
		p, err := s.placed(ctx, k.index, k.ID)
		if err != nil {
			return err
		}
		k.answer(Result{p.index, p.sealed, true}, nil)
	}
	return nil
}

// write appends, signs and answers a batch.
func (s *Sequencer) write(ctx context.Context, d *flight, lap func(string)) error {
	// Crash before this: nothing has happened, submitters try again. Crash
	// after it: the batch is whole, leaves, seal and state, and start-up
	// signs it.
	root, err := s.cfg.Backend.Append(ctx, d.first, d.leaves, d.side)
	if err != nil {
		return fmt.Errorf("appending %d leaves: %w", len(d.leaves), err)
	}
	lap(stepAppend)
	if err := s.readBack(ctx, d.draft, root); err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	lap(stepReadBack)
	if err := s.sign(ctx, root, d.seal.SealedAt); err != nil {
		return err
	}
	lap(stepSign)
	d.landed.Store(true)
	s.cfg.Metrics.batch(d.items, root.Size, s.cfg.Now())
	for _, i := range d.items {
		i.answer(Result{Index: i.res.Index, Sealed: root.Size}, nil)
	}
	for _, t := range d.twins {
		t.answer(Result{t.first.res.Index, root.Size, true}, nil)
	}
	return nil
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
			if treehash.Leaf(leaf) != d.hashes[n] {
				return damaged("leaf %d differs from the one admitted", d.first+uint64(n))
			}
			n++
		}
	}
	if err := s.checkSide(d.side); err != nil {
		return err
	}
	return s.checkSealed(d.seal)
}

// checkSide compares the side store with what was written there. What the map
// stores is not in the tree: without this a bit lost on its way would be found
// when it is read, behind a signature.
func (s *Sequencer) checkSide(side []backend.Write) error {
	view := s.cfg.Backend.View()
	defer view.Close()
	for _, w := range side {
		if w.Value == nil {
			continue
		}
		if err := view.Read(w.Key, func(got []byte) error {
			if got == nil || !bytes.Equal(got, w.Value) {
				return damaged("side value %.60q differs from what was written", w.Key)
			}
			return nil
		}); err != nil {
			return err
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

// sign reserves a root, whose seal has the time given, signs it and hands it to
// the publisher.
func (s *Sequencer) sign(ctx context.Context, root backend.Root, sealedAt uint64) error {
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
	s.sealedAt.Store(sealedAt)
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
func Init(ctx context.Context, cfg Config, charter *entry.Entry) error {
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
		cfg: cfg, cache: new(mapstore.Cache), tree: treehash.Empty(), reserved: empty,
		withdrawals: make(chan *item, cfg.QueueMax), entries: make(chan *item, cfg.QueueMax),
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
		agreed: make(chan struct{}), dead: make(chan struct{}), stopping: make(chan struct{}),
	}
}
