package hammer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// turn is how long one log runs while the other is stopped: some batches, and
// far less than it takes a machine to change its speed.
const turn = time.Second

// growth loads s with another tenth of entries, by turns with a new log.
func (s *standing) growth(ctx context.Context, r *report) (err error) {
	fresh, err := newStanding(ctx, s.cfg, filepath.Join(s.dir, "..", "new"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.close()) }()
	n := (s.cfg.Entries + 9) / 10
	fresh.take(sign(fresh.origin, fresh.issuers, 0, n))
	s.extend(sign(s.origin, s.issuers, len(s.leaves), n))
	grown, young, err := byTurns(ctx, s, fresh, n)
	if err != nil {
		return err
	}
	r.figure("grown", grown.rate(n), "entries/s")
	r.figure("new", young.rate(n), "entries/s")
	r.figure("grown_to_new", grown.rate(n)/young.rate(n), "")
	r.duration("grown_cpu_entry", grown.cpu/time.Duration(n), time.Microsecond)
	r.duration("new_cpu_entry", young.cpu/time.Duration(n), time.Microsecond)
	return nil
}

// effort is what it took a log to answer a load: the time it ran, and CPU.
type effort struct{ ran, cpu time.Duration }

func (e effort) rate(n int) float64 { return float64(n) / e.ran.Seconds() }

// byTurns offers a and b the last n of their entries at the same time, and lets
// one of them run at a time: what a log leaves undone at the end of its turn is
// done in its next one.
func byTurns(ctx context.Context, a, b *standing, n int) (effort, effort, error) {
	g, ctx := errgroup.WithContext(ctx)
	logs := [2]*standing{a, b}
	var done [2]chan struct{}
	var took [2]effort
	for i, s := range logs {
		done[i], took[i].cpu = make(chan struct{}), -s.proc.cpu()
		g.Go(func() error {
			defer close(done[i])
			return s.offerLast(ctx, n)
		})
	}
	g.Go(func() error {
		for i := 0; ; i = 1 - i {
			ran, err := alone(ctx, logs[i].proc, logs[1-i].proc, done[i])
			took[i].ran += ran
			if err != nil {
				return err
			}
			if isDone(done[0]) && isDone(done[1]) {
				return nil
			}
			if isDone(done[1-i]) {
				i = 1 - i // and back again
			}
		}
	})
	err := g.Wait()
	for i, s := range logs {
		took[i].cpu += s.proc.cpu()
	}
	return took[0], took[1], err
}

// alone lets p run for a turn, or until done, while other is stopped, and
// returns how long. Both run afterwards.
func alone(ctx context.Context, p, other *process, done <-chan struct{}) (ran time.Duration, err error) {
	if err := other.pause(); err != nil {
		return 0, fmt.Errorf("stopping %s for a turn: %w", other.cmd.Path, err)
	}
	defer func() { err = errors.Join(err, other.resume()) }()
	began := time.Now()
	t := time.NewTimer(turn)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return time.Since(began), err
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// offerLast offers the last n entries, and checks all answers so far.
func (s *standing) offerLast(ctx context.Context, n int) error {
	first := len(s.leaves) - n
	l := load{workers: s.cfg.Workers}
	samples, err := l.run(ctx, (n+s.cfg.Batch-1)/s.cfg.Batch, func(ctx context.Context, i int) (uint64, error) {
		return s.offer(ctx, first+i*s.cfg.Batch)
	})
	if err != nil {
		return err
	}
	return s.complete(largest(samples))
}
