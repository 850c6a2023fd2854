package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

// start opens and serves the node in dir on l until the test ends.
func start(t *testing.T, dir string, l net.Listener) *Node {
	t.Helper()
	n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := n.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return n
}

func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, "http://" + l.Addr().String()
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, resp.StatusCode, b, err)
	}
	return string(b)
}

// TestRemoteWitness runs a log whose quorum is its own witness and one on
// another node.
func TestRemoteWitness(t *testing.T) {
	logDir, witnessDir := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "witness")
	if err := Init(t.Context(), logDir, "log.example/remote", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := InitWitness(witnessDir, "witness.example/one"); err != nil {
		t.Fatal(err)
	}
	logVkey, err := os.ReadFile(filepath.Join(logDir, logVkeyFile))
	if err != nil {
		t.Fatal(err)
	}
	witnessKey, err := os.ReadFile(filepath.Join(witnessDir, witnessVkey))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("witness:\n  logs: [%q]\n", strings.TrimSpace(string(logVkey)))
	if err := os.WriteFile(filepath.Join(witnessDir, configFile), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	wl, wURL := listen(t)
	policy, err := os.ReadFile(filepath.Join(logDir, policyFile))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(policy), "quorum local\n",
		fmt.Sprintf("witness one %s %s/witness\ngroup both all local one\nquorum both\n", strings.TrimSpace(string(witnessKey)), wURL), 1)
	if err := os.WriteFile(filepath.Join(logDir, policyFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}

	start(t, witnessDir, wl)
	ll, logURL := listen(t)
	n := start(t, logDir, ll)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := n.WaitPublished(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if got := get(t, logURL+"/trust.policy"); got != text {
		t.Errorf("the node offers another trust file: %s", got)
	}
	p, err := trust.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cp, err := p.Open([]byte(get(t, logURL+"/checkpoint")), time.Now())
	if err != nil || !cp.Witnessed || len(cp.Cosignatures) != 2 {
		t.Errorf("checkpoint: %+v, %v", cp, err)
	}
	if got := get(t, logURL+"/healthz"); !strings.HasPrefix(got, "ok\n") || strings.Count(got, ": cosigned size 2 at ") != 2 {
		t.Errorf("health of the log: %q", got)
	}
	if got := get(t, wURL+"/healthz"); got != "ok\n" {
		t.Errorf("health of the witness: %q", got)
	}
}
