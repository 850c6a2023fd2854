// Package mapfn is map function 1: how the leaves of a log become its state,
// that is, the records of the status map, the event lists in it and the
// withdrawal list. SPEC.md beside this file is the definition.
//
//   - Step takes a leaf as it stands in a log.
//   - Apply takes an entry whose signature has been verified already; it is
//     what a log runs on what it admitted.
//
// Both return what is to be written; neither writes. Records, events and
// withdrawals have their types and encodings here, for everybody who reads a
// proof.
//
// Invariants:
//
//   - The result depends on the leaf, its index, the log's origin and what the
//     Reader returns: no clock, no configuration, no network.
//   - An ignored leaf changes nothing.
//   - No sequence of leaves leads out of "revoked".
//   - Whatever is read can be checked against the map root (SPEC.md, "Bounded
//     reads").
package mapfn

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

// Version is the number of this map function.
const Version = 1

// Keys gives the SubjectPublicKeyInfo whose SHA-256 is the keyid, or nil. An
// implementation need not be trusted: the hash is checked.
type Keys interface {
	SPKI(keyID Hash) ([]byte, error)
}

// Step returns what the leaf at index does to the state that r shows. A leaf
// that is ignored gives an error with a code of package reason (reason.CodeOf
// is not empty); any other error is the Reader's, or ErrFunction. A seal or
// stray gives nil and no error.
func Step(origin string, leaf []byte, index uint64, r Reader, keys Keys) (*Writes, error) {
	// First of all: another function may give a meaning to what is no entry
	// under this one.
	log, err := logRecord(index, r)
	if err != nil {
		return nil, err
	}
	if seal.Is(leaf) {
		return nil, nil
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		return nil, err
	}
	key, err := signer(e, keys)
	if err != nil {
		return nil, err
	}
	if err := e.Verify(key); err != nil {
		return nil, err
	}
	return apply(origin, e, index, r, log)
}

// signer finds the key that an entry names: the first charter carries it.
func signer(e *entry.Entry, keys Keys) (entry.PublicKey, error) {
	if e.Kind == entry.KindCharter {
		for _, k := range e.Charter.Roots {
			if k.ID() == e.KeyID {
				return k, nil
			}
		}
	}
	spki, err := keys.SPKI(e.KeyID)
	if err != nil {
		return entry.PublicKey{}, fmt.Errorf("reading key %x: %w", e.KeyID, err)
	}
	if spki == nil {
		return entry.PublicKey{}, reason.Errorf(reason.KeyUnknown, "key %x is not known to this log", e.KeyID)
	}
	// A wrong answer is the store's fault: it MUST NOT make the leaf ignored.
	if sha256.Sum256(spki) != e.KeyID {
		return entry.PublicKey{}, fmt.Errorf("key %x: the SubjectPublicKeyInfo read has another hash", e.KeyID)
	}
	return entry.ParseKey(spki)
}

// ErrUnverified is returned by Apply for an entry that was not verified.
var ErrUnverified = errors.New("entry was not verified")

// Apply is Step for an entry whose Verify has succeeded.
func Apply(origin string, e *entry.Entry, index uint64, r Reader) (*Writes, error) {
	if !e.Verified() {
		return nil, ErrUnverified
	}
	log, err := logRecord(index, r)
	if err != nil {
		return nil, err
	}
	return apply(origin, e, index, r, log)
}

func apply(origin string, e *entry.Entry, index uint64, r Reader, log *LogRecord) (*Writes, error) {
	s := &step{origin: origin, e: e, index: index, r: r, log: log, w: &Writes{}}
	if err := s.run(); err != nil {
		return nil, err
	}
	return s.w, nil
}

// ErrFunction is wrapped by the error for a leaf under another map function.
// It says nothing about the leaf, which is neither ignored nor applied: who
// reads a log MUST stop there.
var ErrFunction = errors.New("another map function is in force")

// InForce returns the map function in force for the next leaf, which line 5 of
// a seal there says. r shows the state after the leaves before it.
//
// SPEC: the fn of the ns 7 record; 1 where there is no log.
func InForce(r Reader) (uint16, error) {
	b, err := r.Record(NSLog, nil)
	if err != nil {
		return 0, fmt.Errorf("reading the log's record: %w", err)
	}
	if b == nil {
		return Version, nil
	}
	log, err := ParseLog(b)
	return log.Fn, err
}

