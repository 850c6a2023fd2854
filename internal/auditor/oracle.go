package auditor

import (
	"context"
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/altreader"
)

// errDisagree means that the two implementations say different things of one
// log: one of them is wrong, and nothing is cosigned until somebody has found out
// which. It is no evidence against the log.
var errDisagree = errors.New("the two implementations of the map function disagree: report this, with the origin and the index")

// oracle is the second implementation at work on one log. It keeps its state in
// memory, and reads the copy again after each start. Whoever uses it has the
// log's turn.
type oracle struct{ log *altreader.Log }

func newOracle(origin string) *oracle { return &oracle{altreader.New(origin)} }

// recompute has the second implementation catch up with what is held, if there
// is one.
func (f *follower) recompute(ctx context.Context) error {
	if f.oracle == nil {
		return nil
	}
	held, err := f.mirror.Held(ctx)
	if err != nil {
		return err
	}
	l := f.oracle.log
	f.told(l.Size(), held)
	for l.Size() < held {
		leaves, err := f.mirror.List().Backend.Leaves(ctx, l.Size(), min(held-l.Size(), 256))
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			// Each live seal is compared here; the first has found it right.
			if _, err := l.Add(leaf); err != nil {
				return fmt.Errorf("%w: %w", errDisagree, err)
			}
		}
		f.told(l.Size(), held)
	}
	root, err := f.mirror.RootAt(ctx, held)
	if err == nil && root != l.TreeRoot() {
		err = fmt.Errorf("%w: %d leaves have root %x and %x", errDisagree, held, root, l.TreeRoot())
	}
	return err
}
