package provider

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/tree"
	"github.com/transparency-dev/merkle/compact"
)

// Nodes that are set in any order, a few at a time and some of them twice, are
// read one by one and in a row, and none that was not set.
func TestNodes(t *testing.T) {
	p, err := Open("store", Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	const level, most = 3, 100
	tr, r := &trillian.Tree{TreeId: 1}, rand.New(rand.NewPCG(1, 2))
	want := map[uint64][]byte{}
	for range 60 {
		var set []tree.Node
		for range r.IntN(4) {
			id, hash := compact.NewNodeID(level, r.Uint64N(most)), bytes.Repeat([]byte{byte(r.Uint32())}, hashLen)
			if r.IntN(3) == 0 { // a row at once
				for i := range uint64(rowLen) {
					id := compact.NewNodeID(level, id.Index/rowLen*rowLen+i)
					set, want[id.Index] = append(set, tree.Node{ID: id, Hash: hash}), hash
				}
				break
			}
			if !slices.ContainsFunc(set, func(n tree.Node) bool { return n.ID == id }) {
				set, want[id.Index] = append(set, tree.Node{ID: id, Hash: hash}), hash
			}
		}
		if err := p.LogStorage().ReadWriteTransaction(t.Context(), tr, func(ctx context.Context, tx storage.LogTreeTX) error {
			return tx.SetMerkleNodes(ctx, set)
		}); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := p.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	for i := range uint64(most + rowLen) {
		got, err := snap.Nodes(1, level, i, 1)
		if (err == nil) != (want[i] != nil) || err == nil && !bytes.Equal(got[0][:], want[i]) {
			t.Errorf("node %d: %x, %v; want %x", i, got, err, want[i])
		}
		n := r.Uint64N(3 * rowLen)
		hashes, err := snap.Nodes(1, level, i, n)
		for j := range n {
			if want[i+j] == nil {
				if err == nil {
					t.Errorf("nodes %d+%d: node %d is not there, and read", i, n, i+j)
				}
				break
			}
			if err == nil && !bytes.Equal(hashes[j][:], want[i+j]) {
				t.Errorf("nodes %d+%d: %x, want %x", i, n, hashes[j], want[i+j])
			}
			if j == n-1 && err != nil {
				t.Errorf("nodes %d+%d: %v", i, n, err)
			}
		}
	}
	if len(want) < most/2 || len(want) == most+rowLen {
		t.Errorf("%d nodes", len(want))
	}
}

func FuzzParseRow(f *testing.F) {
	f.Add([]byte{0, 0})
	f.Add(append([]byte{0x80, 1}, make([]byte, 2*hashLen)...))
	f.Add(append([]byte{0xff, 0xff}, make([]byte, rowLen*hashLen)...))
	f.Add(make([]byte, hashLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r row
		if r.parse(b) != nil {
			return
		}
		again := make([]byte, r.length())
		if r.put(again); !bytes.Equal(again, b) {
			t.Fatalf("%x has a second form, %x", b, again)
		}
	})
}
