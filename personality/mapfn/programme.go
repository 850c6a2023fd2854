package mapfn

import (
	"slices"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// programme applies a publication, an amendment or a closure.
func (s *step) programme(key *KeyRecord) error {
	party, p, err := s.activeIssuer(key)
	if err != nil {
		return err
	}
	if s.e.Programme.Action == entry.ActionPublish {
		return s.publish(party, p)
	}
	id := s.e.Subjects[0].ID
	r, err := s.ownProgramme(id, party)
	if err != nil {
		return err
	}
	if s.e.Programme.Action == entry.ActionClose {
		// SPEC: nothing leaves closed. What was issued stands.
		r.State = StateClosed
		s.putProgramme(id, r)
		return s.partyEvent(party, p, EventClose)
	}
	// SPEC: for amend after = its last: old rules cannot be replayed.
	if *s.e.Programme.After != r.Last {
		return ignore(reason.AfterStale, "the programme was last changed at index %d", r.Last)
	}
	r.At, r.Leaf = s.index, Hex(s.e.LeafHash)
	s.putProgramme(id, r)
	return s.partyEvent(party, p, EventRules)
}

func (s *step) publish(party Hash, p PartyRecord) error {
	// SPEC: it is not in ns 8: the same publication, logged again, would open
	// a programme that was closed.
	r, err := s.programmeRecord(s.e.ID)
	if err != nil {
		return err
	}
	if r != nil {
		return ignore(reason.NoChange, "the programme is in this log since index %d", r.Issued)
	}
	s.putProgramme(s.e.ID, ProgrammeRecord{
		V: 1, State: StateOpen, Issued: s.index, At: s.index, Leaf: Hex(s.e.LeafHash), Party: Hex(party),
	})
	return s.partyEvent(party, p, EventPublish)
}

// putProgramme writes a programme's record and moves its last.
func (s *step) putProgramme(id Hash, r ProgrammeRecord) {
	r.Last = s.index
	put(s, NSProgramme, id[:], r)
}

func (s *step) programmeRecord(id Hash) (*ProgrammeRecord, error) {
	return read(s.r, NSProgramme, id, ParseProgramme)
}

// openProgramme returns a programme that attestations and revocations may name.
func (s *step) openProgramme(id Hash) (ProgrammeRecord, error) {
	r, err := s.programmeRecord(id)
	switch {
	case err != nil:
		return ProgrammeRecord{}, err
	case r == nil:
		return ProgrammeRecord{}, ignore(reason.Programme, "programme %x is not in this log", id)
	case r.State != StateOpen:
		return ProgrammeRecord{}, ignore(reason.ProgClosed, "programme %x was closed at index %d", id, r.Last)
	}
	return *r, nil
}

// ownProgramme is openProgramme for the party that operates it.
func (s *step) ownProgramme(id, party Hash) (ProgrammeRecord, error) {
	r, err := s.openProgramme(id)
	if err == nil && Hash(r.Party) != party {
		err = ignore(reason.NotYourProg, "programme %x is another party's", id)
	}
	return r, err
}

// underProgramme checks that the newest rules of the programme that the
// attestation names, if it names one, allow it: nobody puts himself under a
// programme's name.
func (s *step) underProgramme(party Hash, p PartyRecord) error {
	a := s.e.Attestation
	if a.Programme == nil {
		return nil
	}
	r, err := s.openProgramme(*a.Programme)
	if err != nil {
		return err
	}
	e, err := s.leaf(r.At, r.Leaf)
	if err != nil {
		return err
	}
	rules := e.Programme
	if rules == nil || rules.Action == entry.ActionClose {
		return notWhatItsRecordSays(r.At)
	}
	switch {
	// SPEC: members is any or names the signer's party.
	case rules.Members != nil && !slices.Contains(rules.Members, party):
		return ignore(reason.ProgRules, "programme %x does not name party %x among its members", *a.Programme, party)
	// SPEC: the party's record has one of roles.
	case !slices.ContainsFunc(rules.Roles, func(role string) bool { return slices.Contains(p.Roles, role) }):
		return ignore(reason.ProgRules, "programme %x takes issuers of the roles %q", *a.Programme, rules.Roles)
	// SPEC: validUntil − validFrom ≤ maxValidity.
	case a.ValidUntil-a.ValidFrom > rules.MaxValidity:
		return ignore(reason.ProgRules, "programme %x takes a validity of at most %d seconds", *a.Programme, rules.MaxValidity)
	// SPEC: claims, if there are any, are of one of catalogues.
	case a.Claims != nil && !slices.Contains(rules.Catalogues, a.Claims.Catalogue):
		return ignore(reason.ProgRules, "programme %x takes claims of the catalogues %q", *a.Programme, rules.Catalogues)
	}
	return nil
}
