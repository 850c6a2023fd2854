// Package admission decides whether a submitted envelope may be offered to the
// sequencer: canonical form, hash, syntax, signature, and this log's own rules.
// What depends on the log's state is decided by the sequencer, which runs the
// map function on every entry in order.
//
// Invariants:
//
//   - The leaf hash is taken before the signature is verified, over the same
//     bytes: a bit that flips in memory in between breaks one of the two.
//   - Every refusal carries a code of package reason, and nothing of a refused
//     envelope is kept.
//   - What is in the log already is admitted again, although this log's own
//     rules, or the time, would refuse it today: it will be answered with the
//     first result.
package admission

import (
	"fmt"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/internal/together"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Store is what admission reads of the log.
type Store interface {
	mapfn.Keys
	// Known reports whether the event with the id is in the log.
	Known(id Hash) (bool, error)
}

// Admission admits envelopes. It is safe for concurrent use.
type Admission struct {
	// Metrics counts what is admitted and what is not; nil: nobody counts.
	Metrics *Metrics

	keys Store
	now  func() time.Time

	verify *together.Group[*candidate] // checks the signatures of concurrent calls

	mu    sync.RWMutex
	cache map[Hash]entry.PublicKey // parsed keys, by keyid
}

// maxCache bounds the number of parsed keys kept.
const maxCache = 1 << 14

// New returns an Admission to the log that keys reads; it judges times by now.
func New(keys Store, now func() time.Time) *Admission {
	return &Admission{keys: keys, now: now, verify: together.New(togetherMax, verify), cache: map[Hash]entry.PublicKey{}}
}

// Admit checks one envelope. It keeps it: the caller MUST NOT write there any more.
func (a *Admission) Admit(envelope []byte) (*entry.Entry, error) {
	began := a.now()
	c := a.parse(envelope)
	if c.err == nil {
		a.verify.Do(c)
	}
	e, err := a.finish(c)
	a.Metrics.checked(a.now().Sub(began), err)
	return e, err
}

// AdmitAll checks many envelopes, each by itself, in less time. It keeps them, too.
func (a *Admission) AdmitAll(envelopes [][]byte) ([]*entry.Entry, []error) {
	began := a.now()
	candidates := make([]*candidate, len(envelopes))
	var good []*candidate
	for i, envelope := range envelopes {
		candidates[i] = a.parse(envelope)
		if candidates[i].err == nil {
			good = append(good, candidates[i])
		}
	}
	verify(good)
	entries, errs := make([]*entry.Entry, len(envelopes)), make([]error, len(envelopes))
	for i, c := range candidates {
		entries[i], errs[i] = a.finish(c)
	}
	each := a.now().Sub(began) / time.Duration(max(1, len(envelopes)))
	for _, err := range errs {
		a.Metrics.checked(each, err)
	}
	return entries, errs
}

// parse does what comes before the signature.
func (a *Admission) parse(envelope []byte) *candidate {
	c := &candidate{}
	// Most envelopes are leaves as they come.
	c.entry, c.err = entry.Parse(envelope)
	if c.err != nil {
		var leaf []byte
		if leaf, c.err = entry.Canonicalize(envelope); c.err == nil {
			c.entry, c.err = entry.Parse(leaf)
		}
	}
	if c.err == nil {
		c.key, c.err = a.key(c.entry.KeyID)
	}
	return c
}

// finish does what comes after the signature.
func (a *Admission) finish(c *candidate) (*entry.Entry, error) {
	if c.err != nil {
		return nil, c.err
	}
	if err := a.lint(c.entry); err != nil {
		return nil, err
	}
	return c.entry, nil
}

// lint applies this log's own rules, which may change, to what is new.
func (a *Admission) lint(e *entry.Entry) error {
	refusal := lint.Check(e)
	if refusal == nil {
		refusal = lint.CheckTimes(e, a.now())
	}
	if refusal == nil {
		return nil
	}
	// SPEC: submitting again what was accepted is answered with the first
	// result.
	known, err := a.keys.Known(e.ID)
	if err != nil {
		return fmt.Errorf("looking up %s: %w", e.IDString(), err)
	}
	if known {
		return nil
	}
	return refusal
}

// key returns the public key with the id, which an earlier entry has brought.
func (a *Admission) key(id Hash) (entry.PublicKey, error) {
	a.mu.RLock()
	key, ok := a.cache[id]
	a.mu.RUnlock()
	if ok {
		return key, nil
	}
	spki, err := a.keys.SPKI(id)
	if err != nil {
		return key, fmt.Errorf("reading key %x: %w", id, err)
	}
	if spki == nil {
		return key, reason.Errorf(reason.KeyUnknown, "key %x is not known to this log", id)
	}
	key, err = entry.ParseKey(spki)
	if err != nil {
		return key, fmt.Errorf("key %x, which is in the store: %w", id, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.cache) >= maxCache {
		clear(a.cache)
	}
	a.cache[id] = key
	return key, nil
}
