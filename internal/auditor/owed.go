package auditor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/reason"
)

const (
	// maxOwed bounds what is held for one log: files of up to 90 KB, and as much
	// memory.
	maxOwed = 256
	// defaultDeadline is how many leaves an entry may wait for. An honest log may
	// have 10,000 that no auditor has seen (its cosign.backlog) and a batch of up
	// to 8,192 in the making; a withdrawal that comes now is in the next one.
	defaultDeadline = 20_000
	// patience is how long an entry may wait in a log that hardly grows. It is how
	// old a checkpoint may be for most readers.
	patience = 24 * time.Hour
	// forwardEvery is how often a log is offered an entry that it does not have.
	forwardEvery = 10 * time.Minute
)

// owed is an entry that the log does not have yet, or a promise whose index it
// has not reached.
type owed struct {
	ID       string `json:"id"`                 // of the event, printed
	Envelope []byte `json:"envelope,omitempty"` // the leaf
	Promise  string `json:"promise,omitempty"`  // the signed note
	// Deadline is the largest tree that is cosigned without the entry.
	Deadline uint64 `json:"deadline"`
	Since    int64  `json:"since"` // Unix time

	event   [32]byte  // of the envelope
	offered time.Time // to the log; under the follower's mu
}

// take accepts an entry, a signed envelope, that the log refused or left out, or
// a promise of the log. The error is a *reason.Error if it is the caller's.
func (f *follower) take(ctx context.Context, envelope, note []byte) (*client.Held, error) {
	if f.stopped() != nil {
		return nil, reason.Errorf(reason.ReadOnly, "%s has lied and is not cosigned any more", f.Origin)
	}
	// What the entry would do is known at the end of the log alone.
	if p := f.far(); p.done < p.size {
		return nil, reason.Errorf(reason.Busy, "%d of %d leaves are held: come back later", p.done, p.size)
	}
	if len(note) > 0 {
		return f.takePromise(ctx, note)
	}
	e, err := f.admission.Admit(envelope)
	if err != nil {
		return nil, err
	}
	// Anybody may send these; what is no withdrawal harms nobody by being late,
	// and if the log has promised it, there is a promise.
	if !sequencer.Withdraws(e) || e.Revocation != nil && e.Revocation.Action == entry.ActionReinstate {
		return nil, reason.Errorf(reason.RequestMalformed, "%s is no withdrawal: bring the log's promise", e.IDString())
	}
	index, known, err := f.mirror.Place(e.ID)
	if err != nil {
		return nil, err
	}
	if known {
		return &client.Held{Log: f.Origin, ID: e.IDString(), State: "logged", Index: index}, nil
	}
	// SPEC: entries that would be ignored are owed to nobody.
	if err := f.mirror.Try(ctx, e.Leaf); err != nil {
		return nil, err
	}
	held, err := f.mirror.Held(ctx)
	if err != nil {
		return nil, err
	}
	o := &owed{ID: e.IDString(), Envelope: e.Leaf, Deadline: held + f.a.cfg.Deadline, Since: f.a.cfg.Now().Unix(), event: e.ID}
	if o, err = f.keep(o); err != nil {
		return nil, err
	}
	f.a.begin(func() { f.forward(f.life) })
	return o.answer(f.Origin), nil
}

func (f *follower) takePromise(ctx context.Context, note []byte) (*client.Held, error) {
	p, err := promise.Open(f.Policy, note)
	if err != nil {
		return nil, reason.Errorf(reason.RequestMalformed, "%v", err)
	}
	err = f.mirror.CheckPromise(ctx, note)
	switch {
	case err == nil:
		return &client.Held{Log: f.Origin, ID: p.ID, State: "logged", Index: p.Index}, nil
	case lie(err) != nil:
		return nil, errors.Join(reason.Errorf(reason.ReadOnly, "the promise was broken: %s is not cosigned any more", f.Origin), f.give(lie(err)))
	case !errors.Is(err, mirror.ErrEarly):
		return nil, err
	}
	o, err := f.keep(&owed{ID: p.ID, Promise: string(note), Deadline: p.Index, Since: f.a.cfg.Now().Unix()})
	if err != nil {
		return nil, err
	}
	return o.answer(f.Origin), nil
}

func (o *owed) answer(origin string) *client.Held {
	return &client.Held{Log: origin, ID: o.ID, State: "held", Deadline: o.Deadline}
}

// name is that of the file, which is the same for the same thing: for an event,
// or for what a promise says in its first four lines, whatever it was signed with.
func (o *owed) name() string {
	lines := strings.SplitN(o.Promise, "\n", 5)
	promised := strings.Join(lines[:min(4, len(lines))], "\n")
	return fmt.Sprintf("%x", sha256.Sum256([]byte(o.ID+"\n"+promised)))
}

