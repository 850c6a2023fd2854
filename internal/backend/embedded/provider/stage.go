package provider

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
)

// Stage is log storage whose writes wait for Commit: adding leaves,
// integrating them, storing the root and setting side values become one synced
// write. Later calls on the Stage see earlier ones; nobody else sees anything
// before Commit.
//
// It holds the write lock until Commit or Discard, so it is used by one
// goroutine, briefly.
type Stage struct {
	logStorage
	b   *pebble.Batch
	err error // of the first call that failed; Commit refuses then
}

var _ storage.LogStorage = (*Stage)(nil)

var errStageEnded = errors.New("stage has ended")

// Stage begins a Stage. It waits for other writers. Discard MUST follow.
func (p *Provider) Stage() (*Stage, error) {
	p.write.Lock()
	if err := p.Err(); err != nil {
		p.write.Unlock()
		return nil, err
	}
	return &Stage{logStorage: logStorage{p}, b: p.db.NewIndexedBatch()}, nil
}

// do runs one writing call; after one has failed there is no other.
func (s *Stage) do(f func() error) error {
	if s.err == nil {
		s.err = f()
	}
	return s.err
}

// ReadWriteTransaction runs f in the Stage.
func (s *Stage) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	return s.do(func() error { return f(ctx, newLogTX(s.b, tree)) })
}

// AddSequencedLeaves stages leaves. Their identity hashes MUST be unique by
// construction, for instance by hashing the index along: here they are written
// to the index, but not looked up, which would cost more than all the rest of
// the call.
func (s *Stage) AddSequencedLeaves(_ context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, now time.Time) (res []*trillian.QueuedLogLeaf, err error) {
	err = s.do(func() (err error) {
		tx := newLogTX(s.b, tree)
		tx.unique = true
		res, err = tx.addSequenced(leaves, now)
		return err
	})
	return res, err
}

// QueueLeaves is not for stages.
func (s *Stage) QueueLeaves(context.Context, *trillian.Tree, []*trillian.LogLeaf, time.Time) ([]*trillian.QueuedLogLeaf, error) {
	return nil, errors.New("stages have no queue")
}

// LatestSignedLogRoot returns the tree's root as staged.
func (s *Stage) LatestSignedLogRoot(ctx context.Context, tree *trillian.Tree) (*trillian.SignedLogRoot, error) {
	return newLogTX(s.b, tree).LatestSignedLogRoot(ctx)
}

// SetSide sets a side value, or deletes it if value is nil.
func (s *Stage) SetSide(key, value []byte) error {
	return s.do(func() error {
		if value == nil {
			return s.b.Delete(sideKey(key), nil)
		}
		return s.b.Set(sideKey(key), value, nil)
	})
}

// Side returns a copy of a side value as staged, or nil if there is none.
func (s *Stage) Side(key []byte) ([]byte, error) { return get(s.b, sideKey(key)) }

// Commit makes everything staged durable and visible at once, and ends the
// Stage. If we crash before it returns, all of it is there or nothing.
func (s *Stage) Commit() error {
	if s.err != nil {
		return s.err
	}
	b := s.b
	s.b, s.err = nil, errStageEnded
	defer s.p.write.Unlock()
	return s.p.commit(b)
}

// Discard ends the Stage without a trace, unless Commit did before.
func (s *Stage) Discard() error {
	if s.b == nil {
		return nil
	}
	b := s.b
	s.b, s.err = nil, errStageEnded
	defer s.p.write.Unlock()
	return b.Close()
}
