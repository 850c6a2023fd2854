package deploy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/internal/cli"
	"github.com/standing-log/standing/internal/daemon"
	"github.com/standing-log/standing/internal/node"
)

// expressions writes the dashboard's queries as recording rules, so that
// promtool parses them.
func expressions(t *testing.T) string {
	t.Helper()
	type recording struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var all []recording
	for _, p := range dashboard(t).Panels {
		for _, q := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", "standing", "$instance", "log").Replace(q.Expr)
			all = append(all, recording{fmt.Sprintf("panel:%d_%s", p.ID, q.RefID), expr})
		}
	}
	b, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	command  = regexp.MustCompile(`\b(standingd?) ([a-z]+)((?: [a-z]+)?)`)
	flag     = regexp.MustCompile(`--[a-z-]+`)
	promises = regexp.MustCompile(`(?i)\b(certified|compliant|conformity|approved|audited|sealed|safe|passed)\b`)
	link     = regexp.MustCompile(`\]\(([^)]*)\)`)
)

// TestCommands: every command of ours that the manual and the alerts name
// exists, with its flags.
func TestCommands(t *testing.T) {
	seen := 0
	for _, name := range []string{"OPERATIONS.md", "prometheus/alerts.yml", "standingd.service"} {
		for line := range strings.Lines(read(t, name)) {
			for _, text := range commandsIn(name, line) {
				m := command.FindStringSubmatch(text)
				if m == nil {
					continue
				}
				seen++
				var out bytes.Buffer
				code := 0
				if m[1] == "standingd" {
					code = daemon.Main(t.Context(), []string{m[2], "--help"}, &out, &out)
				} else {
					code = cli.Main(t.Context(), []string{m[2], "--help"}, strings.NewReader(""), &out, &out)
				}
				if code != 0 || !strings.Contains(out.String(), m[2]) {
					t.Errorf("%s: %q: there is no such command: %s", name, text, out.String())
				}
				if m[2] == "key" && !strings.Contains(out.String(), strings.TrimSpace(m[3])) {
					t.Errorf("%s: %q: there is no such action", name, text)
				}
				for _, f := range flag.FindAllString(text, -1) {
					if !strings.Contains(out.String(), f) {
						t.Errorf("%s: %q: there is no flag %s", name, text, f)
					}
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d commands", seen)
	}
}

// commandsIn returns what may be commands of ours in a line: code in prose,
// whole lines of a block, settings of the unit, and what an alert says to run.
func commandsIn(name, line string) []string {
	line = strings.TrimSpace(line)
	switch {
	case strings.HasSuffix(name, ".yml"):
		if _, after, ok := strings.Cut(line, "run standing "); ok {
			return []string{"standing " + after}
		}
		return nil
	case strings.HasPrefix(line, "# "), strings.HasPrefix(line, "ExecStart="):
		// Of a line that runs it as another user, the command itself.
		_, after, ok := strings.Cut(line, "standingd ")
		if !ok || strings.HasPrefix(line, "# useradd") || strings.HasPrefix(line, "# install") {
			return nil
		}
		return []string{"standingd " + after}
	}
	var out []string
	for i, part := range strings.Split(line, "`") {
		if i%2 == 1 {
			out = append(out, part)
		}
	}
	return out
}

// TestManual: its links lead somewhere, its files and settings exist, and it
// promises nothing.
func TestManual(t *testing.T) {
	sections := anchors(t)
	for _, name := range []string{"OPERATIONS.md", "METRICS.md"} {
		text := read(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			path, section, has := strings.Cut(m[1], "#")
			if path != "" {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s: link to %s: %v", name, m[1], err)
				}
			}
			if has && !slices.Contains(sections, section) {
				t.Errorf("%s: link to %s: no such section", name, m[1])
			}
		}
	}
	for _, name := range []string{"OPERATIONS.md", "METRICS.md", "standingd.service", "prometheus/alerts.yml", "grafana/standing.json"} {
		if word := promises.FindString(read(t, name)); word != "" {
			t.Errorf("%s says %q", name, word)
		}
	}
	config, err := yaml.Marshal(settings(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`(batch|cosign|disk)\\.([a-z]+)`").FindAllStringSubmatch(read(t, "OPERATIONS.md")+read(t, "METRICS.md"), -1) {
		if !regexp.MustCompile(`(?ms)^` + m[1] + `:\n(    .*\n)*?    ` + m[2] + `:`).Match(config) {
			t.Errorf("there is no setting %s.%s", m[1], m[2])
		}
	}
}

// settings is a configuration that leaves nothing out.
func settings(t *testing.T) *node.Config {
	t.Helper()
	var c node.Config
	c.Batch.Interval, c.Batch.First, c.Batch.Max = 1, 1, 1
	c.Cosign.Timeout, c.Cosign.Grace, c.Cosign.Refresh, c.Cosign.Backlog = 1, 1, 1, 1
	c.Disk.Reserve = 1
	return &c
}
