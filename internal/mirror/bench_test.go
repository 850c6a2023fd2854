//go:build unix

package mirror_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
)

// BenchmarkSync makes the copy of a log of 40,000 attestations of 20 parties,
// from memory to disk: fetched, hashed, signatures and seals checked, stored.
// With long batches, each of 1,023 entries and their seal, and with short ones
// of 15.
//
//	go test -run '^$' -bench Sync -benchtime 1x ./internal/mirror
func BenchmarkSync(b *testing.B) {
	for _, batch := range []int{1023, 15} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { benchmarkSync(b, 40_000, batch) })
	}
}

func benchmarkSync(b *testing.B, size uint64, batch int) {
	s := newStatic(b, testnode.New(b, origin))
	s.add(filled(b, size, batch)...)
	var cpu time.Duration
	b.ResetTimer()
	for range b.N {
		before := used(b)
		m, err := mirror.Open(b.Context(), mirror.Config{Dir: b.TempDir(), Origin: origin, Policy: s.Policy, Now: s.Now})
		if err == nil {
			err = s.sync(m)
		}
		if err != nil {
			b.Fatal(err)
		}
		close_(b, m)
		cpu += used(b) - before
	}
	n := float64(len(s.leaves)) * float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "leaves/s")
	b.ReportMetric(float64(cpu.Microseconds())/n, "cpu-µs/leaf")
}

// filled returns the leaves of such a log, whose store has done its work.
func filled(b *testing.B, size uint64, batch int) [][]byte {
	b.Helper()
	t := &until{TB: b}
	defer t.end()
	l := newLog(t)
	var parties []*testlog.Party
	for i := range 20 {
		parties = append(parties, l.Enrol(fmt.Sprintf("party %d", i), 1))
	}
	l.FillBatches(size, batch, func(index uint64) []byte {
		return testlog.Attest(parties[index%20].Keys[0], testlog.Claims(origin, l.Unix(), 5),
			testlog.Component(fmt.Sprintf("pkg:npm/left-%d@1.0.%d", index/10, index%10))).Leaf
	})
	return leavesOf(b, l.Node)
}

// until is a testing.TB that ends before its benchmark does.
type until struct {
	testing.TB
	last []func()
}

func (u *until) Cleanup(f func()) { u.last = append(u.last, f) }

func (u *until) end() {
	for _, f := range slices.Backward(u.last) {
		f()
	}
}

// used is the processor time of this process.
func used(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
