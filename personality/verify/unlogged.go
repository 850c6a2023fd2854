package verify

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// Note is a revocation at hand that changes no verdict: else anybody could
// revoke. Programs call it UNLOGGED_REVOCATION.
type Note struct {
	Index  int          // in Options.Revocations
	Event  *entry.Entry // nil if it does not parse
	Detail string       // why it changes none
}

// loose is a revocation at hand.
type loose struct {
	*entry.Entry
	signer *signer // under whose key it verifies
	err    error   // why it cannot count
	named  bool    // something in the bundle
}

// loadRevocations verifies the revocations at hand, under the keys that the
// bundle shows.
func (v *verifier) loadRevocations() {
	for _, envelope := range v.o.Revocations {
		var l loose
		l.Entry, l.signer, l.err = v.loadRevocation(envelope)
		v.loose = append(v.loose, l)
	}
}

func (v *verifier) loadRevocation(envelope []byte) (*entry.Entry, *signer, error) {
	leaf, err := entry.Canonicalize(envelope)
	if err != nil {
		return nil, nil, err
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		return nil, nil, err
	}
	// SPEC: a well-formed revoke for this origin without programme.
	r := e.Revocation
	switch {
	case r == nil:
		return e, nil, fmt.Errorf("it is a %s, not a revocation", e.Kind)
	case r.Action != entry.ActionRevoke:
		return e, nil, fmt.Errorf("its action is %s, and only revoke counts unlogged", r.Action)
	case r.Log != v.report.Origin:
		return e, nil, fmt.Errorf("it is made for %s", r.Log)
	case r.Programme != nil:
		return e, nil, errors.New("it is a programme's, and only the log can show by what right")
	}
	k := v.keys[e.KeyID]
	if k == nil {
		return e, nil, fmt.Errorf("the bundle does not show its key, %x", e.KeyID)
	}
	return e, k, e.Verify(k.key)
}

// unlogged returns the causes that revocations at hand are to r, whose evidence
// is good. What the log has revoked needs none.
func (v *verifier) unlogged(r *Result) []Cause {
	var causes []Cause
	for i := range v.loose {
		l := &v.loose[i]
		if l.err != nil || !names(l.Entry, r.Entry.ID) {
			continue
		}
		l.named = true
		switch {
		case !v.maySpeak(l, r):
			v.note(i, fmt.Errorf("it is signed neither by the key of %s nor by another active one of its party", r.ID))
		case r.Record.State != mapfn.StateRevoked:
			causes = append(causes, Cause{Verdict: Revoked, Unlogged: true, Event: l.Entry, Reason: &l.Revocation.Reason,
				Detail: "revoked by its party, which the log does not show"})
		}
	}
	return causes
}

// maySpeak reports whether l counts against r.
//
// SPEC: signed by the attestation's key, or by another ordinary key that the
// same bundle shows as active and of the same party.
func (v *verifier) maySpeak(l *loose, r *Result) bool {
	own, other := v.keys[r.Entry.KeyID], l.signer
	return other == own || other.record.State == mapfn.StateActive && other.record.Role == mapfn.RoleOrdinary &&
		*other.record.Party == *own.record.Party
}

func names(e *entry.Entry, id Hash) bool {
	for _, s := range e.Subjects {
		if s.ID == id {
			return true
		}
	}
	return false
}

func (v *verifier) note(i int, why error) {
	v.report.Notes = append(v.report.Notes, Note{Index: i, Event: v.loose[i].Entry, Detail: why.Error()})
}

// noteRevocations notes those that no attestation took up.
func (v *verifier) noteRevocations() {
	for i, l := range v.loose {
		if l.err == nil && !l.named {
			l.err = errors.New("it names no attestation that the bundle shows to be accepted")
		}
		if l.err != nil {
			v.note(i, l.err)
		}
	}
}
