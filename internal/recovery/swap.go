package recovery

import (
	"context"
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/sequencer"
)

// swap makes the new store, which is complete, the log's store.
func (j *job) swap(ctx context.Context) (*Result, error) {
	res := &Result{Before: j.before}
	had := j.old != nil
	if err := j.close(); err != nil {
		return nil, err
	}
	var err error
	if res.Root, err = j.complete(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", j.path(j.name), err)
	}
	// Crash before this: the store is the old one. The next run finds the new
	// one complete, and comes here again.
	if had {
		res.Aside = j.aside()
		if err := j.FS.Rename(j.path(storeName), res.Aside); err != nil {
			return nil, err
		}
	}
	// Crash here: there is no store, which a start refuses. The next run finds
	// the new one complete.
	return res, j.rename()
}

// rename gives the new store its name.
func (j *job) rename() error {
	if err := j.FS.Rename(j.path(j.name), j.path(storeName)); err != nil {
		return err
	}
	return j.syncDir()
}

// aside returns a name for the old store that nothing has.
func (j *job) aside() string {
	for n := 1; ; n++ {
		if name := fmt.Sprintf("%s%d", asideName, n); !j.exists(name) {
			return j.path(name)
		}
	}
}

func (j *job) syncDir() error {
	d, err := j.FS.OpenDir(j.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// complete turns a mirror into the store of a log: its tree is reserved, so that
// a start signs it again, which says nothing new, and never a smaller one. What
// is published is the newest checkpoint at hand that has its quorum and whose
// state is kept; nothing is, if there is none, until the cosigners have answered.
func (j *job) complete(ctx context.Context) (root backend.Root, err error) {
	store, err := embedded.Open(ctx, embedded.Options{Dir: j.path(j.name), FS: j.FS, Logger: j.Logger, CacheSize: cacheSize})
	if err != nil {
		return root, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if root, err = store.Root(ctx); err != nil {
		return root, err
	}
	_, err = store.Append(ctx, root.Size, nil, []backend.Write{
		sequencer.ReservedWrite(root), sequencer.PublishedWrite(j.newest(store, root)),
	})
	return root, err
}

// newest returns the newest of the checkpoints that can be published, or nil.
func (j *job) newest(store *embedded.Store, root backend.Root) []byte {
	view := store.View()
	defer view.Close()
	for i := len(j.notes) - 1; i >= 0; i-- {
		cp, err := j.Policy.Open(j.notes[i], j.Now())
		if err != nil || !cp.Witnessed || cp.Size > root.Size {
			continue
		}
		if _, err := mapstore.OpenAt(view, nil, cp.Size); err == nil {
			return j.notes[i]
		}
	}
	return nil
}
