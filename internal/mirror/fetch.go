package mirror

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

const (
	width = torchwood.TileWidth
	// chunkBundles is the number of entry bundles that are stored in one write.
	chunkBundles = 4
	// chunksAhead is the number of chunks that are on their way while one is
	// applied: a log that is under load answers late, and then all at once.
	chunksAhead = 3
)

// item is a leaf under the root of the checkpoint.
type item struct {
	leaf  []byte
	hash  Hash
	entry *entry.Entry // nil if it is none; verified if its key is known
}

// chunk is what comes next of a log, and why no more of it does.
type chunk struct {
	items []item
	err   error
}

// fetcher reads leaves of one tree: it fetches, hashes, parses and verifies
// ahead of the map function. Its methods are called by one goroutine at a time,
// but for those of start.
type fetcher struct {
	src   Source
	tree  tlog.Tree
	nodes nodes              // of who makes requests
	most  uint64             // bundles in a chunk
	store sequencer.KeyStore // from here on of who takes the answers, in order
	keys  map[Hash]entry.PublicKey
}

func newFetcher(src Source, m *Mirror, b trust.Body) *fetcher {
	return &fetcher{
		src: src, tree: tlog.Tree{N: int64(b.Size), Hash: tlog.Hash(b.Root)},
		nodes: nodes{src: src, known: map[tlog.Tile][]byte{}},
		store: sequencer.KeyStore{Backend: m.store}, most: m.chunk, keys: map[Hash]entry.PublicKey{},
	}
}

// start fetches the leaves from first on, in chunks that end where a bundle
// ends. The channel is closed after the last one, one with an error, or when
// ctx ends, and nothing is being fetched any more then.
func (f *fetcher) start(ctx context.Context, first uint64) <-chan chunk {
	ctx, cancel := context.WithCancel(ctx)
	requests := make(chan *request, chunksAhead-1)
	go func() {
		defer close(requests)
		for size := uint64(f.tree.N); first < size && ctx.Err() == nil; {
			r := f.request(ctx, first)
			requests <- r
			if r.err != nil {
				return
			}
			first = min(r.end*width, size)
		}
	}()
	out := make(chan chunk)
	go func() {
		defer close(out)
		defer func() {
			cancel()
			for r := range requests {
				r.done.Wait()
			}
		}()
		for r := range requests {
			c := f.chunk(r)
			select {
			case out <- c:
			case <-ctx.Done():
				return
			}
			if c.err != nil {
				return
			}
		}
	}()
	return out
}

// request is a chunk on its way: the bundles from that of the leaf first up to
// end, by number.
type request struct {
	first, end uint64
	bundles    []bundle
	done       sync.WaitGroup
	err        error // why there are no bundles
}

type bundle struct {
	items []item
	err   error
}

// request asks for up to f.most bundles, the first of which has the leaf first.
func (f *fetcher) request(ctx context.Context, first uint64) *request {
	size := uint64(f.tree.N)
	from := first / width
	r := &request{first: first, end: min(from+f.most, (size+width-1)/width)}
	roots, err := f.roots(ctx, from, min(r.end, size/width))
	if err != nil {
		r.err = err
		return r
	}
	r.bundles = make([]bundle, r.end-from)
	for i := range r.bundles {
		r.done.Go(func() {
			b := &r.bundles[i]
			b.items, b.err = f.bundle(ctx, from+uint64(i), first, roots)
		})
	}
	return r
}

// chunk waits for what was asked for. If a bundle fails, those before it are
// returned with the error.
func (f *fetcher) chunk(r *request) (c chunk) {
	r.done.Wait()
	c.err = r.err
	for i := range r.bundles {
		if c.err = r.bundles[i].err; c.err != nil {
			break
		}
		c.items = append(c.items, r.bundles[i].items...)
	}
	if len(c.items) == 0 {
		return c
	}
	// What is held of the first bundle is the same as here: both are under the
	// root of the checkpoint.
	c.items = c.items[r.first%width:]
	if err := f.verify(c.items); err != nil {
		return chunk{err: err}
	}
	return c
}

// roots returns the roots of the full bundles [from, to), by number, which
// follow from the root of the tree.
func (f *fetcher) roots(ctx context.Context, from, to uint64) (map[uint64]Hash, error) {
	if to <= from {
		return nil, nil
	}
	var indexes []int64
	for n := from; n < to; n++ {
		indexes = append(indexes, tlog.StoredHashIndex(torchwood.TileHeight, int64(n)))
	}
	hashes, err := f.hashes(ctx, indexes)
	if err != nil {
		return nil, err
	}
	out := map[uint64]Hash{}
	for i, h := range hashes {
		out[from+uint64(i)] = Hash(h)
	}
	return out, nil
}

// rootAt returns the root of the first size leaves of the tree.
func (f *fetcher) rootAt(ctx context.Context, size uint64) (Hash, error) {
	switch size {
	case 0:
		return Hash(rfc6962.DefaultHasher.EmptyRoot()), nil
	case uint64(f.tree.N):
		return Hash(f.tree.Hash), nil
	}
	h, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		return f.hashes(ctx, indexes)
	}))
	return Hash(h), err
}

