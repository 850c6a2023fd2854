package prover

import (
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// Programme is what the log says of a programme, unproven.
type Programme struct {
	Record   mapfn.ProgrammeRecord
	Rules    *entry.Programme // the newest
	Operator *entry.Party     // its enrolment
}

// Programme returns what the log has about a programme, or nil.
func (s *State) Programme(id Hash) (*Programme, error) {
	b, err := s.Map.Record(mapfn.NSProgramme, id[:])
	if b == nil || err != nil {
		return nil, err
	}
	var p Programme
	if p.Record, err = mapfn.ParseProgramme(b); err != nil {
		return nil, err
	}
	rules, err := s.parseLeaf(p.Record.At)
	if err != nil {
		return nil, err
	}
	if b, err = s.Map.Record(mapfn.NSParty, p.Record.Party[:]); err != nil {
		return nil, err
	}
	party, err := mapfn.ParseParty(b)
	if err != nil {
		return nil, err
	}
	enrol, err := s.parseLeaf(party.Issued)
	if err != nil {
		return nil, err
	}
	p.Rules, p.Operator = rules.Programme, enrol.Party
	return &p, nil
}
