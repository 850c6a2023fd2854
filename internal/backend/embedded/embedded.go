// Package embedded is the backend that needs nothing but a directory: Trillian
// in process over the Pebble provider beside it.
//
// Trillian does what it does in any deployment: its RPC server takes the
// leaves, its sequencer integrates them into a PREORDERED_LOG tree and computes
// nodes and root, of which proofs are made. Only the storage is ours, and with
// it the moment of durability: an Append is staged (leaves, Merkle nodes,
// root and side writes) and then committed as one synced write.
// The provider's package doc has the layout of the keys.
//
// # Invariants
//
//   - Nobody sees what is not durable. Pebble shows a write to readers before
//     it has been synced; so all methods answer from a picture, taken when the
//     last write had returned: a root and a snapshot.
//   - No leaf is stored beyond the root. Open refuses a store that has one, or
//     whose Merkle nodes do not give its root: it is damaged.
//   - One directory holds one tree, made when it is first opened.
//   - After provider.ErrFailed every method fails in the same way. The process
//     has to end; the next one opens the store as the last durable write left
//     it.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	"github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/trees"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded/provider"
)

// Errors of Open and of a store in trouble, for callers that tell the operator
// what to do.
var (
	// ErrInUse means that the directory is open elsewhere.
	ErrInUse = provider.ErrInUse
	// ErrLayout means that programs with another layout of the store wrote it.
	ErrLayout = provider.ErrLayout
	// ErrFailed means that the process must end and open the store again.
	ErrFailed = provider.ErrFailed
	// ErrDamaged means that what is stored contradicts itself. Do not go on:
	// recover from a mirror.
	ErrDamaged = backend.ErrDamaged
	// ErrClosed is the answer after Close.
	ErrClosed = errors.New("store is closed")
)

// Options of Open.
type Options struct {
	// Dir is the directory of the store, created if it does not exist.
	Dir string
	// FS holds Dir; nil means the disk.
	FS vfs.FS
	// Logger receives what Pebble complains about; nil means nobody.
	Logger *slog.Logger
	// MemTableSize and CacheSize tune Pebble's memory, in bytes; 0 means
	// 32 MiB and 80 MiB. Tests make them small.
	MemTableSize uint64
	CacheSize    int64
}

// Store is a backend.Backend in a directory.
type Store struct {
	p     *provider.Provider
	tree  *trillian.Tree
	clock *clock
	nodes nodeCache

	// write serialises Append and Swap, from reading the state that they
	// depend upon to publishing the picture of what they made of it.
	write sync.Mutex

	// life guards closed; calls counts those that came before it.
	life   sync.Mutex
	closed bool
	calls  sync.WaitGroup

	now gallery
}

var _ backend.Backend = (*Store)(nil)

// Open opens the store in opts.Dir, and creates it if there is none. It fails
// with ErrInUse, or with ErrDamaged.
func Open(ctx context.Context, opts Options) (*Store, error) {
	p, err := provider.Open(opts.Dir, provider.Options{
		FS: opts.FS, Logger: opts.Logger,
		MemTableSize: opts.MemTableSize, CacheSize: opts.CacheSize,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{p: p, clock: &clock{}}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", opts.Dir, err), s.now.close(), p.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) (err error) {
	log.InitMetrics(nil) // IntegrateBatch uses them unasked
	if s.tree, err = s.findTree(ctx); err != nil {
		return err
	}
	pic, err := s.take(ctx)
	if err != nil {
		return err
	}
	s.now.hang(pic)
	s.clock.advance(pic.stamp)
	return s.check(ctx, pic)
}

// server returns Trillian's log server over ls, with no quota and no metrics.
func (s *Store) server(ls storage.LogStorage) *server.TrillianLogRPCServer {
	return server.NewTrillianLogRPCServer(extension.Registry{
		AdminStorage: s.p.AdminStorage(),
		LogStorage:   ls,
		QuotaManager: quota.Noop(),
	}, s.clock)
}

// findTree returns the one tree of the store. It creates and initialises it
// as far as that has not been done: if we crash in between, the next Open
// goes on from there.
func (s *Store) findTree(ctx context.Context) (*trillian.Tree, error) {
	found, err := storage.ListTrees(ctx, s.p.AdminStorage(), true)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		t, err := storage.CreateTree(ctx, s.p.AdminStorage(), &trillian.Tree{
			TreeState:       trillian.TreeState_ACTIVE,
			TreeType:        trillian.TreeType_PREORDERED_LOG,
			DisplayName:     "standing",
			MaxRootDuration: durationpb.New(0), // an idle log writes nothing
		})
		if err != nil {
			return nil, fmt.Errorf("creating the tree: %w", err)
		}
		found = append(found, t)
	}
	t := found[0]
	if len(found) > 1 || t.Deleted || t.TreeState != trillian.TreeState_ACTIVE || t.TreeType != trillian.TreeType_PREORDERED_LOG {
		return nil, fmt.Errorf("%w: want one active tree of type PREORDERED_LOG, found %v", ErrDamaged, found)
	}
	return t, s.initTree(ctx, t)
}

func (s *Store) initTree(ctx context.Context, t *trillian.Tree) error {
	tx, err := s.p.LogStorage().SnapshotForTree(ctx, t)
	if tx != nil {
		err = errors.Join(err, tx.Close())
	}
	if !errors.Is(err, storage.ErrTreeNeedsInit) {
		return err
	}
	_, err = s.server(s.p.LogStorage()).InitLog(trees.NewContext(ctx, t), &trillian.InitLogRequest{LogId: t.TreeId})
	return err
}

// enter begins a call; leave ends it. Calls may nest, so this is no read lock:
// behind a Close that waits, the inner call would wait for the outer one.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.p.Err(); err != nil {
		return err
	}
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// Root returns the tree as the last Append left it.
func (s *Store) Root(ctx context.Context) (backend.Root, error) {
	if err := s.enter(ctx); err != nil {
		return backend.Root{}, err
	}
	defer s.leave()
	return s.now.root(), nil
}

// Failed is closed once the store has failed.
func (s *Store) Failed() <-chan struct{} { return s.p.Failed() }

// Close waits for calls under way, ends open views, writes what is in memory
// into tables and releases the directory. A failed store keeps it until the
// process ends, and Close says so.
func (s *Store) Close() error {
	if err := s.p.Err(); err != nil {
		return err // calls may be stuck in Pebble: do not wait for them
	}
	s.life.Lock()
	was := s.closed
	s.closed = true
	s.life.Unlock()
	if was {
		return ErrClosed
	}
	s.calls.Wait()
	return errors.Join(s.now.close(), s.p.Close())
}

// clock is the time as Trillian sees it. It never stands still or steps back,
// because Trillian refuses a root that is not later than the one before.
type clock struct{ last atomic.Int64 } // Unix nanoseconds

func (c *clock) advance(nanos uint64) { c.last.Store(int64(nanos)) }

// Now returns the time of day, or one nanosecond after the last answer if that
// is later.
func (c *clock) Now() time.Time {
	for {
		last := c.last.Load()
		next := max(last+1, time.Now().UnixNano())
		if c.last.CompareAndSwap(last, next) {
			return time.Unix(0, next)
		}
	}
}
