package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
)

// leaf tells what the leaf at index did.
func (r *round) leaf(index uint64, leaf []byte) error {
	e, err := entry.Parse(leaf)
	if err != nil {
		return nil // a seal, or no entry
	}
	at, size, ok, err := r.Place(e.ID)
	if err != nil || !ok || at != index {
		return err // it was ignored
	}
	when, err := r.sealedAt(size)
	if err != nil {
		return err
	}
	events, err := r.events(e, index)
	if err != nil {
		return err
	}
	for n := range events {
		ev := &events[n]
		ev.ID, ev.Log, ev.Index, ev.Time = fmt.Sprintf("%s/%d/%d", r.State.Origin, index, n), r.State.Origin, &index, when
		if err := r.deliver(*ev); err != nil {
			return err
		}
	}
	return nil
}

// sealedAt returns the log's time of the tree of a size.
func (r *round) sealedAt(size uint64) (time.Time, error) {
	if t, ok := r.seals[size]; ok {
		return t, nil
	}
	leaves, err := r.Leaves(r.ctx, size-1, 1)
	if err != nil {
		return time.Time{}, err
	}
	s, err := seal.Parse(leaves[0])
	if err != nil {
		return time.Time{}, fmt.Errorf("leaf %d: %w", size-1, err)
	}
	clear(r.seals) // one at a time is asked for, in order
	r.seals[size] = time.Unix(int64(s.SealedAt), 0).UTC()
	return r.seals[size], nil
}

// events returns what of an entry with effect is of interest.
func (r *round) events(e *entry.Entry, index uint64) (out []Event, err error) {
	switch {
	case e.Attestation != nil:
		if w := r.set[e.ID]; w != nil {
			out = append(out, issued(w))
		}
	case e.Key != nil:
		if out, err = r.keyEvent(e); err != nil {
			return nil, err
		}
	case e.Party != nil && e.Party.Action == entry.ActionAmend:
		id := e.Subjects[0].ID
		if name, ok := r.parties[id]; ok {
			out = append(out, amended(e.Party, id, name))
		}
	case e.Programme != nil && e.Programme.Action != entry.ActionPublish:
		out = append(out, r.programme(e)...)
	case e.Charter != nil && index > 0:
		out = append(out, charter(e.Charter))
	}
	records, err := r.withdrawals(index)
	if err != nil {
		return nil, err
	}
	for _, w := range records {
		if ev, ok := r.withdrawal(e, w); ok {
			out = append(out, ev)
		}
	}
	return out, nil
}

func issued(w *watched) Event {
	p := w.Entry.Attestation
	ev := Event{Kind: Issued, Severity: catalogue.SeverityNone, Party: hexID("party", w.ID), PartyName: w.Enrol.Name, Until: &p.ValidUntil}
	ev.concerning(w)
	what := "attested"
	if p.Polarity == "negative" {
		// Somebody says that something is not so.
		what, ev.Severity = "made a negative attestation", catalogue.SeverityReassess
	}
	ev.Text = fmt.Sprintf("%s %s %s, about %s; valid from %s until %s",
		w.Enrol.Name, what, w.name(), names(ev.Components), day(p.ValidFrom), day(p.ValidUntil))
	return ev
}

