package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/sequencer"
)

// TestExitCodes: a supervisor can tell what may pass from what does not.
func TestExitCodes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	if code := Main(t.Context(), []string{"init", "--dir", dir, "--origin", "log.example/exit"}, io.Discard, io.Discard); code != 0 {
		t.Fatalf("init: %d", code)
	}
	serve := []string{"serve", "--dir", dir, "--listen", "127.0.0.1:0"}
	change := func(name, text string, mode os.FileMode) func(t *testing.T) {
		return func(t *testing.T) {
			path := filepath.Join(dir, name)
			old, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if text == "" {
				text = string(old)
			}
			err = errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode))
			t.Cleanup(func() {
				if err := errors.Join(os.WriteFile(path, old, info.Mode()), os.Chmod(path, info.Mode())); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		args   []string
		change func(t *testing.T)
		want   int
	}{
		{"no such command", []string{"nonsense"}, nil, 2},
		{"no such flag", []string{"serve", "--dir", dir, "--fast"}, nil, 2},
		{"no directory", []string{"serve"}, nil, 2},
		{"no node", []string{"serve", "--dir", t.TempDir()}, nil, 2},
		{"unknown member", serve, change("standingd.yaml", "origin: log.example/exit\nfast: true\n", 0o644), 2},
		{"no trust file", serve, change("trust.policy", "quorum nobody\n", 0o644), 2},
		{"key that others can read", serve, change("log.key", "", 0o644), 2},
		{"no log key", serve, change("log.key", "nonsense\n", 0o600), 2},
		{"no witness key", serve, change("witness.key", "nonsense\n", 0o600), 2},
		{"no such address", []string{"serve", "--dir", dir, "--listen", "nowhere"}, nil, 1},
		{"made already", []string{"init", "--dir", dir, "--origin", "log.example/exit"}, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(t)
			}
			var stderr bytes.Buffer
			if code := Main(t.Context(), tt.args, io.Discard, &stderr); code != tt.want {
				t.Errorf("exit code %d, want %d: %s", code, tt.want, &stderr)
			}
		})
	}
	if err := os.WriteFile(filepath.Join(dir, "store.damaged"), []byte("leaf 7 differs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code := Main(t.Context(), serve, io.Discard, io.Discard); code != 4 {
		t.Errorf("a store that was found damaged: exit code %d", code)
	}
	for err, want := range map[error]int{
		fmt.Errorf("opening: %w", embedded.ErrDamaged):    4,
		fmt.Errorf("running: %w", sequencer.ErrRestored):  4,
		fmt.Errorf("opening: %w", embedded.ErrInUse):      1,
		fmt.Errorf("the disk: %w", embedded.ErrFailed):    1,
		errors.Join(embedded.ErrFailed, errors.New("no")): 1,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: exit code %d, want %d", err, got, want)
		}
	}
}
