package report_test

import (
	"fmt"
	"testing"

	"github.com/standing-log/standing/internal/report"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/verify"
)

// BenchmarkOpen finds a report about 1,000 components again, each of which is
// attested in 3 versions.
func BenchmarkOpen(b *testing.B) {
	s := newScene(b, origin)
	s.doc.Components = nil
	i := 0
	s.Fill(3200, func(uint64) []byte {
		i++
		return testlog.Attest(s.key, testlog.Claims(origin, s.Unix(), 10), testlog.Component(fmt.Sprintf("%s@%d.0.0", testlog.Package(i%1000), i/1000))).Leaf
	})
	for i := range 1000 {
		s.doc.Components = append(s.doc.Components, sbom.Component{PURL: testlog.Package(i) + "@1.0.0", Parent: -1})
	}
	data := s.saved()
	for b.Loop() {
		r, err := report.Open(data)
		if err != nil || r.Result.Totals.Verdicts[verify.Active.String()] != 1000 {
			b.Fatal(err, r.Result.Totals)
		}
	}
	b.ReportMetric(float64(len(data)), "bytes")
}
