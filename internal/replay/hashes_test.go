package replay

import (
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/testlog"
)

func TestHashes(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 10), 40, 10)
	for i := range 1000 {
		m.add(fmt.Appendf(nil, "padding %d", i))
	}
	m.seal()
	root, err := m.Root()
	check(t, err)
	flip := func(b []byte) []byte { return append([]byte{b[0] ^ 1}, b[1:]...) }
	var done []uint64
	for name, test := range map[string]struct {
		src    source
		origin string
		size   uint64
		want   string
	}{
		"all":            {source{leaves: m.leaves}, origin, m.Size(), ""},
		"a leaf flipped": {source{leaves: m.leaves, at: 17, change: flip}, origin, m.Size(), "the checkpoint says root"},
		"a leaf less":    {source{leaves: m.leaves[:m.Size()-1]}, origin, m.Size(), "the checkpoint says root"},
		"unreadable":     {source{leaves: m.leaves, at: 17, fail: errSource}, origin, m.Size(), "reading leaf 17: tile not found"},
		"another log":    {source{leaves: m.leaves}, "log.example/other", m.Size(), "is not a live seal"},
		"no leaves":      {source{}, origin, 0, "0 leaves"},
	} {
		err := Hashes(t.Context(), test.src, test.origin, test.size, root, func(n uint64) { done = append(done, n) })
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if len(done) == 0 || done[0] != 1024 {
		t.Errorf("progress %v", done)
	}
	// Another last leaf, under its root.
	m.add([]byte("no seal"))
	root, err = m.Root()
	check(t, err)
	if err := Hashes(t.Context(), source{leaves: m.leaves}, origin, m.Size(), root, nil); err == nil || !strings.Contains(err.Error(), "is not a live seal") {
		t.Errorf("no seal: %v", err)
	}
}

// BenchmarkHashes reads a store of 200,000 leaves of 1,500 bytes, as large as an
// attestation of some claims.
//
//	go test -run '^$' -bench Hashes ./internal/replay
func BenchmarkHashes(b *testing.B) {
	const size = 200_000
	store, err := embedded.Open(b.Context(), embedded.Options{Dir: b.TempDir()})
	check(b, err)
	b.Cleanup(func() { check(b, store.Close()) })
	for first := uint64(0); first < size; first += 1000 {
		leaves := make([][]byte, 1000)
		for i := range leaves {
			leaves[i] = fmt.Appendf(nil, "%-1500d", first+uint64(i))
		}
		_, err := store.Append(b.Context(), first, leaves, nil)
		check(b, err)
	}
	root, err := store.Root(b.Context())
	check(b, err)
	for b.Loop() {
		err := Hashes(b.Context(), Store{store}, origin, size, root.Hash, nil)
		if err == nil || !strings.Contains(err.Error(), "is not a live seal") {
			b.Fatal(err)
		}
	}
	b.ReportMetric(size*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}
