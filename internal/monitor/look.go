package monitor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
)

// look syncs one log and tells what has happened. Where the log cannot be had
// the copy says at least that it gets old.
func (m *Monitor) look(ctx context.Context, l Log) Result {
	r := Result{Origin: l.Origin, Told: map[string]int{}, Late: map[string]bool{}, Failed: map[string]error{}}
	c, err := mirror.Open(ctx, mirror.Config{Dir: l.Dir, FS: l.FS, Origin: l.Origin, Policy: m.cfg.Policy, Now: m.cfg.Now})
	if err != nil {
		r.Sync = err
		return r
	}
	defer c.Close()
	r.Sync = c.Sync(ctx, l.Source, l.Progress)
	if r.Sync != nil && (ctx.Err() != nil || errors.Is(r.Sync, mirror.ErrDamaged)) {
		return r
	}
	log := &watch.Log{Copy: c, Origin: l.Origin, Conditions: m.trouble(l.Origin, r.Sync)}
	switch log.State, err = c.State(ctx); {
	case err == nil:
		defer log.State.Close()
		log.AsOf = time.Unix(int64(log.State.Seal.SealedAt), 0)
		if cp, err := m.cfg.Policy.Open(log.State.Checkpoint, m.cfg.Now()); err == nil && cp.Witnessed {
			log.AsOf = cp.Time
		}
		r.Size, r.AsOf = log.State.Size, log.AsOf
		witnessed, err := m.compare(ctx, l, c)
		promised, promiseErr := m.promises(ctx, c, l.Origin)
		log.Conditions = slices.Concat(log.Conditions, witnessed, promised)
		r.Sync = errors.Join(r.Sync, err, promiseErr)
	case !errors.Is(err, mirror.ErrEmpty) || r.Sync == nil:
		r.Sync = errors.Join(r.Sync, err)
		return r
	}
	if err := m.tell(ctx, log, &r); err != nil {
		r.Sync = errors.Join(r.Sync, c.Explain(err))
	}
	return r
}

// tell tells all receivers, each in its own time.
func (m *Monitor) tell(ctx context.Context, log *watch.Log, r *Result) error {
	look, err := m.watchers[log.Origin].Look(ctx, log, m.cfg.Now())
	if err != nil {
		return err
	}
	var mu sync.Mutex // over r
	var all sync.WaitGroup
	for _, to := range m.cfg.Receivers {
		all.Go(func() {
			counted := &counting{Receiver: to.Receiver}
			if m.cfg.Interval > 0 {
				counted.until = time.Now().Add(m.cfg.Interval)
			}
			err := m.tellOne(ctx, look, to.Name, counted)
			mu.Lock()
			defer mu.Unlock()
			r.Told[to.Name] = counted.n
			r.Bad = r.Bad || counted.bad
			if errors.Is(err, errLater) {
				r.Late[to.Name] = true
			} else if err != nil {
				r.Failed[to.Name] = err
			}
		})
	}
	all.Wait()
	return nil
}

func (m *Monitor) tellOne(ctx context.Context, look *watch.Look, name string, to watch.Receiver) error {
	cursor, err := m.cursor(name, look.Origin)
	if err != nil {
		return err
	}
	asked := cursor.Replay
	return look.Tell(ctx, &cursor, to, func(c watch.Cursor) error {
		err := m.keep(name, look.Origin, c, asked)
		if err == nil && c.Replay == nil {
			asked = nil // that is under way
		}
		return err
	})
}

// counting counts what arrives, and ends what takes too long: the others are not
// to wait for a receiver that is slow.
type counting struct {
	watch.Receiver
	until time.Time
	n     int
	bad   bool
}

var errLater = errors.New("the rest later")

func (c *counting) Deliver(ctx context.Context, e *watch.Event) error {
	if !c.until.IsZero() && c.n > 0 && time.Now().After(c.until) {
		return errLater
	}
	err := c.Receiver.Deliver(ctx, e)
	if err == nil {
		c.n++
		c.bad = c.bad || e.Bad()
	}
	return err
}
