// Package watch tells what happens in a log to what somebody has an interest in.
// It reads a verified copy of the log (package mirror): the log does not learn
// what is watched.
//
// [Watcher.Look] reads the copy as it is now; [Look.Tell] finds what has happened
// since a [Cursor], delivers it event by event, and moves the cursor behind what
// was delivered. Each receiver has a cursor of its own. What a receiver fails on
// comes again in the next round, so each event is delivered at least once; its ID
// is the same each time.
//
// Three sorts of events:
//
//   - What a leaf did, or that it did nothing. They come in the order of the log,
//     and none is left out: the cursor is a tree, and the copy must extend it.
//     All of an event follows from the leaves, so it can be made again.
//   - What time did: an attestation comes near the end of its validity, a
//     suspension passes its date. Each is told when it begins.
//   - What is the matter with the log, its witnesses, its promises, or with the
//     watcher's news of them: a [Condition]. It is told when it begins and, if
//     it can end, when it has ended.
//
// Invariants:
//
//   - Whether a leaf had effect, and which attestations it changed, follows from
//     the copy's map and withdrawal list, which Sync has recomputed.
//   - A cursor moves only behind what was delivered, and only to trees that
//     extend the one it is at.
//   - A cursor that was not begun on purpose is not told anything (ErrNotBegun).
//
// Memory: the attestations about components of interest, held for a look; of
// those that are of interest because of who made them, which may be all of a
// log, about 100 bytes each.
package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/personality/catalogue"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Expiring is how long before the end of its validity an attestation is told to
// be expiring.
const Expiring = 30 * 24 * time.Hour

// Copy is a verified copy of a log. A *mirror.Mirror is one.
type Copy interface {
	Leaves(ctx context.Context, first, n uint64) ([][]byte, error)
	Place(id Hash) (index uint64, ok bool, err error)
	RootAt(ctx context.Context, size uint64) (Hash, error)
}

// Log is a log as its copy has it. It is safe for concurrent use.
type Log struct {
	Copy
	Origin string
	// State is the copy at its newest checkpoint. Nil, where there is none yet:
	// then Conditions are all that can be told.
	State *prover.State
	// AsOf is the quorum time of that, or the seal's if there is none.
	AsOf time.Time
	// Conditions are what was found beside the leaves.
	Conditions []Condition
}

// ErrForked means that the copy does not extend the tree of the cursor: the copy
// was made anew, and the log shows another history than before.
var ErrForked = errors.New("the log shows another history than the one watched before")

// Watcher watches logs for one Interest. Its methods are for one goroutine.
type Watcher struct {
	Interest *Interest
	// MaxAge is how old the newest checkpoint may be.
	MaxAge time.Duration
	// Daily asks for a sign of life each day: AllQuiet or NotQuiet.
	Daily bool

	due map[string]*due // by origin
}

// Look is a log at one time. It is safe for concurrent use.
type Look struct {
	*Watcher
	*Log
	Now time.Time

	set     map[Hash]*watched // about components of interest
	parties map[Hash]string   // names of those who issued them
	due     *due              // of the others
}

// Look reads what is of interest in a log.
func (w *Watcher) Look(ctx context.Context, l *Log, now time.Time) (*Look, error) {
	k := &Look{Watcher: w, Log: l, Now: now, set: map[Hash]*watched{}, parties: map[Hash]string{}}
	if l.State == nil {
		return k, nil
	}
	if err := k.load(); err != nil {
		return nil, err
	}
	if !w.Interest.wide() {
		return k, nil
	}
	if w.due == nil {
		w.due = map[string]*due{}
	}
	if k.due = w.due[l.Origin]; k.due == nil {
		k.due = new(due)
		w.due[l.Origin] = k.due
	}
	return k, k.extendDue(ctx)
}

// Receiver is told of events.
type Receiver interface {
	// Deliver returns when the event has arrived, or is among those that Flush
	// brings.
	Deliver(ctx context.Context, e *Event) error
	// Flush returns when all events that were delivered have arrived. Until then
	// no cursor is kept that is behind them.
	Flush() error
}

// Tell delivers what has happened since c, and moves c. After some events, and
// at the end, moved is called with the cursor as it is then; it may keep it.
func (k *Look) Tell(ctx context.Context, c *Cursor, to Receiver, moved func(Cursor) error) error {
	r := &round{Look: k, ctx: ctx, cursor: c, to: to, moved: moved, names: map[Hash]string{}}
	// What was told is remembered, whatever came then.
	return errors.Join(r.run(), r.keep())
}

// round is one Tell.
type round struct {
	*Look
	ctx    context.Context
	cursor *Cursor
	to     Receiver
	moved  func(Cursor) error

	told  int             // events, since the cursor was kept
	names map[Hash]string // of parties
	sealing
}

func (r *round) run() error {
	// First of all, in case that the copy can go no further.
	if err := r.conditions(); err != nil || r.State == nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.extends(); err != nil {
		return errors.Join(err, r.forked(err))
	}
	if err := r.leaves(); err != nil {
		return err
	}
	if err := r.timed(); err != nil {
		return err
	}
	return r.daily()
}

// deliver delivers one event.
func (r *round) deliver(ev Event) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.told++
	return r.to.Deliver(r.ctx, &ev)
}

// extends checks that the copy extends the tree of the cursor.
func (r *round) extends() error {
	c := r.cursor
	if c.Size > r.State.Size {
		return fmt.Errorf("%w: %s has %d leaves here, %d were watched", ErrForked, r.Origin, r.State.Size, c.Size)
	}
	if c.Size == 0 {
		return nil
	}
	root, err := r.RootAt(r.ctx, c.Size)
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", root); got != c.Root {
		return fmt.Errorf("%w: the first %d leaves of %s have root %s, and had %s", ErrForked, c.Size, r.Origin, got, c.Root)
	}
	return nil
}

// forked tells that the copy does not extend the tree of the cursor.
func (r *round) forked(err error) error {
	if !errors.Is(err, ErrForked) {
		return nil
	}
	return r.condition(&Condition{Key: "history", Holds: true, Begins: Event{Kind: SplitView, Severity: catalogue.SeverityAct,
		Text: fmt.Sprintf("%v; nothing more is told of it until somebody has looked; keep the copy as it is", err)}})
}

// often is after how many events the cursor is kept: how much is told again after
// a crash.
const often = 16

// leaves tells of each leaf behind the cursor.
func (r *round) leaves() error {
	for next := r.cursor.Size; next < r.State.Size; {
		leaves, err := r.Leaves(r.ctx, next, min(r.State.Size-next, 256))
		if err != nil {
			return err
		}
		for i, leaf := range leaves {
			if err := r.leaf(next, leaf); err != nil {
				return errors.Join(err, r.moveTo(next))
			}
			next++
			if r.told < often && i+1 < len(leaves) {
				continue
			}
			if err := r.moveTo(next); err != nil {
				return err
			}
			if r.told < often {
				continue
			}
			if err := r.keep(); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep has the cursor kept. If we crash before, what was told is told again.
func (r *round) keep() error {
	if err := r.to.Flush(); err != nil {
		return err
	}
	r.told = 0
	return r.moved(r.cursor.Clone())
}

// moveTo moves the cursor.
func (r *round) moveTo(size uint64) error {
	if size == r.cursor.Size {
		return nil
	}
	// The leaves were read to the end: that a signal came is no reason to tell
	// them again.
	root, err := r.RootAt(context.WithoutCancel(r.ctx), size)
	if err == nil {
		r.cursor.Size, r.cursor.Root = size, fmt.Sprintf("%x", root)
	}
	return err
}