// logRecord returns the record of namespace 7, or nil if leaf 0 founds no log.
func logRecord(index uint64, r Reader) (*LogRecord, error) {
	// SPEC: function 1 at index 0.
	if index == 0 {
		return nil, nil
	}
	b, err := r.Record(NSLog, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the log's record: %w", err)
	}
	if b == nil {
		return nil, nil
	}
	log, err := ParseLog(b)
	// SPEC: who meets a leaf under a function he does not know stops there.
	if err == nil && log.Fn != Version {
		err = fmt.Errorf("leaf %d: %w: function %d since index %d", index, ErrFunction, log.Fn, log.Last)
	}
	return &log, err
}

// step is one application of the map function.
type step struct {
	origin string
	e      *entry.Entry
	index  uint64
	r      Reader
	log    *LogRecord // nil where there is no log
	w      *Writes
}

func ignore(code reason.Code, format string, args ...any) error {
	return reason.Errorf(code, format, args...)
}

// run checks the rules for every entry, in the order of SPEC.md.
func (s *step) run() error {
	if err := s.checkLog(); err != nil {
		return err
	}
	// SPEC: at index 0 only a charter without after has effect.
	if s.index == 0 {
		if s.e.Kind != entry.KindCharter || s.e.Charter.After != nil {
			return ignore(reason.NoLog, "a log begins with a charter")
		}
		return s.found()
	}
	if s.log == nil {
		return ignore(reason.NoLog, "leaf 0 is not a charter")
	}
	key, err := s.signer()
	if err != nil {
		return err
	}
	switch s.e.Kind {
	case entry.KindCharter:
		return s.amendCharter(key)
	case entry.KindParty:
		return s.party(key)
	case entry.KindKey:
		return s.key(key)
	case entry.KindProgramme:
		return s.programme(key)
	case entry.KindAttestation:
		return s.attestation(key)
	case entry.KindRevocation:
		return s.revocation(key)
	}
	return ignore(reason.PredicateType, "kind %q", string(s.e.Kind))
}

// checkLog checks that the entry is made for this log.
func (s *step) checkLog() error {
	var named string
	switch e := s.e; e.Kind {
	case entry.KindCharter:
		named = e.Charter.Log
	case entry.KindParty:
		named = e.Party.Log
	case entry.KindKey:
		named = e.Key.Log
	case entry.KindProgramme:
		named = e.Programme.Log
	case entry.KindRevocation:
		named = e.Revocation.Log
	case entry.KindAttestation:
		for _, o := range e.Attestation.Logs {
			if o == s.origin {
				named = o
			}
		}
	}
	// SPEC: the predicate's log is the origin of this log; an attestation
	// names it among its logs.
	if named != s.origin {
		return ignore(reason.WrongLog, "the entry is not made for %s", s.origin)
	}
	return nil
}

// keyRecord returns the record of a key, or nil.
func (s *step) keyRecord(id Hash) (*KeyRecord, error) {
	return read(s.r, NSKey, id, ParseKey)
}

func (s *step) partyRecord(id Hash) (*PartyRecord, error) {
	return read(s.r, NSParty, id, ParseParty)
}

// partyOf returns the party of a key that has one.
func (s *step) partyOf(k *KeyRecord) (Hash, PartyRecord, error) {
	if k.Party == nil {
		return Hash{}, PartyRecord{}, fmt.Errorf("%w: %s key without party", ErrRecord, k.Role)
	}
	id := Hash(*k.Party)
	p, err := s.partyRecord(id)
	if err == nil && p == nil {
		err = fmt.Errorf("%w: key of party %x, which is not in the map", ErrRecord, id)
	}
	if err != nil {
		return id, PartyRecord{}, err
	}
	return id, *p, nil
}

func (s *step) attestationRecord(id Hash) (*AttestationRecord, error) {
	return read(s.r, NSAttestation, id, ParseAttestation)
}

