// Package provider is a durable storage for Trillian on one directory: a
// storage.Provider over Pebble. It knows trees, leaves and nodes as Trillian
// does, and nothing of Standing. It passes Trillian's own conformance suites
// for administrative and for log storage.
//
// Beyond the interface it offers two things. A Stage takes what several
// Trillian calls write, and side writes of the caller's own, and commits all
// of it in one synced write. A Snapshot reads side values and Merkle nodes as
// of one moment.
//
// # Layout
//
// One key per thing; only nodes share keys, which the next batch reads, adds to and
// writes anew. Integers are big-endian, so that keys sort by number.
//
//	key                                         value
//	'V'                                         u8 3: the number of this layout
//	'T' tree u64                                trillian.Tree, protobuf
//	'R' tree u64                                the latest LogRootV1, TLS encoding
//	'L' tree u64 | index u64                    leaf record
//	'Q' tree u64 | place u64                    leaf record waiting in a LOG tree's queue
//	'I' tree u64 | identity hash                'L' | index u64, or 'Q' | place u64
//	'M' tree u64 | Merkle leaf hash | index u64 empty; like 'I' not of what a Stage adds
//	'N' tree u64 | level u8 | index/16 u64      row of nodes
//	'S' key                                     side value
//
//	leaf record: u8 version = 1 | Merkle leaf hash, 32 bytes |
//	i64 queued, i64 integrated: Unix nanoseconds |
//	u8 length | identity hash | u32 length | extra data | leaf value
//
//	row of nodes: u16, bit i: node 16·(index/16)+i is there | hashes of those, 32 bytes each
//
// Only nodes of perfect subtrees are stored, as Trillian computes them: they
// never change, so that there are no revisions and no caches.
//
// # Invariants
//
//   - Writers are serialised: a transaction, a call that writes, or an open
//     Stage holds the store's one write lock. A transaction function MUST NOT
//     start another one.
//   - What returned without an error survives a power failure. What returned
//     an error left no trace, unless the error is ErrFailed: then nobody knows
//     until the store has been opened again.
//   - No index is taken twice within a tree, nor an identity hash; for the
//     latter a Stage relies on its caller.
//
// # Failure
//
// Pebble reports some errors (a write-ahead log that cannot be synced, a
// manifest that cannot be written) to its logger as fatal and relies on the
// process ending there, because going on could lose writes or delete files
// that a half-written manifest names. Others, in flushes and compactions, it
// retries for ever, while writers stall. On a few it panics. In all these
// cases, and already when the disk refuses a write, this package marks the
// store failed: the goroutine that met the error is parked for good with the
// locks it holds, so that nothing is written any more; every call, waiting
// ones included, returns ErrFailed with the cause; and the directory stays
// locked until the process ends. Opening it again in a new process recovers
// it. Calls into Pebble that take its locks run under a guard for that reason.
package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian/storage"

	"github.com/standing-log/standing/internal/backend"
)

// ErrInUse means that another process, or another Provider of this one, has
// the directory open, or failed while it had.
var ErrInUse = errors.New("store is in use")

// ErrDamaged is backend.ErrDamaged: Pebble has met a block or a record whose
// checksum is wrong.
var ErrDamaged = backend.ErrDamaged

// ErrLayout means that the directory was written by a program with another layout.
var ErrLayout = errors.New("store is of another layout")

// layout is the number of the one that this package reads and writes.
const layout = 3

// Sizes used where Options does not say otherwise. Pebble takes memtables, of which
// there are two most of the time, out of the block cache. With 128 MiB the bundles of
// a large log come no faster, and the collector, with less room, takes 5 % more of its
// writing.
const (
	defaultMemTable = 32 << 20
	defaultCache    = 80 << 20
)

