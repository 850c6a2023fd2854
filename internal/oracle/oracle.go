// Package oracle is a second implementation of the map function, of the status
// map's root, of seals and of the withdrawal list. It is written from the
// specifications (personality/{entry,mapfn,statusmap,seal}/SPEC.md) and shares
// no code with the first one but the parser of entries: where the two agree on
// a log, a fault would have to be in both, or in what both were written from.
//
// It is made to be read, not to be fast. State is Go maps that are changed in
// place; every root is computed from all that is under it, each time it is
// asked for. Add replays a leaf; what a live seal says is computed again, line
// by line.
//
// Invariants:
//
//   - A leaf that is ignored changes nothing but the tree.
//   - After a live seal that is wrong, nothing more is replayed.
//   - Nothing here imports mapfn, statusmap, seal or a store.
package oracle

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Namespaces of the status map (mapfn/SPEC.md, "Namespaces").
const (
	nsAttestation = 1
	nsComponent   = 2
	nsPackage     = 3
	nsDigest      = 4
	nsKey         = 5
	nsParty       = 6
	nsLog         = 7
)

// Log is a log that is being replayed, and its state.
type Log struct {
	origin string
	tree   []Hash // leaf hashes
	wrong  error  // the seal where replay stopped

	charter      *charter // nil: there is no log
	keys         map[Hash]*key
	parties      map[Hash]*party
	attestations map[Hash]*attestation
	lists        map[name][]event // namespaces 2 to 4
	withdrawals  [][]byte
	effective    map[Hash]bool // ids of events

	records map[name]record // as they were when last written down
	stale   map[name]bool   // written since

	sealed *sealed // the last live seal
}

// name is where a record stands: namespace and data.
type name struct {
	ns   byte
	data string
}

// New returns the log with the given origin before its first leaf.
func New(origin string) *Log {
	return &Log{
		origin: origin, keys: map[Hash]*key{}, parties: map[Hash]*party{}, attestations: map[Hash]*attestation{},
		lists: map[name][]event{}, effective: map[Hash]bool{}, records: map[name]record{}, stale: map[name]bool{},
	}
}

// Outcome is what a leaf did.
type Outcome struct {
	Ignored bool
	Code    reason.Code // why it was ignored
	Live    bool        // a live seal, and right in every line
	Stray   bool        // begins like a seal and is none
}

// Add replays the next leaf. The error is a *SealError if the leaf is a live
// seal that is wrong; every later call returns it again. Any other error says
// that a specification contradicts itself.
func (l *Log) Add(leaf []byte) (Outcome, error) {
	if l.wrong != nil {
		return Outcome{}, l.wrong
	}
	var out Outcome
	if strings.HasPrefix(string(leaf), "standing/seal/") {
		out.Live, l.wrong = l.checkSeal(leaf)
		out.Stray = !out.Live
	} else {
		out.Code, l.wrong = l.step(leaf)
		out.Ignored = out.Code != ""
	}
	if l.wrong != nil {
		return Outcome{}, l.wrong
	}
	l.tree = append(l.tree, leafHash(leaf))
	return out, nil
}

// Size returns the number of leaves.
func (l *Log) Size() uint64 { return uint64(len(l.tree)) }

// TreeRoot returns the RFC 6962 root of all leaves.
func (l *Log) TreeRoot() Hash { return listRoot(l.tree) }

// Record returns the record at (ns, data), or nil if there is none.
func (l *Log) Record(ns byte, data []byte) []byte {
	l.write()
	return l.records[name{ns, string(data)}].text
}

// Keys returns the number of keys of the status map.
func (l *Log) Keys() uint64 {
	l.write()
	return uint64(len(l.records))
}

// Root returns the root of the status map.
func (l *Log) Root() Hash {
	l.write()
	return mapRoot(l.records)
}

// Withdrawals returns the records of the withdrawal list.
func (l *Log) Withdrawals() [][]byte { return l.withdrawals }

// WithdrawalRoot returns the root of the withdrawal list.
func (l *Log) WithdrawalRoot() Hash { return rootOf(l.withdrawals) }

