package mapstore

import (
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
)

// tileHeight is that of C2SP tlog-tiles: the nodes of every eighth level are
// stored, so that a tile of any level is one scan.
const tileHeight = 8

// withdraw returns the withdrawal list with records appended, and the writes
// that store them and the nodes which they complete: one for 256 records.
func (l list) withdraw(records [][]byte) (list, []backend.Write, error) {
	var writes []backend.Write
	for i, r := range records {
		writes = append(writes, backend.Write{Key: withdrawalKey(l.count + uint64(i)), Value: r})
	}
	next, err := l.growVisited(func(id compact.NodeID, hash []byte) {
		if id.Level > 0 && id.Level%tileHeight == 0 {
			writes = append(writes, backend.Write{Key: nodeKey(int(id.Level/tileHeight), id.Index), Value: hash})
		}
	}, records...)
	return next, writes, err
}

// Withdrawals returns up to n records of the withdrawal list, from first on,
// as far as the list goes at this version, checked against its root.
func (s *Snapshot) Withdrawals(first, n uint64) ([]mapfn.Withdrawal, error) {
	if first >= s.meta.list.count {
		return nil, nil
	}
	n = min(n, s.meta.list.count-first)
	hashes, err := s.WithdrawalHashes(0, first, n)
	if err != nil {
		return nil, err
	}
	raw, err := s.numbered(withdrawalKey(first), n)
	if err != nil {
		return nil, fmt.Errorf("withdrawal list: %w", err)
	}
	out := make([]mapfn.Withdrawal, n)
	for i := range raw {
		if Hash(rfc6962.DefaultHasher.HashLeaf(raw[i])) != hashes[i] {
			return nil, fmt.Errorf("%w: withdrawal %d is not the one in the list", ErrCorrupt, first+uint64(i))
		}
		if out[i], err = mapfn.ParseWithdrawal(raw[i]); err != nil {
			return nil, fmt.Errorf("%w: withdrawal %d: %v", ErrCorrupt, first+uint64(i), err)
		}
	}
	return out, nil
}

// WithdrawalHashes returns the hashes of the n perfect subtrees of the
// withdrawal list of height level, a multiple of 8, from the first-th on. They
// have been checked against the list's root, for which the tiles on their way
// up and along the right edge are read. All of them MUST be complete at this
// version.
func (s *Snapshot) WithdrawalHashes(level uint, first, n uint64) ([]Hash, error) {
	if n == 0 {
		return nil, nil
	}
	if complete := s.meta.list.count >> level; level%tileHeight != 0 || first > complete || n > complete-first {
		return nil, fmt.Errorf("%w: %d withdrawal hashes of height %d from %d on, of %d records",
			backend.ErrOutOfRange, n, level, first, s.meta.list.count)
	}
	root, err := s.meta.list.root()
	if err != nil {
		return nil, err
	}
	indexes := make([]int64, n)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(int(level), int64(first)+int64(i))
	}
	tiles := &storedTiles{Snapshot: s}
	got, err := tlog.TileHashReader(tlog.Tree{N: int64(s.meta.list.count), Hash: tlog.Hash(root)}, tiles).ReadHashes(indexes)
	if err != nil {
		// What is read in full and does not hash to the root is corrupt.
		if tiles.err == nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, err)
		}
		return nil, fmt.Errorf("tiles of the withdrawal list: %w", err)
	}
	out := make([]Hash, n)
	for i := range got {
		out[i] = Hash(got[i])
	}
	return out, nil
}

// storedTiles reads tiles of the withdrawal list, unverified: it is a
// tlog.TileReader. Level 0 is hashed out of the records.
type storedTiles struct {
	*Snapshot
	err error // why a tile could not be read
}

func (t *storedTiles) Height() int                     { return tileHeight }
func (t *storedTiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t *storedTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		if out[i], t.err = t.read(tile.L, uint64(tile.N)<<tileHeight, uint64(tile.W)); t.err != nil {
			return nil, t.err
		}
	}
	return out, nil
}

func (t *storedTiles) read(level int, first, n uint64) ([]byte, error) {
	key := nodeKey(level, first)
	if level == 0 {
		key = withdrawalKey(first)
	}
	values, err := t.numbered(key, n)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, n*32)
	for _, v := range values {
		if level == 0 {
			v = rfc6962.DefaultHasher.HashLeaf(v)
		}
		data = append(data, v...)
	}
	if len(data) != int(n)*32 {
		return nil, fmt.Errorf("%w: a node of level %d, from %d on, is not a hash", ErrCorrupt, level, first)
	}
	return data, nil
}

// checkWithdrawals reads the whole list and all stored nodes, a good many at a
// time.
func (s *Snapshot) checkWithdrawals(ctx context.Context) error {
	const many = 1 << 16
	for level := uint(0); s.meta.list.count>>level > 0; level += tileHeight {
		nodes := s.meta.list.count >> level
		for first := uint64(0); first < nodes && ctx.Err() == nil; first += many {
			var err error
			if n := min(many, nodes-first); level == 0 {
				_, err = s.Withdrawals(first, n)
			} else {
				_, err = s.WithdrawalHashes(level, first, n)
			}
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
