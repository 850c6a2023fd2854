package provider

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian/integration/storagetest"
	"github.com/google/trillian/storage"
	storagetesting "github.com/google/trillian/storage/testonly"
)

func open(t *testing.T, fs vfs.FS) *Provider {
	t.Helper()
	p, err := Open("store", Options{FS: fs, MemTableSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return p
}

// TestAdminConformance runs Trillian's own suite for administrative storage.
func TestAdminConformance(t *testing.T) {
	s := storagetesting.AdminStorageTester{NewAdminStorage: func() storage.AdminStorage {
		return open(t, vfs.NewMem()).AdminStorage()
	}}
	s.RunAllTests(t)
}

// TestLogConformance runs Trillian's own suite for log storage.
func TestLogConformance(t *testing.T) {
	storagetest.RunLogStorageTests(t, func(_ context.Context, t *testing.T) (storage.LogStorage, storage.AdminStorage) {
		p := open(t, vfs.NewMem())
		return p.LogStorage(), p.AdminStorage()
	})
}
