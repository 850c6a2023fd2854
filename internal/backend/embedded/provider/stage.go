package provider

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
)

// Stage is log storage whose writes wait for Commit: adding leaves,
// integrating them, storing the root and setting side values become one synced
// write. Trillian's later calls on the Stage see its earlier ones; nobody else
// sees anything before Commit.
//
// It holds the write lock until Commit or Discard, so it is used by one
// goroutine, briefly.
type Stage struct {
	logStorage
	b    *pebble.Batch // what Trillian writes and reads again
	side *pebble.Batch // what nobody reads before Commit; in the end, everything
	// added are the leaves, without their values: all that integrating needs of them.
	added []*trillian.LogLeaf
	err   error // of the first call that failed; Commit refuses then
}

var _ storage.LogStorage = (*Stage)(nil)

// maxRetained is the size of the batches whose memory is used again.
const maxRetained = 8 << 20

var errStageEnded = errors.New("stage has ended")

// Stage begins a Stage for about size bytes, tree of which Trillian will write.
// It waits for other writers. Discard MUST follow.
func (p *Provider) Stage(tree, size int) (*Stage, error) {
	p.write.Lock()
	if err := p.Err(); err != nil {
		p.write.Unlock()
		return nil, err
	}
	return &Stage{logStorage: logStorage{p}, b: p.db.NewIndexedBatchWithSize(max(tree, least)), side: p.batch(size)}, nil
}

const least = 1 << 10 // Pebble panics where a batch's header has no room

// batch returns an empty batch with room for size bytes: the one that was committed
// last, if it has. To get so much new memory each time costs more than to fill it. The
// write lock is held.
func (p *Provider) batch(size int) *pebble.Batch {
	b := p.spare
	if p.spare = nil; b != nil && cap(b.Repr()) >= size {
		return b
	}
	return p.db.NewBatchWithSize(max(size+size/4, least), pebble.WithMaxRetainedSizeBytes(maxRetained))
}

// do runs one writing call; after one has failed there is no other.
func (s *Stage) do(f func() error) error {
	if s.err == nil {
		s.err = f()
	}
	return s.err
}

// ReadWriteTransaction runs f in the Stage. The leaves that f dequeues from a
// PREORDERED_LOG tree are without their values: they are integrated by their hashes.
func (s *Stage) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	return s.do(func() error {
		tx := newLogTX(s.b, tree)
		if tree.GetTreeType() == trillian.TreeType_PREORDERED_LOG {
			tx.stage = s
		}
		return f(ctx, tx)
	})
}

// AddSequencedLeaves stages leaves, which are found by their indexes from then on,
// and not by either hash: Standing never asks for that, and two random keys for each
// leaf would cost as much as the tree. So identity hashes MUST be unique by
// construction, for instance by being the index. A Stage takes leaves once, of one tree.
func (s *Stage) AddSequencedLeaves(_ context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, now time.Time) (res []*trillian.QueuedLogLeaf, err error) {
	err = s.do(func() (err error) {
		if s.added != nil {
			return errors.New("stage has leaves already")
		}
		tx := newLogTX(s.b, tree)
		tx.stage = s
		s.added = make([]*trillian.LogLeaf, 0, len(leaves))
		res, err = tx.addSequenced(leaves, now)
		return err
	})
	return res, err
}

// put writes the record of a leaf where it is not read before Commit.
func (s *Stage) put(key []byte, l *trillian.LogLeaf, queued, integrated time.Time) error {
	s.added = append(s.added, &trillian.LogLeaf{
		LeafIndex: l.LeafIndex, MerkleLeafHash: l.MerkleLeafHash, LeafIdentityHash: l.LeafIdentityHash,
	})
	return putRecord(s.side, key, l, queued, integrated)
}

// after returns up to limit of the leaves, those that follow a tree of size leaves
// without a gap.
func (s *Stage) after(size uint64, limit int) []*trillian.LogLeaf {
	i := slices.IndexFunc(s.added, func(l *trillian.LogLeaf) bool { return uint64(l.LeafIndex) >= size })
	if i < 0 {
		return nil
	}
	n, rest := 0, s.added[i:]
	for n < min(limit, len(rest)) && uint64(rest[n].LeafIndex) == size+uint64(n) {
		n++
	}
	return rest[:n]
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
			return s.side.Delete(sideKey(key), nil)
		}
		op := s.side.SetDeferred(1+len(key), len(value))
		op.Key[0] = spaceSide
		copy(op.Key[1:], key)
		copy(op.Value, value)
		return op.Finish()
	})
}

// Side returns a copy of a side value as the Stage found it, or nil if there is
// none.
func (s *Stage) Side(key []byte) ([]byte, error) { return get(s.p.db, sideKey(key)) }

// Commit makes everything staged durable and visible at once, and ends the
// Stage. If we crash before it returns, all of it is there or nothing.
func (s *Stage) Commit() error {
	if s.err != nil {
		return s.err
	}
	b, side := s.b, s.side
	s.b, s.err = nil, errStageEnded
	defer s.p.write.Unlock()
	if err := side.Apply(b, nil); err != nil {
		return errors.Join(err, b.Close(), side.Close())
	}
	if err := b.Close(); err != nil {
		return errors.Join(err, side.Close())
	}
	if err := s.p.commit(side); err != nil {
		return err
	}
	side.Reset()
	s.p.spare = side
	return nil
}

// Discard ends the Stage without a trace, unless Commit did before.
func (s *Stage) Discard() error {
	if s.b == nil {
		return nil
	}
	b, side := s.b, s.side
	s.b, s.err = nil, errStageEnded
	defer s.p.write.Unlock()
	return errors.Join(b.Close(), side.Close())
}
