package check_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
)

var update = flag.Bool("update", false, "write the golden files")

// promises are words that no output says.
var promises = regexp.MustCompile(`(?i)\b(certified|compliant|conformity|approved|audited|sealed|safe|passed|due-diligence record)\b`)

// golden compares got with a file of testdata.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	file = "testdata/" + file
	if hit := promises.Find(got); hit != nil {
		t.Errorf("it says %q", hit)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("not what is in %s (go test ./internal/check -update writes it):\n%s", file, got)
	}
}

func text(r *check.Result) []byte {
	var out bytes.Buffer
	r.Text(func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) })
	return out.Bytes()
}

func TestText(t *testing.T) {
	s := newScene(t)
	s.fill()
	golden(t, "result.txt", text(s.judge()))
}

// TestJSON: the members that other programs read.
func TestJSON(t *testing.T) {
	s := newScene(t)
	s.fill()
	s.doc.Components = s.doc.Components[:9]
	r := s.judge()
	var out bytes.Buffer
	if err := r.JSON(&out, 1); err != nil {
		t.Fatal(err)
	}
	golden(t, "result.json", out.Bytes())
	var again struct {
		Components []struct{ Index, Parent int }
		Exit       int
	}
	if err := json.Unmarshal(out.Bytes(), &again); err != nil || again.Exit != 1 || len(again.Components) != 9 || again.Components[8].Index != 8 || again.Components[8].Parent != -1 {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestHostileText: what an SBOM says stays on its line.
func TestHostileText(t *testing.T) {
	doc := &sbom.Document{Format: "SPDX 2.3 JSON", Product: "a\nACTIVE pkg:npm/forged@1", Components: []sbom.Component{
		{Name: "x\r\nACTIVE \x1b[2J\u202e", Parent: -1}, {PURL: "pkg:npm/" + strings.Repeat("é", 10_000), Parent: -1}}}
	out := string(text(check.Judge(doc, nil, newScene(t).Reader())))
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "ACTIVE") || len(line) > 1000 || strings.ContainsAny(line, "\x1b\u202e\r") {
			t.Errorf("%q", line)
		}
	}
	if !strings.Contains(out, "2 components: 2 UNNAMED") {
		t.Error(out)
	}
}
