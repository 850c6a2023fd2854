package mapfn

import (
	"slices"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// revocation applies a revocation, hold, reinstatement or withdrawal of claims
// to each of its targets by itself.
func (s *step) revocation(key *KeyRecord) error {
	if err := s.activeKey(key, RoleOrdinary); err != nil {
		return err
	}
	r := s.e.Revocation
	party, p, err := s.partyOf(key)
	if err != nil {
		return err
	}
	// SPEC: keys of an ended party may only withdraw.
	if p.State != StateActive && r.Action == entry.ActionReinstate {
		return ignore(reason.PartyEnded, "party %x ended at index %d", party, *p.End)
	}
	if r.Programme != nil {
		if _, err := s.ownProgramme(*r.Programme, party); err != nil {
			return err
		}
	}
	var first error // why the first target that stays did
	for i, target := range s.e.Subjects {
		err := s.withdrawTarget(i, target.ID, party)
		if err != nil && reason.CodeOf(err) == "" {
			return err
		}
		if first == nil {
			first = err
		}
	}
	// SPEC: an entry that changes no target is ignored.
	if len(s.w.Changes) == 0 {
		return first
	}
	return nil
}

// withdrawTarget applies the action to the i-th subject.
func (s *step) withdrawTarget(i int, id, party Hash) error {
	a, err := s.attestationRecord(id)
	if err != nil {
		return err
	}
	if a == nil {
		return ignore(reason.TargetUnknown, "attestation %x is not in this log", id)
	}
	if err := s.mayWithdraw(id, a, party); err != nil {
		return err
	}
	switch s.e.Revocation.Action {
	case entry.ActionRevoke:
		return s.revoke(id, *a)
	case entry.ActionHold:
		return s.hold(i, id, *a, party)
	case entry.ActionClaims:
		return s.withdrawClaims(id, *a)
	}
	return s.reinstate(id, *a, party)
}

// mayWithdraw checks that the attestation is the signer's to withdraw, as its
// issuer or as the operator of a programme.
func (s *step) mayWithdraw(id Hash, a *AttestationRecord, party Hash) error {
	owner, err := s.owner(a)
	// SPEC: its key's party is the signer's.
	if err != nil || owner == party {
		return err
	}
	programme := s.e.Revocation.Programme
	if programme == nil {
		return ignore(reason.NotYours, "attestation %x is another party's", id)
	}
	e, err := s.attestationLeaf(a)
	if err != nil {
		return err
	}
	// SPEC: or, where programme is named, its leaf names that programme.
	if named := e.Attestation.Programme; named == nil || *named != *programme {
		return ignore(reason.NotYours, "attestation %x was not issued under programme %x", id, *programme)
	}
	return nil
}

func (s *step) revoke(id Hash, a AttestationRecord) error {
	// SPEC: nothing leaves revoked.
	if a.State == StateRevoked {
		return ignore(reason.TargetState, "attestation %x was revoked at index %d", id, a.Last)
	}
	r := s.e.Revocation
	a.State, a.Reason = StateRevoked, &r.Reason
	s.putAttestation(id, a)
	s.withdraw(Withdrawal{Kind: WithdrawalRevoked, Reason: r.Reason, ID: id})
	return nil
}

func (s *step) hold(i int, id Hash, a AttestationRecord, party Hash) error {
	r := s.e.Revocation
	if !changeable(&a, party) {
		return ignore(reason.TargetState, "attestation %x is %s", id, a.State)
	}
	// SPEC: its item of after = its last: an old hold cannot be replayed.
	if r.After[i] != a.Last {
		return ignore(reason.AfterStale, "attestation %x was last changed at index %d", id, a.Last)
	}
	hold, by := Hex(s.e.ID), Hex(party)
	a.State, a.Reason, a.Hold, a.By, a.Until = StateHeld, &r.Reason, &hold, &by, &r.Until
	s.putAttestation(id, a)
	s.withdraw(Withdrawal{Kind: WithdrawalHeld, Reason: r.Reason, ID: id, To: r.Until})
	return nil
}

func (s *step) withdrawClaims(id Hash, a AttestationRecord) error {
	if a.State == StateRevoked {
		return ignore(reason.TargetState, "attestation %x was revoked at index %d", id, a.Last)
	}
	e, err := s.attestationLeaf(&a)
	if err != nil {
		return err
	}
	r := s.e.Revocation
	// SPEC: its leaf has claims, and each id named is that of one of its items.
	for _, claim := range r.Claims {
		if c := e.Attestation.Claims; c == nil || !slices.ContainsFunc(c.Items, func(i entry.Claim) bool { return i.ID == claim }) {
			return ignore(reason.ClaimUnknown, "attestation %x has no claim %q", id, claim)
		}
	}
	union := slices.Concat(a.Withdrawn, r.Claims)
	slices.Sort(union)
	union = slices.Compact(union)
	// SPEC: one of them is not yet in withdrawn, which has at most 64 ids then.
	if len(union) == len(a.Withdrawn) {
		return ignore(reason.NoChange, "these claims of attestation %x are withdrawn already", id)
	}
	if len(union) > maxWithdrawn {
		return ignore(reason.ClaimsLimit, "%d claims of attestation %x would be withdrawn, at most %d", len(union), id, maxWithdrawn)
	}
	a.Withdrawn = union
	s.putAttestation(id, a)
	s.withdraw(Withdrawal{Kind: WithdrawalClaims, Reason: r.Reason, Flags: FlagReadLeaf, ID: id})
	return nil
}

func (s *step) reinstate(id Hash, a AttestationRecord, party Hash) error {
	r := s.e.Revocation
	if a.State != StateHeld || Hash(*a.Hold) != r.Hold || Hash(*a.By) != party {
		return ignore(reason.HoldMismatch, "attestation %x is not under this hold of this party", id)
	}
	a.State = StateActive
	s.putAttestation(id, a)
	s.withdraw(Withdrawal{Kind: WithdrawalReinstated, Reason: r.Reason, ID: id})
	return nil
}
