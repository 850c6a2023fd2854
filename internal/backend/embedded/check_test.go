package embedded_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/tree"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/backend/embedded/provider"
)

// TestDamaged opens stores whose parts contradict each other.
func TestDamaged(t *testing.T) {
	for name, damage := range map[string]storage.LogTXFunc{
		"node of another tree": func(ctx context.Context, tx storage.LogTreeTX) error {
			// 20 leaves: the peaks are at levels 4 and 2.
			return tx.SetMerkleNodes(ctx, []tree.Node{{ID: compact.NewNodeID(2, 4), Hash: make([]byte, 32)}})
		},
		"last leaf's node": func(ctx context.Context, tx storage.LogTreeTX) error {
			return tx.SetMerkleNodes(ctx, []tree.Node{{ID: compact.NewNodeID(0, 19), Hash: make([]byte, 32)}})
		},
		"root too large": rewind(t, func(r *types.LogRootV1) { r.TreeSize = 40 }),
		"root too small": rewind(t, func(r *types.LogRootV1) { r.TreeSize = 16 }),
		"another root":   rewind(t, func(r *types.LogRootV1) { r.RootHash = make([]byte, 32) }),
		"short root":     rewind(t, func(r *types.LogRootV1) { r.RootHash = nil }),
		"no root": func(ctx context.Context, tx storage.LogTreeTX) error {
			return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: []byte("root")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantDamaged(t, func(p *provider.Provider, tr *trillian.Tree) error {
				return p.LogStorage().ReadWriteTransaction(t.Context(), tr, damage)
			})
		})
	}
	t.Run("leaf behind the root", func(t *testing.T) {
		wantDamaged(t, func(p *provider.Provider, tr *trillian.Tree) error {
			_, err := p.LogStorage().AddSequencedLeaves(t.Context(), tr, []*trillian.LogLeaf{{
				LeafIndex: 20, MerkleLeafHash: make([]byte, 32), LeafIdentityHash: []byte("x"), LeafValue: []byte("x"),
			}}, time.Now())
			return err
		})
	})
	t.Run("second tree", func(t *testing.T) {
		wantDamaged(t, func(p *provider.Provider, _ *trillian.Tree) error {
			_, err := storage.CreateTree(t.Context(), p.AdminStorage(), &trillian.Tree{
				TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, MaxRootDuration: durationpb.New(0),
			})
			return err
		})
	})
}

// rewind changes the latest root.
func rewind(t *testing.T, change func(*types.LogRootV1)) storage.LogTXFunc {
	return func(ctx context.Context, tx storage.LogTreeTX) error {
		slr, err := tx.LatestSignedLogRoot(ctx)
		if err != nil {
			return err
		}
		var root types.LogRootV1
		if err := root.UnmarshalBinary(slr.LogRoot); err != nil {
			return err
		}
		change(&root)
		b, err := root.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: b})
	}
}

func wantDamaged(t *testing.T, damage func(*provider.Provider, *trillian.Tree) error) {
	t.Helper()
	mem := vfs.NewMem()
	fill(t, mem)
	p, err := provider.Open("store", provider.Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	trees, err := storage.ListTrees(t.Context(), p.AdminStorage(), true)
	if err != nil || len(trees) != 1 {
		t.Fatalf("%d trees, %v", len(trees), err)
	}
	if err := errors.Join(damage(p, trees[0]), p.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a refusal releases the directory
		if _, err := embedded.Open(t.Context(), small(mem)); !errors.Is(err, embedded.ErrDamaged) {
			t.Errorf("opening: error %v, want %v", err, embedded.ErrDamaged)
		}
	}
}
