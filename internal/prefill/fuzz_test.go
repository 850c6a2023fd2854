package prefill

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// form writes ticks as a form again.
func form(ticks []tick) []byte {
	var b strings.Builder
	for _, t := range ticks {
		fmt.Fprintf(&b, "- [%s] %s:\n", map[string]string{"": " ", "yes": "x", "not-applicable": "n/a", "?": "?"}[t.Mark], t.ID)
		if t.Link != "" {
			fmt.Fprintf(&b, "  Link: %s\n", t.Link)
		}
		if t.Text {
			b.WriteString("  Explanation: some\n")
		}
	}
	return []byte(b.String())
}

// FuzzCompliance: what was read of a form, written as a form, is read again the
// same.
func FuzzCompliance(f *testing.F) {
	template, err := os.ReadFile("testdata/COMPLIANCE.md")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(template)
	f.Add([]byte("- [x] QA.01: y\n- [ ] QA.01: n\n"))
	f.Add([]byte("* [X] __QA.01__ https://x.example/(a).\n\n1. [] x-sp.01: y\r\n   z: http://x.example\n☑ LE.01\n# end\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ticks := parseCompliance(data)
		again := parseCompliance(form(ticks))
		if len(again) != len(ticks) {
			t.Fatalf("%d boxes, then %d", len(ticks), len(again))
		}
		lines := bytes.Count(data, []byte("\n")) + 1
		seen := map[string]bool{}
		for i, a := range ticks {
			b := again[i]
			if seen[a.ID] {
				t.Errorf("%s has two boxes", a.ID)
			}
			seen[a.ID] = true
			if a.Line < 1 || a.Line > lines || a.Link != "" && (a.At < a.Line || a.At > lines) {
				t.Errorf("line %d, link in %d, of %d", a.Line, a.At, lines)
			}
			if a.ID != b.ID || a.Mark != b.Mark || a.Link != b.Link || a.Text != b.Text {
				t.Errorf("%+v, then %+v", a, b)
			}
		}
	})
}

// FuzzInsights: a small file stays small, and each value has its line.
func FuzzInsights(f *testing.F) {
	for _, seed := range []string{insightsOne, insightsTwo, "a: &a [*a]", strings.Repeat("k", 300) + ": {a: 1, b: 2}",
		"a: &a " + strings.Repeat("x", 90) + "\nb: &b [" + strings.Repeat("*a,", 9) + "]\nc: [" + strings.Repeat("*b,", 9) + "]", "- - - b", "a: |\n  b\n  c\n", "<<: {a: b}", "? [x]\n: y"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseInsights(data)
		if err != nil {
			return
		}
		total, lines := 0, bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+bytes.Count(data, []byte("\u0085"))+bytes.Count(data, []byte("\u2028"))+bytes.Count(data, []byte("\u2029"))+1
		for _, in := range list {
			total += len(in.Value)
			if in.Line < 1 || in.Line > lines+1 { // a value that is not there is after the end
				t.Errorf("%+v: the file has %d lines", in, lines)
			}
			if len(in.Path) > maxPath {
				t.Errorf("a path of %d bytes", len(in.Path))
			}
		}
		// An escape such as \P makes three bytes of two.
		if total > 2*len(data)+8*len(list) {
			t.Errorf("%d bytes of values from %d", total, len(data))
		}
		again, err := parseInsights(data)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(list) {
			t.Errorf("read twice, it differs: %v", err)
		}
	})
}

// TestTemplate reads the form as projects get it, empty and filled in.
func TestTemplate(t *testing.T) {
	empty, err := os.ReadFile(filepath.Join("testdata", "COMPLIANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	ticks := parseCompliance(empty)
	if len(ticks) != 22 {
		t.Errorf("%d points", len(ticks))
	}
	for _, tick := range ticks {
		if tick.Mark != "" || tick.Link != "" || tick.Text {
			t.Errorf("an empty form says %+v", tick)
		}
	}
	filled := strings.NewReplacer("[ ]", "[x]", "________", "https://widgets.example/page").Replace(string(empty))
	for _, tick := range parseCompliance([]byte(filled)) {
		if tick.Mark != "yes" || tick.Link == "" && strings.Contains("GV.01 GV.03 LE.01 QA.01 QA.02 QA.03 QA.04 BR.01 BR.03 VM.01 EL.01", tick.ID) {
			t.Errorf("a filled form says %+v", tick)
		}
	}
}
