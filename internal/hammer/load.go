package hammer

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// load is how requests are offered. In a closed loop (rate 0) each worker sends
// its next request when it has the answer to the last. In an open loop request i
// is due i/rate after the start, whatever became of those before.
type load struct {
	workers int
	rate    float64 // requests per second
}

// sample is what became of one request. Times are since the start of the load.
type sample struct {
	due, done time.Duration
	size      uint64 // of the smallest checkpoint that covers it; 0 of a read
}

// run offers requests 0 to n-1 and returns when all have been answered, or with
// the first error. Latency counts from due, not from when a worker was free: a
// log that stalls cannot make the load wait for it and look better.
func (l load) run(ctx context.Context, n int, do func(ctx context.Context, i int) (uint64, error)) ([]sample, error) {
	samples := make([]sample, n)
	var next atomic.Int64
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range min(l.workers, n) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return ctx.Err()
				}
				s := &samples[i]
				s.due = time.Since(began)
				if l.rate > 0 {
					s.due = time.Duration(float64(i) / l.rate * float64(time.Second))
					if err := sleep(ctx, s.due-time.Since(began)); err != nil {
						return err
					}
				}
				var err error
				if s.size, err = do(ctx, i); err != nil {
					return err
				}
				s.done = time.Since(began)
			}
		})
	}
	return samples, g.Wait()
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// elapsed is the time until the last answer.
func elapsed(samples []sample) time.Duration {
	return slices.MaxFunc(samples, func(a, b sample) int { return int(a.done - b.done) }).done
}

// largest is the size of the smallest checkpoint that covers all samples.
func largest(samples []sample) uint64 {
	return slices.MaxFunc(samples, func(a, b sample) int { return cmp.Compare(a.size, b.size) }).size
}

// latencies returns the times from due to done, sorted.
func latencies(samples []sample) []time.Duration {
	out := make([]time.Duration, len(samples))
	for i, s := range samples {
		out[i] = s.done - s.due
	}
	slices.Sort(out)
	return out
}

// quantile returns the q-quantile of sorted, by nearest rank.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// tenths returns the rates at which each tenth of at least ten requests was
// answered, in requests per second.
func tenths(samples []sample) []float64 {
	done := make([]time.Duration, len(samples))
	for i, s := range samples {
		done[i] = s.done
	}
	slices.Sort(done)
	out := make([]float64, 10)
	from, start := 0, time.Duration(0)
	for k := range out {
		to := len(done) * (k + 1) / 10
		out[k] = float64(to-from) / max(done[to-1]-start, 1).Seconds()
		from, start = to, done[to-1]
	}
	return out
}

// sight is the moment at which a checkpoint of a size was first seen.
type sight struct {
	at   time.Duration
	size uint64
}

// watch looks for new checkpoints every pause until ctx ends, and returns what
// it saw, in order.
func watch(ctx context.Context, began time.Time, pause time.Duration, published func(context.Context) (uint64, error)) []sight {
	var seen []sight
	for {
		size, err := published(ctx)
		if err == nil && (len(seen) == 0 || size > seen[len(seen)-1].size) {
			seen = append(seen, sight{time.Since(began), size})
		}
		if sleep(ctx, pause) != nil {
			return seen
		}
	}
}

// publication returns samples with done moved to when the covering checkpoint
// was seen.
func publication(samples []sample, seen []sight) []sample {
	out := slices.Clone(samples)
	for i := range out {
		k, _ := slices.BinarySearchFunc(seen, out[i].size, func(s sight, size uint64) int {
			if s.size < size {
				return -1
			}
			return 1
		})
		// Seen earlier than the answer: the answer was on its way.
		if k < len(seen) {
			out[i].done = max(out[i].done, seen[k].at)
		}
	}
	return out
}