// keyEvent tells of keys that are added or retired; what is withdrawn with a key
// is in the withdrawal list.
func (r *round) keyEvent(e *entry.Entry) ([]Event, error) {
	if e.Key.Action != entry.ActionAdd && e.Key.Action != entry.ActionRetire {
		return nil, nil
	}
	key := e.Subjects[0].ID
	party, name, err := r.partyOf(key)
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

// partyOf returns the party of a key; without name if it is not of interest.
func (r *round) partyOf(key Hash) (Hash, string, error) {
	record, err := r.State.Map.Record(mapfn.NSKey, key[:])
	if record == nil || err != nil {
		return Hash{}, "", err
	}
	k, err := mapfn.ParseKey(record)
	if err != nil || k.Party == nil {
		return Hash{}, "", err
	}
	return Hash(*k.Party), r.parties[Hash(*k.Party)], nil
}

func amended(p *entry.Party, id Hash, name string) Event {
	ev := Event{Kind: PartyChanged, Severity: catalogue.SeverityNone, Party: hexID("party", id), PartyName: name}
	switch {
	case p.Roles != nil:
		ev.Text = fmt.Sprintf("the registrar changed the roles of %s to %s", name, strings.Join(p.Roles, ", "))
	case p.Recovery != nil:
		ev.Text = name + " has a new recovery key"
	default:
		ev.Text = name + " changed its website"
	}
	return ev
}

// programme tells of a change to the rules of a programme under which an
// attestation of interest was issued.
func (r *round) programme(e *entry.Entry) []Event {
	id := e.Subjects[0].ID
	list := r.with(func(w *watched) bool { p := w.Entry.Attestation.Programme; return p != nil && *p == id })
	if len(list) == 0 {
		return nil
	}
	ev := Event{Kind: ProgrammeChanged, Severity: catalogue.SeverityPlan}
	ev.concerning(list...)
	what := "the rules were changed"
	if e.Programme.Action == entry.ActionClose {
		what = "it was closed"
	}
	ev.Text = fmt.Sprintf("prog:%x, under which attestations about %s were issued: %s", id, names(ev.Components), what)
	return []Event{ev}
}

func charter(c *entry.Charter) Event {
	return Event{Kind: CharterChanged, Severity: catalogue.SeverityCaution, Text: fmt.Sprintf(
		"the charter of the log was changed: issuance %s, %d registrar keys, %d root keys, map function %d",
		c.Issuance, len(c.Registrars), len(c.Roots), c.MapFn)}
}

// withdrawal tells of a record of the withdrawal list, which the entry e has
// added.
func (r *round) withdrawal(e *entry.Entry, w mapfn.Withdrawal) (Event, bool) {
	switch w.Kind {
	case mapfn.WithdrawalKeyCutoff, mapfn.WithdrawalKeyRange:
		return r.keyWithdrawal(e, w)
	case mapfn.WithdrawalPartyEnded:
		name, ok := r.parties[w.ID]
		return Event{Kind: PartyEnded, Severity: catalogue.SeverityPlan, Party: hexID("party", w.ID), PartyName: name,
			Text: name + " takes no more part in the log; what it attested stands until it is withdrawn"}, ok
	}
	target := r.set[w.ID]
	if target == nil {
		return Event{}, false
	}
	ev := Event{Severity: catalogue.SeverityReassess, Party: hexID("party", target.ID), PartyName: target.Enrol.Name}
	ev.concerning(target)
	what := target.name() + " by " + target.Enrol.Name + " about " + names(ev.Components)
	if v := e.Revocation; v != nil {
		ev.Refs, ev.Link = v.Refs, v.Link
	}
	switch w.Kind {
	case mapfn.WithdrawalRevoked:
		ev.Kind = Withdrawn
		ev.Text = fmt.Sprintf("%s was withdrawn: %s", what, ev.because(w.Reason))
	case mapfn.WithdrawalHeld:
		ev.Kind, ev.Until = Suspended, &w.To
		ev.Text = fmt.Sprintf("%s is suspended until %s: %s", what, day(w.To), ev.because(w.Reason))
	case mapfn.WithdrawalReinstated:
		ev.Kind = Reinstated
		ev.Text = fmt.Sprintf("%s stands again: %s", what, ev.because(w.Reason))
		ev.Severity = catalogue.SeverityNone
	case mapfn.WithdrawalClaims:
		ev.Kind = ClaimsWithdrawn
		if e.Revocation != nil {
			ev.Claims = e.Revocation.Claims
		}
		ev.Text = fmt.Sprintf("%s: claims were withdrawn: %s; %s", what, strings.Join(ev.Claims, ", "), ev.because(w.Reason))
	case mapfn.WithdrawalSuperseded:
		ev.Kind, ev.Severity = Superseded, catalogue.SeverityUpdate
		ev.Text = fmt.Sprintf("%s was superseded by att:%x", what, e.ID)
	default:
		ev.Kind = Withdrawn
		ev.Text = fmt.Sprintf("%s was changed in a way that this program does not know, kind %d", what, w.Kind)
	}
	return ev, true
}

// keyWithdrawal tells of a key that counts no more, from an index on or in a
// range, if it has signed something of interest.
func (r *round) keyWithdrawal(e *entry.Entry, w mapfn.Withdrawal) (Event, bool) {
	by := func(t *watched) bool { return t.Record.Key == mapfn.Hex(w.ID) }
	if len(r.with(by)) == 0 {
		return Event{}, false
	}
	inPackage := func(t *watched) bool {
		return e.Key == nil || e.Key.Range == nil || e.Key.Range.Package == "" ||
			slices.ContainsFunc(t.Entry.Subjects, func(s entry.Subject) bool { return s.Purl.Package() == e.Key.Range.Package })
	}
	hit := r.with(func(t *watched) bool {
		return by(t) && w.From <= t.Record.Issued && t.Record.Issued < w.To && inPackage(t)
	})
	ev := Event{Kind: KeyCompromised, Severity: catalogue.SeverityAct, Key: fmt.Sprintf("%x", w.ID)}
	first := r.with(by)[0]
	ev.Party, ev.PartyName = hexID("party", first.ID), first.Enrol.Name
	ev.Text = fmt.Sprintf("key %x of %s is in wrong hands: what it attested from index %d on counts no more", w.ID, ev.PartyName, w.From)
	if w.Kind == mapfn.WithdrawalKeyRange {
		ev.Kind, ev.Severity = RangeWithdrawn, catalogue.SeverityReassess
		ev.Text = fmt.Sprintf("what key %x of %s attested from index %d to before %d was withdrawn: %s", w.ID, ev.PartyName, w.From, w.To, ev.because(w.Reason))
	}
	ev.concerning(hit...)
	if len(hit) > 0 {
		ev.Text += "; that is about " + names(ev.Components)
	} else {
		ev.Severity = catalogue.SeverityCaution
		ev.Text += "; of what you watch nothing is affected"
	}
	return ev, true
}
