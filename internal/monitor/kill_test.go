package monitor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/deliver"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// killed is the environment in which this test is a monitor that will be killed.
const killed = "STANDING_TEST_MONITOR"

// TestMain is a monitor where it is told to be.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killed); dir != "" {
		if err := beKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// appender is a receiver that says on standard output what has arrived, which is
// all that it is asked for: the lines are there when the process is not.
type appender struct{}

func (appender) Deliver(_ context.Context, e *watch.Event) error {
	_, err := fmt.Println(e.ID)
	return err
}
func (appender) Flush() error { return nil }

// killConfig is the monitor in dir.
func killConfig(dir string) (cfg monitor.Config, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "trust"))
	if err != nil {
		return cfg, err
	}
	url, err := os.ReadFile(filepath.Join(dir, "url"))
	if err != nil {
		return cfg, err
	}
	if cfg.Policy, err = trust.Parse(text); err != nil {
		return cfg, err
	}
	c, err := client.New(string(url), client.Config{})
	if err != nil {
		return cfg, err
	}
	if cfg.Interest, err = watch.NewInterest(watch.Interests{All: true}); err != nil {
		return cfg, err
	}
	feed, err := deliver.OpenFeed(filepath.Join(dir, "feed"), "feed")
	cfg.Receivers = []monitor.Receiver{{Name: "out", Receiver: appender{}}, {Name: "feed", Receiver: feed}}
	cfg.Logs = []monitor.Log{{Origin: origin, Source: c, Dir: filepath.Join(dir, "copy")}}
	cfg.State, cfg.MaxAge = filepath.Join(dir, "state"), 24*365*100*time.Hour
	return cfg, err
}

func beKilled(dir string) error {
	cfg, err := killConfig(dir)
	if err != nil {
		return err
	}
	m, err := monitor.Open(cfg)
	if err != nil {
		return err
	}
	r := m.Once(context.Background())
	return r[0].Err()
}

// serve serves a log.
func serve(t *testing.T, n *testnode.Node) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := tiles.Handler{List: tiles.Leaves{Backend: n.Backend, Signed: n.Sequencer.Signed}, Checkpoint: n.Prover.Checkpoint, Fail: func(error) {}}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestKill kills a monitor after some of what it tells, again and again. Nothing
// is left out; what is told twice has the same id; the order is that of the log;
// and the state can always be read.
func TestKill(t *testing.T) {
	n := testnode.New(t, origin)
	p := n.Enrol("steward", 1)
	const events = 120
	for i := range events - 2 {
		attest(n, p, fmt.Sprintf("pkg:npm/a@1.0.%d", i))
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"trust": n.Trust, "url": serve(t, n)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := killConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := monitor.Begin(cfg, watch.BeginAll); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var first []string // each id, when it came first
	kills, again := 0, 0
	for {
		ids, err := runUntil(t, dir, 1+random.IntN(60))
		for _, id := range ids {
			if slices.Contains(first, id) {
				again++
			} else {
				first = append(first, id)
			}
		}
		if _, stateErr := watch.ReadState(cfg.State); stateErr != nil {
			t.Fatal(stateErr)
		}
		if err == nil {
			break
		}
		if kills++; kills > 200 {
			t.Fatalf("killed %d times, told of %d: %v", kills, len(first), err)
		}
	}
	if len(first) != events || kills == 0 || again == 0 {
		t.Errorf("%d events, %d kills, %d told again", len(first), kills, again)
	}
	index := -1
	for _, id := range first {
		var next, of int
		if _, err := fmt.Sscanf(strings.TrimPrefix(id, origin), "/%d/%d", &next, &of); err != nil || next <= index {
			t.Fatalf("%s after %d: %v", id, index, err)
		}
		index = next
	}
	// The feed has each of them once.
	b, err := os.ReadFile(filepath.Join(dir, "feed"))
	if err != nil || strings.Count(string(b), "<entry>") != events {
		t.Errorf("the feed has %d entries: %v", strings.Count(string(b), "<entry>"), err)
	}
}

// runUntil runs a monitor and kills it after so many lines. It returns them, and
// no error if the monitor ended before.
func runUntil(t *testing.T, dir string, lines int) (ids []string, _ error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killed+"="+dir)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// What it has written before it was killed is in the pipe.
	for s := bufio.NewScanner(out); s.Scan(); {
		if ids = append(ids, s.Text()); len(ids) == lines {
			if err := cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.Exited() {
		t.Fatalf("exit code %d: %s", e.ExitCode(), said.String())
	}
	return ids, err
}
