package verify

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// signer is a key whose record is proven.
type signer struct {
	key    entry.PublicKey
	record mapfn.KeyRecord
	used   bool
}

// party is a party whose record is proven, with the entry that enrolled it.
type party struct {
	id     Hash
	record mapfn.PartyRecord
	enrol  *entry.Party
	used   bool
}

// programme is a programme whose record is proven, with its newest rules.
type programme struct {
	record mapfn.ProgrammeRecord
	rules  *entry.Programme
	used   bool
}

// event is an entry whose inclusion is proven.
type event struct {
	*entry.Entry
	used bool
}

// loadParts verifies what attestations share: keys, parties, programmes and
// causes.
func (v *verifier) loadParts() error {
	for i := range v.b.Keys {
		if err := v.loadKey(&v.b.Keys[i]); err != nil {
			return fmt.Errorf("key %d: %w", i, err)
		}
	}
	for i := range v.b.Parties {
		if err := v.loadParty(&v.b.Parties[i]); err != nil {
			return fmt.Errorf("party %d: %w", i, err)
		}
	}
	for i := range v.b.Programmes {
		if err := v.loadProgramme(&v.b.Programmes[i]); err != nil {
			return fmt.Errorf("programme %d: %w", i, err)
		}
	}
	v.causes = map[uint64]*event{}
	for i := range v.b.Causes {
		if err := v.loadCause(&v.b.Causes[i]); err != nil {
			return fmt.Errorf("cause %d: %w", i, err)
		}
	}
	return nil
}

// present checks that the map has the record at (ns, data).
func (v *verifier) present(ns mapfn.NS, data, record, encoded []byte) error {
	p, err := statusmap.ParseProof(encoded)
	if err != nil {
		return err
	}
	return p.VerifyPresent(v.seal.MapRoot, statusmap.Key(byte(ns), data), statusmap.ValueHash(byte(ns), record))
}

func (v *verifier) loadKey(k *bundle.Key) error {
	key, err := entry.ParseKey(k.SPKI)
	if err != nil {
		return err
	}
	id := key.ID()
	record, err := mapfn.ParseKey(k.Record)
	if err != nil {
		return err
	}
	if err := v.present(mapfn.NSKey, id[:], k.Record, k.Proof); err != nil {
		return err
	}
	if v.keys[id] != nil {
		return errors.New("stands twice in the bundle")
	}
	v.keys[id] = &signer{key: key, record: record}
	return nil
}

func (v *verifier) loadParty(p *bundle.Party) error {
	e, err := entry.Parse(p.Entry)
	if err != nil {
		return err
	}
	record, err := mapfn.ParseParty(p.Record)
	if err != nil {
		return err
	}
	// SPEC: its id is the party's, and the map key of record.
	if err := v.present(mapfn.NSParty, e.ID[:], p.Record, p.Proof); err != nil {
		return err
	}
	// SPEC: the party's entry hashes to its leaf. The map took only an
	// enrolment there; its signature, by a registrar, was the map's to check.
	if e.LeafHash != Hash(record.Leaf) || e.Kind != entry.KindParty || e.Party.Action != entry.ActionEnrol {
		return errors.New("the entry is not the one that enrolled it")
	}
	if v.parties[e.ID] != nil {
		return errors.New("stands twice in the bundle")
	}
	v.parties[e.ID] = &party{id: e.ID, record: record, enrol: e.Party}
	return nil
}

func (v *verifier) loadProgramme(p *bundle.Programme) error {
	e, err := entry.Parse(p.Entry)
	if err != nil {
		return err
	}
	record, err := mapfn.ParseProgramme(p.Record)
	if err != nil {
		return err
	}
	if err := v.present(mapfn.NSProgramme, p.ID[:], p.Record, p.Proof); err != nil {
		return err
	}
	// SPEC: its entry hashes to its leaf, so it is the newest rules.
	if e.LeafHash != Hash(record.Leaf) || e.Kind != entry.KindProgramme || e.Programme.Action == entry.ActionClose {
		return errors.New("the entry is not its newest rules")
	}
	if v.programmes[Hash(p.ID)] != nil {
		return errors.New("stands twice in the bundle")
	}
	v.programmes[Hash(p.ID)] = &programme{record: record, rules: e.Programme}
	return nil
}

func (v *verifier) loadCause(c *bundle.Cause) error {
	if err := v.included(c.Entry, c.Index, c.Path); err != nil {
		return err
	}
	e, err := entry.Parse(c.Entry)
	if err != nil {
		return err
	}
	if v.causes[c.Index] != nil {
		return errors.New("stands twice in the bundle")
	}
	v.causes[c.Index] = &event{Entry: e}
	return nil
}

// unused refuses parts that nothing in the bundle refers to: nothing that is
// shown may go unchecked, and nothing unchecked may be shown.
func (v *verifier) unused() error {
	// What an attestation that fails would have used is not told apart.
	for _, r := range v.report.Results {
		if r.Verdict == Invalid {
			return nil
		}
	}
	for id, k := range v.keys {
		if !k.used {
			return fmt.Errorf("key %x belongs to no attestation of the bundle", id)
		}
	}
	for id, p := range v.parties {
		if !p.used {
			return fmt.Errorf("party %x belongs to no attestation of the bundle", id)
		}
	}
	for id, p := range v.programmes {
		if !p.used {
			return fmt.Errorf("programme %x is named by no attestation of the bundle", id)
		}
	}
	for index, e := range v.causes {
		if !e.used {
			return fmt.Errorf("entry %d is behind no verdict of the bundle", index)
		}
	}
	return nil
}
