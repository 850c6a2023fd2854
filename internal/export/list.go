package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/keyfile"
)

const width = torchwood.TileWidth

// list is one of the two lists, read under its root. It is a tlog.TileReader.
type list struct {
	ctx  context.Context // of the one call that uses it
	src  Tiles
	dir  string // holds tile/
	tree tlog.Tree
	// known are tiles that follow from the root: those above the lowest, which
	// are few, and the lowest one read last.
	known  map[tlog.Tile][]byte
	lowest tlog.Tile
	err    error // why a tile could not be read
}

func newList(ctx context.Context, src Tiles, dir string, size uint64, root [32]byte) *list {
	return &list{ctx: ctx, src: src, dir: dir, tree: tlog.Tree{N: int64(size), Hash: root}, known: map[tlog.Tile][]byte{}}
}

func (l *list) size() uint64 { return uint64(l.tree.N) }

func (l *list) Height() int { return torchwood.TileHeight }

func (l *list) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		if out[i] = l.known[t]; out[i] != nil {
			continue
		}
		data, err := l.src.Tile(l.ctx, t)
		if err == nil && len(data) != t.W*tlog.HashSize {
			err = fmt.Errorf("%w: tile %s has %d bytes", ErrTiles, torchwood.TilePath(t), len(data))
		}
		if err != nil {
			l.err = err
			return nil, err
		}
		out[i] = data
	}
	return out, nil
}

func (l *list) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, t := range tiles {
		if t.L == 0 && t != l.lowest {
			delete(l.known, l.lowest)
			l.lowest = t
		}
		l.known[t] = data[i]
	}
}

// hashes reads nodes that follow from the root.
func (l *list) hashes(indexes []int64) ([]tlog.Hash, error) {
	l.err = nil
	hashes, err := tlog.TileHashReader(l.tree, l).ReadHashes(indexes)
	if l.err != nil {
		return nil, l.err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTiles, err)
	}
	return hashes, nil
}

// rootAt returns the root of the first size entries.
func (l *list) rootAt(size uint64) ([32]byte, error) {
	switch size {
	case 0:
		return [32]byte(rfc6962.DefaultHasher.EmptyRoot()), nil
	case l.size():
		return l.tree.Hash, nil
	}
	return tlog.TreeHash(int64(size), tlog.HashReaderFunc(l.hashes))
}

// bundle returns the n-th entry bundle, as it is and as entries, each of which
// is under the root.
func (l *list) bundle(n uint64) (data []byte, entries [][]byte, err error) {
	t := tlog.Tile{H: torchwood.TileHeight, L: -1, N: int64(n), W: int(min(width, l.size()-n*width))}
	if data, err = l.src.Tile(l.ctx, t); err != nil {
		return nil, nil, err
	}
	indexes := make([]int64, t.W)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, t.N*width+int64(i))
	}
	hashes, err := l.hashes(indexes)
	if err != nil {
		return nil, nil, err
	}
	rest := data
	for i := range hashes {
		var entry []byte
		if entry, rest, err = torchwood.ReadTileEntry(rest); err != nil {
			return nil, nil, fmt.Errorf("%w: %s: %w", ErrTiles, torchwood.TilePath(t), err)
		}
		if tlog.RecordHash(entry) != hashes[i] {
			return nil, nil, fmt.Errorf("%w: entry %d", ErrTiles, n*width+uint64(i))
		}
		entries = append(entries, entry)
	}
	if len(rest) > 0 {
		return nil, nil, fmt.Errorf("%w: %s is too long", ErrTiles, torchwood.TilePath(t))
	}
	return data, entries, nil
}

func (l *list) entry(index uint64) ([]byte, error) {
	_, entries, err := l.bundle(index / width)
	if err != nil {
		return nil, err
	}
	return entries[index%width], nil
}

// write writes all tiles that a list of the size before has not.
func (l *list) write(before uint64, progress func(done, size uint64)) error {
	if before == l.size() {
		return nil
	}
	for n := before / width; n*width < l.size(); n++ {
		data, entries, err := l.bundle(n)
		if err != nil {
			return err
		}
		if err := l.put(tlog.Tile{H: torchwood.TileHeight, L: -1, N: int64(n), W: len(entries)}, data); err != nil {
			return err
		}
		progress(n*width+uint64(len(entries)), l.size())
	}
	for _, t := range tlog.NewTiles(torchwood.TileHeight, int64(before), l.tree.N) {
		data, err := tlog.ReadTileData(t, tlog.HashReaderFunc(l.hashes))
		if err != nil {
			return err
		}
		if err := l.put(t, data); err != nil {
			return err
		}
	}
	return nil
}

func (l *list) put(t tlog.Tile, data []byte) error {
	path := l.path(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return keyfile.WriteFile(path, data, 0o644)
}

func (l *list) path(t tlog.Tile) string {
	return filepath.Join(l.dir, filepath.FromSlash(torchwood.TilePath(t)))
}

// tidy removes partial tiles for which there is a full one, or one that has
// more.
func (l *list) tidy(before uint64) error {
	var errs []error
	tiles := tlog.NewTiles(torchwood.TileHeight, int64(before), l.tree.N)
	for n := before / width; n*width < l.size(); n++ {
		tiles = append(tiles, tlog.Tile{H: torchwood.TileHeight, L: -1, N: int64(n), W: int(min(width, l.size()-n*width))})
	}
	for _, t := range tiles {
		dir, ok := strings.CutSuffix(l.path(tlog.Tile{H: t.H, L: t.L, N: t.N, W: 1}), string(filepath.Separator)+"1")
		if ok && t.W == width {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}
