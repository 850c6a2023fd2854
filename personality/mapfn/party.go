package mapfn

import (
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func (s *step) party(key *KeyRecord) error {
	switch s.e.Party.Action {
	case entry.ActionEnrol:
		return s.enrol(key)
	case entry.ActionAmend:
		return s.amend(key)
	}
	return s.end(key)
}

func (s *step) enrol(key *KeyRecord) error {
	if err := s.activeKey(key, RoleRegistrar); err != nil {
		return err
	}
	p := s.e.Party
	party := Hex(s.e.ID)
	recovery := p.Recovery.Key.ID()
	// SPEC: no key of it has an ns 5 record.
	if err := s.fresh(recovery); err != nil {
		return err
	}
	s.newKey(recovery, RoleRecovery, &party)
	for _, k := range p.Keys {
		if err := s.fresh(k.Key.ID()); err != nil {
			return err
		}
		s.newKey(k.Key.ID(), RoleOrdinary, &party)
	}
	return s.partyEvent(s.e.ID, PartyRecord{
		V: 1, State: StateActive, Issued: s.index, Leaf: Hex(s.e.LeafHash),
		Recovery: Hex(recovery), Roles: p.Roles, Keys: uint64(len(p.Keys)),
	}, EventEnrol)
}

// activeParty returns the party that is the entry's subject, which must not
// have ended.
func (s *step) activeParty(id Hash) (PartyRecord, error) {
	p, err := s.partyRecord(id)
	switch {
	case err != nil:
		return PartyRecord{}, err
	case p == nil:
		return PartyRecord{}, ignore(reason.TargetUnknown, "party %x is not in this log", id)
	case p.State != StateActive:
		return PartyRecord{}, ignore(reason.PartyEnded, "party %x ended at index %d", id, *p.End)
	}
	return *p, nil
}

// recoveryKey checks that the signing key is the party's present recovery key.
func (s *step) recoveryKey(key *KeyRecord, p PartyRecord) error {
	if err := s.activeKey(key, RoleRecovery); err != nil {
		return err
	}
	if p.Recovery != Hex(s.e.KeyID) {
		return ignore(reason.RoleNotAllowed, "key %x is another party's recovery key", s.e.KeyID)
	}
	return nil
}

func (s *step) amend(key *KeyRecord) error {
	a := s.e.Party
	id := s.e.Subjects[0].ID
	p, err := s.activeParty(id)
	if err != nil {
		return err
	}
	// SPEC: after = its last.
	if *a.After != p.Last {
		return ignore(reason.AfterStale, "the party was last changed at index %d", p.Last)
	}
	// SPEC: with roles: signed by an active registrar; otherwise by the
	// party's present recovery key.
	if a.Roles != nil {
		if err := s.activeKey(key, RoleRegistrar); err != nil {
			return err
		}
		p.Roles = a.Roles
		return s.partyEvent(id, p, EventAmend)
	}
	if err := s.recoveryKey(key, p); err != nil {
		return err
	}
	if a.Recovery != nil {
		next := a.Recovery.Key.ID()
		if err := s.fresh(next); err != nil {
			return err
		}
		party := Hex(id)
		s.newKey(next, RoleRecovery, &party)
		s.retire(s.e.KeyID, *key)
		p.Recovery = Hex(next)
	}
	return s.partyEvent(id, p, EventAmend)
}

func (s *step) end(key *KeyRecord) error {
	id := s.e.Subjects[0].ID
	p, err := s.activeParty(id)
	if err != nil {
		return err
	}
	// SPEC: signed by an active registrar or the party's present recovery key.
	if key.Role != RoleRegistrar {
		err = s.recoveryKey(key, p)
	} else {
		err = s.activeKey(key, RoleRegistrar)
	}
	if err != nil {
		return err
	}
	p.State, p.End = StateEnded, &s.index
	s.withdraw(Withdrawal{Kind: WithdrawalPartyEnded, ID: id})
	return s.partyEvent(id, p, EventEnd)
}
