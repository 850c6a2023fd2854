package auditor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/witness"
)

// lie returns what err is evidence of, or nil. A smaller tree than before is
// none: whoever stands in between may serve an old copy.
func lie(err error) *mirror.EvidenceError {
	if e, ok := errors.AsType[*mirror.EvidenceError](err); ok && e.Kind != mirror.Rollback {
		return e
	}
	return nil
}

// stopped returns the witness.ErrRefused for which the log is not cosigned any
// more, or nil.
func (f *follower) stopped() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stop
}

// give writes down what the log has done, and stops cosigning it. That is durable
// before anybody is told: a crash before finds the lie again.
func (f *follower) give(e *mirror.EvidenceError) error {
	path := f.a.evidencePath(f.Origin)
	err := writeEvidence(path, e)
	f.mu.Lock()
	f.stop = fmt.Errorf("%w: %s: %w", witness.ErrRefused, e.Kind, e)
	f.mu.Unlock()
	f.log.Error("the log has lied: it is not cosigned any more", "evidence", path, "kind", e.Kind, "err", e)
	f.a.cfg.Metrics.extended(f)
	if err != nil {
		return fmt.Errorf("what the log has done could not be written down, and is forgotten when this process ends: %w", errors.Join(err, e))
	}
	return f.stopped()
}

func (a *Auditor) evidencePath(origin string) string {
	return filepath.Join(a.cfg.Dir, EvidenceDir, mirror.DirName(origin))
}

// writeEvidence keeps what proves e, and then the word that stops the log.
func writeEvidence(path string, e *mirror.EvidenceError) error {
	if len(e.File) > 0 {
		if err := keyfile.WriteFile(path+".evidence.json", e.File, 0o644); err != nil {
			return err
		}
	}
	text := e.Kind + ": " + strings.Join(strings.Fields(e.Error()), " ") + "\n"
	if conflict, ok := errors.AsType[*mirror.ConflictError](e); ok {
		text += fmt.Sprintf("\nheld:\n%s\nshown:\n%s", conflict.Held, conflict.Shown)
	}
	return keyfile.WriteFile(path+".stopped", []byte(text), 0o644)
}

// readStopped returns what stopped is after a restart.
func readStopped(path string) (why, err error) {
	b, err := os.ReadFile(path + ".stopped")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return fmt.Errorf("%w: %s", witness.ErrRefused, line), nil
}
