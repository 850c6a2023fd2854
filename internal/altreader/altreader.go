// Package altreader is a second, independent implementation of how a log is
// read: entries, the map function, the status map's root, event lists, the
// withdrawal list and seals. It is written from the specifications
// (personality/{entry,mapfn,statusmap,seal}/SPEC.md, and the grammar in the
// documentation of personality/purl) and imports nothing of this module. Where
// both implementations agree on a log, a fault would have to be in both, or in
// what both were written from.
//
// It is made to be read, and fast enough to be used: state is Go maps that are
// changed in place; of trees the peaks are kept, and of the status map the
// hashes, so that a seal costs what has changed since the one before.
//
// Fsck replays a whole log. Add replays one leaf; what a live seal says is
// computed again, line by line. Why a leaf is ignored is said in the words of
// personality/reason where that is natural; which of several faults is named
// may differ from the first implementation.
//
// Invariants:
//
//   - A leaf that is ignored changes nothing but the tree.
//   - After a live seal that is wrong, and at a leaf under a map function that
//     is not known here, nothing more is replayed.
//   - What is kept grows with the state, not with the size of the leaves.
package altreader

import (
	"fmt"
	"slices"
	"strings"
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
	nsProgramme   = 8
)

// Log is a log that is being replayed, and its state.
type Log struct {
	origin string
	tree   list
	stop   error // why replay stopped
	sealed *sealed
	stats  Stats

	charter      *charter // nil: there is no log
	keys         map[Hash]*key
	parties      map[Hash]*party
	programmes   map[Hash]*programme
	attestations map[Hash]*attestation
	lists        map[name]*events // namespaces 2 to 4
	withdrawals  list
	effective    map[Hash]bool // ids of events

	status *trie
	size   uint64        // keys in status
	stale  map[name]bool // written, and not yet in status
}

// name is where a record stands: namespace and data.
type name struct {
	ns   byte
	data string
}

// Stats counts leaves.
type Stats struct{ Entries, Seals, Ignored, Strays uint64 }

// New returns the log with the given origin before its first leaf.
func New(origin string) *Log {
	return &Log{
		origin: origin, keys: map[Hash]*key{}, parties: map[Hash]*party{}, programmes: map[Hash]*programme{},
		attestations: map[Hash]*attestation{}, lists: map[name]*events{},
		effective: map[Hash]bool{}, stale: map[name]bool{},
	}
}

// Outcome is what a leaf did.
type Outcome struct {
	Ignored     bool
	Code        string   // why it was ignored
	Live        bool     // a live seal, and right in every line
	Stray       bool     // begins like a seal and is none
	Withdrawals [][]byte // records it added to the withdrawal list
}

// Add replays the next leaf. The error is a *SealError if the leaf is a live
// seal that is wrong, and a *FunctionError if the leaf is under a map function
// that is not known here; every later call returns it again. Any other error
// says that a specification contradicts itself.
func (l *Log) Add(leaf []byte) (Outcome, error) {
	if l.stop != nil {
		return Outcome{}, l.stop
	}
	var out Outcome
	// SPEC: whoever meets a leaf under a function he does not know stops
	// there: he neither ignores the leaf nor applies it.
	if fn := l.function(); fn != 1 {
		l.stop = &FunctionError{l.Size(), fn}
	} else if strings.HasPrefix(string(leaf), "standing/seal/") {
		out.Live, l.stop = l.checkSeal(leaf)
		out.Stray = !out.Live
	} else {
		out, l.stop = l.step(leaf)
	}
	if l.stop != nil {
		return Outcome{}, l.stop
	}
	l.tree.add(leaf)
	l.stats.count(out)
	return out, nil
}

func (s *Stats) count(out Outcome) {
	switch {
	case out.Live:
		s.Seals++
	case out.Stray:
		s.Strays++
	case out.Ignored:
		s.Ignored++
	default:
		s.Entries++
	}
}

// FunctionError says that a leaf is under a map function not known here.
type FunctionError struct{ Index, Function uint64 }

func (e *FunctionError) Error() string {
	return fmt.Sprintf("leaf %d is under map function %d, which this program does not know: nothing is said about it and what follows", e.Index, e.Function)
}

