package altreader

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Fsck replays the first size leaves of a log, which leaves are, and checks
// that they have the root given and end in a live seal. It fails with the first
// bad thing. A leaf that was changed is found by the next seal, which becomes a
// stray. progress is called after each leaf with the leaves done.
func Fsck(ctx context.Context, leaves iter.Seq2[[]byte, error], origin string, size uint64, root Hash, progress func(done uint64)) (*Log, error) {
	l := New(origin)
	var last Outcome
	stray := ""
	for leaf, err := range leaves {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return l, fmt.Errorf("reading leaf %d: %w", l.Size(), err)
		}
		if l.Size() == size {
			return l, fmt.Errorf("there are more than %d leaves", size)
		}
		if last, err = l.Add(leaf); err != nil {
			return l, err
		}
		if last.Stray && stray == "" {
			stray = fmt.Sprintf("; the first seal that is not over the leaves before it is leaf %d", l.Size()-1)
		}
		progress(l.Size())
	}
	if got := l.TreeRoot(); l.Size() != size || got != root {
		return l, fmt.Errorf("%d leaves have root %x; the checkpoint says root %x at size %d%s", l.Size(), got, root, size, stray)
	}
	if size == 0 {
		return l, errors.New("the log has no leaves")
	}
	if !last.Live {
		return l, fmt.Errorf("the last leaf, %d, is not a live seal", size-1)
	}
	return l, nil
}
