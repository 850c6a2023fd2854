// Package export writes a log as a tree of files that any file server can serve
// as C2SP tlog-tiles (https://c2sp.org/tlog-tiles), and any client can read:
//
//	checkpoint                               the newest published one, cosigned
//	tile/<L>/<N>[.p/<W>]                     hashes of the log
//	tile/entries/<N>[.p/<W>]                 entry bundles
//	withdrawals/tile/…                       the withdrawal list, in the same form
//	trust.policy                             what readers need; it proves nothing
//
// # Invariants
//
//   - Nothing is written that does not follow from the root of a checkpoint with
//     its quorum, and the withdrawal list from the live seal in which that ends.
//   - The checkpoint is written last, so that whoever reads meanwhile, or after a
//     crash, finds all of the tree that the checkpoint there speaks of. Every
//     file is replaced whole.
//   - A later export into the same directory writes what is new, and only if the
//     tree extends the one there.
//   - Partial tiles of the tree before stay until the full one is there and the
//     checkpoint that needed them is replaced.
package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// Errors of Write, besides those of trust.Policy.Open and of the Source.
var (
	// ErrTiles means that what was read does not belong to the checkpoint.
	ErrTiles = errors.New("what was read does not belong to the checkpoint")
	// ErrOther means that the directory holds a tree which the log does not
	// extend: another log's, or a larger or another one of this.
	ErrOther = errors.New("the directory holds another tree")
)

// Tiles is where tiles are read. A *client.Client is one.
type Tiles interface {
	Tile(ctx context.Context, t tlog.Tile) ([]byte, error)
}

// Config is what to export, and where.
type Config struct {
	// Out is the directory; it is created.
	Out string
	// Checkpoint is the newest published one. Policy opens it.
	Checkpoint []byte
	Policy     *trust.Policy
	Now        time.Time
	// Log and Withdrawals are where the two lists are read.
	Log, Withdrawals Tiles
	// TrustFile is written as it is.
	TrustFile []byte
	// Progress is told how many leaves are written, of how many.
	Progress func(done, size uint64)
}

// Result is what is there now.
type Result struct {
	Origin      string
	Size        uint64
	New         uint64 // leaves written by this call
	Withdrawals uint64
}

// The files that are not tiles.
const (
	checkpointFile = "checkpoint"
	trustFile      = "trust.policy"
	withdrawalsDir = "withdrawals"
)

// Write exports the log.
func Write(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Progress == nil {
		cfg.Progress = func(done, size uint64) {}
	}
	cp, err := cfg.Policy.Open(cfg.Checkpoint, cfg.Now)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	log := newList(ctx, cfg.Log, cfg.Out, cp.Size, cp.Root)
	last, err := log.seal(cp.Origin, cp.Size)
	if err != nil {
		return nil, err
	}
	withdrawals := newList(ctx, cfg.Withdrawals, filepath.Join(cfg.Out, withdrawalsDir), last.Withdrawals, last.WithdrawalRoot)
	before, withdrawn, err := cfg.before(cp, log, withdrawals)
	if err != nil {
		return nil, err
	}
	if err := log.write(before, cfg.Progress); err != nil {
		return nil, err
	}
	if err := withdrawals.write(withdrawn, func(_, _ uint64) {}); err != nil {
		return nil, fmt.Errorf("withdrawal list: %w", err)
	}
	if err := keyfile.WriteFile(filepath.Join(cfg.Out, trustFile), cfg.TrustFile, 0o644); err != nil {
		return nil, err
	}
	// Crash before this: the checkpoint there is the one before, and its tree is
	// there. The next call writes the same files again.
	if err := keyfile.WriteFile(filepath.Join(cfg.Out, checkpointFile), cfg.Checkpoint, 0o644); err != nil {
		return nil, err
	}
	err = errors.Join(log.tidy(before), withdrawals.tidy(withdrawn))
	return &Result{cp.Origin, cp.Size, cp.Size - before, last.Withdrawals}, err
}

// before returns the sizes of the two lists that are there already.
func (cfg *Config) before(cp *trust.Checkpoint, log, withdrawals *list) (size, withdrawn uint64, err error) {
	note, err := os.ReadFile(filepath.Join(cfg.Out, checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	old, err := cfg.Policy.OpenLogSigned(note)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: its checkpoint: %w", ErrOther, err)
	}
	if old.Origin != cp.Origin || old.Size > cp.Size {
		return 0, 0, fmt.Errorf("%w: of %s, at size %d; the log is %s, at size %d", ErrOther, old.Origin, old.Size, cp.Origin, cp.Size)
	}
	root, err := log.rootAt(old.Size)
	if err != nil {
		return 0, 0, err
	}
	if root != old.Root {
		return 0, 0, fmt.Errorf("%w: of the first %d leaves it has root %x, the log has %x; both checkpoints are signed: keep them", ErrOther, old.Size, old.Root, root)
	}
	s, err := log.seal(old.Origin, old.Size)
	if err != nil {
		return 0, 0, err
	}
	if s.Withdrawals > withdrawals.size() {
		return 0, 0, fmt.Errorf("%w: with %d withdrawals", ErrOther, s.Withdrawals)
	}
	return old.Size, s.Withdrawals, nil
}

// seal returns the live seal in which the first size leaves end.
func (l *list) seal(origin string, size uint64) (*seal.Seal, error) {
	if size == 0 {
		return nil, errors.New("the log has no leaves")
	}
	prefix, err := l.rootAt(size - 1)
	if err != nil {
		return nil, err
	}
	leaf, err := l.entry(size - 1)
	if err != nil {
		return nil, err
	}
	s, ok := seal.Live(leaf, origin, size-1, prefix)
	if !ok {
		return nil, fmt.Errorf("%w: leaf %d is not a live seal", ErrTiles, size-1)
	}
	return s, nil
}
