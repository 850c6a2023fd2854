// Package recovery makes the store of a log again: from a copy of the log
// ([Recover]), when the store is lost or is a restored backup; or from its own
// leaves ([Rebuild]), when only what is computed from them is bad.
//
// Both fill a second store, beside the one there is, as a mirror of the log
// (package mirror): every leaf is fetched, compared with a root, run through
// the map function, and every line of every live seal is recomputed. Only when
// all of it is there, and nothing and nobody contradicts it, do the two change
// places.
//
//	store/                     the store
//	store.recovering/          a store in the making; run again to go on
//	store.rebuilding/          the same, of Rebuild
//	store.before-N/            what was the store before, N = 1, 2, …
//
// # Invariants
//
//   - The store there is is read and never written. It is set aside whole,
//     when the new one is complete, and deleted by nobody.
//   - The new store ends in a live seal, at a checkpoint that this log signed,
//     and extends all that the old one says was signed. What contradicts it is
//     named, and both are left as they are: they are evidence.
//   - Recover does not end below what a cosigner says it holds. One that says
//     nothing, or has forgotten what it cosigned, is named by whoever goes on
//     without it.
//   - After a crash at any step, the same call goes on or begins anew, and ends
//     in the same store.
package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/trust"
)

// Errors of Recover and Rebuild, besides those of mirror.Sync.
var (
	// ErrBehind means that the copy ends before what the store says is signed.
	ErrBehind = errors.New("the mirror ends before what this log has signed")
	// ErrContradiction means that the store, or a cosigner, has another tree
	// than the mirror; both were signed by this log, or one is damaged.
	ErrContradiction = errors.New("the mirror has another history")
	// ErrSilent means that a cosigner does not say what it holds.
	ErrSilent = errors.New("a cosigner does not say what it holds")
)

// Config says which store to make again.
type Config struct {
	// Dir is the node's directory. Nobody else may use it meanwhile.
	Dir string
	// FS holds Dir; nil means the disk.
	FS     vfs.FS
	Origin string
	// Policy is the node's: its keys open checkpoints of this log.
	Policy *trust.Policy
	// Starts, unless nil, is told what is to be read and the room that it takes.
	Starts func(Room)
	// Progress is told how many leaves are in the new store, of how many.
	Progress func(done, size uint64)
	Now      func() time.Time
	Logger   *slog.Logger
}

// Result is what became of the store.
type Result struct {
	Root backend.Root // of the new store
	// Before is the tree that the old one held; of size 0 if there was none.
	Before backend.Root
	// Aside is where the old one is; empty if there was none.
	Aside string
}

const (
	storeName      = "store"
	recoveringName = "store.recovering"
	rebuildingName = "store.rebuilding"
	asideName      = "store.before-"
	cacheSize      = 32 << 20
)

// job is one run.
type job struct {
	Config
	name   string // of the directory of the new store
	old    *embedded.Store
	before backend.Root   // of old; empty if there is none
	copy   *mirror.Mirror // the new store, in the making

	// What old says was signed, and published; empty if it says nothing.
	reserved, published backend.Root
	notes               [][]byte  // checkpoints that may be published, ascending
	seen                []*signed // those that were shown by others
}

