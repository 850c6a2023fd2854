package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// author writes entries. It takes everything to be accepted in the order in
// which it was written; what is not makes some of the rest ineffective.
type author struct {
	mu    sync.Mutex
	gen   *testlog.Generator
	index uint64
	items []testlog.Item
}

// next writes an entry for a log of the given size.
func (a *author) next(size uint64) testlog.Item {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.items) > 0 {
		a.index = max(a.index+1, size)
	}
	item := a.gen.Next(a.index)
	a.items = append(a.items, item)
	return item
}

// old returns one of the entries written before.
func (a *author) old(n int) testlog.Item {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.items[n%len(a.items)]
}

// outcome of a submission.
type outcome int

const (
	unknown outcome = iota
	accepted
	refused
)

// ack is what a submitter was told.
type ack struct {
	id Hash
	at time.Time
	sequencer.Result
}

// submitter submits until ctx ends.
func (w *World) submitter(ctx context.Context, name string) {
	var open []testlog.Item // without an answer
	for {
		r := w.draw(name)
		if !sleep(ctx, between(r, 10*time.Millisecond, 5*time.Second)) {
			return
		}
		p := w.anyone(r.IntN(100))
		if p == nil {
			continue
		}
		for len(open) == 0 || len(open) < 5 && r.IntN(2) == 0 {
			switch {
			case r.IntN(10) == 0:
				open = append(open, w.author.old(r.IntN(1000)))
			case len(open) > 0 && r.IntN(20) == 0:
				open = append(open, open[0]) // twice at once
			default:
				open = append(open, w.author.next(p.disk.size()))
			}
		}
		wait := 20 * time.Second
		if r.IntN(10) == 0 {
			wait = between(r, time.Millisecond, time.Second)
		}
		pctx, cancel := context.WithTimeout(ctx, wait)
		var left []testlog.Item
		for i, o := range p.submit(pctx, open) {
			if o == unknown {
				left = append(left, open[i])
				continue
			}
			w.tell(name, "%s: %s", p.name, describe(open[i], o))
		}
		cancel()
		if len(left) > 0 {
			w.tell(name, "%s: no answer about %d", p.name, len(left))
		}
		open = left
	}
}

func describe(i testlog.Item, o outcome) string {
	id := leafHash(i.Leaf)
	return fmt.Sprintf("%x %s", id[:4], map[outcome]string{accepted: "accepted", refused: "refused"}[o])
}

// anyone returns a process to submit to, or nil.
func (w *World) anyone(n int) *process {
	w.mu.Lock()
	machines := w.machines
	w.mu.Unlock()
	return machines[n%len(machines)].running()
}

// submit submits items at once and checks the answers.
func (p *process) submit(ctx context.Context, items []testlog.Item) []outcome {
	outcomes := make([]outcome, len(items))
	var entries []*entry.Entry
	var place []int
	for i, item := range items {
		e, err := p.admit.Admit(item.Leaf)
		if err == nil {
			entries, place = append(entries, e), append(place, i)
		} else if outcomes[i] = judge(err); outcomes[i] == refused {
			p.w.refused(p, item.Leaf, err)
		}
	}
	if len(entries) == 0 {
		return outcomes
	}
	results, errs := p.seq.SubmitAll(ctx, entries)
	if p.crashed() {
		return outcomes // nobody was told
	}
	for n, e := range entries {
		o := accepted
		if errs[n] == nil {
			p.w.acknowledged(p, e, results[n])
		} else if o = judge(errs[n]); o == refused {
			p.w.refused(p, e.Leaf, errs[n])
		}
		outcomes[place[n]] = o
	}
	return outcomes
}

// judge says what an error means for the submitter.
func judge(err error) outcome {
	switch reason.CodeOf(err) {
	case "", reason.ReadOnly, reason.ShuttingDown, reason.Backlog, reason.Busy:
		return unknown
	}
	if errors.Is(err, context.Canceled) {
		return unknown
	}
	return refused
}
