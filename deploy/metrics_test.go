// Package deploy_test checks what operators are given against the programs.
package deploy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/node"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// table returns the rows of METRICS.md by name.
func table(t *testing.T) map[string]metric.Metric {
	t.Helper()
	rows := map[string]metric.Metric{}
	for line := range strings.Lines(read(t, "METRICS.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		name := strings.Trim(strings.TrimSpace(cells[0]), "`")
		if !strings.HasPrefix(name, metric.Prefix) {
			continue
		}
		if len(cells) != 5 {
			t.Fatalf("%s: %d cells", name, len(cells))
		}
		if _, twice := rows[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		labels := strings.TrimSpace(strings.NewReplacer("`", "", ",", " ").Replace(cells[2]))
		rows[name] = metric.Metric{Name: name, Type: strings.TrimSpace(cells[1]), Labels: strings.Fields(labels), Help: strings.TrimSpace(cells[3])}
	}
	return rows
}

// TestTable compares METRICS.md with what a node serves, both ways.
func TestTable(t *testing.T) {
	rows := table(t)
	for _, m := range node.Metrics() {
		row, ok := rows[m.Name]
		delete(rows, m.Name)
		switch {
		case !ok:
			t.Errorf("%s has no row", m.Name)
		case row.Type != m.Type:
			t.Errorf("%s: type %q, is a %s", m.Name, row.Type, m.Type)
		case strings.Join(row.Labels, " ") != strings.Join(m.Labels, " "):
			t.Errorf("%s: labels %q, has %q", m.Name, row.Labels, m.Labels)
		case row.Help != m.Help:
			t.Errorf("%s: meaning %q, its help is %q", m.Name, row.Help, m.Help)
		}
	}
	for name := range rows {
		t.Errorf("no node has %s", name)
	}
}
