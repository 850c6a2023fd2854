package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

// Source is a log, as it serves itself. Nothing that it says is believed. A
// *client.Client is one.
type Source interface {
	// Checkpoint returns the newest published checkpoint.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Tile returns a tile of hashes or, at L = -1, an entry bundle.
	Tile(ctx context.Context, t tlog.Tile) ([]byte, error)
}

// Errors of Sync, besides those of trust.Policy.Open, *EvidenceError,
// mapfn.ErrFunction, and what the Source fails with.
var (
	// ErrTiles means that what was served as part of the tree is not under
	// the root of the checkpoint. It is no evidence against the log: whoever
	// stands in between can do that.
	ErrTiles = errors.New("what is served does not belong to the checkpoint")
	// ErrUnsealed means that the last leaf of a checkpoint is not a live seal.
	ErrUnsealed = errors.New("the checkpoint does not end in a live seal")
)

// ConflictError says that the log shows a tree that does not extend the one
// shown before. Both checkpoints are signed: together they are evidence.
type ConflictError struct {
	Held, Shown []byte // signed notes
	// Rollback says that the tree shown is smaller; else it is another one.
	Rollback bool
	What     string
}

func (e *ConflictError) Error() string { return e.What }

// syncing is one run of Sync or Hold.
type syncing struct {
	*Mirror
	*position // once leaves are wanting
	note      []byte
	cp        *trust.Checkpoint
	publish   bool // the checkpoint is a published one
	src       Source
	fetch     *fetcher
	have      backend.Root // what was held when it began
	held      *signed      // the checkpoint published before; nil if there is none
	ahead     *signed      // the largest checkpoint that Hold was shown; nil if there is none
	progress  func(done, size uint64)
}

// Sync brings the copy up to the newest checkpoint of the log. progress, which
// may be nil, is told how many leaves are held of how many. After an error, what
// is whole and right is kept, and State answers as of the checkpoint before.
func (m *Mirror) Sync(ctx context.Context, src Source, progress func(done, size uint64)) error {
	m.sync.Lock()
	defer m.sync.Unlock()
	note, err := src.Checkpoint(ctx)
	if err != nil {
		return err
	}
	cp, err := m.cfg.Policy.Open(note, m.cfg.Now())
	if err != nil {
		return fmt.Errorf("checkpoint of %s: %w", m.cfg.Origin, err)
	}
	s := &syncing{Mirror: m, note: note, cp: cp, publish: true, src: src, progress: progress}
	_, err = s.extend(ctx)
	return err
}

// extend does all of it, and returns the seal in which the tree ends.
func (s *syncing) extend(ctx context.Context) (*seal.Seal, error) {
	if s.cp.Origin != s.cfg.Origin {
		return nil, fmt.Errorf("checkpoint of %s: %w: it is of %s", s.cfg.Origin, trust.ErrUnknownLog, s.cp.Origin)
	}
	if s.progress == nil {
		s.progress = func(done, size uint64) {}
	}
	s.fetch = newFetcher(s.src, s.Mirror, s.cp.Body)
	if err := s.compare(ctx); err != nil {
		return nil, s.explain(err)
	}
	last, err := s.run(ctx)
	if err == nil {
		err = s.shorten(ctx)
	}
	return last, s.explain(err)
}

// shorten keeps the next Open short. It costs little beside the leaves that have
// come since it was done last.
func (m *Mirror) shorten(ctx context.Context) error {
	view := m.store.View()
	defer view.Close()
	snapshot, err := mapstore.Open(view, m.cache)
	if err != nil {
		return err
	}
	size := snapshot.Version()
	last, err := mapstore.ShortcutVersion(view)
	if err != nil || size-last < max(shortcutLeaves, size/128) {
		return err
	}
	_, err = m.store.Append(ctx, size, nil, snapshot.Shortcut())
	return err
}

// shortcutLeaves is the least number of leaves between two shortcuts.
const shortcutLeaves = 512

