package recovery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/trust"
)

// ErrNoStore means that there is nothing to rebuild from.
var ErrNoStore = errors.New("there is no store")

// Rebuild makes the store from its own leaves: map, lists and indexes are
// computed again, and have to come to what every seal says. It fails with
// backend.ErrDamaged, or a *replay.FalseSealError, if they do not.
func Rebuild(ctx context.Context, cfg Config) (res *Result, err error) {
	j, err := begin(ctx, cfg, rebuildingName)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	if j.old == nil && j.exists(j.name) {
		return j.resume(ctx)
	}
	if j.old == nil || j.before.Size == 0 {
		return nil, fmt.Errorf("%w with leaves in %s: recover it from a mirror", ErrNoStore, j.path(storeName))
	}
	if most := max(j.reserved.Size, j.published.Size); most > j.before.Size {
		return nil, fmt.Errorf("%w: size %d was signed, and %s holds %d leaves: recover it from a mirror", backend.ErrDamaged, most, j.path(storeName), j.before.Size)
	}
	src := leaves{tiles.Leaves{Backend: j.old, Signed: func() backend.Root { return j.before }}}
	key, err := newKey(cfg.Origin)
	if err != nil {
		return nil, err
	}
	notes, err := j.targets(key)
	if err != nil {
		return nil, err
	}
	if err := j.fill(ctx, key.policy, src, j.before.Size, notes...); err != nil {
		return nil, err
	}
	if err := j.compare(ctx); err != nil {
		return nil, err
	}
	return j.swap(ctx)
}

// resume goes on where the old store was set aside, and the new one has not its
// name yet.
func (j *job) resume(ctx context.Context) (res *Result, err error) {
	store, err := embedded.Open(ctx, embedded.Options{Dir: j.path(j.name), FS: j.FS, Logger: j.Logger, CacheSize: cacheSize})
	if err != nil {
		return nil, err
	}
	root, err := store.Root(ctx)
	reserved, err2 := sequencer.Reserved(store)
	if err := errors.Join(err, err2, store.Close()); err != nil {
		return nil, err
	}
	if root.Size == 0 || reserved != root {
		return nil, fmt.Errorf("%w: %s is not complete: put the store back", ErrNoStore, j.path(j.name))
	}
	return &Result{Root: root}, j.rename()
}

// targets returns a checkpoint of what is published, so that its state is kept,
// and one of all there is.
func (j *job) targets(key *ownKey) (notes [][]byte, err error) {
	trees := []backend.Root{j.before}
	if p := j.published; p.Size > 0 && p.Size < j.before.Size {
		trees = []backend.Root{p, j.before}
	}
	for _, r := range trees {
		n, err := key.sign(trust.Body{Origin: j.Origin, Size: r.Size, Root: r.Hash})
		if err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	return notes, nil
}

// ownKey is made for one run, and signs what package mirror wants signed. The
// log's own key signs nothing here: not all leaves may have been reserved.
type ownKey struct {
	signer note.Signer
	policy *trust.Policy
}

func newKey(origin string) (*ownKey, error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	policy, err := trust.Parse([]byte("log " + vkey + "\nquorum none\n"))
	return &ownKey{signer, policy}, err
}

func (k *ownKey) sign(b trust.Body) ([]byte, error) {
	return note.Sign(&note.Note{Text: b.String()}, k.signer)
}

// leaves is a mirror.Source of what a store holds.
type leaves struct{ list tiles.Leaves }

// Checkpoint is never called: see pinned.
func (leaves) Checkpoint(context.Context) ([]byte, error) { return nil, errors.ErrUnsupported }

func (l leaves) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	return tiles.Read(ctx, l.list, t)
}