func begin(ctx context.Context, cfg Config, name string) (*job, error) {
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	j := &job{Config: cfg, name: name}
	if err := j.open(ctx); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

func (j *job) close() error {
	var err error
	if j.copy != nil {
		err = j.copy.Close()
	}
	if j.old != nil {
		err = errors.Join(err, j.old.Close())
	}
	j.copy, j.old = nil, nil
	return err
}

func (j *job) path(name string) string { return j.FS.PathJoin(j.Dir, name) }

func (j *job) exists(name string) bool {
	_, err := j.FS.Stat(j.path(name))
	return err == nil
}

// open reads what the store says of itself.
func (j *job) open(ctx context.Context) (err error) {
	if !j.exists(storeName) {
		return nil
	}
	j.old, err = embedded.Open(ctx, embedded.Options{Dir: j.path(storeName), FS: j.FS, Logger: j.Logger, CacheSize: cacheSize})
	if errors.Is(err, embedded.ErrInUse) {
		return fmt.Errorf("%w: stop the node first", err)
	}
	if err != nil {
		return fmt.Errorf("%w; so nobody knows what it signed: keep it (mv %s %s.unreadable), and run this again without it", err, j.path(storeName), path.Base(j.path(storeName)))
	}
	if j.before, err = j.old.Root(ctx); err != nil {
		return err
	}
	if j.reserved, err = sequencer.Reserved(j.old); err != nil {
		return err
	}
	return j.openPublished()
}

// openPublished reads the checkpoint that the store says is published.
func (j *job) openPublished() error {
	note, err := sequencer.Published(j.old)
	if note == nil || err != nil {
		return err
	}
	cp, err := j.Policy.OpenLogSigned(note)
	if err != nil {
		return nil // damaged, or of another log: it says nothing
	}
	j.published = backend.Root{Size: cp.Size, Hash: cp.Root}
	j.notes = append(j.notes, note)
	return nil
}

// fill brings the new store up to each checkpoint in turn, from src. An earlier
// run may have begun that. The keys of policy alone decide what a checkpoint is.
// size is where it ends, at last.
func (j *job) fill(ctx context.Context, policy *trust.Policy, src mirror.Source, size uint64, notes ...[]byte) error {
	if err := j.FS.MkdirAll(j.path(j.name), 0o700); err != nil {
		return err
	}
	var err error
	j.copy, err = mirror.Open(ctx, mirror.Config{
		Dir: j.path(j.name), FS: j.FS, Origin: j.Origin, Policy: policy, Now: j.Now, Logger: j.Logger,
	})
	if err != nil {
		return err
	}
	if err := j.room(ctx, size); err != nil {
		return err
	}
	for _, note := range notes {
		if err := j.copy.Sync(ctx, pinned{src, note}, j.Progress); err != nil {
			return j.evident(err)
		}
	}
	return nil
}

// evident says what to do about a mirror that contradicts one used before, or
// whose leaves do, and keeps what proves it.
func (j *job) evident(err error) error {
	e, ok := errors.AsType[*mirror.EvidenceError](err)
	if !ok {
		return err
	}
	if e.Kind == mirror.Rollback {
		return fmt.Errorf("%w: %w: an earlier run was given a newer mirror; use that one, or delete %s", ErrBehind, err, j.path(j.name))
	}
	if len(e.File) > 0 {
		kept, keepErr := j.keep(e)
		err = errors.Join(fmt.Errorf("%w; the proof is %s, for `standing verify`", err, kept), keepErr)
	}
	if e.Kind == mirror.SplitView {
		return fmt.Errorf("%w than the one before, both signed by this log: %w; keep %s", ErrContradiction, err, j.path(j.name))
	}
	return err
}

// keep writes an evidence file.
func (j *job) keep(e *mirror.EvidenceError) (path string, err error) {
	path = j.path(e.Finding.FileName())
	f, err := j.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return path, err
	}
	_, err = f.Write(e.File)
	return path, errors.Join(err, f.Sync(), f.Close())
}

// pinned is a source at one checkpoint.
type pinned struct {
	mirror.Source
	note []byte
}

func (p pinned) Checkpoint(context.Context) ([]byte, error) { return p.note, nil }

// compare holds the new store against the old one.
func (j *job) compare(ctx context.Context) error {
	for _, r := range []backend.Root{j.reserved, j.published, j.before} {
		if r.Size == 0 {
			continue
		}
		got, err := j.copy.RootAt(ctx, r.Size)
		if err != nil {
			return err
		}
		if got != r.Hash {
			return fmt.Errorf("%w than the store: of the first %d leaves the store says root %x, the mirror has %x%s; keep both, %s and %s",
				ErrContradiction, r.Size, r.Hash, got, j.difference(ctx, r.Size), j.path(storeName), j.path(j.name))
		}
	}
	return nil
}

// difference names the first leaf that the two stores do not have in common.
func (j *job) difference(ctx context.Context, size uint64) string {
	for next := uint64(0); next < min(size, j.before.Size); {
		a, err := j.old.Leaves(ctx, next, 256)
		if err != nil {
			return fmt.Sprintf("; leaf %d of the store cannot be read: %v", next, err)
		}
		b, err := j.copy.Leaves(ctx, next, uint64(len(a)))
		if err != nil {
			return ""
		}
		for i := range min(len(a), len(b)) {
			if string(a[i]) != string(b[i]) {
				return fmt.Sprintf("; leaf %d is the first that differs", next+uint64(i))
			}
		}
		next += uint64(min(len(a), len(b)))
	}
	return ""
}