func read[R any](r Reader, ns NS, id Hash, parse func([]byte) (R, error)) (*R, error) {
	b, err := r.Record(ns, id[:])
	if err != nil {
		return nil, fmt.Errorf("reading record %d %x: %w", ns, id, err)
	}
	if b == nil {
		return nil, nil
	}
	rec, err := parse(b)
	return &rec, err
}

// signer returns the record of the signing key.
func (s *step) signer() (*KeyRecord, error) {
	k, err := s.keyRecord(s.e.KeyID)
	if err == nil && k == nil {
		err = ignore(reason.KeyUnknown, "key %x is not known to this log", s.e.KeyID)
	}
	return k, err
}

// activeKey checks that the signing key is active and in the role.
func (s *step) activeKey(k *KeyRecord, role string) error {
	if k.Role != role {
		return ignore(reason.RoleNotAllowed, "a %s key may not sign this; a %s key may", k.Role, role)
	}
	if k.State != StateActive {
		return ignore(reason.KeyNotActive, "key %x is %s", s.e.KeyID, k.State)
	}
	return nil
}

// fresh checks that a key was never seen in this log.
func (s *step) fresh(id Hash) error {
	k, err := s.keyRecord(id)
	if err == nil && k != nil {
		err = ignore(reason.KeySpent, "key %x is known to this log since index %d", id, k.First)
	}
	return err
}

// put adds a record to the writes.
func put[R any, P record[R]](s *step, ns NS, data []byte, r R) {
	s.w.Changes = append(s.w.Changes, Change{NS: ns, Data: data, Record: marshal[R, P](r)})
}

// putKey writes a key's record and moves its last.
func (s *step) putKey(id Hash, k KeyRecord) {
	k.Last = s.index
	put(s, NSKey, id[:], k)
}

// newKey writes the record of a key that was not known before.
func (s *step) newKey(id Hash, role string, party *Hex) {
	s.putKey(id, KeyRecord{V: 1, State: StateActive, Role: role, First: s.index, Party: party})
}

// retire ends a key.
func (s *step) retire(id Hash, k KeyRecord) {
	k.State, k.End = StateRetired, &s.index
	s.putKey(id, k)
}

// withdraw appends to the withdrawal list.
func (s *step) withdraw(w Withdrawal) {
	w.Index = s.index
	s.w.Withdrawals = append(s.w.Withdrawals, w)
}

// appendEvent returns the root and the peaks of the event list at (ns, data),
// which has count events, after e.
func (s *step) appendEvent(ns NS, data []byte, count uint64, e Event) (Hash, []Hash, error) {
	leaf := e.Append(make([]byte, 0, EventSize))
	// SPEC: step reads the peaks under a list root of a record it read. An
	// empty list has no record, and no peaks.
	if count == 0 {
		return appendLeaf(nil, 0, leaf)
	}
	peaks, err := s.r.Peaks(ns, data)
	if err != nil {
		return Hash{}, nil, fmt.Errorf("reading the list at %d %x: %w", ns, data, err)
	}
	return appendLeaf(peaks, count, leaf)
}

// appendLeaf appends a leaf to the RFC 6962 list with the given peaks.
func appendLeaf(peaks []Hash, count uint64, leaf []byte) (Hash, []Hash, error) {
	peaks, err := treehash.Append(count, peaks, treehash.Leaf(leaf))
	if err != nil {
		return Hash{}, nil, err
	}
	root, err := treehash.RootOf(count+1, peaks)
	return root, peaks, err
}

// partyEvent appends an event to the party's list and writes its record.
// Kinds other than issue move last.
func (s *step) partyEvent(id Hash, p PartyRecord, kind EventKind) error {
	e := Event{Index: s.index, Kind: kind, ID: s.e.ID}
	root, peaks, err := s.appendEvent(NSParty, id[:], p.Count, e)
	if err != nil {
		return err
	}
	p.Count++
	p.LastEvent, p.Root = s.index, Hex(root)
	// SPEC: a party's last is not moved by attestations.
	if kind != EventIssue {
		p.Last = s.index
	}
	s.w.Changes = append(s.w.Changes, Change{NS: NSParty, Data: id[:], Record: marshal(p), Event: &e, Peaks: peaks})
	return nil
}