// compare checks that the tree extends those that were shown and held before,
// or is a prefix of what was held ahead of being published.
func (s *syncing) compare(ctx context.Context) (err error) {
	if s.have, err = s.store.Root(ctx); err != nil {
		return err
	}
	if s.held, err = s.Mirror.held(publishedKey); err != nil {
		return err
	}
	if s.ahead, err = s.Mirror.held(aheadKey); err != nil {
		return err
	}
	target, err := s.Mirror.held(targetKey)
	if err != nil {
		return err
	}
	// What Hold was shown need not be published, ever, or by the log's hand: a
	// smaller published one is no rollback.
	if s.publish && target != nil && s.cp.Size < target.Size {
		return s.rollback(ctx, target)
	}
	largest := larger(target, s.ahead)
	if largest == nil {
		return nil
	}
	if s.cp.Size < largest.Size {
		return s.within(ctx, largest)
	}
	return s.extends(ctx, largest)
}

// within checks that the tree is a prefix of a larger one that was shown.
func (s *syncing) within(ctx context.Context, largest *signed) (err error) {
	var root Hash
	hashes := hashesFunc(s.Mirror.hashes)
	if largest.Size <= s.have.Size {
		root, err = s.RootAt(ctx, s.cp.Size)
	} else {
		f := newFetcher(s.src, s.Mirror, largest.Body)
		hashes = f.hashes
		root, err = f.rootAt(ctx, s.cp.Size)
	}
	if err == nil && root != s.cp.Root {
		err = s.splitView(ctx, &ConflictError{Held: largest.note, Shown: s.note,
			What: fmt.Sprintf("%s shows two trees: %d leaves with root %x, and %d of which as many have root %x", s.cp.Origin, s.cp.Size, s.cp.Root, largest.Size, root),
		}, &signed{s.note, s.cp.Body}, largest, root, hashes)
	}
	return err
}

// extends checks that the largest tree that was shown is a prefix of this one.
func (s *syncing) extends(ctx context.Context, largest *signed) error {
	root, err := s.fetch.rootAt(ctx, largest.Size)
	if err != nil {
		return err
	}
	if root != largest.Root {
		return s.splitView(ctx, &ConflictError{Held: largest.note, Shown: s.note,
			What: fmt.Sprintf("%s shows two trees: its first %d leaves have root %x now, and had %x", s.cp.Origin, largest.Size, root, largest.Root),
		}, largest, &signed{s.note, s.cp.Body}, root, s.fetch.hashes)
	}
	// Where a Sync was not finished, less is held than was shown.
	if s.have.Size == largest.Size {
		return nil
	}
	if root, err = s.fetch.rootAt(ctx, s.have.Size); err == nil && root != s.have.Hash {
		err = damaged("the %d leaves held have root %x, in the log they have %x", s.have.Size, s.have.Hash, root)
	}
	return err
}

// run fetches what is missing, one chunk ahead of what is applied. What is stored
// ends in a live seal, mostly: the leaves behind it wait for the next one, which
// needs the state under this one to be told false.
func (s *syncing) run(ctx context.Context) (*seal.Seal, error) {
	if s.cp.Size <= s.have.Size {
		s.progress(s.cp.Size, s.cp.Size)
		return s.settle(ctx)
	}
	var err error
	if s.position, err = s.resume(ctx); err != nil {
		return nil, err
	}
	s.progress(s.tree.End(), s.cp.Size)
	ctx, cancel := context.WithCancel(ctx)
	chunks := s.fetch.start(ctx, s.tree.End())
	defer func() {
		cancel()
		for range chunks { // until the fetcher has ended, too
		}
	}()
	var items []item
	for c := range chunks {
		items = append(items, c.items...)
		n, err := s.ready(items)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			if err := s.apply(ctx, items[:n]); err != nil {
				return nil, s.evident(ctx, err, items[:n])
			}
			s.progress(s.tree.End(), s.cp.Size)
			items = slices.Clone(items[n:])
		}
		if c.err != nil {
			return nil, c.err
		}
	}
	return s.last, ctx.Err()
}

// ready returns how many items are stored next.
func (s *syncing) ready(items []item) (int, error) {
	size := 0
	for i := range items {
		size += len(items[i].leaf)
	}
	n, root, err := s.sealedOf(items)
	switch {
	case err != nil:
		return 0, err
	case s.tree.End()+uint64(len(items)) == s.cp.Size:
		// The leaves of the last bundle were not compared with anything yet. What
		// is not the log's is not to be judged.
		if root != s.cp.Root {
			return 0, fmt.Errorf("%w: its %d leaves have root %x, not %x", ErrTiles, s.cp.Size, root, s.cp.Root)
		}
		return len(items), nil
	// With more between two seals, no file can prove what the second one is.
	case len(items) > evidence.MaxLeaves || size > evidence.MaxSize:
		return len(items), nil
	}
	return n, nil
}

