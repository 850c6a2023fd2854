package prover_test

import (
	"fmt"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/verify"
)

// BenchmarkAnswer answers about 1,000 components, of which the log knows 2,000,
// in 5 versions each, and judges the answer.
func BenchmarkAnswer(b *testing.B) {
	n := testnode.New(b, origin)
	key := n.Enrol("steward", 1).Keys[0]
	name := func(i int) string { return fmt.Sprintf("%s@%d.0.0", testlog.Package(i%2000), i/2000) }
	i := 0
	n.Fill(10_000, func(uint64) []byte {
		i++
		return testlog.Attest(key, testlog.Claims(origin, n.Unix(), 10), testlog.Component(name(i))).Leaf
	})
	n.Pad(11_000, 100_000)
	subjects := make([]string, 1000)
	for i := range subjects {
		subjects[i] = name(i * 9)
	}
	s := n.State()
	defer s.Close()
	var files [][]byte
	b.Run("answer", func(b *testing.B) {
		for b.Loop() {
			files = nil
			for rest := subjects; len(rest) > 0; {
				file, k, err := s.Answer(rest...)
				if err != nil {
					b.Fatal(err)
				}
				files, rest = append(files, file), rest[k:]
			}
		}
		total := 0
		for _, f := range files {
			total += len(f)
		}
		b.ReportMetric(float64(total), "bytes")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			for _, f := range files {
				if r := verify.Bundle(f, n.Reader()); r.Err != nil || r.Verdict != verify.Active {
					b.Fatal(r.Verdict, r.Err)
				}
			}
		}
	})
}
