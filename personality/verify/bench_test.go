package verify_test

import (
	"slices"
	"testing"
	"time"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/verify"
)

// BenchmarkBundle judges one bundle, and says which part of the time its
// signatures take: those of log and witness, and the entry's.
func BenchmarkBundle(b *testing.B) {
	s := newScene(b, origin)
	s.Pad(2_000, 5_400)
	for _, name := range []string{"active", "void and revoked"} {
		b.Run(name, func(b *testing.B) {
			file, o := s.bundle(name), s.Reader()
			checkpoint := []byte(parse(b, file).Checkpoint)
			key := s.steward.Keys[0].Public()
			if name != "active" {
				key = s.steward.Keys[3].Public()
			}
			e, err := entry.Parse(s.att[name].Leaf)
			if err != nil {
				b.Fatal(err)
			}
			var whole, signatures []time.Duration
			for b.Loop() {
				start := time.Now()
				r := verify.Bundle(file, o)
				whole = append(whole, time.Since(start))
				if r.Err != nil || len(r.Results) != 1 || r.Results[0].Verdict == verify.Invalid {
					b.Fatal(r.Verdict, r.Err)
				}
				start = time.Now()
				if _, err := o.Policy.Open(checkpoint, o.Now); err != nil {
					b.Fatal(err)
				}
				if err := e.Verify(key); err != nil {
					b.Fatal(err)
				}
				signatures = append(signatures, time.Since(start))
			}
			b.ReportMetric(median(whole), "whole-ns")
			b.ReportMetric(median(signatures), "signatures-ns")
			b.ReportMetric(median(whole)-median(signatures), "rest-ns")
		})
	}
}

// median is what a machine with other work to do disturbs least.
func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds())
}
