// Package mirror keeps a verified copy of a log: its leaves, its tree and its
// status map, recomputed, in a store of its own. What a prover says about the
// copy it could say to itself about the log, without telling anybody what it
// was asked.
//
// Start with [Open]; [Mirror.Sync] brings the copy up to date; [Mirror.State]
// answers from it. [Mirror.Hold] is for those who vouch for a log: it fetches a
// tree that the log has signed before anybody has cosigned it.
//
// # Invariants
//
//   - What Sync asks the log for depends on the checkpoint and on how much is
//     held, and on nothing else: it is the same for everybody.
//   - Every leaf that is held is under the root of a checkpoint that the log has
//     signed (and, by Sync, a quorum of the trust file cosigned); each was run through the map function, its
//     signature checked; and every line of every live seal among them is right.
//     A wrong one ends Sync with an *EvidenceError, and nothing behind the live
//     seal before it is stored.
//   - The copy grows by whole chunks, each one durable write. After a crash, or
//     a connection that was cut, Sync goes on from the last of them. A chunk ends
//     in a live seal, unless there is more between two than an evidence file can
//     hold: the state under that seal proves what the next one is.
//   - State answers as of the newest published checkpoint of which everything is
//     held and right. It moves only forward, to trees that extend it. Hold does
//     not move it: what was held ahead becomes the State once Sync has seen it
//     published.
//   - The copy is not believed, either: what State returns is proven against
//     the checkpoint, and whoever shows it to others verifies it again.
//
// # Layout
//
// The store is that of a log (package sequencer), without a reservation. Where
// an event's seal is not held yet, its sealed size is 0. Beside that:
//
//	't'          the largest published checkpoint that Sync was shown
//	'h'          the largest checkpoint that Hold was shown, as the log signed it
//
// The leaves held are a prefix of the larger of their trees.
//
// # Memory
//
// It grows with the number of map keys (see mapstore.Cache) and of keys that
// entries bring, and is bounded otherwise: five chunks of leaves and, of a
// batch, what an evidence file can hold (evidence.MaxLeaves, evidence.MaxSize), the
// memtables and the block cache.
package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/personality/trust"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Errors of Open, and of whoever reads the copy.
var (
	// ErrInUse means that another process has the copy open.
	ErrInUse = errors.New("the copy of the log is in use by another process")
	// ErrDamaged means that the copy contradicts itself. Nothing may be
	// answered from it; it is only a copy, and may be deleted.
	ErrDamaged = errors.New("the copy of the log is damaged")
	// ErrOtherLog means that the directory holds a copy of another log.
	ErrOtherLog = errors.New("the directory holds a copy of another log")
	// ErrEmpty means that nothing was synced yet, to the end.
	ErrEmpty = errors.New("the log was not synced yet")
)

// What a mirror takes of memory, besides the map: it writes in order and reads
// little again.
const (
	memTableSize = 16 << 20
	cacheSize    = 64 << 20
)

// Config is what a Mirror needs.
type Config struct {
	// Dir is the directory of the copy; see DefaultDir. It is created.
	Dir string
	// FS holds Dir; nil means the disk.
	FS     vfs.FS
	Origin string
	Policy *trust.Policy
	// Now is the clock by which cosignatures from the future are refused. Nil
	// means the system's.
	Now func() time.Time
	// Logger receives what the store complains about; nil means nobody.
	Logger *slog.Logger
	// Versions of the map are kept in memory; 0 means 2. Where State is to lie
	// some trees behind what is held, it is cheaper with more.
	Versions int
}

// Mirror is the copy of one log. Its methods are safe for concurrent use; one
// Sync runs at a time.
type Mirror struct {
	cfg    Config
	store  *embedded.Store
	cache  *mapstore.Cache
	prover *prover.Prover
	chunk  uint64 // bundles; tests make it small
	sync   sync.Mutex
}

// Open opens the copy in cfg.Dir, and creates an empty one if there is none. It
// fails with ErrInUse, ErrDamaged or ErrOtherLog.
func Open(ctx context.Context, cfg Config) (*Mirror, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.FS == nil {
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			return nil, err
		}
	}
	m := &Mirror{cfg: cfg, cache: &mapstore.Cache{Versions: cmp.Or(cfg.Versions, 2)}, chunk: chunkBundles}
	var err error
	m.store, err = embedded.Open(ctx, embedded.Options{
		Dir: cfg.Dir, FS: cfg.FS, Logger: cfg.Logger, MemTableSize: memTableSize, CacheSize: cacheSize,
	})
	if err != nil {
		return nil, m.explainOpen(ctx, err)
	}
	if err := m.check(ctx); err != nil {
		return nil, errors.Join(m.explain(err), m.store.Close())
	}
	m.prover = prover.New(m.store, cfg.Policy, m.cache)
	return m, nil
}

// Close releases the directory.
func (m *Mirror) Close() error { return m.store.Close() }

// Failed is closed when the store can neither be written nor read any more,
// until it is opened again.
func (m *Mirror) Failed() <-chan struct{} { return m.store.Failed() }

// explainOpen says what to do about a store that cannot be opened.
func (m *Mirror) explainOpen(ctx context.Context, err error) error {
	errno, system := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, embedded.ErrInUse):
		return fmt.Errorf("%w: %s: wait until it has ended", ErrInUse, m.cfg.Dir)
	// The disk is full, or not ours; or files are missing.
	case ctx.Err() != nil, system && errno != syscall.ENOENT:
		return m.explain(err)
	}
	// Nothing but damage keeps Pebble from opening what it wrote.
	return m.damaged(err)
}

// explain says what to do about a store that is damaged.
func (m *Mirror) explain(err error) error {
	if err == nil || errors.Is(err, ErrDamaged) {
		return err
	}
	if errors.Is(err, backend.ErrDamaged) || errors.Is(err, pebble.ErrCorruption) {
		return m.damaged(err)
	}
	// What comes through Trillian has lost its cause; the store knows it.
	if m.store != nil {
		if _, failed := m.store.Root(context.Background()); errors.Is(failed, backend.ErrDamaged) {
			return m.damaged(err)
		}
	}
	return err
}

func (m *Mirror) damaged(err error) error {
	return fmt.Errorf("%w: delete %s, it is made again: %w", ErrDamaged, m.cfg.Dir, err)
}

// Explain turns an error met while reading a State into ErrDamaged, if the copy
// is.
func (m *Mirror) Explain(err error) error { return m.explain(err) }

// Prover proves from the copy, for those who serve it.
func (m *Mirror) Prover() *prover.Prover { return m.prover }

// State opens the copy at its newest checkpoint. It fails with ErrEmpty or
// ErrDamaged, and for the reasons of prover.Prover. It MUST be closed.
func (m *Mirror) State(ctx context.Context) (*prover.State, error) {
	held, err := m.held(publishedKey)
	if err != nil {
		return nil, err
	}
	if held == nil {
		return nil, fmt.Errorf("%w: %s", ErrEmpty, m.cfg.Origin)
	}
	s, err := m.prover.Open(ctx)
	return s, m.explain(err)
}

// Checkpoint returns the newest checkpoint of which everything is held, as it
// was signed, or nil.
func (m *Mirror) Checkpoint() ([]byte, error) {
	held, err := m.held(publishedKey)
	if held == nil {
		return nil, err
	}
	return held.note, nil
}
