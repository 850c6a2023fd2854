package deliver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/deliver"
	"github.com/standing-log/standing/internal/watch"
)

// sh returns a program that runs a script; the tests' own shell, not the
// package's.
func sh(t *testing.T, script string) []string {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	return []string{path, "-c", script}
}

// TestCommand: the exit code decides, and the event is on standard input.
func TestCommand(t *testing.T) {
	got := filepath.Join(t.TempDir(), "got")
	c, err := deliver.NewCommand(sh(t, "cat > '"+got+"'"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(t.Context(), event(7)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	var env struct {
		ID   string
		Data watch.Event
	}
	if err := json.Unmarshal(b, &env); err != nil || env.ID != event(7).ID || env.Data.Text != "text" || bytes.Count(b, []byte("\n")) != 1 {
		t.Errorf("%s: %v", b, err)
	}
	for script, want := range map[string]string{
		"exit 0":                         "",
		"exec 0<&-; exit 0":              "",
		"exit 3":                         "exit status 3",
		"echo no room 1>&2; exit 1":      "no room",
		"printf '\\033[2J' 1>&2; exit 1": "\uFFFD[2J",
		"head -c 100000 /dev/zero | tr '\\0' x 1>&2; exit 1": strings.Repeat("x", 512),
		"kill -9 $$": "signal: killed",
	} {
		c, err := deliver.NewCommand(sh(t, script))
		if err != nil {
			t.Fatal(err)
		}
		large := event(7)
		large.Text = strings.Repeat("x", 1<<20) // more than a pipe holds
		err = c.Deliver(t.Context(), large)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 2000) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Deliver(ctx, event(7)); !errors.Is(err, context.Canceled) {
		t.Errorf("after its time: %v", err)
	}
	for _, bad := range [][]string{nil, {""}, {"no such program"}, {filepath.Join(t.TempDir(), "none")}} {
		if _, err := deliver.NewCommand(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestLines writes text that changes no terminal, and JSON.
func TestLines(t *testing.T) {
	var text, lines bytes.Buffer
	e := event(7)
	e.Text = "a \x1b[2J name"
	for _, l := range []*deliver.Lines{deliver.NewLines(&text, false), deliver.NewLines(&lines, true)} {
		if err := l.Deliver(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
	if got, want := text.String(), "2026-11-18T11:06:40Z log.example/deliver WITHDRAWN [act]: a \uFFFD[2J name\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var got watch.Event
	if err := json.Unmarshal(lines.Bytes(), &got); err != nil || got.Text != e.Text {
		t.Errorf("%s: %v", lines.String(), err)
	}
	if err := deliver.NewLines(brokenWriter{}, false).Deliver(t.Context(), e); err == nil {
		t.Error("what could not be written has arrived")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }
