package mapfn

import (
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func (s *step) attestation(key *KeyRecord) error {
	party, p, err := s.activeIssuer(key)
	if err != nil {
		return err
	}
	if s.log.Issuance != StateOpen {
		return ignore(reason.IssuanceClosed, "%s takes no attestations since index %d", s.origin, s.log.Last)
	}
	present, err := s.attestationRecord(s.e.ID)
	if err != nil {
		return err
	}
	if present != nil {
		return ignore(reason.NoChange, "the attestation is in this log since index %d", present.Issued)
	}
	if err := s.underProgramme(party, p); err != nil {
		return err
	}
	if old := s.e.Attestation.Supersedes; old != nil {
		if err := s.supersede(*old, party); err != nil {
			return err
		}
	}
	put(s, NSAttestation, s.e.ID[:], AttestationRecord{
		V: 1, State: StateActive, Issued: s.index, Leaf: Hex(s.e.LeafHash), Last: s.index, Key: Hex(s.e.KeyID),
	})
	if err := s.indexSubjects(); err != nil {
		return err
	}
	return s.partyEvent(party, p, EventIssue)
}

// activeIssuer checks that the signing key is an active ordinary key of an
// active party, and returns that.
func (s *step) activeIssuer(key *KeyRecord) (Hash, PartyRecord, error) {
	if err := s.activeKey(key, RoleOrdinary); err != nil {
		return Hash{}, PartyRecord{}, err
	}
	party, p, err := s.partyOf(key)
	if err == nil && p.State != StateActive {
		err = ignore(reason.PartyEnded, "party %x ended at index %d", party, *p.End)
	}
	return party, p, err
}

// supersede ends an older attestation of the same party.
func (s *step) supersede(id, party Hash) error {
	old, err := s.attestationRecord(id)
	if err != nil {
		return err
	}
	if old == nil {
		return ignore(reason.Supersedes, "attestation %x is not in this log", id)
	}
	owner, err := s.owner(old)
	if err != nil {
		return err
	}
	// SPEC: its key's party is the signer's, its state is active, or held
	// with by = the signer's party.
	if owner != party || !changeable(old, party) {
		return ignore(reason.Supersedes, "attestation %x is another party's, or no longer stands (%s)", id, old.State)
	}
	common, err := s.sharesPackage(old)
	if err != nil {
		return err
	}
	if !common {
		return ignore(reason.Supersedes, "attestation %x covers none of these packages", id)
	}
	successor := Hex(s.e.ID)
	next := *old
	next.State, next.Successor = StateSuperseded, &successor
	s.putAttestation(id, next)
	s.withdraw(Withdrawal{Kind: WithdrawalSuperseded, ID: id, From: s.index})
	return nil
}

// owner returns the party of an attestation's key.
func (s *step) owner(a *AttestationRecord) (Hash, error) {
	k, err := s.keyRecord(Hash(a.Key))
	if err != nil {
		return Hash{}, err
	}
	if k == nil || k.Party == nil {
		return Hash{}, fmt.Errorf("%w: attestation by key %x, which is no party's", ErrRecord, a.Key)
	}
	return Hash(*k.Party), nil
}

// changeable reports whether the party may hold or supersede the attestation.
func changeable(a *AttestationRecord, party Hash) bool {
	return a.State == StateActive || a.State == StateHeld && Hash(*a.By) == party
}

// sharesPackage reports whether the old attestation and the new one have a
// package in common.
func (s *step) sharesPackage(old *AttestationRecord) (bool, error) {
	e, err := s.attestationLeaf(old)
	if err != nil {
		return false, err
	}
	for _, a := range e.Subjects {
		if slices.ContainsFunc(s.e.Subjects, func(b entry.Subject) bool { return a.Purl.Package() == b.Purl.Package() }) {
			return true, nil
		}
	}
	return false, nil
}

// attestationLeaf reads the entry of an attestation.
func (s *step) attestationLeaf(a *AttestationRecord) (*entry.Entry, error) {
	e, err := s.leaf(a.Issued, a.Leaf)
	if err == nil && e.Attestation == nil {
		err = notWhatItsRecordSays(a.Issued)
	}
	return e, err
}

// leaf reads the entry at index, whose leaf hash a record has.
func (s *step) leaf(index uint64, hash Hex) (*entry.Entry, error) {
	leaf, err := s.r.Leaf(index, Hash(hash))
	if err != nil {
		return nil, fmt.Errorf("reading leaf %d: %w", index, err)
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		// Without the cause's code, which would make the new leaf ignored.
		return nil, fmt.Errorf("%w: leaf %d, which it names, is no entry: %v", ErrRecord, index, err)
	}
	return e, nil
}

func notWhatItsRecordSays(index uint64) error {
	return fmt.Errorf("%w: leaf %d, which it names, is of another kind", ErrRecord, index)
}

// putAttestation writes the record of an attestation that changes: reason and
// the hold go unless the new state has them.
func (s *step) putAttestation(id Hash, a AttestationRecord) {
	a.Last = s.index
	if a.State != StateHeld {
		a.Hold, a.By, a.Until = nil, nil, nil
	}
	if a.State != StateHeld && a.State != StateRevoked {
		a.Reason = nil
	}
	put(s, NSAttestation, id[:], a)
}

// indexSubjects appends the issue event to the lists of the subjects.
func (s *step) indexSubjects() error {
	places := Places(s.e.Subjects)
	s.w.Changes = slices.Grow(s.w.Changes, len(places)+1) // and that of the party
	for _, p := range places {
		if err := s.listEvent(p.NS, []byte(p.Data)); err != nil {
			return err
		}
	}
	return nil
}

// listEvent appends the issue event to a list of namespace 2, 3 or 4.
func (s *step) listEvent(ns NS, data []byte) error {
	b, err := s.r.Record(ns, data)
	if err != nil {
		return fmt.Errorf("reading record %d %q: %w", ns, data, err)
	}
	l := ListRecord{V: 1}
	if b != nil {
		if l, err = ParseList(b); err != nil {
			return err
		}
	}
	e := Event{Index: s.index, Kind: EventIssue, ID: s.e.ID}
	root, peaks, err := s.appendEvent(ns, data, l.Count, e)
	if err != nil {
		return err
	}
	l.Count++
	l.Last, l.Root = s.index, Hex(root)
	s.w.Changes = append(s.w.Changes, Change{NS: ns, Data: data, Record: marshal(l), Event: &e, Peaks: peaks})
	return nil
}
