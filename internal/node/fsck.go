package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/replay"
)

// Fsck checks the store of the node in dir, which must not be running: every
// leaf, the tree, every seal, and the stored map. It fails with the first bad
// thing; if there is none, the log may start again that has stopped because of
// one. progress is called with leaves done and in all.
func Fsck(ctx context.Context, dir string, log *slog.Logger, progress func(done, size uint64)) (origin string, l *replay.Log, err error) {
	cfg, err := ReadConfig(dir)
	if err != nil {
		return "", nil, err
	}
	store, err := embedded.Open(ctx, embedded.Options{Dir: filepath.Join(dir, storeDir), Logger: log})
	if errors.Is(err, embedded.ErrInUse) {
		return cfg.Origin, nil, fmt.Errorf("%w: check the running node by its URL, or stop it first", err)
	}
	if err != nil {
		return cfg.Origin, nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	root, err := store.Root(ctx)
	if err != nil {
		return cfg.Origin, nil, err
	}
	src := replay.Store{Backend: store}
	l, err = replay.Fsck(ctx, src, cfg.Origin, root.Size, root.Hash, func(done uint64) { progress(done, root.Size) })
	if err != nil {
		return cfg.Origin, l, err
	}
	if err := src.CheckMap(ctx, l); err != nil {
		return cfg.Origin, l, err
	}
	return cfg.Origin, l, clearDamaged(dir)
}
