package mirror

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/sequencer"
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

// syncing is one run of Sync.
type syncing struct {
	*Mirror
	*position
	note     []byte
	cp       *trust.Checkpoint
	fetch    *fetcher
	held     *signed // the checkpoint published before; nil if there is none
	progress func(done, size uint64)
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
	if cp.Origin != m.cfg.Origin {
		return fmt.Errorf("checkpoint of %s: %w: it is of %s", m.cfg.Origin, trust.ErrUnknownLog, cp.Origin)
	}
	if progress == nil {
		progress = func(done, size uint64) {}
	}
	s := &syncing{Mirror: m, note: note, cp: cp, fetch: newFetcher(src, m, cp.Body), progress: progress}
	if err := s.compare(ctx); err != nil {
		return m.explain(evident(err))
	}
	if err := s.run(ctx); err != nil {
		return m.explain(evident(err))
	}
	return m.explain(m.shorten(ctx))
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

// compare checks that the tree extends those that were shown and held before.
func (s *syncing) compare(ctx context.Context) (err error) {
	if s.held, err = s.Mirror.held(publishedKey); err != nil {
		return err
	}
	target, err := s.Mirror.held(targetKey)
	if err != nil || target == nil {
		return err
	}
	conflict := &ConflictError{Held: target.note, Shown: s.note}
	if s.cp.Size < target.Size {
		conflict.Rollback = true
		conflict.What = fmt.Sprintf("%s shows %d leaves; %d were shown before", s.cp.Origin, s.cp.Size, target.Size)
		return conflict
	}
	root, err := s.fetch.rootAt(ctx, target.Size)
	if err != nil {
		return err
	}
	if root != target.Root {
		conflict.What = fmt.Sprintf("%s shows two trees: its first %d leaves have root %x now, and had %x", s.cp.Origin, target.Size, root, target.Root)
		return conflict
	}
	// Where a Sync was not finished, less is held than was shown.
	have, err := s.store.Root(ctx)
	if err != nil || have.Size == target.Size {
		return err
	}
	if root, err = s.fetch.rootAt(ctx, have.Size); err == nil && root != have.Hash {
		err = damaged("the %d leaves held have root %x, in the log they have %x", have.Size, have.Hash, root)
	}
	return err
}

// run fetches what is missing, one chunk ahead of what is applied.
func (s *syncing) run(ctx context.Context) (err error) {
	if s.position, err = s.resume(ctx); err != nil {
		return err
	}
	s.progress(s.tree.End(), s.cp.Size)
	if s.tree.End() == s.cp.Size {
		return s.refresh(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	chunks := s.fetch.start(ctx, s.tree.End())
	defer func() {
		cancel()
		for range chunks { // until the fetcher has ended, too
		}
	}()
	for c := range chunks {
		if len(c.items) > 0 {
			if err := s.apply(ctx, c.items); err != nil {
				return err
			}
			s.progress(s.tree.End(), s.cp.Size)
		}
		if c.err != nil {
			return c.err
		}
	}
	return ctx.Err()
}

// refresh replaces the checkpoint by one of the same tree that was cosigned
// later.
func (s *syncing) refresh(ctx context.Context) error {
	if err := s.sealed(); err != nil {
		return err
	}
	if s.held != nil && s.held.Size == s.cp.Size {
		old, err := s.cfg.Policy.Open(s.held.note, s.cfg.Now())
		if err == nil && !s.cp.Time.After(old.Time) {
			return nil
		}
	}
	_, err := s.store.Append(ctx, s.cp.Size, nil, s.publication())
	return err
}

// publication makes the checkpoint the one as of which State answers.
func (s *syncing) publication() []backend.Write {
	return []backend.Write{{Key: targetKey, Value: s.note}, sequencer.PublishedWrite(s.note)}
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
