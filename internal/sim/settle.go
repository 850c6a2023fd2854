package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
)

// settle puts everything right and looks at what has become of each disk.
func (w *World) settle() {
	w.quiet.Store(true)
	for _, c := range w.cosigners {
		c.heal()
	}
	w.background.Wait()
	// Until every clock has caught up with what was signed by a fast one.
	time.Sleep(2*maxSkew + time.Minute)
	disks := w.allDisks()
	// Where the log ended up comes first; copies and what it left behind then.
	w.finale(0, w.main.on())
	for n, d := range disks {
		if d != w.main.on() {
			w.finale(n+1, d)
		}
	}
	for _, c := range w.cosigners {
		if c.audit == nil {
			continue
		}
		w.holding(c)
		if c.audit.given() {
			w.happened("given up")
			if !w.forked() {
				w.violate(c.name, "has given up a log of one history")
			}
		}
	}
}

// finale checks a disk and starts the log there once more.
func (w *World) finale(n int, d *Disk) {
	d.mu.Lock()
	acks := d.acks
	d.mu.Unlock()
	for leaf, a := range acks {
		if why := d.holds(leaf, a.Result); why != "" {
			w.violate(d.name, "acknowledged %x: %s", a.id[:4], why)
		}
	}
	against := w.contradict(d)
	quorum := w.agrees(against)
	p := w.newProcess(fmt.Sprintf("finale/%d", n), d)
	w.public.Store(p)
	w.goes(p.run)
	<-p.ready
	switch {
	case p.opened != nil:
		w.violate(p.name, "a log where all is well again: %v", p.opened)
	case quorum:
		if err := p.progress(); err != nil && w.agrees(append(w.given(), against...)) {
			w.violate(p.name, "no progress: %v; %v know more", err, against)
		}
	default:
		// Behind an auditor who refuses nobody is asked.
		if err := p.refusal(); !errors.Is(err, sequencer.ErrRestored) && len(w.given()) == 0 {
			w.violate(p.name, "%v know more, and the log goes on: %v", against, err)
		}
	}
	w.happened(fmt.Sprintf("finale: progress %t", quorum))
	// Not in the instant of the last publication, after which late lines come.
	time.Sleep(between(w.draw("finale"), time.Millisecond, time.Second))
	p.exit()
	w.background.Wait()
	w.replay(d)
}

// agrees reports whether there is a quorum without some of the cosigners.
func (w *World) agrees(without []string) bool {
	var names []string
	for _, c := range w.cosigners {
		if !slices.Contains(without, c.name) {
			names = append(names, c.name)
		}
	}
	return cosign.Suffices(w.policy, names)
}

// given returns the auditors that have given up the log for good.
func (w *World) given() (names []string) {
	for _, c := range w.cosigners {
		if c.audit.given() {
			names = append(names, c.name)
		}
	}
	return names
}

// forked reports whether the log has signed trees that exclude each other: else
// some disk has them all.
func (w *World) forked() bool {
	return !slices.ContainsFunc(w.allDisks(), func(d *Disk) bool {
		for r := range w.signs {
			if !d.has(r) {
				return false
			}
		}
		return true
	})
}

// patience is more than any healthy world needs.
const patience = 10 * time.Minute

// refusal waits until the writer has stopped and returns why.
func (p *process) refusal() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = p.seq.WaitPublished(ctx, math.MaxUint64) // it cannot be
	return p.seq.Err()
}

// manyEntries is how many may be refused, one after the other: a log whose last
// charter its author does not know may be closed to most of what it writes.
const manyEntries = 1000

// progress gets a new entry published.
func (p *process) progress() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// With a full backlog only withdrawals would be taken.
	if err := p.seq.WaitPublished(ctx, p.seq.SignedSize()); err != nil {
		return err
	}
	// What the author takes to have effect need not have it here.
	for range manyEntries {
		item := p.w.author.next(p.disk.size())
		if item.Want != "" {
			continue
		}
		switch p.submit(ctx, []testlog.Item{item})[0] {
		case accepted:
			return p.seq.WaitPublished(ctx, p.seq.SignedSize())
		case unknown:
			return fmt.Errorf("no answer; the writer: %w", p.seq.Err())
		}
	}
	return fmt.Errorf("%d entries refused", manyEntries)
}

// replay reads a disk from its leaves alone.
func (w *World) replay(d *Disk) {
	store := replay.Store{Backend: NewStore(d)}
	ctx := context.Background()
	root, err := store.Root(ctx)
	must(err)
	l, err := replay.Fsck(ctx, store, origin, root.Size, root.Hash, nil)
	if err == nil {
		err = store.CheckMap(ctx, l)
	}
	if err != nil {
		w.violate(d.name, "replay: %v", err)
		return
	}
	if s := l.Stats(); s.Ignored > 0 || s.Strays > 0 {
		w.violate(d.name, "entries without effect: %+v", s)
	}
}
