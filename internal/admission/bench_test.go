package admission

import (
	"testing"
	"time"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
)

// oneKey is a Store that knows one key and no entry.
type oneKey struct{ *testlog.Key }

func (k oneKey) SPKI([32]byte) ([]byte, error) { return k.Public().SPKI(), nil }
func (oneKey) Known([32]byte) (bool, error)    { return false, nil }

// BenchmarkAdmit measures the admission of one attestation of about 2 KB, and
// its parts.
func BenchmarkAdmit(b *testing.B) {
	const origin, now = "log.example/bench", 1795000000
	k := testlog.NewKey("bench", false)
	e := testlog.Attest(k, testlog.Claims(origin, now-10, 12), testlog.Component("pkg:npm/bench@1.0.0"))
	a := New(oneKey{k}, func() time.Time { return time.Unix(now, 0) })
	for name, part := range map[string]func() error{
		"whole":        func() error { _, err := a.Admit(e.Leaf); return err },
		"canonicalize": func() error { _, err := entry.Canonicalize(e.Leaf); return err },
		"parse":        func() error { _, err := entry.Parse(e.Leaf); return err },
		"verify":       func() error { return e.Verify(k.Public()) },
		"lint":         func() error { return lint.Check(e) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := part(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
