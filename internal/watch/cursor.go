package watch

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Cursor is how far a receiver was told of a log.
type Cursor struct {
	// Begin, unless empty, is from where it is to begin: BeginAll or BeginNow.
	Begin string `json:"begin,omitempty"`
	// Replay, unless nil, is a leaf from which everything is to be told again.
	Replay *uint64 `json:"replay,omitempty"`
	// Size and Root are the tree whose leaves were told of, all of them.
	Size uint64 `json:"size"`
	Root string `json:"root"` // hex
	// Checked is up to when conditions that come with time were told of, in
	// Unix seconds, and CheckedSize of the attestations in which leaves.
	Checked     int64  `json:"checked"`
	CheckedSize uint64 `json:"checkedSize"`
	// Conditions are those that were there at the last look, by Condition.Key.
	Conditions map[string]Told `json:"conditions,omitempty"`
	// Day is that of the last sign of life, and DaySize what was told of then.
	Day     string `json:"day,omitempty"`
	DaySize uint64 `json:"daySize,omitempty"`
}

// Told is what was told of a condition.
type Told struct {
	// Since is when it was found, in Unix seconds.
	Since int64 `json:"since"`
	// Kind and ID are those of the event; empty until it is told.
	Kind Kind   `json:"kind,omitempty"`
	ID   string `json:"id,omitempty"`
}

// Where a cursor can begin.
const (
	BeginAll = "all" // tell of all there has been
	BeginNow = "now" // only of what comes from now on
)

// ErrReplay means that what is to be told again was not told yet.
var ErrReplay = errors.New("nothing to tell again from there")

// Clone returns a copy that shares nothing.
func (c Cursor) Clone() Cursor {
	out := c
	out.Conditions = maps.Clone(c.Conditions)
	return out
}

// begin puts a cursor where it is to begin.
func (r *round) begin() error {
	c := r.cursor
	switch c.Begin {
	case "":
	case BeginAll:
		*c = Cursor{Day: dayOf(r.Now), Conditions: c.Conditions}
	case BeginNow:
		*c = Cursor{Size: r.State.Size, Root: fmt.Sprintf("%x", r.State.Root), Checked: r.Now.Unix(),
			CheckedSize: r.State.Size, Day: dayOf(r.Now), DaySize: r.State.Size, Conditions: c.Conditions}
	default:
		return fmt.Errorf("a cursor that begins at %.20q", c.Begin)
	}
	if c.Replay == nil {
		return nil
	}
	// Behind the cursor there is what was not told: to begin there would leave
	// it out.
	if *c.Replay > c.Size {
		return fmt.Errorf("%w: leaf %d of %s, which was told of up to leaf %d", ErrReplay, *c.Replay, r.Origin, c.Size)
	}
	if err := r.extends(); err != nil {
		return err
	}
	size := *c.Replay
	c.Replay = nil
	if size == 0 {
		c.Size, c.Root = 0, ""
	} else if err := r.moveTo(size); err != nil {
		return err
	}
	// From here on it is under way: whoever asks now, asks for another.
	return r.keep()
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
