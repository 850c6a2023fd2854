package deploy_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/internal/metric"
)

type rule struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	d := yaml.NewDecoder(strings.NewReader(read(t, "prometheus/alerts.yml")))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	var out []rule
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

var (
	ours = regexp.MustCompile(`\b` + metric.Prefix + `[a-z_]+`)
	// others are what every scrape and every Go program has.
	others = regexp.MustCompile(`\b(up|(process|go)_[a-z_]+)\b`)
	quoted = regexp.MustCompile(`"[^"]*"`)
)

// wantMetrics checks that an expression names metrics of ours that exist, and
// closes what it opens.
func wantMetrics(t *testing.T, where, expr string, rows map[string]metric.Metric) {
	t.Helper()
	bare := quoted.ReplaceAllString(expr, "")
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.Count(bare, pair[:1]) != strings.Count(bare, pair[1:]) {
			t.Errorf("%s: unbalanced %s in %s", where, pair, expr)
		}
	}
	names := ours.FindAllString(bare, -1)
	for _, name := range names {
		row, ok := rows[name]
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, is := strings.CutSuffix(name, suffix); is && !ok {
				row, ok = rows[base]
				ok = ok && row.Type == "histogram"
			}
		}
		if !ok {
			t.Errorf("%s: no node has %s", where, name)
		}
	}
	if len(names) == 0 && !others.MatchString(bare) {
		t.Errorf("%s: no metric in %q", where, expr)
	}
}

// anchors returns the headings of OPERATIONS.md as links name them.
func anchors(t *testing.T) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(read(t, "OPERATIONS.md")) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			title = strings.ToLower(strings.TrimSpace(title))
			out = append(out, strings.NewReplacer(" ", "-", ":", "", ",", "").Replace(title))
		}
	}
	return out
}

// TestAlerts: each alert has what whoever is woken by it needs.
func TestAlerts(t *testing.T) {
	const manual = "https://github.com/standing-log/standing/blob/main/deploy/OPERATIONS.md#"
	rows, sections := table(t), anchors(t)
	tests := read(t, "prometheus/alerts_test.yml")
	all := rules(t)
	if len(all) < 8 {
		t.Fatalf("%d alerts", len(all))
	}
	for _, r := range all {
		wantMetrics(t, r.Alert, r.Expr, rows)
		if r.Annotations["summary"] == "" || !strings.Contains(r.Annotations["description"], "Next step: ") {
			t.Errorf("%s: no summary, or no next step", r.Alert)
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		section, ok := strings.CutPrefix(r.Annotations["runbook_url"], manual)
		if !ok || section != strings.ToLower(r.Alert) || !slices.Contains(sections, section) {
			t.Errorf("%s: the manual has no section %q", r.Alert, r.Annotations["runbook_url"])
		}
		if !strings.Contains(tests, "alertname: "+r.Alert+"\n        exp_alerts:") {
			t.Errorf("%s: no test in which it fires", r.Alert)
		}
	}
}

// TestPromtool runs Prometheus's own checks, and the tests of the alerts.
func TestPromtool(t *testing.T) {
	promtool := tool(t, "promtool", "prometheus")
	if promtool == "" {
		return // TestAlerts has read the file and looked up its metrics
	}
	must(t, "prometheus", promtool, "check", "rules", "alerts.yml")
	must(t, "prometheus", promtool, "test", "rules", "alerts_test.yml")
	must(t, ".", promtool, "check", "rules", expressions(t))
}

// TestDashboard: it can be imported, and asks for metrics that exist.
func TestDashboard(t *testing.T) {
	rows := table(t)
	used := map[string]bool{}
	titles := map[string]bool{}
	for _, p := range dashboard(t).Panels {
		titles[p.Title] = true
		if p.Type == "row" {
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: data source %q, %d queries", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for _, target := range p.Targets {
			wantMetrics(t, p.Title, target.Expr, rows)
			for _, name := range ours.FindAllString(target.Expr, -1) {
				used[name] = true
				for _, suffix := range []string{"_bucket", "_count", "_sum"} {
					used[strings.TrimSuffix(name, suffix)] = true
				}
			}
		}
	}
	for name := range rows {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
	for _, row := range []string{"Admission", "Queues", "Turns", "Cosigning and publishing", "Serving", "Store", "Witness"} {
		if !titles[row] {
			t.Errorf("no row %q", row)
		}
	}
}

type board struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Query any }
	}
	Panels []struct {
		ID          int
		Type, Title string
		Datasource  struct{ Type, UID string }
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ RefID, Expr string }
	}
}

func dashboard(t *testing.T) *board {
	t.Helper()
	var b board
	if err := json.Unmarshal([]byte(read(t, "grafana/standing.json")), &b); err != nil {
		t.Fatal(err)
	}
	if b.SchemaVersion < 39 || b.UID == "" || len(b.Templating.List) == 0 || b.Templating.List[0].Type != "datasource" {
		t.Errorf("schema %d, uid %q, variables %v", b.SchemaVersion, b.UID, b.Templating.List)
	}
	ids := map[int]bool{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: twice, or misplaced: %v", p.ID, p.Title, p.GridPos)
		}
		ids[p.ID] = true
	}
	return &b
}