// Options of Open. The zero value is right for a disk.
type Options struct {
	// FS holds the directory; nil means the operating system's files.
	FS vfs.FS
	// Logger receives Pebble's errors; nil means none.
	Logger *slog.Logger
	// MemTableSize is the size in bytes at which writes move from memory into
	// a table; 0 means 32 MiB. Tests make it small to see tables sooner.
	MemTableSize uint64
	// CacheSize is the size of the block cache in bytes; 0 means 80 MiB, or
	// eight memtables.
	CacheSize int64
}

// Provider is an open store. Its methods are safe for concurrent use.
type Provider struct {
	fs     vfs.FS
	dir    string
	db     *pebble.DB
	health *health
	merges merging

	// write is held by whoever is building or committing a batch.
	write sync.Mutex
	spare *pebble.Batch // empty, or nil: the last Stage's, for the next one; under write
}

var _ storage.Provider = (*Provider)(nil)

// Open opens or creates the store in dir. It fails with ErrInUse while the
// directory is open elsewhere.
func Open(dir string, opts Options) (*Provider, error) {
	if opts.FS == nil {
		opts.FS = vfs.Default
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Provider{fs: opts.FS, dir: dir, health: newHealth(opts.Logger)}
	// Opening runs under the guard, too: it writes, and flushes what it finds
	// in a write-ahead log.
	opened := make(chan *pebble.DB, 1)
	err := p.health.guard(func() error {
		o := pebbleOptions(opts, p.health)
		o.Experimental.CompactionScheduler = &p.merges
		db, err := pebble.Open(dir, o)
		opened <- db
		return err
	})
	if err == nil {
		p.db = <-opened
		if err = p.checkLayout(); err != nil {
			err = errors.Join(err, p.Close())
		}
		if err == nil {
			return p, nil
		}
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	if errors.Is(err, ErrFailed) {
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	if l, lockErr := pebble.LockDirectory(dir, opts.FS); lockErr != nil {
		return nil, fmt.Errorf("opening %s: %w: %w", dir, ErrInUse, lockErr)
	} else if closeErr := l.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	return nil, fmt.Errorf("opening %s: %w", dir, err)
}

// checkLayout compares the layout with ours. It is written into an empty store; if
// we crash before, that is empty still.
func (p *Provider) checkLayout() error {
	is, err := get(p.db, []byte{spaceLayout})
	if err != nil {
		return err
	}
	if is == nil {
		empty := true
		if err := scan(p.db, nil, nil, func(_, _ []byte) (bool, error) { empty = false; return false, nil }); err != nil {
			return err
		}
		if empty {
			return p.update(context.Background(), func(b *pebble.Batch) error {
				return b.Set([]byte{spaceLayout}, []byte{layout}, nil)
			})
		}
		is = []byte{1} // which did not say so
	}
	if !bytes.Equal(is, []byte{layout}) {
		return fmt.Errorf("%w, %x and not %x: export the log with the programs that wrote it, and recover it from there", ErrLayout, is, layout)
	}
	return nil
}

// mergeDepth is the number of tables that a read may have to look into, beside those
// of the levels below, before they are merged; two count for each time that a memtable
// is written. Pebble's 4 is for those who read more than they write: their filters
// answer most look-ups, and merging would take as much of the processor as all other
// writing.
const mergeDepth = 16

// largeValue is the size of the values that Pebble keeps in files of their own. Merging
// tables does not write them again: leaves, and what else is large, are nearly all of
// the bytes, and are written once.
const largeValue = 512

// blockSize is what is compressed, and read, at once: Pebble's 4 KiB have two leaves.
// Larger blocks take less of the disk and of the time for merging; but with 16 KiB
// bundles came a quarter slower, when the cache did not have them.
const blockSize = 8 << 10

func pebbleOptions(opts Options, h *health) *pebble.Options {
	if opts.MemTableSize == 0 {
		opts.MemTableSize = defaultMemTable
	}
	if opts.CacheSize == 0 {
		opts.CacheSize = min(8*int64(opts.MemTableSize), defaultCache)
	}
	o := &pebble.Options{
		FS:                          disk{opts.FS, h},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                opts.MemTableSize,
		MemTableStopWritesThreshold: 4,
		CacheSize:                   opts.CacheSize,
		Logger:                      h,
		EventListener: &pebble.EventListener{
			BackgroundError: h.stop,
			DataCorruption:  h.corrupt,
		},
	}
	o.TargetFileSizes[0] = 8 << 20
	o.Experimental.SpanPolicyFunc = leavesApart
	o.Experimental.ValueSeparationPolicy = largeApart
	o.L0CompactionThreshold, o.L0StopWritesThreshold = mergeDepth, 3*mergeDepth
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = blockSize
	}
	return o
}

// largeApart is the policy for large values: they are never written again. Those that
// are many come in the order of their keys and are not deleted, so that merging tables
// takes nothing from where they lie together, however many files a table has values in;
// and little is gone of a file: what a node overwrites with each batch, once for each
// memtable. So nothing reads them behind our calls, where a panic of Pebble's on a
// damaged one would end the process; see explain.
func largeApart() pebble.ValueSeparationPolicy {
	return pebble.ValueSeparationPolicy{
		Enabled: true, MinimumSize: largeValue, MaxBlobReferenceDepth: math.MaxInt32, TargetGarbageRatio: 1,
	}
}

// leavesApart makes Pebble end a table where leaf records begin and where they end.
// Those come in the order of their keys: tables of nothing else can be moved down the
// levels, but for those that lie beside what is merged.
func leavesApart(start []byte) (pebble.SpanPolicy, []byte, error) {
	for _, end := range []byte{spaceLeaf, spaceLeaf + 1} {
		if start[0] < end {
			return pebble.SpanPolicy{}, []byte{end}, nil
		}
	}
	return pebble.SpanPolicy{}, nil, nil
}

// LogStorage returns the trees' leaves, nodes and roots.
func (p *Provider) LogStorage() storage.LogStorage { return logStorage{p} }

// AdminStorage returns the trees themselves.
func (p *Provider) AdminStorage() storage.AdminStorage { return adminStorage{p} }

// Err returns nil, or ErrFailed with its cause if the store has failed.
func (p *Provider) Err() error { return p.health.err() }

// Failed is closed once the store has failed.
func (p *Provider) Failed() <-chan struct{} { return p.health.failed }

// Close writes what is in memory into tables, so that opening is fast, and
// releases the directory. No other call may be running, and all snapshots
// must be closed. Close of a failed store returns ErrFailed and releases
// nothing.
func (p *Provider) Close() error {
	p.write.Lock()
	defer p.write.Unlock()
	return p.health.guard(func() error {
		return errors.Join(p.db.Flush(), p.db.Close())
	})
}

// snapshot takes a snapshot for closeSnapshot to release. Both take Pebble's
// lock, which a parked goroutine may hold.
func (p *Provider) snapshot() (s *pebble.Snapshot, err error) {
	taken := make(chan *pebble.Snapshot, 1)
	err = p.health.guard(func() error {
		taken <- p.db.NewSnapshot()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return <-taken, nil
}

func (p *Provider) closeSnapshot(s *pebble.Snapshot) error {
	return p.health.guard(s.Close)
}

// update builds one batch with f and commits it, or nothing if f fails.
func (p *Provider) update(ctx context.Context, f func(*pebble.Batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.write.Lock()
	defer p.write.Unlock()
	b := p.db.NewIndexedBatch()
	if err := f(b); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := p.commit(b); err != nil {
		return err
	}
	return b.Close()
}

// commit makes b durable. The write lock is held. An error means that the
// store has failed: b is then left alone, for Pebble may still be at it.
func (p *Provider) commit(b *pebble.Batch) error {
	err := p.health.guard(func() error {
		p.merges.begin()
		return b.Commit(pebble.Sync)
	})
	if err != nil {
		return p.health.fail(err)
	}
	return nil
}
