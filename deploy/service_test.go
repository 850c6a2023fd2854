package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unit parses standingd.service: section and key to values, in order.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	section := ""
	for line := range strings.Lines(read(t, "standingd.service")) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = line
		case ok:
			out[section+key] = append(out[section+key], value)
		default:
			t.Errorf("neither section nor setting: %q", line)
		}
	}
	return out
}

// TestService: what the unit promises to who reads it.
func TestService(t *testing.T) {
	u := unit(t)
	for key, want := range map[string]string{
		"Type": "exec", "User": "standing", "StateDirectory": "standing", "UMask": "0077", "Restart": "on-failure",
		"RestartPreventExitStatus": "2 4", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "LimitNOFILE": "65536",
		"ExecStart": "/usr/local/bin/standingd serve --dir /var/lib/standing/node --listen 127.0.0.1:2025",
	} {
		if got := u["[Service]"+key]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
}

// TestSystemd has systemd read the unit: no setting unknown to it, and little
// that the service could do beyond its task.
func TestSystemd(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	if analyze == "" {
		return // TestService has looked at the settings that matter most
	}
	// verify wants a program that exists.
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(read(t, "standingd.service"), "/usr/local/bin/standingd", self, 1)
	path := filepath.Join(dir, "standingd.service")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := must(t, dir, analyze, "verify", "--man=no", path); strings.Contains(out, "standingd.service") {
		t.Errorf("verify: %s", out)
	}
	// The threshold is ten times the exposure level.
	must(t, dir, analyze, "security", "--offline=true", "--threshold=20", path)
}

var exitCodes = regexp.MustCompile(`(?m)^//\t([0-9])  `)

// TestExitCodes: the unit starts again after those exit codes of standingd that
// may pass, and no others.
func TestExitCodes(t *testing.T) {
	var codes []string
	for _, m := range exitCodes.FindAllStringSubmatch(read(t, "../internal/daemon/daemon.go"), -1) {
		codes = append(codes, m[1])
	}
	if got := strings.Join(codes, " "); got != "0 1 2 4" {
		t.Errorf("standingd documents the exit codes %s: what does the unit do about them?", got)
	}
}