// step applies the map function to a leaf that is no seal and returns why it
// is ignored, or "" if it has effect.
func (l *Log) step(leaf []byte) (reason.Code, error) {
	s, code := l.open(leaf)
	if code == "" {
		code = s.apply()
	}
	if code != "" {
		return code, nil
	}
	// SPEC (mapfn, "Rules for every entry", 5) argues that without an index
	// of ids no event can have effect twice. Here is one.
	if l.effective[s.e.ID] {
		return "", fmt.Errorf("leaf %d: event %x has effect for the second time", s.index, s.e.ID)
	}
	l.effective[s.e.ID] = true
	return "", nil
}

// step is an entry at its place.
type step struct {
	*Log
	e      *entry.Entry
	index  uint64
	leaf   Hash
	signer *key // nil at index 0
}

// open checks what holds for every entry (mapfn/SPEC.md, "Rules for every
// entry", 2 to 6).
func (l *Log) open(leaf []byte) (*step, reason.Code) {
	e, err := entry.Parse(leaf)
	if err != nil {
		return nil, reason.CodeOf(err)
	}
	s := &step{Log: l, e: e, index: l.Size(), leaf: leafHash(leaf)}
	if !s.forThisLog() {
		return nil, reason.WrongLog
	}
	if s.index == 0 {
		return s, s.first()
	}
	if l.charter == nil {
		return nil, reason.NoLog
	}
	if e.Charter != nil && e.Charter.After == nil {
		return nil, reason.AfterStale
	}
	if l.attestations[e.ID] != nil {
		return nil, reason.NoChange
	}
	if s.signer = l.keys[e.KeyID]; s.signer == nil {
		return nil, reason.KeyUnknown
	}
	return s, reason.CodeOf(e.Verify(s.signer.public))
}

// forThisLog: the predicate's log is the origin; an attestation names it among
// its logs.
func (s *step) forThisLog() bool {
	switch e := s.e; {
	case e.Charter != nil:
		return e.Charter.Log == s.origin
	case e.Party != nil:
		return e.Party.Log == s.origin
	case e.Key != nil:
		return e.Key.Log == s.origin
	case e.Revocation != nil:
		return e.Revocation.Log == s.origin
	}
	for _, o := range s.e.Attestation.Logs {
		if o == s.origin {
			return true
		}
	}
	return false
}

// first: only a charter without after, signed by a root key that it names.
func (s *step) first() reason.Code {
	c := s.e.Charter
	if c == nil || c.After != nil {
		return reason.NoLog
	}
	for _, k := range c.Roots {
		if k.ID() == s.e.KeyID {
			return reason.CodeOf(s.e.Verify(k))
		}
	}
	return reason.KeyUnknown
}

func (s *step) apply() reason.Code {
	switch e := s.e; {
	case e.Charter != nil:
		return s.applyCharter(e.Charter)
	case e.Party != nil:
		return s.applyParty(e.Party)
	case e.Key != nil:
		return s.applyKey(e.Key)
	case e.Attestation != nil:
		return s.applyAttestation(e.Attestation)
	}
	return s.applyRevocation(s.e.Revocation)
}

// active says why the signing key is not an active key of a role.
func (s *step) active(role string) reason.Code {
	if s.signer.state != active {
		return reason.KeyNotActive
	}
	if s.signer.role != role {
		return reason.RoleNotAllowed
	}
	return ""
}

// withdraw appends to the withdrawal list.
func (s *step) withdraw(kind, why byte, id Hash, from, to uint64) {
	b := append(u64(s.index), kind, why, 0, 0)
	b = append(b, id[:]...)
	s.withdrawals = append(s.withdrawals, append(append(b, u64(from)...), u64(to)...))
}

// listed appends this event to the list at n.
func (s *step) listed(n name, kind byte) {
	s.lists[n] = append(s.lists[n], event{s.index, kind, s.e.ID})
	s.stale[n] = true
}

// leafHash is RFC 6962's.
func leafHash(leaf []byte) Hash { return sha256.Sum256(append([]byte{0}, leaf...)) }
