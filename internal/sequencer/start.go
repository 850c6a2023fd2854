package sequencer

import (
	"context"
	"fmt"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

// Open checks the store against what was signed and returns a Sequencer that
// is ready to Run. It signs what an earlier run appended and could not sign.
//
// The four cases of a start:
//
//   - the tree is what was reserved last: it is signed again, which says nothing
//     new;
//   - the tree extends it: a crash came between append and reserve; the tree
//     ends in a live seal that fits the stored map, so it is reserved and signed.
//     Whatever goes on from this state has the same root at this size, so that
//     no other run of this store can have signed another one;
//   - the tree is smaller, or another one: refused, naming what differs;
//   - the tree does not end in a live seal: refused. The embedded backend
//     appends a batch whole or not at all, so no crash leaves such a tree.
func Open(ctx context.Context, cfg Config) (*Sequencer, error) {
	s := newSequencer(cfg)
	root, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.loadShortcut(); err != nil {
		return nil, err
	}
	s.cfg.Metrics.of.Store(s)
	return s, s.sign(ctx, root, s.lastSeal.sealedAt)
}

// Check checks what Open checks, signs nothing, and returns the tree.
func Check(ctx context.Context, cfg Config) (backend.Root, error) { return newSequencer(cfg).load(ctx) }

// load checks the store, and returns its tree.
func (s *Sequencer) load(ctx context.Context) (backend.Root, error) {
	root, err := s.cfg.Backend.Root(ctx)
	if err != nil {
		return root, fmt.Errorf("reading the tree: %w", err)
	}
	if root.Size == 0 {
		return root, fmt.Errorf("the store holds no log: run `standingd init` first")
	}
	if err := s.checkReserved(ctx, root); err != nil {
		return root, err
	}
	if err := s.checkTree(ctx, root); err != nil {
		return root, err
	}
	return root, s.loadPublished(ctx, root)
}

// loadShortcut finds the version of the shortcut.
func (s *Sequencer) loadShortcut() (err error) {
	view := s.cfg.Backend.View()
	defer view.Close()
	s.shortcut, err = mapstore.ShortcutVersion(view)
	return err
}

// checkReserved checks that the tree extends the one reserved last.
func (s *Sequencer) checkReserved(ctx context.Context, root backend.Root) error {
	var err error
	if s.reserved, err = Reserved(s.cfg.Backend); err != nil || s.reserved.Size == 0 {
		return err
	}
	return s.extends(ctx, trust.Body{Size: s.reserved.Size, Root: s.reserved.Hash}, root)
}

// extends checks that the tree extends an older one that was signed.
func (s *Sequencer) extends(ctx context.Context, old trust.Body, root backend.Root) error {
	if old.Size > root.Size {
		return damaged("size %d was signed and the store holds only %d leaves: it was restored in part, or is damaged; recover it from a mirror", old.Size, root.Size)
	}
	path, err := s.cfg.Backend.ConsistencyProof(ctx, old.Size, root.Size)
	if err != nil {
		return err
	}
	hashes := make([][]byte, len(path))
	for i := range path {
		hashes[i] = path[i][:]
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, root.Size, hashes, old.Root[:], root.Hash[:]); err != nil {
		return damaged("the tree of size %d does not extend the one signed at size %d; recover it from a mirror: %w", root.Size, old.Size, err)
	}
	return nil
}

// checkTree loads the compact range and checks that the tree ends in a live
// seal which the stored map fits.
func (s *Sequencer) checkTree(ctx context.Context, root backend.Root) error {
	prefix, err := s.loadRange(ctx, root.Size-1)
	if err != nil {
		return err
	}
	prefixRoot, err := treehash.Root(prefix)
	if err != nil {
		return err
	}
	last, err := s.cfg.Backend.Leaves(ctx, root.Size-1, 1)
	if err != nil {
		return err
	}
	live, ok := seal.Live(last[0], s.cfg.Origin, root.Size-1, prefixRoot)
	if !ok {
		return damaged("leaf %d, the last one, is not a live seal of %s; or the store is another log's", root.Size-1, s.cfg.Origin)
	}
	if s.tree, err = extend(prefix, []Hash{treehash.Leaf(last[0])}); err != nil {
		return err
	}
	if got, err := treehash.Root(s.tree); err != nil || got != root.Hash {
		return damaged("the stored nodes give root %x at size %d, the stored root is %x: %v", got, root.Size, root.Hash, err)
	}
	s.lastSeal = lastSeal{live.Index, live.SealedAt, true}
	if err := s.loadSealed(ctx, live); err != nil {
		return err
	}
	return s.checkSealed(live)
}

// loadSealed walks from seal to seal to the sizes that stay provable.
func (s *Sequencer) loadSealed(ctx context.Context, last *seal.Seal) error {
	s.sealed = []uint64{last.Index + 1}
	for prev := last.Prev; prev != nil && len(s.sealed) < keptVersions; {
		leaf, err := s.cfg.Backend.Leaves(ctx, *prev, 1)
		if err != nil {
			return fmt.Errorf("reading seal %d: %w", *prev, err)
		}
		older, err := seal.Parse(leaf[0])
		if err != nil || older.Index != *prev {
			return damaged("leaf %d is not the seal that a later one names: %v", *prev, err)
		}
		s.sealed = append(s.sealed, older.Index+1)
		prev = older.Prev
	}
	slices.Reverse(s.sealed)
	return nil
}

// loadRange reads the compact range of the first size leaves.
func (s *Sequencer) loadRange(ctx context.Context, size uint64) (*compact.Range, error) {
	var peaks []Hash
	for _, id := range compact.RangeNodes(0, size, nil) {
		h, err := s.cfg.Backend.Hashes(ctx, id.Level, id.Index, 1)
		if err != nil {
			return nil, fmt.Errorf("reading node %v: %w", id, err)
		}
		peaks = append(peaks, h[0])
	}
	return treehash.Range(size, peaks)
}

// loadPublished finds the size published last.
func (s *Sequencer) loadPublished(ctx context.Context, root backend.Root) error {
	cp, err := Published(s.cfg.Backend)
	if err != nil {
		return err
	}
	if cp == nil {
		return nil
	}
	published, err := s.cfg.Policy.OpenLogSigned(cp)
	if err != nil {
		return damaged("the published checkpoint: %w", err)
	}
	if err := s.extends(ctx, published.Body, root); err != nil {
		return fmt.Errorf("the published checkpoint: %w", err)
	}
	s.published.Store(published.Size)
	// The trust file may have changed since; then nothing is known until a
	// quorum by the new one has answered.
	if cp, err := s.cfg.Policy.Open(cp, s.cfg.Now()); err == nil {
		s.cfg.Metrics.opened(cp)
	}
	return nil
}
