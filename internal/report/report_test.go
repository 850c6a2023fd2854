package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/report"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
)

const origin = "log.example/report"

// scene is a log, and an SBOM of what was attested in it, or not.
type scene struct {
	*testnode.Node
	t   testing.TB
	key *testlog.Key
	doc *sbom.Document
}

func newScene(t testing.TB, origin string) *scene {
	s := &scene{Node: testnode.New(t, origin), t: t}
	s.key = s.Enrol("steward", 1).Keys[0]
	a := testlog.Claims(origin, s.Unix(), 2)
	a.Scopes = []entry.Scope{{Purl: "pkg:npm/range", Vers: "vers:npm/>=1.0.0|<2.0.0"}}
	revoked := testlog.Attest(s.key, testlog.Claims(origin, s.Unix(), 2), testlog.Component("pkg:npm/revoked@1.0.0"))
	s.Submit(
		testlog.Attest(s.key, testlog.Claims(origin, s.Unix(), 2), testlog.Component("pkg:npm/active@1.0.0")),
		testlog.Attest(s.key, testlog.Claims(origin, s.Unix(), 1), testlog.Component("pkg:npm/active@2.0.0")),
		testlog.Attest(s.key, a, a.Scopes[0].Subject()), revoked,
	)
	s.Submit(testlog.Revoke(origin, 3, s.key, revoked.ID))
	s.doc = &sbom.Document{Format: "CycloneDX 1.6 JSON", Product: "gateway@3.1", Digest: [32]byte{1}, Components: []sbom.Component{
		{Ref: "a", Name: "active", Version: "1.0.0", Type: "library", PURL: "pkg:npm/active@1.0.0", Parent: -1,
			Digests: []sbom.Digest{{Algorithm: "md5", Hex: "00"}, {Algorithm: "sha256", Hex: testlog.Component("pkg:npm/active@1.0.0").Digest}}},
		{Ref: "r", Group: "@revoked", Name: "revoked", PURL: "pkg:npm/revoked@1.0.0", More: []string{"", "pkg:npm/also-revoked@1.0.0"}, Parent: 0},
		{PURL: "pkg:npm/range@1.5.0", Parent: 1},
		{PURL: "pkg:npm/range", Parent: -1},
		{PURL: "pkg:npm/none@1.0.0", Parent: -1, Product: true},
		{Name: "only a name", Parent: -1},
	}}
	return s
}

// evidence asks the log about the SBOM.
func (s *scene) evidence() []check.Evidence {
	s.t.Helper()
	state := s.State()
	defer state.Close()
	bundles, err := check.Ask(s.doc.Components, state)
	if err != nil {
		s.t.Fatal(err)
	}
	return []check.Evidence{{Origin: s.Origin, Bundles: bundles}}
}

