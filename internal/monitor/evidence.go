package monitor

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
)

// maxEvidence bounds the files that are kept of one monitor: a log that lies
// anew each time shall not fill the disk.
const maxEvidence = 1000

// evidence keeps what err shows against a log, and returns the name of the file
// that proves it, or of the first of the checkpoints that contradict each other.
// key names the condition: while it lasts it is kept once, for the checkpoints
// are cosigned anew all the time.
func (m *Monitor) evidence(key string, err error) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name, ok := m.kept[key]; ok {
		return name, nil
	}
	name, keepErr := m.keepEvidence(err)
	if keepErr == nil {
		m.kept[key] = name
	}
	return name, keepErr
}

// over forgets what was kept of a log that is right again.
func (m *Monitor) over(origin string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, kind := range []watch.Kind{watch.Rollback, watch.SplitView, watch.FalseSeal} {
		delete(m.kept, origin+" "+string(kind))
	}
}

func (m *Monitor) keepEvidence(err error) (name string, _ error) {
	var failed []error
	keep := func(ending string, data []byte) {
		kept, err := m.keepFile(ending, data)
		failed = append(failed, err)
		if name == "" && err == nil {
			name = kept
		}
	}
	if e, ok := errors.AsType[*mirror.EvidenceError](err); ok && len(e.File) > 0 {
		keep(".evidence.json", e.File)
	}
	if c, ok := errors.AsType[*mirror.ConflictError](err); ok {
		keep(".checkpoint", c.Held)
		keep(".checkpoint", c.Shown)
	}
	return name, errors.Join(failed...)
}

// keepFile keeps data in a file that is named by its hash.
func (m *Monitor) keepFile(ending string, data []byte) (string, error) {
	dir := EvidenceDir(m.cfg.State)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	name := fmt.Sprintf("%.16x%s", sha256.Sum256(data), ending)
	if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
		return name, nil
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(there) >= maxEvidence {
		return "", fmt.Errorf("%s has %d files: more is not kept", dir, len(there))
	}
	return name, keyfile.WriteNew(filepath.Join(dir, name), data, 0o600)
}
