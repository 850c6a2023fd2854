package watch

import (
	"errors"
	"fmt"
	"time"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/mapfn"
)

// trouble tells when a log begins to contradict itself, and when that ends.
func (r *round) trouble() error {
	kind := troubleOf(r.Evidence)
	if kind == r.cursor.Trouble {
		return nil
	}
	ev := Event{Kind: kind, Severity: catalogue.SeverityAct}
	if kind == "" {
		ev.Kind, ev.Severity = Consistent, catalogue.SeverityNone
		ev.Text = "the log shows a tree again that extends what it has shown before"
	} else {
		ev.Text = fmt.Sprintf("the log is not to be relied on: %v; keep the copy as it is, and tell the operators of its witnesses", r.Evidence)
	}
	if err := r.now(ev, r.Now); err != nil {
		return err
	}
	r.cursor.Trouble = kind
	return nil
}

// troubleOf is the kind of evidence; "" if it is none.
func troubleOf(err error) Kind {
	if c, ok := errors.AsType[*mirror.ConflictError](err); ok {
		if c.Rollback {
			return Rollback
		}
		return SplitView
	}
	if _, ok := errors.AsType[*replay.FalseSealError](err); ok {
		return FalseSeal
	}
	return ""
}

// now delivers an event that is no leaf's.
func (r *round) now(ev Event, began time.Time) error {
	ev.Log, ev.Time = r.State.Origin, began.UTC().Truncate(time.Second)
	ev.ID = fmt.Sprintf("%s/%s/%d", ev.Log, ev.Kind, ev.Time.Unix())
	if len(ev.Attestations) > 0 {
		ev.ID += "/" + ev.Attestations[0]
	}
	return r.deliver(ev)
}

// conditions tells what has begun since the last round. The leaves were told of
// before: so what is said here is about attestations that were heard of.
func (r *round) conditions() error {
	for _, w := range r.with(func(*watched) bool { return true }) {
		if err := r.attestation(w); err != nil {
			return err
		}
	}
	stale := !r.AsOf.IsZero() && r.Now.Sub(r.AsOf) > r.MaxAge
	if stale != r.cursor.Stale {
		ev := Event{Kind: Stale, Severity: catalogue.SeverityCaution,
			Text: fmt.Sprintf("nothing is known of the log after %s, which is longer ago than %v", r.AsOf.UTC().Format(time.RFC3339), r.MaxAge)}
		began := r.AsOf.Add(r.MaxAge)
		if !stale {
			ev = Event{Kind: Fresh, Severity: catalogue.SeverityNone, Text: "the log is heard of again, as of " + r.AsOf.UTC().Format(time.RFC3339)}
			began = r.AsOf
		}
		if err := r.now(ev, began); err != nil {
			return err
		}
	}
	r.cursor.Stale, r.cursor.CheckedSize = stale, r.State.Size
	r.cursor.Checked = max(r.cursor.Checked, r.Now.Unix())
	return nil
}

// attestation tells what time has done to an attestation that nobody has ended.
func (r *round) attestation(w *watched) error {
	if s := w.Record.State; s != mapfn.StateActive && s != mapfn.StateHeld {
		return nil
	}
	p := w.Entry.Attestation
	about := names(w.about)
	type condition struct {
		kind     Kind
		began    uint64
		changed  uint64 // index of the leaf that made it possible
		severity catalogue.Severity
		text     string
	}
	list := []condition{
		{Expires, p.ValidUntil - min(p.ValidUntil, uint64(Expiring/time.Second)), w.Record.Issued, catalogue.SeverityPlan,
			fmt.Sprintf("%s by %s about %s ends soon: it is valid until before %s", w.name(), w.Enrol.Name, about, day(p.ValidUntil))},
		{Expired, p.ValidUntil, w.Record.Issued, catalogue.SeverityReassess,
			fmt.Sprintf("%s by %s about %s has expired: it was valid until before %s", w.name(), w.Enrol.Name, about, day(p.ValidUntil))},
	}
	if u := w.Record.Until; u != nil {
		list = append(list, condition{Lapsed, *u, w.Record.Last, catalogue.SeverityReassess,
			fmt.Sprintf("%s by %s about %s was suspended until %s, which has come without a decision", w.name(), w.Enrol.Name, about, day(*u))})
	}
	for _, c := range list {
		began := time.Unix(int64(c.began), 0)
		// It has begun; and it began, or was heard of, after the last round.
		if began.After(r.Now) || began.Unix() <= r.cursor.Checked && c.changed < r.cursor.CheckedSize {
			continue
		}
		if c.kind == Expires && p.ValidUntil <= uint64(r.Now.Unix()) {
			continue // it is told to be expired
		}
		ev := Event{Kind: c.kind, Severity: c.severity, Text: c.text, Party: hexID("party", w.ID), PartyName: w.Enrol.Name, Until: &p.ValidUntil}
		ev.concerning(w)
		if err := r.now(ev, began); err != nil {
			return err
		}
	}
	return nil
}
