package sim

import (
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/backendtest"
)

// TestStore holds the store, without faults, against what every backend does.
func TestStore(t *testing.T) {
	backendtest.Run(t, func(*testing.T) func() (backend.Backend, error) {
		d := NewDisk("test")
		return func() (backend.Backend, error) { return NewStore(d), nil }
	})
}
