package watch

import (
	"fmt"
	"strings"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
)

// leaf tells what the leaf at index did.
func (r *round) leaf(index uint64, leaf []byte) error {
	events, err := r.events(leaf, index)
	if err != nil || len(events) == 0 {
		return err
	}
	when, err := r.sealedAt(index)
	if err != nil {
		return err
	}
	for n := range events {
		ev := &events[n]
		ev.ID, ev.Log, ev.Index, ev.Time = fmt.Sprintf("%s/%d/%d", r.Origin, index, n), r.Origin, &index, when
		if err := r.deliver(*ev); err != nil {
			return err
		}
	}
	return nil
}

// events returns what of a leaf is of interest. A leaf without effect is of
// interest to everybody: nobody can know what it was meant to do.
func (r *round) events(leaf []byte, index uint64) ([]Event, error) {
	if seal.Is(leaf) {
		live, err := r.live(leaf, index)
		if err != nil || live != nil {
			return nil, err
		}
		return []Event{{Kind: StraySeal, Severity: catalogue.SeverityCaution, Text: fmt.Sprintf(
			"leaf %d looks like a seal and is none: it has no effect, and no honest log writes one", index)}}, nil
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		return []Event{unreadable(index, string(reason.CodeOf(err)), err.Error())}, nil
	}
	at, ok, err := r.Place(e.ID)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return []Event{unreadable(index, "", fmt.Sprintf("it is a well-formed entry of kind %s, signed in the name of key %x, and the map function has ignored it", e.Kind, e.KeyID))}, nil
	case at != index:
		return []Event{unreadable(index, "", fmt.Sprintf("it repeats the entry at index %d", at))}, nil
	}
	return r.effects(e, index)
}

func unreadable(index uint64, code, why string) Event {
	return Event{Kind: Unreadable, Severity: catalogue.SeverityCaution, Code: code,
		Text: fmt.Sprintf("leaf %d has no effect, and no honest log writes one like it: %s", index, why)}
}

// effects returns what of an entry with effect is of interest.
func (r *round) effects(e *entry.Entry, index uint64) (out []Event, err error) {
	switch {
	case e.Attestation != nil:
		out, err = r.attested(e)
	case e.Key != nil:
		out, err = r.keyEvent(e)
	case e.Party != nil:
		out, err = r.partyEvent(e)
	case e.Programme != nil:
		out, err = r.programme(e)
	case e.Charter != nil && (index > 0 || r.Interest.all):
		out = append(out, charter(e.Charter, index))
	}
	if err != nil {
		return nil, err
	}
	records, err := r.withdrawals(index)
	if err != nil {
		return nil, err
	}
	for _, w := range records {
		ev, ok, err := r.withdrawal(e, w)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, ev)
		}
	}
	return out, nil
}

func (r *round) attested(e *entry.Entry) ([]Event, error) {
	w, err := r.get(e.ID)
	if w == nil || err != nil {
		return nil, err
	}
	return []Event{issued(w)}, nil
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

// withdrawal tells of a record of the withdrawal list, which the entry e has
// added.
func (r *round) withdrawal(e *entry.Entry, w mapfn.Withdrawal) (ev Event, ok bool, err error) {
	switch w.Kind {
	case mapfn.WithdrawalKeyCutoff, mapfn.WithdrawalKeyRange:
		return r.keyWithdrawal(e, w)
	case mapfn.WithdrawalPartyEnded:
		return r.partyEnded(w.ID)
	}
	target, err := r.get(w.ID)
	if target == nil || err != nil {
		return Event{}, false, err
	}
	return changed(e, w, target), true, nil
}

// changed tells what a record says of an attestation.
func changed(e *entry.Entry, w mapfn.Withdrawal, target *watched) Event {
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
	return ev
}
