package prover

import (
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/verify"
)

// What bounds a bundle.
var (
	errTooMany  = reason.Errorf(reason.RequestTooLarge, "at most %d attestations", bundle.MaxAttestations)
	errTooLarge = reason.Errorf(reason.RequestTooLarge, "the bundle would be larger than %d bytes: ask for fewer attestations", bundle.MaxSize)
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
	m := &maker{State: s, keys: map[Hash]*mapfn.KeyRecord{}, parties: map[Hash]bool{}, programmes: map[Hash]bool{}, causes: map[uint64]bool{}, b: &bundle.Bundle{
		MediaType:  bundle.MediaType,
		Checkpoint: string(s.Checkpoint),
		Seal:       bundle.Seal{Leaf: string(s.sealLeaf), Path: s.sealPath},
	}}
	seen := map[Hash]bool{}
	for _, id := range ids {
		if seen[id] {
			return nil, reason.Errorf(reason.RequestMalformed, "att:%x is named twice", id)
		}
		seen[id] = true
		if err := m.add(id); err != nil {
			return nil, err
		}
	}
	b, err := m.b.Marshal()
	if err != nil {
		return nil, err
	}
	// No reader would take it.
	if len(b) > bundle.MaxSize {
		return nil, errTooLarge
	}
	return b, nil
}

// maker puts a bundle together.
type maker struct {
	*State
	b          *bundle.Bundle
	keys       map[Hash]*mapfn.KeyRecord
	parties    map[Hash]bool
	programmes map[Hash]bool
	causes     map[uint64]bool
}

func (m *maker) add(id Hash) error {
	b, p, err := m.record(mapfn.NSAttestation, id[:])
	if err != nil {
		return err
	}
	if b == nil {
		return reason.Errorf(reason.NotFound, "att:%x is not in the log at size %d", id, m.Size)
	}
	r, err := mapfn.ParseAttestation(b)
	if err != nil {
		return err
	}
	leaf, path, err := m.leaf(r.Issued)
	if err != nil {
		return err
	}
	if err := m.matches(leaf, r.Leaf); err != nil {
		return err
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		return err
	}
	m.b.Attestations = append(m.b.Attestations, bundle.Attestation{Entry: leaf, Path: path, Record: b, Proof: p})
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

func (m *maker) matches(leaf []byte, want mapfn.Hex) error {
	if Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) != Hash(want) {
		return damaged("the stored leaf is not the one its record names")
	}
	return nil
}

// key adds the key with its party, once.
func (m *maker) key(id Hash) (*mapfn.KeyRecord, error) {
	if k := m.keys[id]; k != nil {
		return k, nil
	}
	b, p, err := m.record(mapfn.NSKey, id[:])
	if err != nil {
		return nil, err
	}
	k, err := mapfn.ParseKey(b)
	if err != nil {
		return nil, err
	}
	spki, err := sequencer.KeyStore{Backend: m.p.backend}.SPKI(id)
	if err != nil {
		return nil, err
	}
	if spki == nil {
		return nil, damaged("key %x is missing", id)
	}
	m.keys[id] = &k
	m.b.Keys = append(m.b.Keys, bundle.Key{SPKI: spki, Record: b, Proof: p})
	return &k, m.party(Hash(*k.Party))
}

func (m *maker) party(id Hash) error {
	if m.parties[id] {
		return nil
	}
	m.parties[id] = true
	b, p, err := m.record(mapfn.NSParty, id[:])
	if err != nil {
		return err
	}
	r, err := mapfn.ParseParty(b)
	if err != nil {
		return err
	}
	leaves, err := m.p.backend.Leaves(m.ctx, r.Issued, 1)
	if err != nil {
		return err
	}
	if err := m.matches(leaves[0], r.Leaf); err != nil {
		return err
	}
	m.b.Parties = append(m.b.Parties, bundle.Party{Entry: leaves[0], Record: b, Proof: p})
	return nil
}

// programme adds a programme with its newest rules, once.
func (m *maker) programme(id Hash) error {
	if m.programmes[id] {
		return nil
	}
	m.programmes[id] = true
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
	if err := m.matches(leaf, r.Leaf); err != nil {
		return err
	}
	m.b.Programmes = append(m.b.Programmes, bundle.Programme{ID: bundle.ID(id), Entry: leaf, Record: b, Proof: p})
	return nil
}

// cause adds the entry behind c, once, if the records say which it is: where
// several causes share an index, it is behind the one that came last.
func (m *maker) cause(c verify.Cause) error {
	if c.EventIndex == 0 || m.causes[c.EventIndex] {
		return nil
	}
	leaf, path, err := m.leaf(c.EventIndex)
	if err != nil {
		return err
	}
	if e, err := entry.Parse(leaf); err != nil || !c.Explained(e) {
		return err
	}
	m.causes[c.EventIndex] = true
	m.b.Causes = append(m.b.Causes, bundle.Cause{Entry: leaf, Index: c.EventIndex, Path: path})
	return nil
}
