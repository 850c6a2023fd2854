package provider

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	storagetesting "github.com/google/trillian/storage/testonly"
	"github.com/google/trillian/types"
	"google.golang.org/grpc/codes"
)

// newTree creates a tree like t with a root of the given size.
func newTree(t *testing.T, p *Provider, like *trillian.Tree, size uint64) *trillian.Tree {
	t.Helper()
	tree, err := storage.CreateTree(t.Context(), p.AdminStorage(), like)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.LogStorage().ReadWriteTransaction(t.Context(), tree, storeRoot(t, size)); err != nil {
		t.Fatal(err)
	}
	return tree
}

func storeRoot(t *testing.T, size uint64) storage.LogTXFunc {
	b, err := (&types.LogRootV1{TreeSize: size, RootHash: make([]byte, hashLen)}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, tx storage.LogTreeTX) error {
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: b})
	}
}

// count returns how many leaves of the tree are stored from the first on.
func count(t *testing.T, p *Provider, tree *trillian.Tree) int {
	t.Helper()
	tx, err := p.LogStorage().SnapshotForTree(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	leaves, err := tx.GetLeavesByRange(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(leaves)
}

func side(t *testing.T, p *Provider, key string) (value string) {
	t.Helper()
	s, err := p.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Side([]byte(key), func(v []byte) error {
		value = string(v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestStage sees all of a Stage behind Commit and nothing before it, or ever
// if it is discarded or a call in it failed.
func TestStage(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		end  func(*Stage) error
		want int
	}{
		"commit":  {func(s *Stage) error { return s.Commit() }, 2},
		"discard": {func(s *Stage) error { return s.Discard() }, 0},
		"failed transaction": {func(s *Stage) error {
			err := s.ReadWriteTransaction(t.Context(), nil, func(context.Context, storage.LogTreeTX) error { return broken })
			if !errors.Is(err, broken) || !errors.Is(s.Commit(), broken) || !errors.Is(s.SetSide([]byte("k"), nil), broken) {
				t.Error("a failed stage goes on")
			}
			return s.Discard()
		}, 0},
		"bad leaf": {func(s *Stage) error {
			if _, err := s.AddSequencedLeaves(t.Context(), &trillian.Tree{}, []*trillian.LogLeaf{nil}, time.Now()); err == nil {
				t.Error("no leaf: no error")
			}
			return s.Discard()
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, vfs.NewMem())
			tree := newTree(t, p, storagetesting.PreorderedLogTree, 0)
			s, err := p.Stage(0, 1<<10)
			if err != nil {
				t.Fatal(err)
			}
			leaves := []*trillian.LogLeaf{testLeaf(0, "a", "1", ""), testLeaf(1, "b", "2", "")}
			if _, err := s.AddSequencedLeaves(t.Context(), tree, leaves, time.Now()); err != nil {
				t.Fatal(err)
			}
			if err := s.SetSide([]byte("key"), []byte("value")); err != nil {
				t.Fatal(err)
			}
			if v, err := s.Side([]byte("key")); err != nil || v != nil {
				t.Errorf("a side value is seen before the end: %q, %v", v, err)
			}
			var staged []*trillian.LogLeaf
			err = s.ReadWriteTransaction(t.Context(), tree, func(ctx context.Context, tx storage.LogTreeTX) (err error) {
				staged, err = tx.DequeueLeaves(ctx, 10, time.Now())
				return err
			})
			if err != nil || len(staged) != 2 {
				t.Errorf("dequeued %d leaves, %v", len(staged), err)
			}
			if n := count(t, p, tree); n != 0 || side(t, p, "key") != "" {
				t.Errorf("%d leaves are seen before the end", n)
			}
			if err := c.end(s); err != nil {
				t.Fatal(err)
			}
			if n := count(t, p, tree); n != c.want || (side(t, p, "key") != "") != (c.want > 0) {
				t.Errorf("%d leaves, want %d", n, c.want)
			}
			if err := s.Discard(); err != nil {
				t.Errorf("discarding at the end: %v", err)
			}
			if s.Commit() == nil || s.SetSide([]byte("key"), nil) == nil {
				t.Error("a stage goes on behind its end")
			}
		})
	}
}

// TestStageLeaves: a Stage integrates the leaves that follow the tree without a gap, by
// their hashes, and takes leaves once.
func TestStageLeaves(t *testing.T) {
	p := open(t, vfs.NewMem())
	tree := newTree(t, p, storagetesting.PreorderedLogTree, 0)
	s, err := p.Stage(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	leaves := []*trillian.LogLeaf{testLeaf(0, "a", "1", ""), testLeaf(1, "b", "2", ""), testLeaf(2, "c", "3", ""), testLeaf(4, "d", "4", "")}
	if _, err := s.AddSequencedLeaves(t.Context(), tree, leaves, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		size  uint64
		limit int
		want  []*trillian.LogLeaf
	}{
		{0, 10, leaves[:3]},
		{0, 2, leaves[:2]},
		{1, 10, leaves[1:3]},
		{3, 10, nil},
		{4, 10, leaves[3:]},
		{5, 10, nil},
	} {
		got := s.after(c.size, c.limit)
		if len(got) != len(c.want) {
			t.Errorf("after %d, at most %d: %d leaves, want %d", c.size, c.limit, len(got), len(c.want))
			continue
		}
		for i, l := range got {
			if w := c.want[i]; l.LeafIndex != w.LeafIndex || !bytes.Equal(l.MerkleLeafHash, w.MerkleLeafHash) || l.LeafValue != nil {
				t.Errorf("after %d: leaf %v, want %v without its value", c.size, l, w)
			}
		}
	}
	if _, err := s.AddSequencedLeaves(t.Context(), tree, []*trillian.LogLeaf{testLeaf(3, "e", "5", "")}, time.Now()); err == nil {
		t.Error("leaves are added twice")
	}
	if s.Commit() == nil {
		t.Error("a failed stage commits")
	}
}

// TestAddStatus reports on each leaf as the interface says.
func TestAddStatus(t *testing.T) {
	p := open(t, vfs.NewMem())
	tree := newTree(t, p, storagetesting.PreorderedLogTree, 0)
	add := func(leaves ...*trillian.LogLeaf) (got []codes.Code) {
		t.Helper()
		res, err := p.LogStorage().AddSequencedLeaves(t.Context(), tree, leaves, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res {
			got = append(got, codes.Code(r.Status.GetCode()))
		}
		return got
	}
	for _, c := range []struct {
		leaf *trillian.LogLeaf
		want codes.Code
	}{
		{testLeaf(5, "a", "1", ""), codes.OK},
		{testLeaf(5, "a", "1", ""), codes.AlreadyExists},
		{testLeaf(5, "b", "2", ""), codes.FailedPrecondition},
		{testLeaf(6, "a", "1", ""), codes.FailedPrecondition},
		{testLeaf(6, "b", "1", ""), codes.OK},
		{testLeaf(0, "c", "1", ""), codes.OK},
	} {
		if got := add(c.leaf); got[0] != c.want {
			t.Errorf("adding %v: %v, want %v", c.leaf, got[0], c.want)
		}
	}
	// The same within one call.
	got := add(testLeaf(9, "d", "", ""), testLeaf(9, "d", "", ""), testLeaf(9, "e", "", ""), testLeaf(8, "d", "", ""))
	want := []codes.Code{codes.OK, codes.AlreadyExists, codes.FailedPrecondition, codes.FailedPrecondition}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("leaf %d of one call: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestLeavesByHash(t *testing.T) {
	p := open(t, vfs.NewMem())
	tree := newTree(t, p, storagetesting.PreorderedLogTree, 0)
	leaves := []*trillian.LogLeaf{testLeaf(0, "a", "1", ""), testLeaf(1, "b", "2", ""), testLeaf(2, "c", "1", "")}
	leaves[2].MerkleLeafHash = leaves[0].MerkleLeafHash
	if _, err := p.LogStorage().AddSequencedLeaves(t.Context(), tree, leaves, time.Now()); err != nil {
		t.Fatal(err)
	}
	tx, err := p.LogStorage().SnapshotForTree(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	hashes := [][]byte{leaves[1].MerkleLeafHash, leaves[0].MerkleLeafHash, make([]byte, 31+1)}
	for ordered, want := range map[bool]string{true: "abc", false: "bac"} {
		if !ordered {
			hashes = hashes[:2]
		}
		got, err := tx.GetLeavesByHash(t.Context(), hashes[:2], ordered)
		if err != nil {
			t.Fatal(err)
		}
		ids := ""
		for _, l := range got {
			ids += string(l.LeafIdentityHash)
		}
		if ids != want {
			t.Errorf("ordered %v: %q, want %q", ordered, ids, want)
		}
	}
	if _, err := tx.GetLeavesByHash(t.Context(), [][]byte{{1}}, false); err == nil {
		t.Error("short hash: no error")
	}
}

// TestQueue follows leaves of a LOG tree, whose identity hashes stay known.
func TestQueue(t *testing.T) {
	p := open(t, vfs.NewMem())
	tree := newTree(t, p, storagetesting.LogTree, 0)
	queueOne := func(identity string) codes.Code {
		t.Helper()
		res, err := p.LogStorage().QueueLeaves(t.Context(), tree, []*trillian.LogLeaf{testLeaf(0, identity, "v", "")}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return codes.Code(res[0].Status.GetCode())
	}
	sequence := func(index int64) error {
		return p.LogStorage().ReadWriteTransaction(t.Context(), tree, func(ctx context.Context, tx storage.LogTreeTX) error {
			leaves, err := tx.DequeueLeaves(ctx, 1, time.Now())
			if err != nil || len(leaves) != 1 {
				t.Fatalf("dequeued %v, %v", leaves, err)
			}
			leaves[0].LeafIndex = index
			leaves[0].IntegrateTimestamp = leaves[0].QueueTimestamp
			return tx.UpdateSequencedLeaves(ctx, leaves)
		})
	}
	for _, id := range []string{"a", "b"} {
		if c := queueOne(id); c != codes.OK {
			t.Errorf("queueing %s: %v", id, c)
		}
	}
	if c := queueOne("a"); c != codes.AlreadyExists {
		t.Errorf("queueing a queued leaf: %v", c)
	}
	if err := sequence(0); err != nil {
		t.Fatal(err)
	}
	if err := sequence(0); err == nil {
		t.Error("two leaves at one index: no error")
	}
	if c := queueOne("a"); c != codes.AlreadyExists {
		t.Errorf("queueing a sequenced leaf: %v", c)
	}
	if err := sequence(1); err != nil {
		t.Fatal(err)
	}
	preordered := newTree(t, p, storagetesting.PreorderedLogTree, 0)
	if _, err := p.LogStorage().QueueLeaves(t.Context(), preordered, nil, time.Now()); err == nil {
		t.Error("queueing in a PREORDERED_LOG: no error")
	}
}

// TestHardDelete leaves nothing of the tree, and the others alone.
func TestHardDelete(t *testing.T) {
	p := open(t, vfs.NewMem())
	gone, stays := newTree(t, p, storagetesting.LogTree, 0), newTree(t, p, storagetesting.LogTree, 1)
	for _, tree := range []*trillian.Tree{gone, stays} {
		if _, err := p.LogStorage().AddSequencedLeaves(t.Context(), tree, []*trillian.LogLeaf{testLeaf(0, "a", "1", "")}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.LogStorage().QueueLeaves(t.Context(), tree, []*trillian.LogLeaf{testLeaf(0, "b", "1", "")}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := storage.SoftDeleteTree(t.Context(), p.AdminStorage(), gone.TreeId); err != nil {
		t.Fatal(err)
	}
	if ids, err := p.LogStorage().GetActiveLogIDs(t.Context()); err != nil || len(ids) != 1 || ids[0] != stays.TreeId {
		t.Errorf("active logs %v, %v", ids, err)
	}
	if err := storage.HardDeleteTree(t.Context(), p.AdminStorage(), gone.TreeId); err != nil {
		t.Fatal(err)
	}
	for _, space := range []byte(treeSpaces) {
		at := prefix(space, gone.TreeId, 0)
		err := scan(p.db, at, after(at), func(key, _ []byte) (bool, error) {
			t.Errorf("key %x is left", key)
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, p, stays); n != 1 {
		t.Errorf("the other tree has %d leaves", n)
	}
}

// TestStageMemory: the next Stage writes into the memory of the last one, and not into
// what that has written: of a batch as large as a memtable, Pebble keeps the memory.
func TestStageMemory(t *testing.T) {
	p := open(t, vfs.NewMem())
	sizes := []int{100, 10 << 10, 900 << 10, 4 << 10, 2 << 20, 10 << 10, 9 << 20, 100, 700 << 10, 10}
	want := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, sizes[i]) }
	key := func(i int) []byte { return []byte{byte(i)} }
	for i, size := range sizes {
		s, err := p.Stage(0, size)
		if err == nil {
			err = errors.Join(s.SetSide(key(i), want(i)), s.Commit())
		}
		if err != nil {
			t.Fatalf("stage %d of %d bytes: %v", i, size, err)
		}
	}
	for i := range sizes {
		if got, err := get(p.db, sideKey(key(i))); err != nil || !bytes.Equal(got, want(i)) {
			t.Errorf("stage %d: %d bytes %.10q, want %d; %v", i, len(got), got, sizes[i], err)
		}
	}
}
