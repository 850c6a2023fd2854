package mapfn

import (
	"math"
	"slices"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func (s *step) key(key *KeyRecord) error {
	if s.e.Key.Action == entry.ActionAdd {
		return s.addKey(key)
	}
	return s.endKey(key)
}

func (s *step) addKey(key *KeyRecord) error {
	id := s.e.Key.Party
	p, err := s.activeParty(id)
	if err != nil {
		return err
	}
	if err := s.recoveryKey(key, p); err != nil {
		return err
	}
	// SPEC: keys < 32.
	if p.Keys >= maxKeys {
		return ignore(reason.KeyLimit, "the party has had %d ordinary keys", p.Keys)
	}
	added := s.e.Subjects[0].ID
	if err := s.fresh(added); err != nil {
		return err
	}
	party := Hex(id)
	s.newKey(added, RoleOrdinary, &party)
	p.Keys++
	return s.partyEvent(id, p, EventKeyAdd)
}

// endKey retires a key, declares it compromised, or a range of what it attested
// void.
func (s *step) endKey(key *KeyRecord) error {
	id := s.e.Subjects[0].ID
	target, err := s.keyRecord(id)
	if err != nil {
		return err
	}
	if target == nil {
		return ignore(reason.TargetUnknown, "key %x is not in this log", id)
	}
	// SPEC: ordinary keys only.
	if target.Role != RoleOrdinary {
		return ignore(reason.RoleNotAllowed, "key %x is a %s key; only ordinary keys are retired, compromised or void", id, target.Role)
	}
	_, p, err := s.partyOf(target)
	if err != nil {
		return err
	}
	if err := s.mayEnd(key, target, p); err != nil {
		return err
	}
	switch s.e.Key.Action {
	case entry.ActionRetire:
		return s.retireKey(id, *target, p)
	case entry.ActionRange:
		return s.voidRange(id, *target, p)
	}
	return s.compromiseKey(id, *target, p)
}

// mayEnd checks that the signer may end the target key.
func (s *step) mayEnd(key, target *KeyRecord, p PartyRecord) error {
	if s.e.KeyID != s.e.Subjects[0].ID || s.e.Key.Action == entry.ActionRange {
		return s.recoveryKey(key, p)
	}
	// SPEC: or, but for range, by the key itself, which then is active (retire) or not
	// compromised (compromise), and carries no cutoff: a thief of the key
	// could else void what its owner issued before.
	if s.e.Key.Cutoff != nil {
		return ignore(reason.Cutoff, "a key that ends itself cannot set a cutoff")
	}
	if target.State == StateCompromised {
		return ignore(reason.KeyNotActive, "key %x is compromised", s.e.KeyID)
	}
	return nil
}

func (s *step) retireKey(id Hash, target KeyRecord, p PartyRecord) error {
	if target.State != StateActive {
		return ignore(reason.TargetState, "key %x is %s", id, target.State)
	}
	s.retire(id, target)
	return s.partyEvent(Hash(*target.Party), p, EventRetire)
}

func (s *step) voidRange(id Hash, target KeyRecord, p PartyRecord) error {
	r := s.e.Key.Range
	v := Void{From: r.From, To: r.To, Reason: r.Reason, Package: r.Package}
	// SPEC: to ≤ own index: what is yet to be issued cannot be void.
	if v.To > s.index {
		return ignore(reason.Cutoff, "the range ends at %d, beyond index %d", v.To, s.index)
	}
	if slices.Contains(target.Voids, v) {
		return ignore(reason.NoChange, "the range is declared void already")
	}
	if len(target.Voids) >= maxVoids {
		return ignore(reason.KeyLimit, "key %x has %d ranges that are void", id, len(target.Voids))
	}
	target.Voids = append(slices.Clip(target.Voids), v)
	s.putKey(id, target)
	w := Withdrawal{Kind: WithdrawalKeyRange, Reason: v.Reason, ID: id, From: v.From, To: v.To}
	if v.Package != "" {
		w.Flags = FlagReadLeaf
	}
	s.withdraw(w)
	return s.partyEvent(Hash(*target.Party), p, EventRange)
}

func (s *step) compromiseKey(id Hash, target KeyRecord, p PartyRecord) error {
	cutoff := s.index
	if c := s.e.Key.Cutoff; c != nil {
		cutoff = *c
	}
	// SPEC: the cutoff is <= own index, and lower than the present one.
	if cutoff > s.index || target.Cutoff != nil && cutoff >= *target.Cutoff {
		return ignore(reason.Cutoff, "cutoff %d is beyond index %d or not lower than the present one", cutoff, s.index)
	}
	if target.End == nil {
		target.End = &s.index
	}
	target.State, target.Cutoff = StateCompromised, &cutoff
	s.putKey(id, target)
	s.withdraw(Withdrawal{Kind: WithdrawalKeyCutoff, ID: id, From: cutoff, To: math.MaxUint64})
	return s.partyEvent(Hash(*target.Party), p, EventCompromise)
}
