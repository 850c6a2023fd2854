package mirror_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/standing-log/standing/internal/mirror"
)

// TestDamagedFiles damages each file of a copy in turn: either the copy is as
// it was, or it is said to be damaged, and what to do about it.
func TestDamagedFiles(t *testing.T) {
	l := newLog(t)
	ids := l.attest(30)
	dir := filepath.Join(t.TempDir(), "standing", "copy")
	cfg := l.config(nil)
	cfg.Dir = dir
	open := func() (*mirror.Mirror, error) { return mirror.Open(t.Context(), cfg) }
	m, err := open()
	if err == nil {
		err = m.Sync(t.Context(), l.Client(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	close_(t, m)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	files := map[string][]byte{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[d.Name()], err = os.ReadFile(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// A store that has failed stays locked until the process ends, so each
	// damage is done to a copy of its own.
	restore := func() string {
		dir := t.TempDir()
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	found := 0
	for name, data := range files {
		for what, spoil := range map[string]func(path string) error{
			"removed":        func(path string) error { return os.Remove(path) },
			"emptied":        func(path string) error { return os.Truncate(path, 0) },
			"cut in half":    func(path string) error { return os.Truncate(path, int64(len(data)/2)) },
			"flipped":        func(path string) error { return os.WriteFile(path, flipped(data, len(data)/2), 0o600) },
			"flipped early":  func(path string) error { return os.WriteFile(path, flipped(data, len(data)/7), 0o600) },
			"flipped at end": func(path string) error { return os.WriteFile(path, flipped(data, len(data)-1), 0o600) },
		} {
			cfg.Dir = restore()
			if err := spoil(filepath.Join(cfg.Dir, name)); err != nil {
				t.Fatal(err)
			}
			m, err := open()
			if err == nil {
				err = m.Explain(everything(t, m, ids))
				// A store that has failed cannot be closed.
				if closeErr := m.Close(); err == nil {
					err = closeErr
				}
			}
			switch {
			case errors.Is(err, mirror.ErrDamaged):
				found++
			case err != nil && !errors.Is(err, mirror.ErrEmpty): // as if nothing had ever been there
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
	if found < len(files) {
		t.Errorf("%d damages of %d files found", found, len(files))
	}
}

func flipped(data []byte, i int) []byte {
	out := append([]byte(nil), data...)
	if i >= 0 && i < len(out) {
		out[i] ^= 1
	}
	return out
}

// everything reads all that a copy answers from.
func everything(t *testing.T, m *mirror.Mirror, ids []mirror.Hash) error {
	s, err := m.State(t.Context())
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Map.Check(t.Context()); err != nil {
		return err
	}
	_, err = s.Bundle(ids)
	return err
}
