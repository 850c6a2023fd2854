package embedded_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
)

// BenchmarkAppend measures durable appends of distinct leaves of 1,536 bytes
// with one 32-byte side key and 100-byte value per leaf, on the disk that
// holds the temporary directory.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{64, 256, 1024} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) { benchmarkAppend(b, batch) })
	}
}

func benchmarkAppend(b *testing.B, batch int) {
	s, err := embedded.Open(b.Context(), embedded.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	leaves, side := load(batch)
	first := uint64(0)
	b.SetBytes(int64(batch) * 1536)
	for b.Loop() {
		for i := range leaves {
			binary.BigEndian.PutUint64(leaves[i], first+uint64(i))
			binary.BigEndian.PutUint64(side[i].Key, (first+uint64(i))*0x9e3779b97f4a7c15)
		}
		root, err := s.Append(b.Context(), first, leaves, side)
		if err != nil {
			b.Fatal(err)
		}
		first = root.Size
	}
	b.ReportMetric(float64(first)/b.Elapsed().Seconds(), "leaves/s")
}

// load makes incompressible leaves and side writes.
func load(n int) ([][]byte, []backend.Write) {
	rng := rand.NewChaCha8([32]byte{1})
	leaves, side := make([][]byte, n), make([]backend.Write, n)
	for i := range leaves {
		leaves[i] = make([]byte, 1536)
		side[i] = backend.Write{Key: make([]byte, 32), Value: make([]byte, 100)}
		for _, b := range [][]byte{leaves[i], side[i].Key, side[i].Value} {
			rng.Read(b)
		}
	}
	return leaves, side
}
