package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian/storage/tree"
	"github.com/transparency-dev/merkle/compact"
)

// rowLen is the number of nodes in a row. There are two nodes for each leaf, and a
// key costs as much as what is in it; a row that is not full is written anew by the
// next batch.
const rowLen = 16

// row is the nodes [rowLen·i, rowLen·(i+1)) of a level, as far as they are stored.
type row struct {
	has    uint16 // bit j: the j-th is there
	hashes [rowLen][hashLen]byte
}

// set stores the hash of the node at index.
func (r *row) set(index uint64, hash []byte) {
	j := index % rowLen
	r.has |= 1 << j
	copy(r.hashes[j][:], hash)
}

// get returns the hash of the node at index, or nil.
func (r *row) get(index uint64) []byte {
	j := index % rowLen
	if r.has>>j&1 == 0 {
		return nil
	}
	return r.hashes[j][:]
}

// length returns the length of the row as it is stored.
func (r *row) length() int { return 2 + hashLen*bits.OnesCount16(r.has) }

// put writes the row into b, which has its length.
func (r *row) put(b []byte) {
	binary.BigEndian.PutUint16(b, r.has)
	b = b[2:]
	for j := range r.hashes {
		if r.has>>j&1 == 1 {
			b = b[copy(b, r.hashes[j][:]):]
		}
	}
}

// parse reads a row into r, which is empty.
func (r *row) parse(b []byte) error {
	if len(b) < 2 {
		return fmt.Errorf("%w: row of nodes of %d bytes", ErrDamaged, len(b))
	}
	if r.has = binary.BigEndian.Uint16(b); len(b) != r.length() {
		return fmt.Errorf("%w: row of nodes of %d bytes: want %d", ErrDamaged, len(b), r.length())
	}
	b = b[2:]
	for j := range r.hashes {
		if r.has>>j&1 == 1 {
			b = b[copy(r.hashes[j][:], b):]
		}
	}
	return nil
}

// readRow reads the row at key; it is empty if none of its nodes is stored.
func readRow(r pebble.Reader, key []byte) (row, error) {
	var out row
	value, err := get(r, key)
	if err == nil && value != nil {
		err = out.parse(value)
	}
	return out, err
}

// SetMerkleNodes stores nodes of perfect subtrees. It sorts them, for Trillian hands
// over a shuffled map.
func (t *logTX) SetMerkleNodes(_ context.Context, nodes []tree.Node) error {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b tree.Node) int {
		return cmp.Or(cmp.Compare(a.ID.Level, b.ID.Level), cmp.Compare(a.ID.Index, b.ID.Index))
	})
	for len(nodes) > 0 {
		first := nodes[0].ID
		n := 1
		for n < len(nodes) && nodes[n].ID.Level == first.Level && nodes[n].ID.Index/rowLen == first.Index/rowLen {
			n++
		}
		if err := t.setRow(nodes[:n]); err != nil {
			return err
		}
		nodes = nodes[n:]
	}
	return nil
}

// setRow stores nodes of one row, and keeps those of it that are stored already.
func (t *logTX) setRow(nodes []tree.Node) error {
	key := rowKey(t.tree.TreeId, nodes[0].ID)
	var r row
	if len(nodes) < rowLen {
		var err error
		if r, err = readRow(t.r, key); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if len(n.Hash) != hashLen {
			return fmt.Errorf("node %+v: hash of %d bytes: want %d", n.ID, len(n.Hash), hashLen)
		}
		r.set(n.ID.Index, n.Hash)
	}
	op := t.w.SetDeferred(len(key), r.length())
	copyKey(op.Key, key)
	r.put(op.Value)
	return op.Finish()
}

// GetMerkleNodes fails if a node is not stored.
func (t *readTX) GetMerkleNodes(_ context.Context, ids []compact.NodeID) ([]tree.Node, error) {
	nodes := make([]tree.Node, 0, len(ids))
	for _, id := range ids {
		hash, err := node(t.r, t.tree.TreeId, id)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, tree.Node{ID: id, Hash: hash})
	}
	return nodes, nil
}

// node returns the hash of one node. It fails if that is not stored.
func node(r pebble.Reader, tree int64, id compact.NodeID) ([]byte, error) {
	row, err := readRow(r, rowKey(tree, id))
	if err != nil {
		return nil, err
	}
	hash := row.get(id.Index)
	if hash == nil {
		return nil, noNode(tree, id)
	}
	return slices.Clone(hash), nil
}

// nodes returns the hashes of the n nodes from first on at a level: of
// perfect subtrees of 2^level leaves. It fails if one is not stored.
func nodes(r pebble.Reader, tree int64, level uint, first, n uint64) ([][hashLen]byte, error) {
	if n == 0 {
		return nil, nil
	}
	next, end := compact.NodeID{Level: level, Index: first}, first+n
	hashes := make([][hashLen]byte, 0, n)
	// take takes what is wanted of the i-th row, and reports whether it is all there.
	take := func(i uint64, value []byte) (bool, error) {
		var row row
		if err := row.parse(value); err != nil {
			return false, err
		}
		for next.Index < end && next.Index/rowLen == i {
			hash := row.get(next.Index)
			if hash == nil {
				return false, nil
			}
			hashes = append(hashes, [hashLen]byte(hash))
			next.Index++
		}
		return true, nil
	}
	from, to := rowKey(tree, next), rowKey(tree, compact.NodeID{Level: level, Index: end - 1})
	var err error
	if bytes.Equal(from, to) {
		var value []byte
		if value, err = get(r, from); value != nil {
			_, err = take(next.Index/rowLen, value)
		}
	} else {
		err = scan(r, from, append(to, 0), func(key, value []byte) (bool, error) {
			if lastUint64(key) != next.Index/rowLen {
				return false, nil
			}
			return take(lastUint64(key), value)
		})
	}
	if err == nil && next.Index != end {
		err = noNode(tree, next)
	}
	return hashes, err
}

func noNode(tree int64, id compact.NodeID) error {
	return fmt.Errorf("%w: no node at level %d, index %d in tree %d", ErrDamaged, id.Level, id.Index, tree)
}
