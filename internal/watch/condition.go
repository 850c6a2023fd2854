package watch

import (
	"fmt"
	"slices"
	"time"

	"github.com/standing-log/standing/personality/catalogue"
)

// Condition is something that is the matter for a while, or for ever. One that
// is not among a Log's Conditions is not known to be there or not: whatever was
// told of it holds.
type Condition struct {
	// Key is the same in each look, and no other condition's.
	Key string
	// Holds says that it is there; else it is known not to be.
	Holds bool
	// Patience is how long it must have been there before it is told.
	Patience time.Duration
	// Begins is told when it is there; with another Kind than was told before,
	// it is told again. Its ID is set by whoever made it, if it has one that does
	// not depend on when it was found.
	Begins Event
	// Ends is told when it has ended, if it was told; without a Kind it is not.
	Ends Event
}

// conditions tells of the conditions of the log that have begun or ended.
func (r *round) conditions() error {
	list := r.Conditions
	if !r.AsOf.IsZero() {
		list = append(slices.Clone(list), r.stale())
	}
	for i := range list {
		if err := r.condition(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) condition(c *Condition) error {
	was, known := r.cursor.Conditions[c.Key]
	if !c.Holds {
		if was.ID != "" && c.Ends.Kind != "" {
			ev := c.Ends
			ev.Log, ev.Time, ev.ID = r.Origin, r.Now.UTC().Truncate(time.Second), was.ID+"/end"
			if err := r.deliver(ev); err != nil {
				return err
			}
		}
		delete(r.cursor.Conditions, c.Key)
		return nil
	}
	if !known {
		was.Since = r.Now.Unix()
	}
	since := time.Unix(was.Since, 0).UTC()
	if c.Begins.Kind != was.Kind && r.Now.Sub(since) >= c.Patience {
		ev := c.Begins
		ev.Log = r.Origin
		if ev.Time.IsZero() {
			ev.Time = since
		}
		if ev.ID == "" {
			ev.ID = fmt.Sprintf("%s/%s/%s/%d", ev.Log, ev.Kind, c.Key, was.Since)
		}
		if err := r.deliver(ev); err != nil {
			return err
		}
		was.Kind, was.ID = ev.Kind, ev.ID
	}
	if r.cursor.Conditions == nil {
		r.cursor.Conditions = map[string]Told{}
	}
	r.cursor.Conditions[c.Key] = was
	return nil
}

// stale is the condition that the log is not heard of.
func (r *round) stale() Condition {
	began := r.AsOf.Add(r.MaxAge).UTC()
	asOf := r.AsOf.UTC().Format(time.RFC3339)
	return Condition{
		Key: "stale", Holds: r.Now.After(began),
		Begins: Event{ID: fmt.Sprintf("%s/%s/%d", r.Origin, Stale, began.Unix()), Kind: Stale, Time: began, Severity: catalogue.SeverityCaution,
			Text: fmt.Sprintf("nothing is known of the log after %s, which is longer ago than %v", asOf, r.MaxAge)},
		Ends: Event{Kind: Fresh, Severity: catalogue.SeverityNone, Text: "the log is heard of again, as of " + asOf},
	}
}

// daily gives a sign of life, at most once a day of the watcher's clock.
func (r *round) daily() error {
	c, today := r.cursor, dayOf(r.Now)
	if !r.Daily || today <= c.Day {
		return nil
	}
	ev := Event{Log: r.Origin, Kind: AllQuiet, Severity: catalogue.SeverityNone, Time: r.Now.UTC().Truncate(time.Second),
		Size: r.State.Size, AsOf: r.AsOf.UTC(), Read: r.State.Size - c.DaySize,
		Text: fmt.Sprintf("all quiet up to size %d, as of %s: %d leaves read since the last message like this; whatever was of interest in them was told",
			r.State.Size, r.AsOf.UTC().Format(time.RFC3339), r.State.Size-min(c.DaySize, r.State.Size))}
	ev.ID = fmt.Sprintf("%s/daily/%s", ev.Log, today)
	var standing []string
	for key, told := range c.Conditions {
		if told.ID != "" {
			standing = append(standing, key)
		}
	}
	if len(standing) > 0 {
		slices.Sort(standing)
		ev.Kind, ev.Severity = NotQuiet, catalogue.SeverityCaution
		ev.Text = fmt.Sprintf("the monitor runs, and has read %d leaves; what it told of is still so: %v", r.State.Size, standing)
	}
	if err := r.deliver(ev); err != nil {
		return err
	}
	c.Day, c.DaySize = today, r.State.Size
	return nil
}
