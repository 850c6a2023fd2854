package admission

import (
	"sync"

	"github.com/standing-log/standing/personality/entry"
)

// candidate is an envelope on its way through admission.
type candidate struct {
	entry *entry.Entry
	hash  Hash
	key   entry.PublicKey
	err   error
	done  chan struct{} // closed when its signature has been checked
}

// pool brings the signatures of concurrent calls together, since many at once
// cost half as much each. Nobody waits for company: whoever comes while
// another batch is being checked goes into the next one.
type pool struct {
	turn chan struct{} // holds one value: whoever takes it checks a batch

	mu      sync.Mutex
	waiting []*candidate
}

func newPool() *pool {
	p := &pool{turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// poolMax bounds a batch. Beyond it there is little to gain.
const poolMax = 64

// verify checks the signature of c, and those of others along with it.
func (p *pool) verify(c *candidate) {
	c.done = make(chan struct{})
	p.mu.Lock()
	p.waiting = append(p.waiting, c)
	p.mu.Unlock()
	for {
		select {
		case <-c.done:
			return
		case <-p.turn:
			p.checkBatch()
			p.turn <- struct{}{}
		}
	}
}

func (p *pool) checkBatch() {
	batch := p.take()
	verify(batch)
	for _, c := range batch {
		close(c.done)
	}
}

// take removes a batch from those that wait.
func (p *pool) take() []*candidate {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.waiting), poolMax)
	batch := append([]*candidate(nil), p.waiting[:n]...)
	p.waiting = append(p.waiting[:0], p.waiting[n:]...)
	return batch
}

// verify checks the signatures of candidates that have parsed.
func verify(candidates []*candidate) {
	entries, keys := make([]*entry.Entry, len(candidates)), make([]entry.PublicKey, len(candidates))
	for i, c := range candidates {
		entries[i], keys[i] = c.entry, c.key
	}
	for i, err := range entry.VerifyAll(entries, keys) {
		candidates[i].err = err
	}
}
