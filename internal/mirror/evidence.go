package mirror

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/evidence"
)

// What an EvidenceError can be of.
const (
	FalseSeal     = string(evidence.KindFalseSeal)
	SplitView     = string(evidence.KindSplitView)
	BrokenPromise = string(evidence.KindBrokenPromise)
	// Rollback is a smaller tree than the one shown before, and a part of it.
	// Stale caches do that, too, so it proves nothing.
	Rollback = "rollback"
)

// EvidenceError says that the log broke what it stands for. It wraps a
// *ConflictError or a *replay.FalseSealError, or says of a promise what became of
// it.
type EvidenceError struct {
	// Kind is FalseSeal, SplitView, BrokenPromise or Rollback.
	Kind string
	// File is the evidence file (package evidence) that proves it to others; empty
	// if there is no proof, or what it is made of could not be had. It has been
	// verified.
	File []byte
	// Finding is what Verify says of File; nil without one.
	Finding *evidence.Finding
	Err     error
}

func (e *EvidenceError) Error() string { return e.Err.Error() }
func (e *EvidenceError) Unwrap() error { return e.Err }

// evidenceError makes the error about what err is. Where there is no file, it
// says why.
func (m *Mirror) evidenceError(kind string, err error, made *evidence.Evidence, why error) *EvidenceError {
	e := &EvidenceError{Kind: kind, Err: err}
	if why == nil {
		e.File, why = made.Marshal()
	}
	if why == nil {
		// It is no evidence before others would take it as such.
		e.Finding, why = m.verified(e.File)
	}
	if why != nil {
		e.File, e.Err = nil, fmt.Errorf("%w (there is no evidence file: %v)", err, why)
	}
	return e
}

func (m *Mirror) verified(file []byte) (*evidence.Finding, error) {
	e, err := evidence.Parse(file)
	if err != nil {
		return nil, err
	}
	return e.Verify(m.cfg.Policy, m.cfg.Now())
}

// hashesFunc reads nodes of a tree, by their index in package tlog.
type hashesFunc func(ctx context.Context, indexes []int64) ([]tlog.Hash, error)

func (f hashesFunc) reader(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return f(ctx, indexes) })
}

// hashes is the hashesFunc of what is held.
func (m *Mirror) hashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		h, err := m.store.Hashes(ctx, uint(level), uint64(n), 1)
		if err != nil {
			return nil, err
		}
		out[i] = tlog.Hash(h[0])
	}
	return out, nil
}

// consistency is the proof that the first size leaves are the beginning of a
// tree of to.
func (f hashesFunc) consistency(ctx context.Context, size, to uint64) ([]Hash, error) {
	if size == to {
		return nil, nil
	}
	proof, err := tlog.ProveTree(int64(to), int64(size), f.reader(ctx))
	return untyped(proof), err
}

func untyped(proof []tlog.Hash) []Hash {
	out := make([]Hash, len(proof))
	for i := range proof {
		out[i] = Hash(proof[i])
	}
	return out
}

// splitView makes the error about two trees: root is what the larger one has at
// the size of the smaller, as hashes, which reads its nodes, shows.
func (m *Mirror) splitView(ctx context.Context, c *ConflictError, small, large *signed, root Hash, hashes hashesFunc) error {
	path, err := hashes.consistency(ctx, small.Size, large.Size)
	return m.evidenceError(SplitView, c, evidence.SplitView(small.note, large.note, root, path), err)
}

// rollback makes the error about a smaller tree than the one shown before: if it
// is not even a part of that, it is a split view.
func (s *syncing) rollback(ctx context.Context, target *signed) error {
	// Where the larger tree cannot be had any more, there is nothing to compare.
	if e, ok := errors.AsType[*EvidenceError](s.within(ctx, target)); ok {
		return e
	}
	return &EvidenceError{Kind: Rollback, Err: &ConflictError{Held: target.note, Shown: s.note, Rollback: true,
		What: fmt.Sprintf("%s shows %d leaves; %d were shown before", s.cp.Origin, s.cp.Size, target.Size)}}
}

// evident turns the error with which items could not be applied into an
// *EvidenceError, if they hold a false seal.
func (s *syncing) evident(ctx context.Context, err error, items []item) error {
	f, ok := errors.AsType[*replay.FalseSealError](err)
	if !ok {
		return err
	}
	made, why := s.falseSeal(ctx, f.Index, items)
	return s.evidenceError(FalseSeal, err, made, why)
}

// falseSeal stores what is right before a false seal, and makes the file about
// it. If we crash before that, the next Sync comes here again.
func (s *syncing) falseSeal(ctx context.Context, accused uint64, items []item) (_ *evidence.Evidence, err error) {
	if s.position, err = s.resume(ctx); err != nil {
		return nil, err
	}
	items = items[:accused-s.tree.End()+1]
	n, _, err := s.sealedOf(items[:len(items)-1])
	if err != nil {
		return nil, err
	}
	if n > 0 {
		if err := s.apply(ctx, items[:n]); err != nil {
			return nil, err
		}
	}
	lie := evidence.Lie{Origin: s.cfg.Origin, Checkpoint: s.note}
	if lie.Path, err = hashesFunc(s.fetch.hashes).consistency(ctx, accused+1, s.cp.Size); err != nil {
		return nil, err
	}
	view := s.store.View()
	defer view.Close()
	if err := s.before(ctx, view, &lie); err != nil {
		return nil, err
	}
	for i := range items[n:] {
		lie.Leaves = append(lie.Leaves, items[n+i].leaf)
	}
	return evidence.FalseSeal(lie)
}

// before fills in the last live seal, in which what is held ends, and the state
// under it. Where there is none, it is leaf 0 and nothing.
func (s *syncing) before(ctx context.Context, view backend.View, lie *evidence.Lie) (err error) {
	if s.last == nil {
		return s.stored(ctx, lie)
	}
	lie.First = s.last.Index
	if lie.First+1 != s.tree.End() {
		return fmt.Errorf("the state under the seal at %d is not held any more", lie.First)
	}
	tree, err := s.loadRange(ctx, lie.First)
	if err != nil {
		return err
	}
	for _, h := range tree.Hashes() {
		lie.Prefix = append(lie.Prefix, Hash(h))
	}
	snapshot, err := mapstore.Open(view, s.cache)
	if err != nil {
		return err
	}
	lie.Before, lie.Withdrawals = sealedState{snapshot, sequencer.KeyStore{Backend: s.store}, s.Mirror, ctx}, snapshot.WithdrawalPeaks()
	return s.stored(ctx, lie)
}

// stored reads the leaves that are held, from the first one on.
func (s *syncing) stored(ctx context.Context, lie *evidence.Lie) error {
	for next := lie.First; next < s.tree.End(); next = lie.First + uint64(len(lie.Leaves)) {
		leaves, err := s.store.Leaves(ctx, next, s.tree.End()-next)
		if err != nil {
			return err
		}
		lie.Leaves = append(lie.Leaves, leaves...)
	}
	return nil
}

// sealedState is the state at the end of what is held. It is an evidence.State.
type sealedState struct {
	*mapstore.Snapshot
	sequencer.KeyStore
	m   *Mirror
	ctx context.Context
}

// Leaf implements mapfn.Reader.
func (s sealedState) Leaf(index uint64, hash Hash) ([]byte, error) {
	return s.m.leaf(s.ctx, index, hash)
}
