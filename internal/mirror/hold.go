package mirror

import (
	"context"
	"fmt"

	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// Hold fetches, recomputes and durably stores every leaf of a tree that the log
// has signed, whoever has cosigned it, and returns the live seal in which it
// ends. A tree that is held already costs no request.
//
// The errors are those of Sync, but for the quorum's. A tree that does not fit
// those shown before is a *ConflictError whose notes carry the log's signatures
// only.
func (m *Mirror) Hold(ctx context.Context, src Source, note []byte, progress func(done, size uint64)) (*seal.Seal, error) {
	m.sync.Lock()
	defer m.sync.Unlock()
	cp, err := m.cfg.Policy.OpenLogSigned(note)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of %s: %w", m.cfg.Origin, err)
	}
	s := &syncing{Mirror: m, note: logSigned(cp), cp: cp, src: src, progress: progress}
	return s.extend(ctx)
}

// logSigned returns the checkpoint without the lines that nobody has verified,
// of which whoever sends it may add as many as he likes.
func logSigned(cp *trust.Checkpoint) []byte {
	note := cp.Body.String() + "\n"
	for _, line := range cp.LogLines {
		note += line + "\n"
	}
	return []byte(note)
}
