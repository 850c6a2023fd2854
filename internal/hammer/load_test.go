package hammer

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestOpenLoop holds that waiting for a worker counts: one worker, a first
// request that is slow, and all others due while it is.
func TestOpenLoop(t *testing.T) {
	const stall = 30 * time.Millisecond
	l := load{workers: 1, rate: 10_000}
	samples, err := l.run(t.Context(), 10, func(ctx context.Context, i int) (uint64, error) {
		if i == 0 {
			return 0, sleep(ctx, stall)
		}
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range samples {
		if want := time.Duration(i) * 100 * time.Microsecond; s.due != want || s.done < stall {
			t.Errorf("request %d: due at %v, not %v; done at %v", i, s.due, want, s.done)
		}
	}
	if got := latencies(samples)[0]; got < stall-time.Millisecond {
		t.Errorf("a latency of %v", got)
	}
}

// TestFailure ends a load at the first error.
func TestFailure(t *testing.T) {
	broken := errors.New("broken")
	for _, rate := range []float64{0, 1_000_000} {
		l := load{workers: 3, rate: rate}
		_, err := l.run(t.Context(), 1000, func(ctx context.Context, i int) (uint64, error) {
			if i > 100 {
				t.Errorf("request %d was made", i)
			}
			if i == 50 {
				return 0, broken
			}
			return 0, ctx.Err()
		})
		if !errors.Is(err, broken) {
			t.Errorf("rate %v: %v", rate, err)
		}
	}
}

func TestQuantile(t *testing.T) {
	var sorted []time.Duration
	for i := range 100 {
		sorted = append(sorted, time.Duration(i+1))
	}
	for _, test := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {0.5, 51}, {0.99, 100}, {1, 100}} {
		if got := quantile(sorted, test.q); got != test.want {
			t.Errorf("quantile %v is %d, not %d", test.q, got, test.want)
		}
	}
}

func TestTenths(t *testing.T) {
	var samples []sample
	// Twenty requests a second, and ten in the last tenth.
	for i := range 100 {
		samples = append(samples, sample{done: time.Duration(i+1) * 50 * time.Millisecond})
	}
	for i := range 10 {
		samples[90+i].done = samples[89].done + time.Duration(i+1)*100*time.Millisecond
	}
	slices.Reverse(samples)
	got := tenths(samples)
	for i, want := range []float64{20, 20, 20, 20, 20, 20, 20, 20, 20, 10} {
		if d := got[i] - want; d > 1e-6 || d < -1e-6 {
			t.Errorf("tenth %d: %v, not %v", i, got[i], want)
		}
	}
}

func TestPublication(t *testing.T) {
	seen := []sight{{10, 5}, {20, 8}, {30, 12}}
	for _, test := range []struct {
		sample
		want time.Duration
	}{
		{sample{due: 1, done: 5, size: 5}, 10},
		{sample{due: 1, done: 5, size: 6}, 20},
		{sample{due: 1, done: 25, size: 8}, 25}, // seen before the answer came
		{sample{due: 1, done: 5, size: 12}, 30},
		{sample{due: 1, done: 5, size: 1}, 10},
	} {
		if got := publication([]sample{test.sample}, seen)[0]; got.done != test.want || got.due != test.due {
			t.Errorf("%+v: %+v", test.sample, got)
		}
	}
}