// keep makes o durable, and returns it, or what was kept of the same before:
// bringing it again moves no deadline.
func (f *follower) keep(o *owed) (*owed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if before := f.owed[o.name()]; before != nil {
		return before, nil
	}
	if len(f.owed) >= maxOwed {
		return nil, reason.Errorf(reason.Busy, "the auditor holds %d entries that %s owes, and takes no more", maxOwed, f.Origin)
	}
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	// If we crash before this, nobody was told that it is held.
	if err := keyfile.WriteFile(f.owedPath(o), b, 0o600); err != nil {
		return nil, err
	}
	f.owed[o.name()] = o
	f.log.Warn("an entry is owed", "id", o.ID, "deadline", o.Deadline)
	return o, nil
}

func (f *follower) owedPath(o *owed) string { return filepath.Join(f.owedDir(), o.name()) }

func (f *follower) owedDir() string {
	return filepath.Join(f.a.cfg.Dir, OwedDir, mirror.DirName(f.Origin))
}

// loadOwed reads what was kept.
func (f *follower) loadOwed() error {
	f.owed = map[string]*owed{}
	if err := os.MkdirAll(f.owedDir(), 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(f.owedDir())
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasPrefix(file.Name(), ".") {
			continue // a crash left it half written
		}
		b, err := os.ReadFile(filepath.Join(f.owedDir(), file.Name()))
		if err != nil {
			return err
		}
		o := new(owed)
		if err := json.Unmarshal(b, o); err != nil || o.name() != file.Name() {
			return fmt.Errorf("%s is damaged: nobody knows any more what the log owes there: %v", filepath.Join(f.owedDir(), file.Name()), err)
		}
		if o.Promise == "" {
			e, err := entry.Parse(o.Envelope)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Join(f.owedDir(), file.Name()), err)
			}
			o.event = e.ID
		}
		f.owed[o.name()] = o
	}
	return nil
}

// drop forgets what was settled. If we crash before the file is gone, it is
// settled again.
func (f *follower) drop(o *owed, why string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.Remove(f.owedPath(o)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	delete(f.owed, o.name())
	f.log.Info("an entry is owed no more", "id", o.ID, "why", why)
	return nil
}

func (f *follower) allOwed() []*owed {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*owed
	for _, o := range f.owed {
		all = append(all, o)
	}
	return all
}

// paid checks that a tree of size, which is held, lacks nothing that was due
// before. The error is a witness.ErrNotHeld, or evidence of a broken promise.
func (f *follower) paid(ctx context.Context, size uint64) error {
	var overdue error
	n := 0
	for _, o := range f.allOwed() {
		due := size > o.Deadline || f.a.cfg.Now().Sub(time.Unix(o.Since, 0)) > patience
		why, err := f.settled(ctx, o, size, due)
		switch {
		case err != nil:
			return err
		case why != "":
			if err := f.drop(o, why); err != nil {
				return err
			}
		case due:
			n++
			overdue = fmt.Errorf("%w: it lacks %s, which was due by size %d and has been waiting since %s",
				witness.ErrNotHeld, o.ID, o.Deadline, time.Unix(o.Since, 0).UTC().Format(time.RFC3339))
		}
	}
	f.a.cfg.Metrics.owes(f, len(f.allOwed()), n)
	return overdue
}

// settled says why nothing is owed any more, if so.
func (f *follower) settled(ctx context.Context, o *owed, size uint64, due bool) (why string, err error) {
	if o.Promise != "" {
		if !due {
			return "", nil
		}
		err := f.mirror.CheckPromise(ctx, []byte(o.Promise))
		if errors.Is(err, mirror.ErrEarly) {
			return "", nil
		}
		return "the promise was kept", err
	}
	index, known, err := f.mirror.Place(o.event)
	if err != nil || known && index < size {
		return "it has effect", err
	}
	if !due {
		return "", nil
	}
	// SPEC: unless by then it would have none any more.
	err = f.mirror.Try(ctx, o.Envelope)
	if code := reason.CodeOf(err); code != "" {
		return "it would have no effect any more: " + string(code), nil
	}
	return "", err
}

// forward offers the log what it does not have, each entry now and then. What it
// answers is for the operator to read: what counts is the tree.
func (f *follower) forward(ctx context.Context) {
	if f.Submit == nil {
		return
	}
	for _, o := range f.allOwed() {
		if o.Envelope == nil || !f.offer(o) {
			continue
		}
		if err := f.Submit(ctx, o.Envelope); err != nil {
			f.log.Warn("the log does not take a withdrawal", "id", o.ID, "err", err)
		}
	}
}

// offer reports whether it is time to offer o to the log.
func (f *follower) offer(o *owed) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.a.cfg.Now()
	if !o.offered.IsZero() && now.Sub(o.offered) < forwardEvery {
		return false
	}
	o.offered = now
	return true
}
