package mirror_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/trust"
)

// static serves any leaves under any checkpoint: what a log would never do. It
// is a mirror.Source.
type static struct {
	*testnode.Node // whose keys sign
	tb             testing.TB
	leaves         [][]byte
	stored         []tlog.Hash
	size           int // of the checkpoint shown
	unix           int64
	cosigners      int
	// tamper changes a tile, unless nil; an error is returned for nil.
	tamper func(t tlog.Tile, data []byte) []byte
}

func newStatic(tb testing.TB, n *testnode.Node) *static {
	return &static{Node: n, tb: tb, unix: int64(n.Unix()), cosigners: 1}
}

// add appends leaves, and shows all there are.
func (s *static) add(leaves ...[]byte) {
	s.tb.Helper()
	for _, leaf := range leaves {
		h, err := tlog.StoredHashes(int64(len(s.leaves)), leaf, tlog.HashReaderFunc(s.hashes))
		if err != nil {
			s.tb.Fatal(err)
		}
		s.leaves, s.stored = append(s.leaves, leaf), append(s.stored, h...)
	}
	s.size = len(s.leaves)
}

func (s *static) hashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = s.stored[x]
	}
	return out, nil
}

func (s *static) root(size int) [32]byte {
	h, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(s.hashes))
	if err != nil {
		s.tb.Fatal(err)
	}
	return h
}

func (s *static) Checkpoint(context.Context) ([]byte, error) {
	return s.Sign(trust.Body{Origin: s.Origin, Size: uint64(s.size), Root: s.root(s.size)}, s.cosigners, s.unix), nil
}

func (s *static) Tile(_ context.Context, t tlog.Tile) ([]byte, error) {
	var data []byte
	var err error
	if t.L < 0 {
		for _, leaf := range s.leaves[t.N*256 : t.N*256+int64(t.W)] {
			if data, err = torchwood.AppendTileEntry(data, leaf); err != nil {
				return nil, err
			}
		}
	} else {
		data, err = tlog.ReadTileData(t, tlog.HashReaderFunc(s.hashes))
	}
	if s.tamper != nil && err == nil {
		if data = s.tamper(t, bytes.Clone(data)); data == nil {
			err = fmt.Errorf("tile %s: %w", torchwood.TilePath(t), errCut)
		}
	}
	return data, err
}

// sync syncs m with s.
func (s *static) sync(m *mirror.Mirror) error { return m.Sync(s.tb.Context(), s, nil) }

// leavesOf returns the leaves of a node's log.
func leavesOf(tb testing.TB, n *testnode.Node) (out [][]byte) {
	tb.Helper()
	root, err := n.Backend.Root(tb.Context())
	for err == nil && uint64(len(out)) < root.Size {
		var more [][]byte
		more, err = n.Backend.Leaves(tb.Context(), uint64(len(out)), root.Size)
		out = append(out, more...)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

type tlogTile = tlog.Tile

// hostile serves what it likes where it has nothing.
type hostile struct{ *static }

func (h hostile) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if t.L >= 0 && (t.N*256+int64(t.W))<<(8*t.L) > int64(len(h.leaves)) || t.L < 0 && t.N*256+int64(t.W) > int64(len(h.leaves)) {
		return make([]byte, 32*t.W), nil
	}
	return h.static.Tile(ctx, t)
}
