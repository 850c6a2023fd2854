package watch

import (
	"context"
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// watched is an attestation of interest, as it is now.
type watched struct {
	prover.Found
	id    Hash
	about []About
}

func (w *watched) name() string { return hexID("att", w.id) }

// load finds the attestations about components of interest.
func (k *Look) load() error {
	for _, p := range k.Interest.places() {
		if err := k.loadPlace(p); err != nil {
			return fmt.Errorf("reading the list of %s: %w", p.Data, err)
		}
	}
	return nil
}

func (k *Look) loadPlace(p mapfn.Place) error {
	record, err := k.State.Map.Record(p.NS, []byte(p.Data))
	if record == nil || err != nil {
		return err
	}
	list, err := mapfn.ParseList(record)
	if err != nil {
		return err
	}
	events, err := k.State.Map.Events(p.NS, []byte(p.Data), 0, list.Count)
	if err != nil {
		return err
	}
	for _, e := range events {
		if k.set[e.ID] != nil {
			continue
		}
		w, err := k.find(e.ID)
		if err != nil {
			return err
		}
		if w != nil {
			k.set[e.ID], k.parties[w.ID] = w, w.Enrol.Name
		}
	}
	return nil
}

// find reads an attestation; nil if it is not of interest.
func (k *Look) find(id Hash) (*watched, error) {
	found, _, err := k.State.Status(hexID("att", id))
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("att:%x is in a list and not in the map", id)
	}
	about := k.Interest.about(found[0].Entry, found[0].ID, k.Now)
	if len(about) == 0 {
		return nil, nil
	}
	return &watched{found[0], id, about}, nil
}

// get returns an attestation; nil if it is not of interest.
func (k *Look) get(id Hash) (*watched, error) {
	if w := k.set[id]; w != nil || !k.Interest.wide() {
		return w, nil
	}
	return k.find(id)
}

// with returns the attestations about components of interest for which ok
// holds, in log order.
func (k *Look) with(ok func(*watched) bool) []*watched {
	var out []*watched
	for _, w := range k.set {
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
			if !slices.ContainsFunc(e.Components, func(b About) bool { return a.Component == b.Component && a.Name == b.Name }) {
				e.Components = append(e.Components, a)
			}
		}
	}
}

// due are the dates on which time changes something about attestations that are
// of interest because of who made them: there may be too many to hold.
type due struct {
	size uint64 // leaves read
	list []dueDate
}

type dueDate struct {
	at, index uint64 // Unix seconds; the leaf that says so
	id        Hash
}

// extendDue reads the leaves that have come.
func (k *Look) extendDue(ctx context.Context) error {
	for k.due.size < k.State.Size {
		leaves, err := k.Leaves(ctx, k.due.size, min(k.State.Size-k.due.size, 256))
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			if err := k.addDue(leaf); err != nil {
				return err
			}
			k.due.size++
		}
	}
	return nil
}

func (k *Look) addDue(leaf []byte) error {
	e, err := entry.Parse(leaf)
	if err != nil || e.Attestation == nil && e.Revocation == nil {
		return nil
	}
	index := k.due.size
	at, ok, err := k.Place(e.ID)
	if err != nil || !ok || at != index {
		return err
	}
	add := func(unix uint64, id Hash) { k.due.list = append(k.due.list, dueDate{unix, index, id}) }
	switch {
	case e.Revocation != nil && e.Revocation.Action == entry.ActionHold:
		for _, s := range e.Subjects {
			add(e.Revocation.Until, s.ID)
		}
	case e.Attestation != nil:
		if !k.Interest.all {
			party, err := k.partyOf(e.KeyID)
			if err != nil || !k.Interest.party(party) {
				return err
			}
		}
		add(e.Attestation.ValidUntil, e.ID)
		add(soon(e.Attestation), e.ID)
	}
	return nil
}

// soon is when an attestation comes near the end of its validity.
func soon(p *entry.Attestation) uint64 {
	return p.ValidUntil - min(p.ValidUntil, uint64(Expiring.Seconds()))
}

// partyOf returns the party of a key; zero if it has none.
func (k *Look) partyOf(key Hash) (Hash, error) {
	record, err := k.State.Map.Record(mapfn.NSKey, key[:])
	if record == nil || err != nil {
		return Hash{}, err
	}
	r, err := mapfn.ParseKey(record)
	if err != nil || r.Party == nil {
		return Hash{}, err
	}
	return Hash(*r.Party), nil
}
