package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

// Hashes reads the first size leaves of a log and checks that they have the root
// given and end in a live seal: that all of them are there, byte for byte, and
// nothing of what they mean. progress, which may be nil, is called after every
// 1,024 leaves.
func Hashes(ctx context.Context, src Source, origin string, size uint64, root Hash, progress func(done uint64)) error {
	tree := treehash.Empty()
	var last []byte
	var prefix Hash
	for leaf, err := range src.Leaves(ctx, size) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("reading leaf %d: %w", tree.End(), err)
		}
		if last = leaf; tree.End() == size-1 {
			if prefix, err = treehash.Root(tree); err != nil {
				return err
			}
		}
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
			return err
		}
		if progress != nil && tree.End()%1024 == 0 {
			progress(tree.End())
		}
	}
	got, err := treehash.Root(tree)
	if err != nil {
		return err
	}
	if tree.End() != size || got != root {
		return fmt.Errorf("%d leaves have root %x; the checkpoint says root %x at size %d", tree.End(), got, root, size)
	}
	if size == 0 {
		return errors.New("the log has no leaves")
	}
	if _, live := seal.Live(last, origin, size-1, prefix); !live {
		return fmt.Errorf("the last leaf, %d, is not a live seal", size-1)
	}
	return nil
}
