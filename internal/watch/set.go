package watch

import (
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/personality/mapfn"
)

// watched is an attestation of interest, as it is now.
type watched struct {
	prover.Found
	id    Hash
	about []About
}

func (w *watched) name() string { return hexID("att", w.id) }

// load finds the attestations of interest.
func (r *round) load() error {
	r.set, r.parties = map[Hash]*watched{}, map[Hash]string{}
	for _, p := range r.Interest.Places() {
		if err := r.loadPlace(p); err != nil {
			return fmt.Errorf("reading the list of %s: %w", p.Data, err)
		}
	}
	return nil
}

func (r *round) loadPlace(p mapfn.Place) error {
	record, err := r.State.Map.Record(p.NS, []byte(p.Data))
	if record == nil || err != nil {
		return err
	}
	list, err := mapfn.ParseList(record)
	if err != nil {
		return err
	}
	events, err := r.State.Map.Events(p.NS, []byte(p.Data), 0, list.Count)
	if err != nil {
		return err
	}
	for _, e := range events {
		if r.set[e.ID] != nil {
			continue
		}
		found, _, err := r.State.Status(hexID("att", e.ID))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("att:%x is in a list and not in the map", e.ID)
		}
		if about := r.Interest.About(found[0].Entry, r.Now); len(about) > 0 {
			r.set[e.ID] = &watched{found[0], e.ID, abouts(about)}
			r.parties[found[0].ID] = found[0].Enrol.Name
		}
	}
	return nil
}

// with returns the attestations of interest for which ok holds, in log order.
func (r *round) with(ok func(*watched) bool) []*watched {
	var out []*watched
	for _, w := range r.set {
		if ok(w) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *watched) int { return int(a.Record.Issued) - int(b.Record.Issued) })
	return out
}

// concerning adds the attestations to an event, and what they are about.
func (e *Event) concerning(list ...*watched) {
	for _, w := range list {
		e.Attestations = append(e.Attestations, w.name())
		for _, a := range w.about {
			if !slices.ContainsFunc(e.Components, func(b About) bool { return a.Component == b.Component }) {
				e.Components = append(e.Components, a)
			}
		}
	}
}
