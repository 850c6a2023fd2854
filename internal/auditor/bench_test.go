package auditor

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/testlog"
)

// BenchmarkOracle has the second implementation read a log of 40,000 attestations
// of one party, as each start of an auditor with oracle: true does: how fast, and
// what stays in memory.
//
//	go test -run '^$' -bench Oracle -benchtime 1x ./internal/auditor
func BenchmarkOracle(b *testing.B) {
	const size = 40_000
	w := newWorld(b)
	w.FillBatches(size, 1023, func(index uint64) []byte {
		return testlog.Attest(w.party.Keys[0], testlog.Claims(origin, w.Unix(), 5),
			testlog.Component(fmt.Sprintf("pkg:npm/left-%d@1.0.%d", index/10, index%10))).Leaf
	})
	var leaves [][]byte
	for held := w.Sequencer.SignedSize(); uint64(len(leaves)) < held; {
		next, err := w.Backend.Leaves(b.Context(), uint64(len(leaves)), 256)
		if err != nil {
			b.Fatal(err)
		}
		leaves = append(leaves, next...)
	}
	b.ResetTimer()
	var l *altreader.Log
	for range b.N {
		l = altreader.New(origin)
		for _, leaf := range leaves {
			if _, err := l.Add(leaf); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(leaves))*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
	with := heap()
	runtime.KeepAlive(l)
	b.ReportMetric((with-heap())/float64(len(leaves)), "heap-B/leaf")
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
