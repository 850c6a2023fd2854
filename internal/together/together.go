// Package together brings the work of concurrent calls together, where doing it
// for many at once costs less than doing it for each.
//
// Invariants:
//
//   - Each value is in one batch, once, and its call returns when that batch is
//     done; it sees what was written to the value then.
//   - One batch is worked on at a time. Nobody waits for company: whoever comes
//     meanwhile goes into the next batch.
package together

import (
	"runtime"
	"sync"
)

// Group collects values for its batches. Its method is safe for concurrent use.
type Group[T any] struct {
	most int
	work func([]T)
	turn chan struct{} // holds one value: whoever takes it works on a batch

	mu      sync.Mutex
	waiting []member[T]
}

// member is a value that waits, and what is closed once it was worked on.
type member[T any] struct {
	value T
	done  chan struct{}
}

// New returns a Group that gives work batches of 1 to most values, in the order
// in which they came.
func New[T any](most int, work func([]T)) *Group[T] {
	g := &Group[T]{most: most, work: work, turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

// Do returns when value was worked on.
func (g *Group[T]) Do(value T) {
	done := make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, member[T]{value, done})
	g.mu.Unlock()
	for {
		select {
		case <-done:
			return
		case <-g.turn:
			// Those who could run now would come a moment too late: they are let in.
			runtime.Gosched()
			g.batch()
			g.turn <- struct{}{}
		}
	}
}

// batch takes what waits, and works on it.
func (g *Group[T]) batch() {
	g.mu.Lock()
	n := min(len(g.waiting), g.most)
	batch := append([]member[T](nil), g.waiting[:n]...)
	rest := copy(g.waiting, g.waiting[n:])
	clear(g.waiting[rest:])
	g.waiting = g.waiting[:rest]
	g.mu.Unlock()
	if n == 0 {
		return
	}
	values := make([]T, n)
	for i, m := range batch {
		values[i] = m.value
	}
	g.work(values)
	for _, m := range batch {
		close(m.done)
	}
}
