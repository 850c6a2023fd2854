package prover

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/verify"
)

// What bounds a bundle.
var (
	errTooMany  = reason.Errorf(reason.RequestTooLarge, "at most %d attestations", bundle.MaxAttestations)
	errTooLarge = reason.Errorf(reason.RequestTooLarge, "the bundle would be too large: ask for fewer attestations")
)

// Bundle returns the bundle of the attestations with the ids, in order. It
// fails with not-found if the map does not have one of them.
func (s *State) Bundle(ids []Hash) ([]byte, error) {
	if len(ids) > bundle.MaxAttestations {
		return nil, errTooMany
	}
	if len(ids) == 0 {
		return nil, reason.Errorf(reason.RequestMalformed, "a bundle is of at least one attestation")
	}
	m := s.newMaker(bundle.MaxSize)
	for _, id := range ids {
		if m.have[part{byte(mapfn.NSAttestation), id}] {
			return nil, reason.Errorf(reason.RequestMalformed, "att:%x is named twice", id)
		}
		if _, err := m.attestation(id); err != nil {
			return nil, err
		}
	}
	return m.marshal()
}

// maker puts a bundle together, and knows how large it will be.
type maker struct {
	*State
	b     bundle.Bundle
	size  int
	max   int
	have  map[part]bool
	order []part // of have
}

// part is something that stands in a bundle once: a namespace with the data of a
// key, or one of the kinds below.
type part struct {
	kind byte
	id   Hash
}

// Parts that are no records.
const (
	partCause  = 'c' // at an index
	partOpened = 'o'
	partListed = 'l' // a map key whose event list is shown
	partJudged = 'j' // one of which every event's attestation is
)

func (s *State) newMaker(max int) *maker {
	m := &maker{State: s, max: min(max, bundle.MaxSize), have: map[part]bool{}, b: bundle.Bundle{
		MediaType:  bundle.MediaType,
		Checkpoint: s.under.text,
		Seal:       s.under.last.shown,
		// What no subject names is empty, and not missing.
		Attestations: bundle.List[bundle.Attestation]{}, Keys: bundle.List[bundle.Key]{}, Parties: bundle.List[bundle.Party]{},
	}}
	m.size = cost(2*len(s.Checkpoint)+2*len(m.b.Seal.Leaf), 32*len(m.b.Seal.Path)) + 512
	return m
}

// cost is what a part takes in the file: its JSON, and what stands there in
// base64.
func cost(plain int, encoded ...int) int {
	for _, n := range encoded {
		plain += base64.StdEncoding.EncodedLen(n)
	}
	return plain + 64 // names of members
}

// once reports whether p is new to the bundle, and notes it.
func (m *maker) once(p part) bool {
	if m.have[p] {
		return false
	}
	m.have[p], m.order = true, append(m.order, p)
	return true
}

// take makes room for a part.
func (m *maker) take(size int) error {
	if m.size += size; m.size > m.max {
		return errTooLarge
	}
	return nil
}

// mark is a state of a bundle to which undo goes back.
type mark struct {
	b           bundle.Bundle // its lists: what is appended later is beyond their ends
	size, parts int
}

func (m *maker) mark() mark { return mark{m.b, m.size, len(m.order)} }

func (m *maker) undo(to mark) {
	for _, p := range m.order[to.parts:] {
		delete(m.have, p)
	}
	m.b, m.size, m.order = to.b, to.size, m.order[:to.parts]
}

func (m *maker) marshal() ([]byte, error) {
	b, err := m.b.Marshal()
	if err != nil {
		return nil, err
	}
	// No reader would take it.
	if len(b) > m.max {
		return nil, errTooLarge
	}
	return b, nil
}