// hashes reads nodes that follow from the root of the tree.
func (f *fetcher) hashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error) {
	f.nodes.ctx, f.nodes.err = ctx, nil
	hashes, err := tlog.TileHashReader(f.tree, &f.nodes).ReadHashes(indexes)
	if f.nodes.err != nil {
		return nil, f.nodes.err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTiles, err)
	}
	return hashes, nil
}

// nodes reads tiles of hashes, and remembers those that were found right: a few
// along the edges of the tree, and one for 65,536 leaves. It is a
// tlog.TileReader.
type nodes struct {
	src   Source
	ctx   context.Context // of the call
	known map[tlog.Tile][]byte
	err   error // why a tile could not be read
}

func (n *nodes) Height() int { return torchwood.TileHeight }

func (n *nodes) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	var group errgroup.Group
	group.SetLimit(chunkBundles)
	for i, t := range tiles {
		if out[i] = n.known[t]; out[i] != nil {
			continue
		}
		group.Go(func() (err error) {
			out[i], err = n.src.Tile(n.ctx, t)
			if err == nil && len(out[i]) != t.W*tlog.HashSize {
				err = fmt.Errorf("%w: tile %s has %d bytes", ErrTiles, torchwood.TilePath(t), len(out[i]))
			}
			return err
		})
	}
	if n.err = group.Wait(); n.err != nil {
		return nil, n.err
	}
	return out, nil
}

func (n *nodes) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, t := range tiles {
		n.known[t] = data[i]
	}
}

// bundle fetches the n-th entry bundle, and parses what it has of the leaves from
// first on. If it is full, its root is in roots; if not, it is the last one, and
// whoever has the leaves before it compares the root of the tree.
func (f *fetcher) bundle(ctx context.Context, n, first uint64, roots map[uint64]Hash) ([]item, error) {
	t := tlog.Tile{H: torchwood.TileHeight, L: -1, N: int64(n), W: int(min(width, uint64(f.tree.N)-n*width))}
	rest, err := f.src.Tile(ctx, t)
	if err != nil {
		return nil, err
	}
	items := make([]item, t.W)
	for i := range items {
		it := &items[i]
		if it.leaf, rest, err = torchwood.ReadTileEntry(rest); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrTiles, torchwood.TilePath(t), err)
		}
		it.hash = treehash.Leaf(it.leaf)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrTiles, torchwood.TilePath(t))
	}
	if t.W == width {
		if root, err := rootUnder(items); err != nil || root != roots[n] {
			return nil, errors.Join(fmt.Errorf("%w: %s", ErrTiles, torchwood.TilePath(t)), err)
		}
	}
	for i := max(first, n*width) - n*width; i < uint64(len(items)); i++ {
		if !seal.Is(items[i].leaf) {
			items[i].entry, _ = entry.Parse(items[i].leaf) // nil if it is none
		}
	}
	return items, nil
}

// rootUnder returns the root of a tree that has these leaves.
func rootUnder(items []item) (Hash, error) {
	tree := treehash.Empty()
	for i := range items {
		if err := tree.Append(items[i].hash[:], nil); err != nil {
			return Hash{}, err
		}
	}
	return treehash.Root(tree)
}

// verify checks the signatures of the entries whose key some entry has brought,
// here or before. Whether the key is one of this log, and what follows if a
// signature is wrong, is left to the map function: a key is known by its hash,
// so that it does not matter which entry brought it.
func (f *fetcher) verify(items []item) error {
	for i := range items {
		if e := items[i].entry; e != nil {
			for _, k := range e.NewKeys() {
				f.keys[k.ID()] = k
			}
		}
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for len(items) > 0 {
		n := min(len(items), width)
		var entries []*entry.Entry
		var keys []entry.PublicKey
		for i := range items[:n] {
			e := items[i].entry
			if e == nil {
				continue
			}
			k, ok, err := f.key(e.KeyID)
			if err != nil {
				_ = group.Wait() // they have no errors
				return err
			}
			if ok {
				entries, keys = append(entries, e), append(keys, k)
			}
		}
		group.Go(func() error {
			entry.VerifyAll(entries, keys) // what fails stays unverified
			return nil
		})
		items = items[n:]
	}
	return group.Wait()
}

// key finds a key among those brought here and those in the store.
func (f *fetcher) key(id Hash) (entry.PublicKey, bool, error) {
	if k, ok := f.keys[id]; ok {
		return k, true, nil
	}
	spki, err := f.store.SPKI(id)
	if spki == nil || err != nil {
		return entry.PublicKey{}, false, err
	}
	k, err := entry.ParseKey(spki)
	if err != nil {
		return k, false, damaged("key %x: %w", id, err)
	}
	f.keys[id] = k
	return k, true, nil
}