// save makes a report.
func (s *scene) save(evidence ...check.Evidence) []byte {
	s.t.Helper()
	o := s.Reader()
	data, err := report.Make(s.doc, evidence, o.Policy, o.MaxAge, check.Judge(s.doc, evidence, o))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

func open(t testing.TB, data []byte) *report.Report {
	t.Helper()
	r, err := report.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func verdicts(r *check.Result) string {
	var out []string
	for _, c := range r.Components {
		out = append(out, c.Verdict)
	}
	return strings.Join(out, " ")
}

const found = "ACTIVE REVOKED ACTIVE UNDECIDED NONE UNNAMED"

// TestReport opens what was made, as of then and later, and under another trust
// file.
func TestReport(t *testing.T) {
	s := newScene(t, origin)
	r := open(t, s.save(s.evidence()...))
	if got := verdicts(r.Result); got != found || !r.Time.Equal(s.Now()) || r.MaxAge != 24*time.Hour {
		t.Errorf("%s, as of %v, %v", got, r.Time, r.MaxAge)
	}
	if c := r.Result.Components[1]; c.Parent != 0 || c.Group != "@revoked" || len(c.LookedUp) != 2 || len(c.Attestations) != 1 {
		t.Errorf("%+v", c)
	}
	if err := r.IsAbout(s.doc); err != nil {
		t.Error(err)
	}
	if got := verdicts(r.Judge(r.Policy, s.Now().Add(48*time.Hour))); got != "STALE REVOKED STALE STALE STALE UNNAMED" {
		t.Errorf("two days later: %s", got)
	}
	if got := verdicts(r.Judge(r.Policy, s.Now().Add(-time.Hour))); got != "NO_EVIDENCE NO_EVIDENCE NO_EVIDENCE NO_EVIDENCE NO_EVIDENCE UNNAMED" {
		t.Errorf("an hour before: %s", got)
	}
	other := testnode.New(t, "log.example/another")
	if got := verdicts(r.Judge(other.Policy, s.Now())); got != "INVALID INVALID INVALID INVALID INVALID UNNAMED" {
		t.Errorf("under a trust file without that log: %s", got)
	}
}

// TestIsAbout holds a report against other SBOMs.
func TestIsAbout(t *testing.T) {
	s := newScene(t, origin)
	r := open(t, s.save(s.evidence()...))
	for name, f := range map[string]func(*sbom.Document){
		"another file":        func(d *sbom.Document) { d.Digest[0]++ },
		"another format":      func(d *sbom.Document) { d.Format = "CycloneDX 1.7 JSON" },
		"another product":     func(d *sbom.Document) { d.Product = "" },
		"one component fewer": func(d *sbom.Document) { d.Components = d.Components[:5] },
		"another name":        func(d *sbom.Document) { d.Components[5].Name = "a name" },
		"another purl":        func(d *sbom.Document) { d.Components[1].More = nil },
		"another digest":      func(d *sbom.Document) { d.Components[0].Digests = nil },
		"another parent":      func(d *sbom.Document) { d.Components[2].Parent = 0 },
	} {
		d := *s.doc
		d.Components = append([]sbom.Component(nil), s.doc.Components...)
		f(&d)
		if r.IsAbout(&d) == nil {
			t.Errorf("%s: the report is about it", name)
		}
	}
}

// TestMissing makes reports of logs that show nothing.
func TestMissing(t *testing.T) {
	s := newScene(t, origin)
	e := s.evidence()[0]
	for _, tt := range []struct {
		name     string
		evidence []check.Evidence
		want     string
	}{
		{"no log", nil, "NONE NONE NONE NONE NONE UNNAMED"},
		{"a log that is not reached", []check.Evidence{{Origin: origin, Err: errors.New("no route")}}, "NO_EVIDENCE NO_EVIDENCE NO_EVIDENCE NO_EVIDENCE NO_EVIDENCE UNNAMED"},
		{"and one that is", []check.Evidence{e, {Origin: "log.example/absent", Err: errors.New(strings.Repeat("é", 3000))}}, "ACTIVE REVOKED ACTIVE NO_EVIDENCE NO_EVIDENCE UNNAMED"},
		{"a log that contradicts itself", []check.Evidence{{Origin: origin, Err: errors.New("fork"), Contradicts: true}}, "ROLLBACK ROLLBACK ROLLBACK ROLLBACK ROLLBACK UNNAMED"},
	} {
		if got := verdicts(open(t, s.save(tt.evidence...)).Result); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestOddNames: an SBOM may hold anything, and the report still opens.
func TestOddNames(t *testing.T) {
	s := newScene(t, origin)
	s.doc.Components[5].Name = "\xff\u2028</script>\x00" + strings.Repeat("x", 10000)
	s.doc.Components[2].More = []string{"pkg:", "\xff"}
	open(t, s.save(s.evidence()...))
}

// TestDiffers changes reports with their digest: what does not follow from the
// proofs is found out all the same.
func TestDiffers(t *testing.T) {
	s := newScene(t, origin)
	early := s.evidence()
	then := s.save(early...)
	s.Advance(time.Hour)
	s.Submit(testlog.Attest(s.key, testlog.Claims(origin, s.Unix(), 2), testlog.Component("pkg:npm/none@1.0.0")))
	now := s.save(s.evidence()...)
	if got := verdicts(open(t, now).Result); got != strings.Replace(found, "NONE", "ACTIVE", 1) {
		t.Fatal(got)
	}
	lenient, err := trust.Parse([]byte(strings.Replace(s.Trust, "quorum witnesses", "quorum none", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"nothing", "", "", nil},
		{"a verdict", `"verdict":"REVOKED"`, `"verdict":"ACTIVE"`, report.ErrDiffers},
		{"a purl", `pkg:npm/revoked@1.0.0`, `pkg:npm/revoked@2.0.0`, report.ErrDiffers},
		{"the rule", `"rule":"range"`, `"rule":"exact"`, report.ErrDiffers},
		{"the bundles of before", field(t, now, "logs"), field(t, then, "logs"), report.ErrDiffers},
		{"an error for the bundles", field(t, now, "logs"), `[{"origin":"` + origin + `","error":"no route"}]`, report.ErrDiffers},
		{"no log", field(t, now, "logs"), `[]`, report.ErrDiffers},
		{"a time two days later", fmt.Sprintf(`"time":%d`, s.Unix()), fmt.Sprintf(`"time":%d`, s.Unix()+2*86400), report.ErrDiffers},
		{"a time an hour earlier", fmt.Sprintf(`"time":%d`, s.Unix()), fmt.Sprintf(`"time":%d`, s.Unix()-3600), report.ErrDiffers},
		{"another origin", `[{"origin":"` + origin, `[{"origin":"log.example/another`, report.ErrDiffers},
		{"a trust file that is not canonical", `"trust":"`, `"trust":"# mine\n`, report.ErrMalformed},
		{"a trust file with another key", field(t, now, "trust"), field(t, newScene(t, "log.example/another").saved(), "trust"), report.ErrDiffers},
		{"no trust file", field(t, now, "trust"), `""`, report.ErrMalformed},
		{"a pin that closes the log before", `"logs":`, `"pins":"close ` + origin + ` 2 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n","logs":`, report.ErrDiffers},
		{"pins that are none", `"logs":`, `"pins":"open\n","logs":`, report.ErrMalformed},
		{"a component less", `,{"name":"only a name","parent":-1,"verdict":"UNNAMED"}`, ``, nil}, // IsAbout notices
		{"a component nested in itself", `"parent":0`, `"parent":1`, report.ErrMalformed},
		{"an unknown member", `"logs":`, `"note":"verified","logs":`, report.ErrMalformed},
		{"a member twice", `"logs":`, `"maxAge":5,"logs":`, report.ErrMalformed},
		{"null", `"product":true`, `"product":null`, report.ErrMalformed},
		{"no age", `"maxAge":86400`, `"maxAge":0`, report.ErrMalformed},
		{"a log twice", `"logs":[`, `"logs":[{"origin":"` + origin + `"},`, report.ErrMalformed},
		{"a contradiction without a reason", `"logs":[`, `"logs":[{"origin":"log.example/x","contradicts":true},`, report.ErrMalformed},
		{"bundles and an error", `"bundles":`, `"error":"no route","bundles":`, report.ErrMalformed},
		{"an attestation without id", `{"log":"` + origin + `","id":"`, `{"log":"` + origin + `","rule":"`, report.ErrMalformed},
		{"a digest that is none", `"digests":["sha256:`, `"digests":["sha256:AB`, report.ErrMalformed},
		{"an empty purl", `"purls":["`, `"purls":["","`, report.ErrMalformed},
		{"another media type", `report.v1`, `report.v2`, report.ErrMalformed},
		{"white space in front", `{"mediaType"`, ` {"mediaType"`, report.ErrMalformed},
		{"something behind", `"verdict":"UNNAMED"}]}`, `"verdict":"UNNAMED"}]}{}`, report.ErrMalformed},
	} {
		data := bytes.Replace(now, []byte(tt.old), []byte(tt.new), 1)
		if bytes.Equal(data, now) && tt.old != tt.new {
			t.Fatalf("%s: nothing is replaced", tt.name)
		}
		if _, err := report.Open(data); tt.want != nil && !errors.Is(err, report.ErrMalformed) {
			t.Errorf("%s: its digest fits: %v", tt.name, err)
		}
		if _, err := report.Open(report.Sign(data)); !errors.Is(err, tt.want) || err != nil && tt.want == nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	// The quorum is what the trust file in it says, and shown.
	data := bytes.Replace(now, []byte(field(t, now, "trust")), quote(t, lenient.String()), 1)
	if r, err := report.Open(report.Sign(data)); err != nil || r.Result.Logs[0].Witnessed {
		t.Errorf("quorum none: %v", err)
	}
}

// saved is a report of a whole scene.
func (s *scene) saved() []byte { return s.save(s.evidence()...) }
