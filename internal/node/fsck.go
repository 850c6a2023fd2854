package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
)

// Fsck checks the store of the node in dir, which must not be running: every
// leaf, the tree, every seal, and the stored map. It fails with the first bad
// thing; if there is none, the log may start again that has stopped because of
// one. progress is called with leaves done and in all.
func Fsck(ctx context.Context, dir string, log *slog.Logger, progress func(done, size uint64)) (origin string, l *replay.Log, err error) {
	origin, err = withStore(ctx, dir, log, func(origin string, store *embedded.Store, root backend.Root) error {
		src := replay.Store{Backend: store}
		index := sequencer.NewIndex()
		var err error
		l, err = replay.Fsck(ctx, src, origin, root.Size, root.Hash, func(l *replay.Log, out replay.Outcome) {
			progress(l.Size(), root.Size)
			switch {
			case out.Seal != nil:
				if root, err := l.Root(); err == nil {
					index.Seal(out.Seal, root)
				}
			case out.Ignored == nil:
				index.Entry(out.Entry, l.Size()-1)
			}
		})
		if err == nil {
			err = checkRest(ctx, dir, origin, store, l, index)
		}
		if err == nil {
			err = clearDamaged(dir)
		}
		return err
	})
	return origin, l, err
}

// FsckOracle checks the leaves, the tree and every seal of the same store with
// the second implementation, package altreader. It does not look at what the
// store keeps besides.
func FsckOracle(ctx context.Context, dir string, log *slog.Logger, progress func(done, size uint64)) (origin string, l *altreader.Log, err error) {
	origin, err = withStore(ctx, dir, log, func(origin string, store *embedded.Store, root backend.Root) error {
		leaves := replay.Store{Backend: store}.Leaves(ctx, root.Size)
		var err error
		l, err = altreader.Fsck(ctx, leaves, origin, root.Size, root.Hash, func(done uint64) { progress(done, root.Size) })
		return err
	})
	return origin, l, err
}

// FsckHashes checks that the leaves of the same store are there, byte for byte,
// and returns how many.
func FsckHashes(ctx context.Context, dir string, log *slog.Logger, progress func(done, size uint64)) (origin string, size uint64, err error) {
	origin, err = withStore(ctx, dir, log, func(origin string, store *embedded.Store, root backend.Root) error {
		size = root.Size
		return replay.Hashes(ctx, replay.Store{Backend: store}, origin, root.Size, root.Hash, func(done uint64) { progress(done, root.Size) })
	})
	return origin, size, err
}

// withStore opens the store of the node in dir, and makes none. The origin is "" if
// there is no such node.
func withStore(ctx context.Context, dir string, log *slog.Logger, check func(origin string, store *embedded.Store, root backend.Root) error) (origin string, err error) {
	cfg, err := ReadConfig(dir)
	if err != nil {
		return "", err
	}
	if err := checkStore(dir); err != nil {
		return cfg.Origin, err
	}
	store, err := embedded.Open(ctx, embedded.Options{Dir: filepath.Join(dir, storeDir), Logger: log})
	if errors.Is(err, embedded.ErrInUse) {
		return cfg.Origin, fmt.Errorf("%w: check the running node by its URL, or stop it first", err)
	}
	if err != nil {
		return cfg.Origin, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	root, err := store.Root(ctx)
	if err != nil {
		return cfg.Origin, err
	}
	return cfg.Origin, check(cfg.Origin, store, root)
}

// checkRest checks what the store keeps besides the leaves, which are right.
func checkRest(ctx context.Context, dir, origin string, store *embedded.Store, l *replay.Log, index *sequencer.Index) error {
	src := replay.Store{Backend: store}
	if err := src.CheckNodes(ctx, l.Size()); err != nil {
		return err
	}
	if err := src.CheckMap(ctx, l); err != nil {
		return err
	}
	vkeys, err := readVkeys(dir)
	if err != nil {
		return err
	}
	policy, _, err := fullPolicy(dir, origin, vkeys)
	if err != nil {
		return err
	}
	if err := index.Check(store, policy); err != nil {
		return err
	}
	return store.Check(ctx)
}
