package node

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// TestAuditor runs a log whose quorum is its own witness and an auditor on
// another node, which has to copy the log before anything is published at all.
// From the auditor the log can be read as from itself.
func TestAuditor(t *testing.T) {
	const origin = "log.example/audited"
	logDir, auditDir := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "auditor")
	if err := Init(t.Context(), logDir, origin, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := InitAuditor(auditDir, "auditor.example/one"); err != nil {
		t.Fatal(err)
	}
	auditorKey, err := os.ReadFile(filepath.Join(auditDir, auditorVkey))
	if err != nil {
		t.Fatal(err)
	}
	ll, logURL := listen(t)
	al, auditURL := listen(t)
	policy, err := os.ReadFile(filepath.Join(logDir, policyFile))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(policy), "quorum local\n",
		fmt.Sprintf("witness one %s %s/auditor\ngroup both all local one\nquorum both\n", strings.TrimSpace(string(auditorKey)), auditURL), 1)
	for path, content := range map[string]string{
		filepath.Join(logDir, policyFile):     text,
		filepath.Join(auditDir, "log.policy"): text,
		filepath.Join(auditDir, configFile):   fmt.Sprintf("audit:\n  oracle: true\n  logs:\n  - url: %s\n    trust: log.policy\n", logURL),
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := start(t, auditDir, al)
	n := start(t, logDir, ll)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := n.WaitPublished(ctx, 2); err != nil {
		t.Fatal(err)
	}
	p, err := trust.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cp, err := p.Open([]byte(get(t, logURL+"/checkpoint")), time.Now())
	if err != nil || !cp.Witnessed || len(cp.Cosignatures) != 2 {
		t.Errorf("checkpoint: %+v, %v", cp, err)
	}
	if got := get(t, auditURL+"/healthz"); got != "ok\n" {
		t.Errorf("health of the auditor: %q", got)
	}
	if got := get(t, auditURL+"/metrics"); !strings.Contains(got, `standing_auditor_held_leaves{log="`+origin+`"} 2`) {
		t.Errorf("metrics of the auditor: %s", got)
	}
	if a.witness != nil {
		t.Error("an auditor alone has a witness")
	}
	// What is held is served before anybody has asked what is published.
	c, err := client.New(auditURL+"/mirror/"+origin, client.Config{Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: "copy", FS: vfs.NewMem(), Origin: origin, Policy: p})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if last, err := m.Hold(t.Context(), c, []byte(get(t, logURL+"/checkpoint")), nil); err != nil || last.Index != 1 {
		t.Errorf("a copy of the copy: %v", err)
	}
}

// TestAuditConfig: what is wrong with audit: is a SetupError.
func TestAuditConfig(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "auditor")
	if err := InitAuditor(dir, "auditor.example/one"); err != nil {
		t.Fatal(err)
	}
	const vkey = "log.example/a+5db69c61+Aaqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
	if err := os.WriteFile(filepath.Join(dir, "none"), []byte("quorum none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, real, err := note.GenerateKey(nil, "log.example/a")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"pinned": "log " + real + "\nquorum none\n", "pinned.pins": "close log.example/b 1 x\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for config, want := range map[string]string{
		"audit:\n  logs: [{url: http://a, trust: pinned}]":          "pinned.pins: ",
		"audit:\n  logs: [{}]":                                      "give either trust or vkeys",
		"audit:\n  logs: [{url: http://a, trust: missing}]":         "no such file",
		"audit:\n  logs: [{url: http://a, trust: none}]":            "",
		"audit:\n  logs: [{url: http://a, vkeys: [x]}]":             "log",
		"audit:\n  logs: [{url: ftp://a, vkeys: ['" + vkey + "']}]": "",
		"audit:\n  log: []":                                         "not found in type",
	} {
		if err := os.WriteFile(filepath.Join(dir, configFile), []byte(config+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
		if _, setup := err.(*SetupError); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %t", config, err, setup)
			_ = n.Close()
		}
	}
	// Without its key nobody is an auditor.
	if err := os.Remove(filepath.Join(dir, auditorFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened without a key")
	}
}
