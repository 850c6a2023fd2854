package mirror

import "github.com/standing-log/standing/internal/backend"

// SetChunk sets how many entry bundles are stored in one write.
func (m *Mirror) SetChunk(bundles uint64) { m.chunk = bundles }

// Backend returns the store of the copy.
func (m *Mirror) Backend() backend.Backend { return m.store }
