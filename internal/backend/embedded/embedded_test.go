package embedded_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/backendtest"
	"github.com/standing-log/standing/internal/backend/embedded"
)

// small are options under which little data makes many tables.
func small(fs vfs.FS) embedded.Options {
	return embedded.Options{Dir: "store", FS: fs, MemTableSize: 64 << 10, CacheSize: 1 << 20}
}

func opener(t *testing.T, o embedded.Options) func() (backend.Backend, error) {
	return func() (backend.Backend, error) { return embedded.Open(t.Context(), o) }
}

func TestBackend(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) func() (backend.Backend, error) {
		return opener(t, small(vfs.NewMem()))
	})
}

// TestDisk reopens a store with default sizes on a real disk.
func TestDisk(t *testing.T) {
	o := embedded.Options{Dir: t.TempDir()}
	b, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := backendtest.NewStore(b)
	leaves, side := backendtest.Batch(0, 300, 1000)
	s.Grow(t, leaves, side...)

	_, err = embedded.Open(t.Context(), o)
	if !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("second opener: error %v, want %v", err, embedded.ErrInUse)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Backend, err = embedded.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.Check(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, embedded.ErrClosed) {
		t.Errorf("closing twice: error %v, want %v", err, embedded.ErrClosed)
	}
	if _, err := s.Root(t.Context()); !errors.Is(err, embedded.ErrClosed) {
		t.Errorf("root of a closed store: error %v, want %v", err, embedded.ErrClosed)
	}
}