// function is the map function in force.
func (l *Log) function() uint64 {
	if l.charter == nil {
		return 1
	}
	return l.charter.fn
}

// Size returns the number of leaves.
func (l *Log) Size() uint64 { return l.tree.count }

// TreeRoot returns the RFC 6962 root of all leaves.
func (l *Log) TreeRoot() Hash { return l.tree.root() }

// Stats returns what was counted.
func (l *Log) Stats() Stats { return l.stats }

// Keys returns the number of keys of the status map.
func (l *Log) Keys() uint64 {
	l.write()
	return l.size
}

// Root returns the root of the status map.
func (l *Log) Root() Hash {
	l.write()
	return l.status.root()
}

// Withdrawals returns the number of records in the withdrawal list.
func (l *Log) Withdrawals() uint64 { return l.withdrawals.count }

// WithdrawalRoot returns the root of the withdrawal list.
func (l *Log) WithdrawalRoot() Hash { return l.withdrawals.root() }

// write brings the records that changed into the status map.
func (l *Log) write() {
	for n := range l.stale {
		var isNew bool
		if l.status, isNew = l.status.set(mapKey(n), mapValue(n, l.text(n)), 0); isNew {
			l.size++
		}
	}
	clear(l.stale)
}

// step applies the map function to a leaf that is no seal.
func (l *Log) step(leaf []byte) (Outcome, error) {
	s, code := l.open(leaf)
	if code == "" {
		code = s.apply()
	}
	if code != "" {
		return Outcome{Ignored: true, Code: code}, nil
	}
	// SPEC (mapfn, "Rules for every entry", 5) argues that without an index
	// of ids no event can act twice on the same object. Here is one. A
	// revocation has several objects, and may come to one of them later.
	if l.effective[s.e.id] && s.e.revocation == nil {
		return Outcome{}, fmt.Errorf("leaf %d: event %x has effect for the second time", s.index, s.e.id)
	}
	l.effective[s.e.id] = true
	return Outcome{Withdrawals: s.withdrawn}, nil
}

// step is an entry at its place.
type step struct {
	*Log
	e         *event
	index     uint64
	leaf      Hash
	signer    *key // nil at index 0
	withdrawn [][]byte
}

// open checks what holds for every entry (mapfn/SPEC.md, "Rules for every
// entry", 2 to 6).
func (l *Log) open(leaf []byte) (*step, string) {
	e, fault := parse(leaf)
	if fault != "" {
		return nil, fault
	}
	s := &step{Log: l, e: e, index: l.Size(), leaf: leafHash(leaf)}
	// SPEC: the predicate's log is the origin of this log; an attestation
	// names it among its logs.
	if !slices.Contains(e.logs, l.origin) {
		return nil, "wrong-log"
	}
	if s.index == 0 {
		return s, s.first()
	}
	if l.charter == nil {
		return nil, "no-log"
	}
	if e.charter != nil && e.charter.after == nil {
		return nil, "after-stale"
	}
	if l.attestations[e.id] != nil {
		return nil, "no-change"
	}
	if s.signer = l.keys[e.keyID]; s.signer == nil {
		return nil, "key-unknown"
	}
	return s, e.verify(s.signer.public)
}

// first: only a charter without after, signed by a root key that it names.
func (s *step) first() string {
	c := s.e.charter
	if c == nil || c.after != nil {
		return "no-log"
	}
	for _, k := range c.roots {
		if k.id == s.e.keyID {
			return s.e.verify(k)
		}
	}
	return "key-unknown"
}

// verify checks the signature and the proofs of possession.
func (e *event) verify(by *publicKey) string {
	if !by.verify(e.pae, e.sig) {
		return "signature-invalid"
	}
	for _, p := range e.proofs {
		if !p.key.verify(p.text, p.sig) {
			return "proof-of-possession"
		}
	}
	return ""
}

func (s *step) apply() string {
	switch e := s.e; {
	case e.charter != nil:
		return s.applyCharter(e.charter)
	case e.party != nil:
		return s.applyParty(e.party)
	case e.key != nil:
		return s.applyKey(e.key)
	case e.programme != nil:
		return s.applyProgramme(e.programme)
	case e.attestation != nil:
		return s.applyAttestation(e.attestation)
	}
	return s.applyRevocation(s.e.revocation)
}
