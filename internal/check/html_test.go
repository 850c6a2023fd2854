package check_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
)

func page(t testing.TB, r *check.Result) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := r.HTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHTML(t *testing.T) {
	s := newScene(t)
	s.fill()
	r := s.judge()
	got := page(t, r)
	golden(t, "result.html", got)
	for _, c := range r.Components {
		if !bytes.Contains(got, []byte(c.Label())) {
			t.Errorf("%s is not there", c.Label())
		}
		for _, a := range c.Attestations {
			if !bytes.Contains(got, []byte(a.ID)) {
				t.Errorf("%s: %s is not there", c.Label(), a.ID)
			}
		}
	}
	// Each verdict is counted in one part of the page, or two.
	sum := 0
	for _, m := range regexp.MustCompile(`(?s)<tr><th scope="row">[^<]*</th><td>[A-Z_]+</td><td class="number">(\d+)</td>`).FindAllSubmatch(got, -1) {
		var n int
		if _, err := fmt.Sscan(string(m[1]), &n); err != nil {
			t.Error(err)
		}
		sum += n
	}
	if sum != len(r.Components) {
		t.Errorf("%d components are counted, of %d", sum, len(r.Components))
	}
	for _, v := range append(check.Verdicts(), check.Fresh, check.Unasked) {
		if check.Words(v) == v {
			t.Errorf("%s is not said in words", v)
		}
	}
}

// hostile is a result in which all that others write is an attack on the page.
func hostile() *check.Result {
	script, url := `</style></title><script>alert(1)</script><img src=http://leak.example/ onerror=alert(2)>`, `javascript:alert(3)`
	turned := "\u202egpj.exe\u202c\x00\x1b[2J"
	long := "pkg:npm/" + strings.Repeat("very-long/", 10_000) + "@1"
	support := uint64(1)
	a := check.Attestation{
		Log: script, ID: script, Verdict: script, Rule: check.Rule(script), Subject: long, Digest: script, PartyName: turned + script,
		PartyRoles: []string{script}, Relation: script, Mandate: script, Polarity: script, SupportUntil: &support,
		Programme: &check.Programme{ID: script, PartyName: script, Link: url}, Support: &check.Support{Asks: script, URL: `http://x.example/" onmouseover="alert(4)`},
		Claims: &check.Claims{Catalogue: script, Version: script, Items: []check.Claim{{ID: script, Answer: "yes", Link: url}}},
		Causes: []check.Cause{{Verdict: script, Detail: turned, Reason: script, Meaning: script, Event: script, Refs: []string{url, script}, Link: url, Severity: "act"}},
	}
	history := a
	history.FollowedBy = script
	document := a
	document.Claims, document.Document, document.Support = nil, script, &check.Support{Asks: script, URL: "data:text/html,<script>alert(5)</script>"}
	all := []check.Attestation{a, history, document}
	sides := []check.Side{{ID: script, PartyName: script, Relation: script, Answer: "yes"}, {ID: turned, PartyName: long, Relation: url, Answer: "no"}}
	return &check.Result{
		SBOM: check.SBOM{Format: script, SHA256: script, Product: turned + script},
		Logs: []check.Log{{Origin: script, Verdict: script, Error: script, Size: 1, Witnessed: true, Cosigners: []string{script}}},
		Components: []check.Component{
			{Verdict: script, Detail: script, PURL: script, Severity: `act" onclick="alert(6)`, Next: script, Attestations: all,
				Undecided: []check.Open{{Log: script, ID: script, PartyName: turned, Subject: script, Verdict: script, Why: script}},
				Conflicts: []check.Conflict{{Catalogue: script, Point: script, Sides: sides}}},
			{Verdict: "ACTIVE", PURL: long, Attestations: all},
			{Verdict: "UNNAMED", Detail: script, Name: turned + script, Group: script},
			{Verdict: "NONE", PURL: url},
		},
	}
}

// TestHostileHTML: whatever others write is text, of sensible length, in the
// direction of the page.
func TestHostileHTML(t *testing.T) {
	got := string(page(t, hostile()))
	for _, bad := range []string{"<script", "<img", "</style></title>", "\u202e", "\x1b", "\x00", "ZgotmplZ"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
	if n := strings.Count(got, "</style>"); n != 1 {
		t.Errorf("%d styles", n)
	}
	tags := regexp.MustCompile(`<[^>]*>`)
	allowed := regexp.MustCompile(`^</?[a-z0-9]+( (class|id|lang|scope|charset|name|content|http-equiv|colspan|rowspan|aria-labelledby|rel|href)="[^"<>]*")*>$|^<!DOCTYPE html>$`)
	for _, tag := range tags.FindAllString(got, -1) {
		if !allowed.MatchString(tag) {
			t.Errorf("tag %s", tag)
		}
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(got, -1) {
		if !strings.HasPrefix(link[1], "http://x.example/") && !strings.HasPrefix(link[1], "#") {
			t.Errorf("link to %s", link[1])
		}
	}
	for line := range strings.Lines(got) {
		if len(line) > 20_000 {
			t.Errorf("a line of %d bytes: %.200s", len(line), line)
		}
	}
}

// large is a result of n components, of which one in ten is attested.
func large(t testing.TB, n int) *check.Result {
	s := newScene(t)
	s.attest("active", s.steward.Keys[0], nil, "pkg:npm/component vers:npm/>=1.0.0")
	for i := range n {
		c := sbom.Component{PURL: fmt.Sprintf("pkg:npm/component-%d@1.0.0", i), Parent: -1}
		if i%10 == 0 {
			c.PURL = fmt.Sprintf("pkg:npm/component@1.0.%d", i)
		}
		s.doc.Components = append(s.doc.Components, c)
	}
	return s.judge()
}

// TestLargeHTML: a component about which nothing is attested takes a line.
func TestLargeHTML(t *testing.T) {
	r := large(t, 2000)
	got := page(t, r)
	if n := bytes.Count(got, []byte("<li>")); n != 1800 {
		t.Errorf("%d lines about what is not attested", n)
	}
	if len(got) > 2000*400 {
		t.Errorf("%d bytes", len(got))
	}
}

func BenchmarkHTML(b *testing.B) {
	r := large(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(page(b, r))))
	}
}
