package sim

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

var (
	seeds = flag.Uint64("sim.seeds", 500, "how many seeds TestSeeds runs")
	first = flag.Uint64("sim.first", 1, "the first seed")
)

// run runs one seed in a bubble of its own.
func run(t *testing.T, seed uint64, opts Options) (res *Result) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { res = Run(seed, opts) })
	return res
}

// check runs one seed and shows what has happened if something is wrong.
func check(t *testing.T, seed uint64, opts Options) *Result {
	t.Helper()
	res := run(t, seed, opts)
	if len(res.Wrong) > 0 {
		t.Errorf("seed %d:\n%s\ntrace:\n%s\nto see it again: go test ./internal/sim -run TestSeeds -sim.seeds=1 -sim.first=%d",
			seed, strings.Join(res.Wrong, "\n"), strings.Join(res.Trace, "\n"), seed)
	} else if testing.Verbose() && *seeds == 1 {
		t.Log(strings.Join(res.Trace, "\n"))
	}
	return res
}

// TestSeeds runs many seeds and then looks at whether they have seen all that
// can happen.
func TestSeeds(t *testing.T) {
	var mu sync.Mutex
	counts := map[string]int{}
	t.Run("all", func(t *testing.T) {
		for seed := *first; seed < *first+*seeds; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				res := check(t, seed, Options{})
				mu.Lock()
				defer mu.Unlock()
				for what, n := range res.Counts {
					counts[what] += n
				}
			})
		}
	})
	if *seeds < 500 {
		return
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%7d %s", counts[what], what)
	}
	for _, what := range all() {
		if counts[what] == 0 {
			t.Errorf("%s: in none of %d seeds", what, *seeds)
		}
	}
}

// all lists what has to happen in some seed.
func all() (list []string) {
	for _, op := range []string{"append", "swap r", "swap c"} {
		for k := fails; k <= crashAfter; k++ {
			list = append(list, fmt.Sprintf("%s: %v", op, k))
		}
	}
	return append(list,
		"read: fails", "lost request", "lost reply", "slow request", "slow reply", "doubled request",
		"second writer", "twin", "restored", "refused", "stopped: restored", "stopped: store",
		"finale: progress true", "finale: progress false", "auditor crashes", "given up")
}

// TestRegressions runs the seeds that have found something.
func TestRegressions(t *testing.T) {
	const fork = "a writer on a fork larger than what cosigners hold went on for ever: they answer 422"
	const late = "a late answer about a size long passed was taken for news of a larger log"
	for seed, what := range map[uint64]string{49: fork, 135: fork, 441: fork, 3970: late} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			t.Log(what)
			check(t, seed, Options{Audited: nobody})
		})
	}
}

// TestReproducible runs some seeds twice: each gives the same trace.
func TestReproducible(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			opts := Options{Audited: []Audited{nobody, either}[seed%2]}
			a, b := run(t, seed, opts), run(t, seed, opts)
			if a.Digest == b.Digest {
				return
			}
			for n := range min(len(a.Trace), len(b.Trace)) {
				if a.Trace[n] != b.Trace[n] {
					t.Fatalf("line %d is\n%s\nand then\n%s", n, a.Trace[n], b.Trace[n])
				}
			}
			t.Fatalf("%d lines and then %d", len(a.Trace), len(b.Trace))
		})
	}
}
