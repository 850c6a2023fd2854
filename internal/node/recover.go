package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/recovery"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// checkStore refuses a node whose store is gone: an empty one made in its place
// would begin the log anew.
func checkStore(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, storeDir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: there is no %s: put it back, or run `standingd recover --dir %s --from MIRROR`", backend.ErrDamaged, filepath.Join(dir, storeDir), dir)
}

// Recover makes the store of the node in dir again, from a mirror: an URL under
// which its tiles lie, or a directory with such tiles. The node must not be
// running. It goes on without the cosigners named, and fails with the errors of
// package recovery. starts, which may be nil, is told what it will take.
func Recover(ctx context.Context, dir, from string, without []string, log *slog.Logger, starts func(recovery.Room), progress func(done, size uint64)) (*recovery.Result, error) {
	src, err := openMirror(from)
	if err != nil {
		return nil, &SetupError{err}
	}
	return offline(ctx, dir, log, starts, progress, func(n *Node, cfg recovery.Config) (*recovery.Result, error) {
		clients, err := n.cosigners(cfg.Policy)
		if err != nil {
			return nil, &SetupError{err}
		}
		r := recovery.Request{From: src, Without: without}
		for _, c := range clients {
			r.Cosigners = append(r.Cosigners, c)
		}
		return recovery.Recover(ctx, cfg, r)
	})
}

// Rebuild makes the store of the node in dir again, from its own leaves. The
// node must not be running.
func Rebuild(ctx context.Context, dir string, log *slog.Logger, starts func(recovery.Room), progress func(done, size uint64)) (*recovery.Result, error) {
	return offline(ctx, dir, log, starts, progress, func(_ *Node, cfg recovery.Config) (*recovery.Result, error) {
		return recovery.Rebuild(ctx, cfg)
	})
}

// offline makes a new store for a node whose witness it holds open, so that the
// node cannot start meanwhile. Every leaf of the new store was read: what was
// found damaged before is no concern any more.
func offline(ctx context.Context, dir string, log *slog.Logger, starts func(recovery.Room), progress func(done, size uint64), make func(*Node, recovery.Config) (*recovery.Result, error)) (res *recovery.Result, err error) {
	n, policy, err := openKeys(dir, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	res, err = make(n, recovery.Config{
		Dir: dir, Origin: n.cfg.Origin, Policy: policy, Starts: starts, Progress: progress, Now: time.Now, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return res, clearDamaged(dir)
}

// openKeys opens all of a node but its store.
func openKeys(dir string, log *slog.Logger) (n *Node, policy *trust.Policy, err error) {
	cfg, err := ReadConfig(dir)
	if err != nil {
		return nil, nil, &SetupError{err}
	}
	if cfg.Origin == "" {
		return nil, nil, &SetupError{fmt.Errorf("%s holds a witness and no log", dir)}
	}
	signers, vkeys, err := readSigners(dir)
	if err != nil {
		return nil, nil, &SetupError{err}
	}
	if policy, _, err = fullPolicy(dir, cfg.Origin, vkeys); err != nil {
		return nil, nil, &SetupError{err}
	}
	if err := checkSigners(signers, cfg.Origin, policy); err != nil {
		return nil, nil, &SetupError{err}
	}
	n = &Node{cfg: cfg, log: log, statfs: statfs}
	if err := n.openWitness(dir, vkeys, metric.New(nil)); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w; stop the node first", err), n.Close())
	}
	return n, policy, nil
}

// openMirror returns the copy of a log under an URL or in a directory.
func openMirror(from string) (mirror.Source, error) {
	if strings.Contains(from, "://") {
		return client.New(from, client.Config{})
	}
	return client.NewDir(from)
}
