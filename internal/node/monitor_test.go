package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/deliver"
	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/client"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is a webhook's other end: it verifies what it gets, and tells the type.
func receiver(t *testing.T) (url string, got <-chan string) {
	t.Helper()
	secret, err := deliver.ParseSecret(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	types := make(chan string, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var e struct{ ID, Type string }
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		var unix int64
		if _, scanErr := fmt.Sscan(r.Header.Get("webhook-timestamp"), &unix); err != nil || scanErr != nil ||
			r.Header.Get("webhook-signature") != deliver.Sign(secret, r.Header.Get("webhook-id"), unix, body) {
			t.Errorf("%s: %v, %v", body, err, scanErr)
		}
		types <- strings.TrimPrefix(e.Type, deliver.TypePrefix)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, types
}

// await returns the next n types.
func await(t *testing.T, got <-chan string, n int) string {
	t.Helper()
	var out []string
	for range n {
		select {
		case kind := <-got:
			out = append(out, kind)
		case <-time.After(20 * time.Second):
			t.Fatalf("told %q, and then nothing", out)
		}
	}
	return strings.Join(out, " ")
}

// monitorNode makes the directory of a monitor of the log at url, and nothing
// else.
func monitorNode(t *testing.T, logDir, url, hook string) string {
	t.Helper()
	dir := t.TempDir()
	policy, err := os.ReadFile(filepath.Join(logDir, policyFile))
	if err != nil {
		t.Fatal(err)
	}
	withURL := regexp.MustCompile(`(?m)^(log \S+)$`).ReplaceAllString(string(policy), "$1 "+url)
	for name, text := range map[string]string{
		"log.policy": withURL,
		"secret":     webhookSecret + "\n",
		configFile: fmt.Sprintf("monitor:\n  trust: log.policy\n  interval: 1s\n  watch: {all: true}\n"+
			"  deliver:\n  - {name: soc, webhook: %q, secret: secret}\n  - {name: feed, feed: feed.atom}\n", hook),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestMonitor runs a log, and a monitor of it on another node, which has no keys
// at all. It begins when it is told to, goes on after a restart, and tells again
// what it is asked for while it runs.
func TestMonitor(t *testing.T) {
	logDir := made(t)
	l, url := listen(t)
	n := start(t, logDir, l)
	if err := n.WaitPublished(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	hook, got := receiver(t)
	dir := monitorNode(t, logDir, url, hook)
	if err := open(t, dir); err == nil || !strings.Contains(err.Error(), "standingd monitor --dir") {
		t.Fatalf("not begun: %v", err)
	}
	if err := BeginMonitor(dir, "all"); err != nil {
		t.Fatal(err)
	}
	run := func() (stop func(), metrics func() string) {
		m, err := Open(t.Context(), dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		l, url := listen(t)
		done := make(chan error, 1)
		go func() { done <- m.Serve(ctx, l) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}, func() string { return get(t, url+"/metrics") }
	}
	stop, _ := run()
	if kinds := await(t, got, 1); kinds != "charter-changed" {
		t.Error(kinds)
	}
	stop()
	submit(t, url, enrolment(t, logDir, testlog.NewParty("steward", 1)))
	stop, metrics := run()
	// It may have ended between telling and remembering.
	if kinds := await(t, got, 1); kinds != "party-enrolled" && kinds+await(t, got, 1) != "charter-changedparty-enrolled" {
		t.Error(kinds)
	}
	if err := ReplayMonitor(dir, "", "soc", 0); err != nil {
		t.Fatal(err)
	}
	if kinds := await(t, got, 2); kinds != "charter-changed party-enrolled" {
		t.Error(kinds)
	}
	for _, want := range []string{
		fmt.Sprintf(`standing_monitor_leaves{log=%q} 4`, testOrigin), fmt.Sprintf(`standing_monitor_contradicted{log=%q} 0`, testOrigin),
		"standing_monitor_followed_timestamp_seconds{", "standing_monitor_told_timestamp_seconds{", "standing_monitor_events_total{",
	} {
		if text := metrics(); !strings.Contains(text, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	stop()
	if len(got) > 0 {
		t.Errorf("told more: %s", <-got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "feed.atom")); err != nil || strings.Count(string(b), "<entry>") != 2 {
		t.Errorf("%s: %v", b, err)
	}
}

// submit sends an envelope and waits until it is published.
func submit(t *testing.T, url string, envelope []byte) {
	t.Helper()
	c, err := client.New(url, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(t.Context(), envelope, true); err != nil {
		t.Fatal(err)
	}
}

// TestMonitorConfig: what is wrong with monitor: is a SetupError.
func TestMonitorConfig(t *testing.T) {
	logDir := made(t)
	dir := monitorNode(t, logDir, "http://127.0.0.1:1", "http://127.0.0.1:1")
	for config, want := range map[string]string{
		"monitor: {trust: log.policy, watch: {all: true}}":                                              "nobody is told",
		"monitor: {trust: log.policy, deliver: [{name: a, feed: a}]}":                                   "nothing is named",
		"monitor: {watch: {all: true}, deliver: [{name: a, feed: a}]}":                                  policyFile,
		"monitor: {trust: log.policy, interval: 1ms, watch: {all: true}}":                               "interval",
		"monitor: {trust: log.policy, everything: true}":                                                "not found in type",
		"monitor: {trust: log.policy, watch: {all: true}, deliver: [{name: a, feed: a, command: [b]}]}": "exactly one",
		"monitor: {trust: log.policy, watch: {all: true}, deliver: [{name: a, feed: a}]}":               "standingd monitor",
	} {
		if err := os.WriteFile(filepath.Join(dir, configFile), []byte(config+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = n.Close()
		}
		if _, setup := errors.AsType[*SetupError](err); !setup || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
	config := "monitor: {trust: log.policy, watch: {all: true}, deliver: [{name: a, feed: a}]}\n"
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keyfile.WriteFile(filepath.Join(dir, "log.policy.pins"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := BeginMonitor(dir, "now"); err == nil || !strings.Contains(err.Error(), "pins") {
		t.Errorf("pins that cannot be read: %v", err)
	}
}
