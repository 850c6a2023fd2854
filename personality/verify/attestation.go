package verify

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/trust"
)

// errNotLogged marks an attestation that the map does not have.
var errNotLogged = errors.New("the map has no record of it: it was never accepted by this log")

// attestation judges one attestation: steps 6 to 10 and 12.
func (v *verifier) attestation(a *bundle.Attestation) Result {
	r := Result{Verdict: Invalid}
	err := v.evidence(a, &r)
	switch {
	case errors.Is(err, errNotLogged):
		r.Verdict = NotLogged
		r.Causes = []Cause{{Verdict: NotLogged, Detail: err.Error()}}
	case err != nil:
		r.Causes = []Cause{{Verdict: Invalid, Detail: err.Error()}}
	default:
		v.judge(&r)
	}
	return r
}

// evidence checks everything that is shown about an attestation, and fills r.
func (v *verifier) evidence(a *bundle.Attestation, r *Result) error {
	e, err := entry.Parse(a.Entry)
	if err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	r.Entry, r.ID = e, e.IDString()
	if e.Kind != entry.KindAttestation {
		return fmt.Errorf("entry: it is a %s, not an attestation", e.Kind)
	}
	// SPEC: names this log.
	if !slices.Contains(e.Attestation.Logs, v.report.Origin) {
		return fmt.Errorf("entry: it is not made for %s", v.report.Origin)
	}
	k, err := v.signer(e)
	if err != nil {
		return err
	}
	v.programme(e, r)
	if err := v.record(a, e, r); err != nil {
		return err
	}
	return v.party(k, r)
}

// signer finds the entry's key among the bundle's and verifies the signature.
func (v *verifier) signer(e *entry.Entry) (*signer, error) {
	k := v.keys[e.KeyID]
	if k == nil {
		return nil, fmt.Errorf("the bundle lacks key %x", e.KeyID)
	}
	k.used = true
	// SPEC: parties hold the party of each key; a key that no party owns has
	// none, and step 9 refuses it.
	if k.record.Party != nil && v.parties[Hash(*k.record.Party)] != nil {
		v.parties[Hash(*k.record.Party)].used = true
	}
	return k, e.Verify(k.key)
}

// programme finds the programme that e names among the bundle's, if it is there:
// it adds to what is shown, and changes no verdict.
func (v *verifier) programme(e *entry.Entry, r *Result) {
	id := e.Attestation.Programme
	if id == nil || v.programmes[*id] == nil {
		return
	}
	p := v.programmes[*id]
	p.used = true
	r.Programme = &Programme{ID: fmt.Sprintf("prog:%x", *id), Open: p.record.State == mapfn.StateOpen, Rules: p.rules,
		Party: fmt.Sprintf("party:%x", p.record.Party)}
	if operator := v.parties[Hash(p.record.Party)]; operator != nil {
		r.Programme.PartyName = operator.enrol.Name
	}
}

// record checks the map's record of e, or its absence.
func (v *verifier) record(a *bundle.Attestation, e *entry.Entry, r *Result) error {
	if a.Record == nil && len(a.Path) > 0 {
		return errors.New("it is shown to be in the log, and nothing shows its status: inclusion alone is never standing")
	}
	p, err := statusmap.ParseProof(a.Proof)
	if err != nil {
		return err
	}
	key := statusmap.Key(byte(mapfn.NSAttestation), e.ID[:])
	if a.Record == nil {
		if err := p.VerifyAbsent(v.seal.MapRoot, key); err != nil {
			return err
		}
		return errNotLogged
	}
	if err := p.VerifyPresent(v.seal.MapRoot, key, statusmap.ValueHash(byte(mapfn.NSAttestation), a.Record)); err != nil {
		return err
	}
	record, err := mapfn.ParseAttestation(a.Record)
	if err != nil {
		return err
	}
	// SPEC: the record's leaf is H(0x00 ‖ entry) and its key the signer; path
	// leads from it at index issued to the root.
	if Hash(record.Leaf) != e.LeafHash || Hash(record.Key) != e.KeyID {
		return errors.New("the map's record is not of this entry")
	}
	r.Record, r.Index = &record, record.Issued
	return v.included(a.Entry, record.Issued, a.Path)
}

// party finds the key's party among the bundle's.
func (v *verifier) party(k *signer, r *Result) error {
	// SPEC: its role is ordinary.
	if k.record.Role != mapfn.RoleOrdinary {
		return fmt.Errorf("signed by a %s key", k.record.Role)
	}
	p := v.parties[Hash(*k.record.Party)]
	if p == nil {
		return fmt.Errorf("the bundle lacks party %x", *k.record.Party)
	}
	r.Party, r.PartyName, r.PartyRoles = fmt.Sprintf("party:%x", p.id), p.enrol.Name, p.record.Roles
	r.PartyEnded, r.KeyState = p.record.State == mapfn.StateEnded, k.record.State
	return nil
}

// judge sets the verdict: the first that applies decides, all are listed.
func (v *verifier) judge(r *Result) {
	r.Causes = Judge(r.Entry, *r.Record, v.keys[r.Entry.KeyID].record, v.o.Now)
	for i := range r.Causes {
		c := &r.Causes[i]
		if e := v.causes[c.EventIndex]; e != nil && c.Explained(e.Entry) {
			c.Event, e.used = e.Entry, true
		}
	}
	r.Causes = append(v.unlogged(r), r.Causes...)
	r.Untouched = v.untouched(r)
	// SPEC: bad news needs no freshness; good news does.
	if c, stale := v.stale(); stale {
		r.Causes = append(r.Causes, c)
	}
	r.Verdict = Active
	if len(r.Causes) > 0 {
		r.Verdict = r.Causes[0].Verdict
	}
}

// stale returns the cause that its age is to all that a bundle shows, if it is
// too old.
func (v *verifier) stale() (Cause, bool) {
	asOf := v.report.AsOf.Format(time.RFC3339)
	if age := v.o.Now.Sub(v.report.AsOf); age > v.o.MaxAge {
		return Cause{Verdict: Stale, Detail: fmt.Sprintf("shown as of %s, more than %s ago", asOf, v.o.MaxAge)}, true
	} else if !v.report.Witnessed && -age > trust.MaxSkew {
		// The log's own clock, if it is ahead, would keep good news for ever.
		return Cause{Verdict: Stale, Detail: fmt.Sprintf("the log says that this is as of %s, which is to come", asOf)}, true
	}
	return Cause{}, false
}

// untouched reports whether the reader named the claims he relies on, and each
// is an item of the attestation and not withdrawn.
func (v *verifier) untouched(r *Result) bool {
	claims := r.Entry.Attestation.Claims
	if claims == nil || len(v.o.Claims) == 0 {
		return false
	}
	for _, id := range v.o.Claims {
		item := slices.ContainsFunc(claims.Items, func(c entry.Claim) bool { return c.ID == id })
		if !item || slices.Contains(r.Record.Withdrawn, id) {
			return false
		}
	}
	return true
}