// attestation adds an attestation with all that its verdict needs.
func (m *maker) attestation(id Hash) (r mapfn.AttestationRecord, err error) {
	if len(m.b.Attestations) == bundle.MaxAttestations {
		return r, errTooMany
	}
	b, p, err := m.record(mapfn.NSAttestation, id[:])
	if err != nil {
		return r, err
	}
	if b == nil {
		return r, reason.Errorf(reason.NotFound, "att:%x is not in the log at size %d", id, m.Size)
	}
	if r, err = mapfn.ParseAttestation(b); err != nil {
		return r, err
	}
	leaf, path, err := m.leaf(r.Issued)
	if err != nil {
		return r, err
	}
	if err := matches(leaf, r.Leaf); err != nil {
		return r, err
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		return r, err
	}
	m.once(part{byte(mapfn.NSAttestation), id})
	m.b.Attestations = append(m.b.Attestations, bundle.Attestation{Entry: leaf, Path: path, Record: b, Proof: p})
	if err := m.take(cost(len(leaf)+len(b), 32*len(path), len(p))); err != nil {
		return r, err
	}
	return r, m.behind(e, r)
}

// behind adds the key, the programme and the causes of an attestation.
func (m *maker) behind(e *entry.Entry, r mapfn.AttestationRecord) error {
	k, err := m.key(Hash(r.Key))
	if err != nil {
		return err
	}
	if id := e.Attestation.Programme; id != nil {
		if err := m.programme(*id); err != nil {
			return err
		}
	}
	// What depends on time has no entry behind it but the hold.
	for _, c := range verify.Judge(e, r, *k, time.Time{}) {
		if err := m.cause(c); err != nil {
			return err
		}
	}
	return nil
}

func matches(leaf []byte, want mapfn.Hex) error {
	if Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) != Hash(want) {
		return damaged("the stored leaf is not the one its record names")
	}
	return nil
}

// key adds the key with its party, once.
func (m *maker) key(id Hash) (*mapfn.KeyRecord, error) {
	i, err := m.under.issuer(m.State, id)
	if err != nil {
		return nil, err
	}
	if !m.once(part{byte(mapfn.NSKey), id}) {
		return &i.record, nil
	}
	m.b.Keys = append(m.b.Keys, i.key)
	if err := m.take(cost(len(i.key.Record), len(i.key.SPKI), len(i.key.Proof))); err != nil {
		return nil, err
	}
	if !m.once(part{byte(mapfn.NSParty), Hash(*i.record.Party)}) {
		return &i.record, nil
	}
	m.b.Parties = append(m.b.Parties, i.party)
	return &i.record, m.take(cost(len(i.party.Entry)+len(i.party.Record), len(i.party.Proof)))
}

// programme adds a programme with its newest rules, once.
func (m *maker) programme(id Hash) error {
	if !m.once(part{byte(mapfn.NSProgramme), id}) {
		return nil
	}
	b, p, err := m.record(mapfn.NSProgramme, id[:])
	if err != nil {
		return err
	}
	r, err := mapfn.ParseProgramme(b)
	if err != nil {
		return err
	}
	leaf, _, err := m.leaf(r.At)
	if err != nil {
		return err
	}
	if err := matches(leaf, r.Leaf); err != nil {
		return err
	}
	m.b.Programmes = append(m.b.Programmes, bundle.Programme{ID: bundle.ID(id), Entry: leaf, Record: b, Proof: p})
	return m.take(cost(len(leaf)+len(b)+len(id)*2, len(p)))
}

// cause adds the entry behind c, once, if the records say which it is: where
// several causes share an index, it is behind the one that came last.
func (m *maker) cause(c verify.Cause) error {
	p := part{kind: partCause}
	binary.BigEndian.PutUint64(p.id[:], c.EventIndex)
	if c.EventIndex == 0 || m.have[p] {
		return nil
	}
	leaf, path, err := m.leaf(c.EventIndex)
	if err != nil {
		return err
	}
	if e, err := entry.Parse(leaf); err != nil || !c.Explained(e) {
		return err
	}
	m.once(p)
	m.b.Causes = append(m.b.Causes, bundle.Cause{Entry: leaf, Index: c.EventIndex, Path: path})
	return m.take(cost(len(leaf), 32*len(path)))
}
