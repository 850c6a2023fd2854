package sequencer

import (
	"runtime"
	"testing"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/entry"
)

// BenchmarkSequencer measures turns on a disk that syncs, with entries signed
// and admitted before: in batches of 100, and one by one from many goroutines.
func BenchmarkSequencer(b *testing.B) {
	run := func(b *testing.B, submit func(s *running, entries []*entry.Entry)) {
		r := newRig(b)
		store, err := embedded.Open(b.Context(), embedded.Options{Dir: b.TempDir()})
		r.must(err)
		defer func() { r.must(store.Close()) }()
		r.found(store)
		s := r.run(store, nil)
		s.enrol()
		entries := make([]*entry.Entry, b.N)
		for n := range entries {
			entries[n] = r.attest(n)
		}
		b.ResetTimer()
		submit(s, entries)
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		s.stop()
		s.must(s.Err())
		view := store.View()
		defer view.Close()
		if _, err := mapstore.Open(view, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("batch=100", func(b *testing.B) {
		run(b, func(s *running, entries []*entry.Entry) {
			for len(entries) > 0 {
				n := min(100, len(entries))
				s.submit(entries[:n]...)
				entries = entries[n:]
			}
		})
	})
	b.Run("singles", func(b *testing.B) {
		run(b, func(s *running, entries []*entry.Entry) {
			writers := 64 * runtime.GOMAXPROCS(0)
			done := make(chan error)
			for w := range writers {
				go func() {
					var failed error
					for n := w; n < len(entries) && failed == nil; n += writers {
						_, failed = s.Submit(b.Context(), entries[n])
					}
					done <- failed
				}()
			}
			for range writers {
				s.must(<-done)
			}
		})
	})
}
