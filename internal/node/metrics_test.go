package node

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/testlog"
)

// TestMetrics: what a node serves under our prefix is what Metrics describes,
// and what callers do is counted.
func TestMetrics(t *testing.T) {
	dir := made(t)
	l, url := listen(t)
	n := start(t, dir, l)
	if err := n.WaitPublished(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	post := func(envelope []byte, want int) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"envelope": envelope, "wait": true})
		if err != nil {
			t.Fatal(err)
		}
		if status, answer := statusOf(t, "POST", url+"/v1/entries", "application/json", bytes.NewReader(body)); status != want {
			t.Fatalf("submitting: %d %s", status, answer)
		}
	}
	post(enrolment(t, dir, testlog.NewParty("steward", 1)), http.StatusOK)
	post([]byte("{}"), http.StatusBadRequest)
	get(t, url+"/checkpoint")
	get(t, url+"/tile/entries/000.p/4")
	get(t, url+"/tile/0/000.p/4")
	statusOf(t, "GET", url+"/tile/0/001", "", nil)

	text := get(t, url+"/metrics")
	described := map[string]metric.Metric{}
	for _, m := range Metrics() {
		described[m.Name] = m
	}
	served := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); f[0] == "#" && f[1] == "TYPE" && strings.HasPrefix(f[2], metric.Prefix) {
			served[f[2]] = f[3]
			if described[f[2]].Type != f[3] {
				t.Errorf("%s is served as a %s and described as a %q", f[2], f[3], described[f[2]].Type)
			}
		}
	}
	for name, m := range described {
		// A metric with labels is served once one of its values was seen.
		if _, ok := served[name]; !ok && len(m.Labels) == 0 {
			t.Errorf("%s is not served", name)
		}
	}
	for _, want := range []string{
		`standing_admission_refused_total{code="envelope-malformed"} 1`, "standing_admission_seconds_count 2",
		`standing_api_calls_total{call="Submit",code="ok"} 1`, `standing_api_calls_total{call="Submit",code="envelope-malformed"} 1`,
		`standing_api_seconds_count{call="Submit"} 2`, "standing_entries_total 1", "standing_published_size 4", "standing_published_seconds_count 1",
		`standing_tile_requests_total{code="200",kind="checkpoint"} 1`, `standing_tile_requests_total{code="200",kind="entries"} 1`,
		`standing_tile_requests_total{code="200",kind="tile"} 1`, `standing_tile_requests_total{code="404",kind="tile"} 1`,
		`standing_tile_bytes_total{kind="tile"} 147`,
		`standing_cosigner_asked_total{cosigner="local",result="ok"} 2`, `standing_cosigner_asked_total{cosigner="local",result="failed"} 0`,
		`standing_cosigner_seconds_count{cosigner="local"} 2`, `standing_witness_requests_total{code="200"} 2`, "standing_witness_seconds_count 2",
		"standing_published_cosigners 1", "standing_policy_cosigners 1", "standing_writer_halted 0", `standing_build_info{`, "go_goroutines ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("not served: %s", want)
		}
	}
	lines := strings.Split(text, "\n")
	for _, name := range []string{"standing_store_bytes", "standing_store_available_bytes", "standing_store_total_bytes"} {
		i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, name+" ") })
		if i < 0 || strings.HasSuffix(lines[i], " 0") || strings.HasSuffix(lines[i], " NaN") {
			t.Errorf("%s: line %d", name, i)
		}
	}
}
