package mapfn

import (
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// revocation applies a revocation, hold or reinstatement to each of its
// targets by itself.
func (s *step) revocation(key *KeyRecord) error {
	if err := s.activeKey(key, RoleOrdinary); err != nil {
		return err
	}
	r := s.e.Revocation
	if r.Programme != nil {
		return ignore(reason.Programme, "programme %x is not in this log", *r.Programme)
	}
	party, p, err := s.partyOf(key)
	if err != nil {
		return err
	}
	// SPEC: keys of an ended party may only withdraw.
	if p.State != StateActive && r.Action == entry.ActionReinstate {
		return ignore(reason.PartyEnded, "party %x ended at index %d", party, *p.End)
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
	owner, err := s.owner(a)
	if err != nil {
		return err
	}
	// SPEC: its key's party is the signer's.
	if owner != party {
		return ignore(reason.NotYours, "attestation %x is another party's", id)
	}
	switch s.e.Revocation.Action {
	case entry.ActionRevoke:
		return s.revoke(id, *a)
	case entry.ActionHold:
		return s.hold(i, id, *a, party)
	}
	return s.reinstate(id, *a, party)
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
