package treehash_test

import (
	"bytes"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/treehash"
)

// TestSame: roots are those of the library, whatever the length of the leaves.
func TestSame(t *testing.T) {
	theirs := &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	a, b := treehash.Empty(), theirs.NewEmptyRange(0)
	if root, err := treehash.Root(a); err != nil || !bytes.Equal(root[:], rfc6962.DefaultHasher.EmptyRoot()) {
		t.Errorf("empty: %x, %v", root, err)
	}
	for n := range 300 {
		data := bytes.Repeat([]byte{byte(n)}, n)
		if err := a.Append(treehash.Leaf(data), nil); err != nil {
			t.Fatal(err)
		}
		if err := b.Append(rfc6962.DefaultHasher.HashLeaf(data), nil); err != nil {
			t.Fatal(err)
		}
		again, err := treehash.Range(a.End(), treehash.Peaks(a))
		if err != nil {
			t.Fatal(err)
		}
		got, err := treehash.Root(again)
		if err != nil {
			t.Fatal(err)
		}
		want, err := b.GetRootHash(nil)
		if err != nil || !bytes.Equal(got[:], want) {
			t.Fatalf("%d leaves: %x, want %x, %v", n+1, got, want, err)
		}
	}
}
