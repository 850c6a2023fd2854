// Package watch tells what happens in a log to attestations that somebody has an
// interest in. It reads a verified copy of the log (package mirror): the log does
// not learn what is watched.
//
// [Watcher.Round] finds what has happened since a [Cursor], delivers it event by
// event, and moves the cursor behind what was delivered. What a deliverer fails
// on comes again in the next round, so each event is delivered at least once;
// its ID is the same each time.
//
// Two sorts of events:
//
//   - What a leaf did. They come in the order of the log, and none is left out:
//     the cursor is a tree, and the copy must extend it.
//   - What time did, and what became of the log as a whole: an attestation comes
//     near the end of its validity, a suspension passes its date, the log has no
//     fresh checkpoint, or contradicts itself. Each is told when it begins.
//
// Invariants:
//
//   - Whether a leaf had effect, and which attestations it changed, follows from
//     the copy's map and withdrawal list, which Sync has recomputed.
//   - The cursor moves only behind what was delivered, and only to trees that
//     extend the one it is at.
package watch

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Expiring is how long before the end of its validity an attestation is told to
// be expiring.
const Expiring = 30 * 24 * time.Hour

// Interest says what attestations are of interest. A *check.Interest is one.
type Interest interface {
	// About returns what an attestation is about, of what is of interest.
	About(e *entry.Entry, at time.Time) []check.About
	// Places are event lists in which all such attestations are.
	Places() []mapfn.Place
}

// Copy is a verified copy of a log. A *mirror.Mirror is one.
type Copy interface {
	Leaves(ctx context.Context, first, n uint64) ([][]byte, error)
	Place(id Hash) (index, size uint64, ok bool, err error)
	RootAt(ctx context.Context, size uint64) (Hash, error)
}

// Log is a log as its copy has it.
type Log struct {
	Copy
	// State is the copy at its newest checkpoint.
	State *prover.State
	// AsOf is the quorum time of that, or the seal's if there is none.
	AsOf time.Time
	// Evidence, unless nil, is why the copy could not be synced any more: a
	// *mirror.ConflictError or a *replay.FalseSealError.
	Evidence error
}

// Cursor is how far a log was watched.
type Cursor struct {
	// Size and Root are the tree whose leaves were told of, all of them.
	Size uint64 `json:"size"`
	Root string `json:"root"` // hex
	// Checked is up to when conditions that come with time were told of, in
	// Unix seconds, and CheckedSize of the attestations in which leaves.
	Checked     int64  `json:"checked"`
	CheckedSize uint64 `json:"checkedSize"`
	// Stale and Trouble are what the log was told to be last.
	Stale   bool `json:"stale,omitempty"`
	Trouble Kind `json:"trouble,omitempty"`
}

// ErrForked means that the copy does not extend the tree of the cursor: the copy
// was made anew, and the log shows another history than before.
var ErrForked = errors.New("the log shows another history than the one watched before")

// Watcher watches logs for one Interest.
type Watcher struct {
	Interest Interest
	Now      time.Time
	// MaxAge is how old the newest checkpoint may be.
	MaxAge time.Duration
}

// Begin returns the cursor from which everything is told of, or only what comes
// after this.
func Begin(l *Log, now time.Time, everything bool) Cursor {
	if everything {
		return Cursor{}
	}
	return Cursor{Size: l.State.Size, Root: fmt.Sprintf("%x", l.State.Root), Checked: now.Unix(), CheckedSize: l.State.Size}
}

// Round delivers what has happened since c, and moves c.
func (w *Watcher) Round(ctx context.Context, l *Log, c *Cursor, deliver func(Event) error) error {
	r := &round{Watcher: w, Log: l, ctx: ctx, cursor: c, deliver: deliver, seals: map[uint64]time.Time{}}
	if err := r.extends(); err != nil {
		return err
	}
	if err := r.trouble(); err != nil {
		return err
	}
	if err := r.load(); err != nil {
		return err
	}
	if err := r.leaves(); err != nil {
		return err
	}
	return r.conditions()
}

// round is one Round.
type round struct {
	*Watcher
	*Log
	ctx     context.Context
	cursor  *Cursor
	deliver func(Event) error

	set     map[Hash]*watched // by id
	parties map[Hash]string   // names of those who issued them
	seals   map[uint64]time.Time
}

// extends checks that the copy extends the tree of the cursor.
func (r *round) extends() error {
	c := r.cursor
	if c.Size > r.State.Size {
		return fmt.Errorf("%w: %s has %d leaves here, %d were watched", ErrForked, r.State.Origin, r.State.Size, c.Size)
	}
	if c.Size == 0 {
		return nil
	}
	root, err := r.RootAt(r.ctx, c.Size)
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", root); got != c.Root {
		return fmt.Errorf("%w: the first %d leaves of %s have root %s, and had %s", ErrForked, c.Size, r.State.Origin, got, c.Root)
	}
	return nil
}

// leaves tells of each leaf behind the cursor.
func (r *round) leaves() error {
	for next := r.cursor.Size; next < r.State.Size; {
		leaves, err := r.Leaves(r.ctx, next, min(r.State.Size-next, 256))
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			if err := r.leaf(next, leaf); err != nil {
				return errors.Join(err, r.moveTo(next))
			}
			next++
		}
		if err := r.moveTo(next); err != nil {
			return err
		}
	}
	return nil
}

// moveTo moves the cursor.
func (r *round) moveTo(size uint64) error {
	if size == r.cursor.Size {
		return nil
	}
	root, err := r.RootAt(r.ctx, size)
	if err == nil {
		r.cursor.Size, r.cursor.Root = size, fmt.Sprintf("%x", root)
	}
	return err
}

// withdrawals returns the records that the leaf at index has added to the
// withdrawal list.
func (r *round) withdrawals(index uint64) ([]mapfn.Withdrawal, error) {
	var failed error
	count := int(r.State.Map.WithdrawalCount())
	at := func(i int) uint64 {
		w, err := r.State.Map.Withdrawals(uint64(i), 1)
		if err != nil || len(w) == 0 {
			failed = errors.Join(failed, err)
			return index
		}
		return w[0].Index
	}
	first := sort.Search(count, func(i int) bool { return at(i) >= index })
	last := sort.Search(count, func(i int) bool { return at(i) > index })
	if failed != nil || last <= first {
		return nil, failed
	}
	return r.State.Map.Withdrawals(uint64(first), uint64(last-first))
}
