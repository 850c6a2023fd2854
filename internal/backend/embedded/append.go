package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/google/trillian"
	"github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/trees"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded/provider"
)

// maxAppend is the largest number of bytes in one Append, leaves and side
// writes together. Pebble's own limit is a panic at 4 GiB.
const maxAppend = 1 << 30

// Append implements backend.Backend.
func (s *Store) Append(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
	tree, beside, err := checkAppend(leaves, side)
	if err != nil {
		return backend.Root{}, err
	}
	if err := s.enter(ctx); err != nil {
		return backend.Root{}, err
	}
	defer s.leave()
	s.write.Lock()
	defer s.write.Unlock()

	// SPEC: "It MUST fail with ErrConflict, changing nothing, if first is not
	// the size of the tree."
	if size := s.now.root().Size; first != size {
		return backend.Root{}, fmt.Errorf("%w: append at %d, tree size is %d", backend.ErrConflict, first, size)
	}
	want, err := s.staged(tree, tree+beside, func(st *provider.Stage) (backend.Root, error) {
		if err := s.integrate(ctx, st, first, leaves); err != nil {
			return backend.Root{}, err
		}
		for _, w := range side {
			if err := st.SetSide(w.Key, w.Value); err != nil {
				return backend.Root{}, err
			}
		}
		slr, err := st.LatestSignedLogRoot(ctx, s.tree)
		if err != nil {
			return backend.Root{}, err
		}
		root, _, err := parseRoot(slr.LogRoot)
		if err == nil && root.Size != first+uint64(len(leaves)) {
			err = fmt.Errorf("integrated to size %d, want %d", root.Size, first+uint64(len(leaves)))
		}
		return root, err
	})
	if err != nil {
		return backend.Root{}, fmt.Errorf("appending at %d: %w", first, err)
	}
	// The write is durable. If we crash or fail from here on, the caller finds
	// it when it reads the root.
	got, err := s.publish(context.WithoutCancel(ctx))
	if err == nil && got != want {
		err = fmt.Errorf("%w: wrote root %d %x, read %d %x", ErrDamaged, want.Size, want.Hash, got.Size, got.Hash)
	}
	return got, err
}

// What is written besides the leaves and the side values, at most, in bytes: nodes for
// each leaf, the rest of its record, and what Pebble adds to each key and value.
const (
	perNodes = 96
	perLeaf  = 128
	perWrite = 16
)

// checkAppend keeps out what the contract forbids, and estimates the bytes that
// Trillian writes and reads again, and those of all the rest.
func checkAppend(leaves [][]byte, side []backend.Write) (tree, beside int, err error) {
	for i, l := range leaves {
		// SPEC: "Leaves are at most MaxLeaf bytes."
		if len(l) > backend.MaxLeaf {
			return 0, 0, fmt.Errorf("leaf %d of %d: %d bytes: want at most %d", i, len(leaves), len(l), backend.MaxLeaf)
		}
		beside += len(l) + perLeaf
	}
	for _, w := range side {
		// SPEC: "Keys are non-empty."
		if len(w.Key) == 0 {
			return 0, 0, errEmptyKey
		}
		beside += len(w.Key) + len(w.Value) + perWrite
	}
	if beside > maxAppend {
		return 0, 0, fmt.Errorf("append of %d bytes: want at most %d", beside, maxAppend)
	}
	return perNodes * len(leaves), beside, nil
}

var errEmptyKey = errors.New("empty side key")

// staged builds a Stage with f and commits it; nothing remains if f fails. The
// sizes are those of provider.Stage.
func (s *Store) staged(tree, size int, f func(*provider.Stage) (backend.Root, error)) (root backend.Root, err error) {
	st, err := s.p.Stage(tree, size)
	if err != nil {
		return backend.Root{}, err
	}
	defer func() { err = errors.Join(err, st.Discard()) }()
	if root, err = f(st); err != nil {
		return backend.Root{}, err
	}
	return root, st.Commit()
}

// publish shows the world what the last commit left.
func (s *Store) publish(ctx context.Context) (backend.Root, error) {
	pic, err := s.take(ctx)
	if err != nil {
		return backend.Root{}, err
	}
	s.now.hang(pic)
	return pic.root, nil
}

// integrate lets Trillian add the leaves and integrate them, both in the
// stage.
func (s *Store) integrate(ctx context.Context, st *provider.Stage, first uint64, leaves [][]byte) error {
	if len(leaves) == 0 {
		return nil
	}
	ctx = trees.NewContext(ctx, s.tree)
	results, err := s.add(ctx, st, logLeaves(first, leaves))
	if err != nil {
		return fmt.Errorf("adding leaves: %w", err)
	}
	for i, r := range results {
		if c := codes.Code(r.GetStatus().GetCode()); c != codes.OK {
			return fmt.Errorf("adding leaf %d: %v: %s", first+uint64(i), c, r.GetStatus().GetMessage())
		}
	}
	n, err := log.IntegrateBatch(ctx, s.tree, len(leaves), 0, 0, s.clock, st, quota.Noop())
	if err != nil {
		return fmt.Errorf("integrating: %w", err)
	}
	if n != len(leaves) {
		return fmt.Errorf("integrated %d leaves of %d", n, len(leaves))
	}
	return nil
}

// add lets Trillian's server add the leaves. It refuses an empty one, which the
// log of somebody else may have: RFC 6962 knows no such rule, nor does
// Trillian's storage.
func (s *Store) add(ctx context.Context, st *provider.Stage, leaves []*trillian.LogLeaf) ([]*trillian.QueuedLogLeaf, error) {
	if slices.ContainsFunc(leaves, func(l *trillian.LogLeaf) bool { return len(l.LeafValue) == 0 }) {
		for _, l := range leaves {
			l.MerkleLeafHash = rfc6962.DefaultHasher.HashLeaf(l.LeafValue)
		}
		return st.AddSequencedLeaves(ctx, s.tree, leaves, s.clock.Now())
	}
	resp, err := s.server(st).AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: s.tree.TreeId, Leaves: leaves})
	return resp.GetResults(), err
}

// logLeaves wraps leaves for Trillian, which fills in the Merkle leaf hashes.
// The bytes are the caller's still; Trillian and the provider only read them.
func logLeaves(first uint64, leaves [][]byte) []*trillian.LogLeaf {
	out := make([]*trillian.LogLeaf, len(leaves))
	for i, l := range leaves {
		out[i] = &trillian.LogLeaf{
			LeafIndex:        int64(first) + int64(i),
			LeafValue:        l,
			LeafIdentityHash: identity(first + uint64(i)),
		}
	}
	return out
}

// identity returns the leaf identity hash: the index, eight bytes big-endian. Equal
// leaves may follow each other: whether they should is not the store's business.
func identity(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// Swap implements backend.Backend.
func (s *Store) Swap(ctx context.Context, key, old, new []byte) error {
	if len(key) == 0 {
		return errEmptyKey
	}
	if new == nil {
		return errors.New("swapping in nothing")
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.write.Lock()
	defer s.write.Unlock()

	_, err := s.staged(0, len(key)+len(new), func(st *provider.Stage) (backend.Root, error) {
		is, err := st.Side(key)
		if err == nil && ((is == nil) != (old == nil) || !bytes.Equal(is, old)) {
			err = fmt.Errorf("%w: value of %q", backend.ErrConflict, key)
		}
		if err == nil {
			err = st.SetSide(key, new)
		}
		return backend.Root{}, err
	})
	if err != nil {
		return err
	}
	_, err = s.publish(context.WithoutCancel(ctx))
	return err
}
