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
package admission

import (
	"fmt"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Entry is an admitted entry: it parses, its signatures verify, and its leaf
// had LeafHash before they were.
type Entry struct {
	*entry.Entry
	LeafHash Hash
}

// Admission admits envelopes. It is safe for concurrent use.
type Admission struct {
	keys mapfn.Keys
	now  func() time.Time

	mu    sync.RWMutex
	cache map[Hash]entry.PublicKey // parsed keys, by keyid
}

// maxCache bounds the number of parsed keys kept.
const maxCache = 1 << 14

// New returns an Admission that finds keys in keys and judges times by now.
func New(keys mapfn.Keys, now func() time.Time) *Admission {
	return &Admission{keys: keys, now: now, cache: map[Hash]entry.PublicKey{}}
}

// Admit checks one envelope.
func (a *Admission) Admit(envelope []byte) (*Entry, error) {
	leaf, err := entry.Canonicalize(envelope)
	if err != nil {
		return nil, err
	}
	hash := Hash(rfc6962.DefaultHasher.HashLeaf(leaf))
	e, err := entry.Parse(leaf)
	if err != nil {
		return nil, err
	}
	key, err := a.key(e.KeyID)
	if err != nil {
		return nil, err
	}
	if err := e.Verify(key); err != nil {
		return nil, err
	}
	if err := lint.Check(e); err != nil {
		return nil, err
	}
	if err := lint.CheckTimes(e, a.now()); err != nil {
		return nil, err
	}
	return &Entry{e, hash}, nil
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