// sealedOf returns how many of the items there are up to the last live seal, and
// the root with all of them.
func (s *syncing) sealedOf(items []item) (n int, root Hash, err error) {
	tree, err := treehash.Range(s.tree.End(), treehash.Peaks(s.tree))
	if err != nil {
		return 0, root, err
	}
	for i := range items {
		if seal.Is(items[i].leaf) {
			prefix, err := treehash.Root(tree)
			if err != nil {
				return 0, root, err
			}
			if _, live := seal.Live(items[i].leaf, s.cfg.Origin, tree.End(), prefix); live {
				n = i + 1
			}
		}
		if err := tree.Append(items[i].hash[:], nil); err != nil {
			return 0, root, err
		}
	}
	root, err = treehash.Root(tree)
	return n, root, err
}

// settle is for a tree whose leaves are held: a checkpoint that was held before
// it was published, or one of the same tree that was cosigned later.
func (s *syncing) settle(ctx context.Context) (*seal.Seal, error) {
	last, err := s.sealOf(ctx, s.cp.Size)
	if err != nil || !s.publish || s.held != nil && s.held.Size == s.cp.Size && !s.fresher() {
		return last, err
	}
	// State is made of the map as it was at that size. Where a Hold has gone past
	// it, State stays where it is until a later one is published.
	view := s.store.View()
	err = mapstore.Kept(view, s.cp.Size)
	if err = errors.Join(err, view.Close()); errors.Is(err, mapstore.ErrNoVersion) {
		return last, nil
	}
	if err == nil {
		_, err = s.store.Append(ctx, s.have.Size, nil, s.shown())
	}
	return last, err
}

// fresher reports whether the checkpoint was cosigned later than the one of the
// same tree that is held.
func (s *syncing) fresher() bool {
	old, err := s.cfg.Policy.Open(s.held.note, s.cfg.Now())
	return err != nil || s.cp.Time.After(old.Time)
}

// begun are the side writes that go with the leaves of an unfinished tree.
func (s *syncing) begun() []backend.Write {
	if s.publish {
		return []backend.Write{{Key: targetKey, Value: s.note}}
	}
	// What was shown of the log is not forgotten for what is smaller.
	if s.ahead != nil && s.ahead.Size > s.cp.Size {
		return nil
	}
	return []backend.Write{{Key: aheadKey, Value: s.note}}
}

// shown are those that go with the last leaf: State answers as of a published
// checkpoint.
func (s *syncing) shown() []backend.Write {
	if s.publish {
		return append(s.begun(), sequencer.PublishedWrite(s.note))
	}
	return s.begun()
}

// keep returns the oldest version of the map that stays provable: that of which
// State answers. If there is none, the tree that was held before this one is
// the next that may be published; while a first one is fetched, there is no use
// for any but the newest.
func (s *syncing) keep() uint64 {
	switch {
	case s.held != nil:
		return s.held.Size
	case s.ahead != nil && s.ahead.Size == s.have.Size:
		return s.have.Size
	}
	return s.tree.End()
}

// sealed checks that the leaves end in a live seal.
func (s *syncing) sealed() error {
	// SPEC: a reader accepts a checkpoint only if its last leaf is a live seal
	// with index = size - 1.
	if s.last == nil || s.last.Index+1 != s.cp.Size {
		return fmt.Errorf("%w: size %d of %s", ErrUnsealed, s.cp.Size, s.cp.Origin)
	}
	return nil
}

// sealOf returns the live seal in which the first size leaves end, which are
// held.
func (s *syncing) sealOf(ctx context.Context, size uint64) (*seal.Seal, error) {
	unsealed := fmt.Errorf("%w: size %d of %s", ErrUnsealed, size, s.cp.Origin)
	if size == 0 {
		return nil, unsealed
	}
	leaves, err := s.store.Leaves(ctx, size-1, 1)
	if err != nil {
		return nil, err
	}
	prefix, err := s.RootAt(ctx, size-1)
	if err != nil {
		return nil, err
	}
	if last, live := seal.Live(leaves[0], s.cfg.Origin, size-1, prefix); live {
		return last, nil
	}
	return nil, unsealed
}
