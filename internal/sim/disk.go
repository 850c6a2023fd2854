package sim

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/backend"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// Disk is what survives a crash: the leaves of a log, their tree, and the side
// store in all versions. Whatever happens to it happens at once and whole.
type Disk struct {
	name string

	mu      sync.Mutex
	leaves  [][]byte
	nodes   [][]Hash // by level: complete subtrees
	roots   []Hash   // by size
	tree    *compact.Range
	side    map[string][]version
	version int // of the side store

	// watch hears of each write, after it.
	watch func(d *Disk, side []backend.Write)

	acks     map[Hash]ack          // by leaf hash; what submitters were told
	signed   uint64                // the largest size signed
	reserved map[backend.Root]bool // all that was ever reserved
	alive    int                   // processes that have it open
	trouble  int                   // counts what gives every process a cause to stop
}

// version is a value of a key from one version of the side store on.
type version struct {
	from  int
	value []byte // nil: none
}

// NewDisk returns an empty disk.
func NewDisk(name string) *Disk {
	return &Disk{
		name: name, roots: []Hash{Hash(rfc6962.DefaultHasher.EmptyRoot())},
		tree: ranges.NewEmptyRange(0), side: map[string][]version{},
		acks: map[Hash]ack{}, reserved: map[backend.Root]bool{},
	}
}

// clone returns a copy of the disk as it is now.
func (d *Disk) clone(name string) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &Disk{
		name: name, leaves: slices.Clone(d.leaves), roots: slices.Clone(d.roots), version: d.version,
		acks: maps.Clone(d.acks), reserved: maps.Clone(d.reserved), signed: d.signed, watch: d.watch,
	}
	for _, level := range d.nodes {
		c.nodes = append(c.nodes, slices.Clone(level))
	}
	c.side = maps.Clone(d.side)
	for k, v := range c.side {
		c.side[k] = slices.Clip(v) // what either appends is its own
	}
	hashes := slices.Clone(d.tree.Hashes())
	tree, err := ranges.NewRange(0, d.tree.End(), hashes)
	if err != nil {
		panic(err) // it is a copy of one
	}
	c.tree = tree
	return c
}

func (d *Disk) size() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return uint64(len(d.leaves))
}

// rootAt returns the root of the first size leaves, if there are as many.
func (d *Disk) rootAt(size uint64) (Hash, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if size >= uint64(len(d.roots)) {
		return Hash{}, false
	}
	return d.roots[size], true
}

// leaf returns the leaf at index, or nil.
func (d *Disk) leaf(index uint64) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if index >= uint64(len(d.leaves)) {
		return nil
	}
	return d.leaves[index]
}

// append does what backend.Backend's Append does.
func (d *Disk) append(first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
	root, err := d.grow(first, leaves, side)
	if err == nil && d.watch != nil {
		d.watch(d, side)
	}
	return root, err
}

func (d *Disk) grow(first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if size := uint64(len(d.leaves)); first != size {
		return backend.Root{}, fmt.Errorf("%w: append at %d, tree size is %d", backend.ErrConflict, first, size)
	}
	for _, leaf := range leaves {
		d.leaves = append(d.leaves, bytes.Clone(leaf))
		visit := func(id compact.NodeID, hash []byte) {
			for uint(len(d.nodes)) <= id.Level {
				d.nodes = append(d.nodes, nil)
			}
			d.nodes[id.Level] = append(d.nodes[id.Level], Hash(hash))
		}
		// Append visits a leaf's own hash too, and fails for no other reason
		// than a hash of the wrong length.
		if err := d.tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), visit); err != nil {
			panic(err)
		}
		root, err := d.tree.GetRootHash(nil)
		if err != nil {
			panic(err)
		}
		d.roots = append(d.roots, Hash(root))
	}
	d.write(side)
	return d.root(), nil
}

func (d *Disk) root() backend.Root {
	n := len(d.leaves)
	return backend.Root{Size: uint64(n), Hash: d.roots[n]}
}

// swap does what backend.Backend's Swap does.
func (d *Disk) swap(key, old, new []byte) error {
	side := []backend.Write{{Key: key, Value: new}}
	err := d.replace(old, side)
	if err == nil && d.watch != nil {
		d.watch(d, side)
	}
	return err
}

func (d *Disk) replace(old []byte, side []backend.Write) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := side[0].Key
	if is := d.get(string(key), d.version); (is == nil) != (old == nil) || !bytes.Equal(is, old) {
		return fmt.Errorf("%w: value of %q", backend.ErrConflict, key)
	}
	d.write(side)
	return nil
}

// write makes one new version of the side store.
func (d *Disk) write(side []backend.Write) {
	d.version++
	for _, w := range side {
		v := d.side[string(w.Key)]
		value := w.Value
		if value != nil {
			value = append([]byte{}, value...)
		}
		if n := len(v); n > 0 && v[n-1].from == d.version {
			v[n-1].value = value
			continue
		}
		d.side[string(w.Key)] = append(v, version{d.version, value})
	}
}

// get returns the value of key in a version; it is not to be changed.
func (d *Disk) get(key string, at int) []byte {
	v := d.side[key]
	n := sort.Search(len(v), func(i int) bool { return v[i].from > at })
	if n == 0 {
		return nil
	}
	return v[n-1].value
}

// newest returns the newest value of key.
func (d *Disk) newest(key string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.get(key, d.version)
}

// pair is a key and its value.
type pair struct {
	key   string
	value []byte
}

// scan returns what is in [from, to) in a version, in order.
func (d *Disk) scan(from, to string, at int) []pair {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []pair
	for k := range d.side {
		if k < from || to != "" && k >= to {
			continue
		}
		if v := d.get(k, at); v != nil {
			found = append(found, pair{k, v})
		}
	}
	slices.SortFunc(found, func(a, b pair) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	return found
}

// prove fetches the nodes of a proof.
func (d *Disk) prove(nodes proof.Nodes) ([]Hash, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var hashes [][]byte
	for _, id := range nodes.IDs {
		hashes = append(hashes, d.nodes[id.Level][id.Index][:])
	}
	hashes, err := nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, err
	}
	out := make([]Hash, len(hashes))
	for i := range hashes {
		out[i] = Hash(hashes[i])
	}
	return out, nil
}
