package watch

import (
	"fmt"
	"slices"
	"time"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/mapfn"
)

// timed tells what time has done since the last round. The leaves were told of
// before: so what is said here is about attestations that were heard of.
func (r *round) timed() error {
	for _, w := range r.with(func(*watched) bool { return true }) {
		if err := r.attestation(w); err != nil {
			return err
		}
	}
	for _, id := range r.nowDue() {
		w, err := r.get(id)
		if err != nil {
			return err
		}
		if w == nil || r.set[id] != nil {
			continue // not of interest, or told already
		}
		if err := r.attestation(w); err != nil {
			return err
		}
	}
	r.cursor.CheckedSize = r.State.Size
	r.cursor.Checked = max(r.cursor.Checked, r.Now.Unix())
	return nil
}

// nowDue are the attestations of which a date has come since the last round, in
// log order, each once.
func (r *round) nowDue() []Hash {
	if r.due == nil {
		return nil
	}
	var ids []Hash
	seen := map[Hash]bool{}
	for _, d := range r.due.list {
		if !seen[d.id] && r.begun(int64(d.at), d.index) {
			seen[d.id] = true
			ids = append(ids, d.id)
		}
	}
	return ids
}

// begun reports whether something has begun that was not told: it began, or
// was heard of in the leaf at index, after the last round.
func (r *round) begun(unix int64, index uint64) bool {
	return unix <= r.Now.Unix() && (unix > r.cursor.Checked || index >= r.cursor.CheckedSize)
}

// attestation tells what time has done to an attestation that nobody has ended.
func (r *round) attestation(w *watched) error {
	if s := w.Record.State; s != mapfn.StateActive && s != mapfn.StateHeld {
		return nil
	}
	p := w.Entry.Attestation
	name := fmt.Sprintf("%s by %s about %s", w.name(), w.Enrol.Name, names(w.about))
	type change struct {
		kind     Kind
		began    uint64
		index    uint64 // of the leaf that made it possible
		severity catalogue.Severity
		text     string
	}
	list := []change{
		{Expires, soon(p), w.Record.Issued, catalogue.SeverityPlan,
			fmt.Sprintf("%s ends soon: it is valid until before %s", name, day(p.ValidUntil))},
		{Expired, p.ValidUntil, w.Record.Issued, catalogue.SeverityReassess,
			fmt.Sprintf("%s has expired: it was valid until before %s", name, day(p.ValidUntil))},
	}
	if u := w.Record.Until; u != nil {
		list = append(list, change{Lapsed, *u, w.Record.Last, catalogue.SeverityReassess,
			fmt.Sprintf("%s was suspended until %s, which has come without a decision", name, day(*u))})
	}
	if p.ValidUntil <= uint64(r.Now.Unix()) {
		list = slices.Delete(list, 0, 1) // it is told to have expired
	}
	for _, c := range list {
		if !r.begun(int64(c.began), c.index) {
			continue
		}
		ev := Event{Log: r.Origin, Kind: c.kind, Time: time.Unix(int64(c.began), 0).UTC(), Severity: c.severity, Text: c.text,
			Party: hexID("party", w.ID), PartyName: w.Enrol.Name, Until: &p.ValidUntil}
		ev.concerning(w)
		ev.ID = fmt.Sprintf("%s/%s/%d/%s", ev.Log, ev.Kind, c.began, w.name())
		if err := r.deliver(ev); err != nil {
			return err
		}
	}
	return nil
}
