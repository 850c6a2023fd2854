package watch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// nameOf returns the name of a party; "" if it is not of interest.
func (r *round) nameOf(id Hash) (string, error) {
	if name, ok := r.parties[id]; ok || !r.Interest.party(id) {
		return name, nil
	}
	if name, ok := r.names[id]; ok {
		return name, nil
	}
	record, err := r.State.Map.Record(mapfn.NSParty, id[:])
	if record == nil || err != nil {
		return "", err // no party: a key of the log itself
	}
	p, err := mapfn.ParseParty(record)
	if err != nil {
		return "", err
	}
	leaves, err := r.Leaves(r.ctx, p.Issued, 1)
	if err != nil {
		return "", err
	}
	e, err := entry.Parse(leaves[0])
	if err != nil || e.Party == nil {
		return "", fmt.Errorf("leaf %d does not enrol party:%x: %w", p.Issued, id, err)
	}
	r.names[id] = e.Party.Name
	return e.Party.Name, nil
}

// ownerOf returns the party of a key, and its name if it is of interest.
func (r *round) ownerOf(key Hash) (party Hash, name string, err error) {
	if party, err = r.partyOf(key); err == nil && party != (Hash{}) {
		name, err = r.nameOf(party)
	}
	return party, name, err
}

// partyEvent tells what registrar and parties do with parties; the end of one
// is in the withdrawal list.
func (r *round) partyEvent(e *entry.Entry) ([]Event, error) {
	p, id := e.Party, e.Subjects[0].ID
	ev := Event{Kind: PartyChanged, Severity: catalogue.SeverityNone}
	switch p.Action {
	case entry.ActionEnrol:
		id, ev.Kind = e.ID, PartyEnrolled
		if !r.Interest.party(id) {
			return nil, nil
		}
	case entry.ActionEnd:
		return nil, nil
	}
	name, err := r.nameOf(id)
	if name == "" || err != nil {
		return nil, err
	}
	ev.Party, ev.PartyName = hexID("party", id), name
	switch {
	case p.Action == entry.ActionEnrol:
		ev.Text = fmt.Sprintf("the registrar enrolled %s, %s, as %s, with %d keys", name, p.Website, strings.Join(p.Roles, ", "), len(p.Keys))
	case p.Roles != nil:
		ev.Text = fmt.Sprintf("the registrar changed the roles of %s to %s", name, strings.Join(p.Roles, ", "))
	case p.Recovery != nil:
		ev.Text = name + " has a new recovery key"
	default:
		ev.Text = name + " changed its website to " + p.Website
	}
	return []Event{ev}, nil
}

func (r *round) partyEnded(id Hash) (Event, bool, error) {
	name, err := r.nameOf(id)
	return Event{Kind: PartyEnded, Severity: catalogue.SeverityPlan, Party: hexID("party", id), PartyName: name,
		Text: name + " takes no more part in the log; what it attested stands until it is withdrawn"}, name != "", err
}

// programme tells of a programme under which an attestation of interest was
// issued, or whose operator is of interest.
func (r *round) programme(e *entry.Entry) ([]Event, error) {
	id := e.Subjects[0].ID
	var list []*watched
	if e.Programme.Action == entry.ActionPublish {
		id = e.ID // nothing was issued under it yet
	} else {
		list = r.with(func(w *watched) bool { p := w.Entry.Attestation.Programme; return p != nil && *p == id })
	}
	party, err := r.partyOf(e.KeyID)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && !r.Interest.party(party) {
		return nil, nil
	}
	ev := Event{Kind: ProgrammeChanged, Severity: catalogue.SeverityPlan, Party: hexID("party", party)}
	if ev.PartyName, err = r.nameOf(party); err != nil {
		return nil, err
	}
	ev.concerning(list...)
	what := "the rules were changed"
	switch e.Programme.Action {
	case entry.ActionPublish:
		what, ev.Severity = "the rules were published", catalogue.SeverityNone
	case entry.ActionClose:
		what = "it was closed"
	}
	under := ""
	if len(list) > 0 {
		under = ", under which attestations about " + names(ev.Components) + " were issued"
	}
	ev.Text = fmt.Sprintf("prog:%x%s: %s", id, under, what)
	return []Event{ev}, nil
}

func charter(c *entry.Charter, index uint64) Event {
	what := "the charter of the log was changed"
	if index == 0 {
		what = "the log was founded"
	}
	return Event{Kind: CharterChanged, Severity: catalogue.SeverityCaution, Text: fmt.Sprintf(
		"%s: issuance %s, %d registrar keys, %d root keys, map function %d", what, c.Issuance, len(c.Registrars), len(c.Roots), c.MapFn)}
}

// keyEvent tells of keys that are added or retired; what is withdrawn with a key
// is in the withdrawal list.
func (r *round) keyEvent(e *entry.Entry) ([]Event, error) {
	if e.Key.Action != entry.ActionAdd && e.Key.Action != entry.ActionRetire {
		return nil, nil
	}
	key := e.Subjects[0].ID
	party, name, err := r.ownerOf(key)
	if err != nil || name == "" {
		return nil, err
	}
	ev := Event{Kind: KeyAdded, Severity: catalogue.SeverityNone, Key: fmt.Sprintf("%x", key),
		Party: hexID("party", party), PartyName: name, Text: fmt.Sprintf("%s added key %x", name, key)}
	if e.Key.Action == entry.ActionRetire {
		ev.Kind, ev.Text = KeyRetired, fmt.Sprintf("key %x of %s is out of use; what it signed stands", key, name)
	}
	return []Event{ev}, nil
}

// keyWithdrawal tells of a key that counts no more, from an index on or in a
// range, if its party is of interest, or it has signed something that is.
func (r *round) keyWithdrawal(e *entry.Entry, w mapfn.Withdrawal) (Event, bool, error) {
	by := func(t *watched) bool { return t.Record.Key == mapfn.Hex(w.ID) }
	party, name, err := r.ownerOf(w.ID)
	wide := r.Interest.party(party)
	if err != nil || !wide && len(r.with(by)) == 0 {
		return Event{}, false, err
	}
	inPackage := func(t *watched) bool {
		return e.Key == nil || e.Key.Range == nil || e.Key.Range.Package == "" ||
			slices.ContainsFunc(t.Entry.Subjects, func(s entry.Subject) bool { return s.Purl.Package() == e.Key.Range.Package })
	}
	hit := r.with(func(t *watched) bool {
		return by(t) && w.From <= t.Record.Issued && t.Record.Issued < w.To && inPackage(t)
	})
	ev := Event{Kind: KeyCompromised, Severity: catalogue.SeverityAct, Key: fmt.Sprintf("%x", w.ID), Party: hexID("party", party), PartyName: name}
	ev.Text = fmt.Sprintf("key %x of %s is in wrong hands: what it attested from index %d on counts no more", w.ID, name, w.From)
	if w.Kind == mapfn.WithdrawalKeyRange {
		ev.Kind, ev.Severity = RangeWithdrawn, catalogue.SeverityReassess
		ev.Text = fmt.Sprintf("what key %x of %s attested from index %d to before %d was withdrawn: %s", w.ID, name, w.From, w.To, ev.because(w.Reason))
		if e.Key != nil && e.Key.Range != nil && e.Key.Range.Package != "" {
			ev.Text += ", as far as it is about " + e.Key.Range.Package
		}
	}
	ev.concerning(hit...)
	switch {
	case len(hit) > 0:
		ev.Text += "; that is about " + names(ev.Components)
	case !wide:
		ev.Severity = catalogue.SeverityCaution
		ev.Text += "; of what you watch nothing is affected"
	}
	return ev, true, nil
}
