package prefill

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/purl"
)

const (
	commit = "f299b52f39486275a9e6483b60a410e06520c538"
	older  = "11a3f1d0b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
)

// write makes a repository of files; a name that ends in / is a directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, files map[string]string) *Repository {
	t.Helper()
	r, err := Read(write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func gitFiles(remote string) map[string]string {
	return map[string]string{
		".git/HEAD":            "ref: refs/heads/main\n",
		".git/refs/heads/main": commit + "\n",
		".git/config":          "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = " + remote + "\n",
		".git/packed-refs": "# pack-refs with: peeled fully-peeled sorted \n" + older + " refs/tags/v1.9.0\n" +
			older[1:] + "0 refs/tags/v1.10.0\n^" + commit + "\n" + older + " refs/tags/nightly\n",
	}
}

// TestRead: a repository as projects have it, every value with its source.
func TestRead(t *testing.T) {
	files := gitFiles("https://token:secret@github.com/Widgets/Parse.git")
	files["go.mod"] = "// parses\nmodule widgets.example/parse\n\ngo 1.26\n"
	files["go.sum"] = "sum\n"
	files["SECURITY.md"] = "# Security\n\n## Supported versions\n\nReport to security@widgets.example.\n"
	files["LICENSE"] = "SPDX-License-Identifier: Apache-2.0\n\ntext\n"
	files["CHANGELOG.md"] = "# 1.10.0\n"
	files[".github/CONTRIBUTING.md"] = "Be kind.\n"
	r := read(t, files)

	if got, want := fmt.Sprint(r.Packages), "[{pkg:golang/widgets.example/parse  go.mod:2}]"; got != want {
		t.Errorf("packages %s, want %s", got, want)
	}
	if r.Git.Commit != commit || r.Git.Remote.Value != "https://github.com/Widgets/Parse" || r.Git.Remote.Where != ".git/config:4" {
		t.Errorf("git %+v", r.Git)
	}
	if len(r.Git.Tags) != 2 || r.Git.Tags[1].Name != "v1.10.0" || r.Git.Tags[1].Commit != commit || r.Git.Tags[1].Where != ".git/packed-refs:3" {
		t.Errorf("tags %+v", r.Git.Tags)
	}
	blob := "https://github.com/Widgets/Parse/blob/" + commit + "/"
	for _, tt := range []struct{ id, answer, where, link, evidence string }{
		{"GV.01", "yes", ".github/CONTRIBUTING.md:1", blob + ".github/CONTRIBUTING.md", ".github/CONTRIBUTING.md"},
		{"GV.02", "", ".github/CONTRIBUTING.md:1", blob + ".github/CONTRIBUTING.md", ".github/CONTRIBUTING.md"},
		{"LE.01", "", "LICENSE:1", blob + "LICENSE", "LICENSE"},
		{"QA.01", "yes", "go.sum:1", blob + "go.sum", "go.sum"},
		{"QA.02", "", ".git/config:4", "https://github.com/Widgets/Parse", ""},
		{"QA.03", "yes", "SECURITY.md:5", blob + "SECURITY.md", "SECURITY.md"},
		{"VM.01", "yes", "SECURITY.md:5", blob + "SECURITY.md", "SECURITY.md"},
		{"x-RC.01", "", "SECURITY.md:3", blob + "SECURITY.md", "SECURITY.md"},
		{"BR.02", "", ".git/packed-refs:3", "", ""},
		{"BR.04", "", "CHANGELOG.md:1", blob + "CHANGELOG.md", "CHANGELOG.md"},
	} {
		p := r.Points[tt.id]
		evidence := ""
		if p.Evidence != nil {
			evidence = p.Evidence.Path
			if p.Evidence.SHA256 != sha256.Sum256([]byte(files[evidence])) {
				t.Errorf("%s: digest of %s is wrong", tt.id, evidence)
			}
		}
		if p.Answer != tt.answer || strings.Join(p.Where, " ") != tt.where || p.Link.Value != tt.link || evidence != tt.evidence {
			t.Errorf("%s: %+v, evidence %q", tt.id, p, evidence)
		}
	}
	if n := r.Points["LE.01"].Notes; len(n) != 1 || !strings.HasPrefix(n[0], "Apache-2.0; ") {
		t.Errorf("licence: %q", n)
	}
	if p := r.Points["QA.04"]; p.Found() {
		t.Errorf("QA.04 was found: %+v", p)
	}
	if strings.Contains(fmt.Sprintf("%+v", r.Points), "secret") {
		t.Error("the password of the remote is there")
	}
}

// TestWeight: the form comes first, and an empty box keeps others from
// answering.
func TestWeight(t *testing.T) {
	r := read(t, map[string]string{
		"COMPLIANCE.md": "- [x] **GV.01**: guide\n  Documentation Link: https://widgets.example/guide.\n- [ ] QA.03: reports\n" +
			"- [n/a] QA.05: memory\n- [?] QA.06: contributors\n- [ ] LE.02: dependencies\n  please explain: one is not\n" +
			"- [x] AU.02: State your name\n  Primary Contact: https://people.example/jane\n- [x] BR.01: http://widgets.example/build\n",
		"CONTRIBUTING.md": "text",
		"SECURITY.md":     "report",
	})
	for _, tt := range []struct{ id, answer, link, where, notes string }{
		{"GV.01", "yes", "https://widgets.example/guide", "COMPLIANCE.md:1 CONTRIBUTING.md:1", ""},
		{"QA.03", "", "", "COMPLIANCE.md:3 SECURITY.md:1", "the box is empty"},
		{"QA.05", "not-applicable", "", "COMPLIANCE.md:4", ""},
		{"QA.06", "", "", "COMPLIANCE.md:5", "the box is empty, its mark is neither x nor n/a"},
		{"LE.02", "", "", "COMPLIANCE.md:6", "the box is empty, something is filled in below it"},
		{"AU.02", "yes", "", "COMPLIANCE.md:8", "names are not copied: link a role's page"},
		{"BR.01", "yes", "", "COMPLIANCE.md:10", "the link in COMPLIANCE.md:10 is left out: it is not https"},
	} {
		p := r.Points[tt.id]
		if p.Answer != tt.answer || p.Link.Value != tt.link || strings.Join(p.Where, " ") != tt.where || strings.Join(p.Notes, ", ") != tt.notes {
			t.Errorf("%s: %+v", tt.id, p)
		}
	}
	if e := r.Points["GV.01"].Evidence; e != nil {
		t.Errorf("a link elsewhere has the digest of %s", e.Path)
	}
}

// TestLinkHome: a link into the repository at hand has the file's digest.
func TestLinkHome(t *testing.T) {
	files := gitFiles("git@github.com:widgets/parse.git")
	files["docs/how to report.md"] = "so"
	files["COMPLIANCE.md"] = "- [x] QA.03: see [this](https://github.com/widgets/parse/blob/main/docs/how%20to%20report.md#so), please\n" +
		"- [x] BR.01: https://github.com/widgets/parse/blob/main/../../etc/passwd\n"
	r := read(t, files)
	p := r.Points["QA.03"]
	if p.Link.Value != "https://github.com/widgets/parse/blob/main/docs/how%20to%20report.md#so" || p.Evidence == nil || p.Evidence.Path != "docs/how to report.md" {
		t.Fatalf("%+v", p)
	}
	if now, same := r.Changed("QA.03", p.Evidence.SHA256); !same || now != p.Evidence {
		t.Error("the same file has changed")
	}
	if now, same := r.Changed("QA.03", [32]byte{1}); same || now != p.Evidence {
		t.Error("another digest has not changed")
	}
	if now, same := r.Changed("VM.02", [32]byte{1}); same || now != nil {
		t.Error("evidence of nothing")
	}
	if p := r.Points["BR.01"]; p.Evidence != nil {
		t.Errorf("a file outside was read: %+v", p.Evidence)
	}
}

const insightsTwo = `header:
  schema-version: 2.0.0
  last-reviewed: '2026-01-05'
project:
  name: Parse
  funding: https://widgets.example/fund
  administrators:
    - name: Jane Doe
      email: jane.doe@widgets.example
      primary: true
  documentation:
    detailed-guide: https://widgets.example/guide
    support-policy: https://widgets.example/support
  vulnerability-reporting:
    reports-accepted: true
    contact:
      name: Security
      email: security@widgets.example
    security-policy: https://widgets.example/security
repository:
  url: https://code.widgets.example/parse
  core-team:
    - name: Jane Doe
    - name: John Roe
  documentation:
    contributing-guide: https://user@widgets.example/contributing
  security:
    assessments:
      third-party:
        - comment: a report
          evidence: https://widgets.example/report.pdf
`

const insightsOne = `header:
  schema-version: 1.0.0
  expiration-date: '2024-09-28T01:00:00.000Z'
  project-url: https://code.widgets.example/parse
  changelog: https://widgets.example/changes
contribution-policy:
  contributing-policy: https://widgets.example/contributing
documentation:
- http://widgets.example/wiki
- https://widgets.example/guide
security-contacts:
- type: email
  value: joe.bob@widgets.example
vulnerability-reporting:
  accepts-vulnerability-reports: true
  security-policy: https://widgets.example/security
dependencies:
  sbom:
  - sbom-file: https://widgets.example/sbom.json
`

// TestInsights: both generations of the schema.
func TestInsights(t *testing.T) {
	for name, tt := range map[string]struct {
		text, note string
		points     [][4]string // id, answer, link, where
	}{
		"2": {insightsTwo, "says last-reviewed: 2026-01-05", [][4]string{
			{"GV.01", "yes", "", "26"}, {"GV.03", "yes", "https://widgets.example/guide", "12"}, {"QA.02", "", "https://code.widgets.example/parse", "21"},
			{"QA.03", "yes", "https://widgets.example/security", "19"}, {"VM.01", "yes", "", "18"}, {"QA.06", "", "", "23"},
			{"EL.01", "", "https://widgets.example/support", "13"}, {"x-SR.01", "", "https://widgets.example/report.pdf", "31"},
		}},
		"1": {insightsOne, "says expiration-date: 2024-09-28", [][4]string{
			{"GV.01", "yes", "https://widgets.example/contributing", "7"}, {"GV.03", "yes", "", "9"},
			{"QA.01", "yes", "https://widgets.example/sbom.json", "19"}, {"QA.02", "", "https://code.widgets.example/parse", "4"},
			{"QA.03", "yes", "https://widgets.example/security", "16"}, {"VM.01", "", "", "13"}, {"BR.04", "", "https://widgets.example/changes", "5"},
		}},
	} {
		r := read(t, map[string]string{"SECURITY-INSIGHTS.yml": tt.text})
		for _, want := range tt.points {
			p := r.Points[want[0]]
			if p.Answer != want[1] || p.Link.Value != want[2] || len(p.Where) != 1 || p.Where[0] != "SECURITY-INSIGHTS.yml:"+want[3] {
				t.Errorf("%s, %s: %+v", name, want[0], p)
			}
		}
		if !strings.Contains(strings.Join(r.Notes, "\n"), tt.note) {
			t.Errorf("%s: notes %q", name, r.Notes)
		}
		if text := fmt.Sprintf("%+v", r.Points); strings.Contains(text, "jane") || strings.Contains(text, "Jane") || strings.Contains(text, "joe") {
			t.Errorf("%s: a person is named: %s", name, text)
		}
	}
	if r := read(t, map[string]string{"security-insights.yml": insightsTwo}); r.Funding != (Fact{"https://widgets.example/fund", "security-insights.yml:6"}) {
		t.Errorf("funding %+v", r.Funding)
	}
}

// TestSecurityContact: a person's mailbox is not copied, a private form is
// taken.
func TestSecurityContact(t *testing.T) {
	for text, want := range map[string]Point{
		"mail jane.doe@widgets.example":                                            {Where: []string{"SECURITY.md:1"}, Notes: []string{"a mailbox that is no role's is not copied: set up one such as security@"}},
		"jane.doe@widgets.example\npsirt@widgets.example":                          {Answer: "yes", Where: []string{"SECURITY.md:2"}, Notes: []string{"psirt@widgets.example"}},
		"see https://github.com/widgets/parse/security/advisories/new for reports": {Answer: "yes", Where: []string{"SECURITY.md:1"}, Notes: []string{"a private form"}},
		"nothing": {},
	} {
		got := read(t, map[string]string{"SECURITY.md": text}).Points["VM.01"]
		if got.Answer != want.Answer || fmt.Sprint(got.Where, got.Notes) != fmt.Sprint(want.Where, want.Notes) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestManifests: names that are plain to see, and nothing guessed.
func TestManifests(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, want string }{
		"npm":        {"package.json", "{\n \"dependencies\": {\"name\": \"x\"},\n \"name\": \"@widgets/parse\",\n \"version\": \"1.4.0\"}", "{pkg:npm/%40widgets/parse 1.4.0 package.json:3}"},
		"private":    {"package.json", `{"name": "parse", "private": true}`, ""},
		"broken":     {"package.json", `{"name": "parse", "version": `, ""},
		"array":      {"package.json", `["name"]`, ""},
		"cargo":      {"Cargo.toml", "[package]\nname = \"parse\" # so\nversion.workspace = true\n[dependencies]\nname = \"x\"\n", "{pkg:cargo/parse  Cargo.toml:2}"},
		"workspace":  {"Cargo.toml", "[workspace]\nmembers = [\"a\"]\n", ""},
		"pypi":       {"pyproject.toml", "[project]\nname = 'Widget_Parse'\nversion = '1.4'\n", "{pkg:pypi/widget-parse 1.4 pyproject.toml:2}"},
		"poetry":     {"pyproject.toml", "[tool.poetry]\nname = \"parse\"\n", "{pkg:pypi/parse  pyproject.toml:2}"},
		"maven":      {"pom.xml", "<project>\n<parent><groupId>example.widgets</groupId></parent>\n<artifactId>parse</artifactId><version>1.4.0</version><dependencies><dependency><artifactId>x</artifactId></dependency></dependencies></project>", "{pkg:maven/example.widgets/parse 1.4.0 pom.xml:3}"},
		"property":   {"pom.xml", "<project><groupId>${g}</groupId><artifactId>parse</artifactId></project>", ""},
		"snapshot":   {"pom.xml", "<project><groupId>g</groupId><artifactId>parse</artifactId><version>1-SNAPSHOT</version></project>", "{pkg:maven/g/parse  pom.xml:1}"},
		"entities":   {"pom.xml", "<!DOCTYPE x [<!ENTITY e \"g\">]><project><groupId>&e;</groupId><artifactId>parse</artifactId></project>", ""},
		"go":         {"go.mod", "module github.com/Widgets/parse/v2\n", "{pkg:golang/github.com/widgets/parse/v2  go.mod:1}"},
		"go, quoted": {"go.mod", "module \"a b\"\n", ""},
	} {
		got := strings.Trim(fmt.Sprint(read(t, map[string]string{tt.file: tt.text}).Packages), "[]")
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func parsePurl(t *testing.T, s string) purl.Purl {
	t.Helper()
	p, err := purl.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRelease: which tag a version means, and which version is checked out.
func TestRelease(t *testing.T) {
	r := &Repository{Git: Git{Commit: commit, Tags: []Tag{
		{"v1.0.0", older, ""}, {"parse-1.1.0", older, ""}, {"lex/v1.2.0", older, ""}, {"parse/v1.2.0", commit, ""}, {"2.0.0-rc.1", commit, ""},
	}}}
	for version, want := range map[string]string{"1.0.0": "v1.0.0", "v1.0.0": "v1.0.0", "1.1.0": "parse-1.1.0", "1.2.0": "", "2.0.0": "", "2.0.0-rc.1": "2.0.0-rc.1"} {
		if tag, ok := r.Release(parsePurl(t, "pkg:npm/parse@"+version)); ok != (want != "") || ok && tag.Name != want {
			t.Errorf("%s is %+v, %v", version, tag, ok)
		}
	}
	for _, tt := range []struct {
		pkg  Package
		tags []Tag
		want string
	}{
		{Package{"pkg:npm/parse", "1.4.0", ""}, []Tag{{"v1.4.0", commit, ""}, {"v1.3.0", older, ""}}, "pkg:npm/parse@1.4.0"},
		{Package{"pkg:npm/parse", "1.5.0", ""}, []Tag{{"v1.4.0", commit, ""}}, ""},
		{Package{"pkg:golang/w.example/parse", "", ""}, []Tag{{"v1.4.0", commit, ""}}, "pkg:golang/w.example/parse@v1.4.0"},
		{Package{"pkg:golang/w.example/parse", "", ""}, []Tag{{"1.4.0", commit, ""}}, ""},
		{Package{"pkg:pypi/parse", "", ""}, []Tag{{"v1.4.0", commit, ""}, {"v1.4.1", commit, ""}}, ""},
		{Package{"pkg:pypi/parse", "", ""}, []Tag{{"v1.4.0", "", ""}}, ""},
		{Package{"pkg:deb/parse", "", ""}, []Tag{{"debian/1.4.0+dfsg-1", commit, ""}}, "pkg:deb/parse@1.4.0%2Bdfsg-1"},
	} {
		r := &Repository{Git: Git{Commit: commit, Tags: tt.tags}}
		if name, _, ok := r.Current(tt.pkg); name != tt.want || ok != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, name, ok)
		}
	}
}

func deflate(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// TestTags: loose tags, with and without an object of their own.
func TestTags(t *testing.T) {
	tagObject := "aa" + older[2:]
	files := gitFiles("https://git.widgets.example/parse")
	files[".git/HEAD"] = commit + "\n"
	files[".git/refs/tags/v2.0.0"] = tagObject + "\n"
	files[".git/objects/aa/"+older[2:]] = deflate("tag 100\x00object " + older + "\ntype commit\ntag v2.0.0\n")
	files[".git/refs/tags/v2.1.0"] = "bb" + older[2:] + "\n"
	files[".git/objects/bb/"+older[2:]] = deflate("commit 100\x00tree x\n")
	files[".git/refs/tags/v2.2.0"] = "cc" + older[2:] + "\n" // in a pack
	files[".git/refs/tags/v2.3.0"] = "dd" + older[2:] + "\n"
	files[".git/objects/dd/"+older[2:]] = "rubbish"
	files[".git/refs/tags/v2.4.0"] = commit + "\n"
	files[".git/refs/tags/v2.5.0"] = "ref: refs/tags/v2.4.0\n"
	r := read(t, files)
	got := ""
	for _, tag := range r.Git.Tags {
		got += tag.Name + "=" + tag.Commit + " "
	}
	want := "v1.9.0=" + older + " v1.10.0=" + commit + " v2.0.0=" + older + " v2.1.0=bb" + older[2:] + " v2.2.0= v2.3.0= v2.4.0=" + commit + " "
	if got != want || r.Git.Commit != commit || r.Git.Where != ".git/HEAD:1" {
		t.Errorf("tags %s\nwant %s\n%+v", got, want, r.Git)
	}
}

func TestRemote(t *testing.T) {
	for remote, want := range map[string]string{
		"git@github.com:widgets/parse.git":              "https://github.com/widgets/parse",
		"ssh://git@gitlab.com:22/widgets/sub/parse.git": "https://gitlab.com/widgets/sub/parse",
		"https://u:p@codeberg.org/widgets/parse/":       "https://codeberg.org/widgets/parse",
		"http://git.widgets.example/parse":              "https://git.widgets.example/parse",
		"../parse.git":                                  "",
		"/srv/git/parse.git":                            "",
		"https://localhost/parse":                       "",
		"https://10.0.0.1/parse":                        "",
		"ext::sh -c id":                                 "",
		"file:///srv/git":                               "",
	} {
		if got := webAddress(remote); got != want {
			t.Errorf("%s: %q, want %q", remote, got, want)
		}
	}
	for host, want := range map[string]string{"github.com": "/blob/" + commit + "/a%20b", "gitlab.com": "/-/blob/" + commit + "/a%20b",
		"gitlab.widgets.example": "/-/blob/" + commit + "/a%20b", "codeberg.org": "/src/commit/" + commit + "/a%20b", "git.widgets.example": ""} {
		g := Git{Commit: commit, Remote: Fact{Value: "https://" + host + "/w/p"}}
		got := strings.TrimPrefix(g.address("a b"), g.Remote.Value)
		if got != want {
			t.Errorf("%s: %q", host, got)
		}
		if back := g.path(g.address("a b")); want != "" && back != "a b" {
			t.Errorf("%s leads back to %q", host, back)
		}
	}
}

// TestHostile: nothing outside is read, nothing large, nothing twice over.
func TestHostile(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "SECRET")
	if err := os.WriteFile(outside, []byte("report to security@outside.example"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{
		"real.txt":              "inside; report to security@widgets.example",
		"LICENSE":               "SPDX-License-Identifier: MIT\x1b[2J\n",
		"COMPLIANCE.md":         strings.Repeat("- [x] QA.03:\n", maxText/13+1),
		"security-insights.yml": "a: &a [x, x]\nb: [*a, *a]\nrepository: {url: \"https://widgets.example\"}\n",
		".git":                  "gitdir: " + filepath.Dir(outside) + "\n",
		"docs/SECURITY.md":      "x",
	})
	for name, target := range map[string]string{"SECURITY.md": outside, "CONTRIBUTING.md": "real.txt", "README.md": "/etc/hostname", "CHANGELOG.md": "CHANGELOG.md"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "go.mod"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for id, where := range map[string]string{"GV.01": "CONTRIBUTING.md:1", "LE.01": "LICENSE:1", "QA.03": "docs/SECURITY.md:1", "GV.03": "", "BR.04": "", "QA.02": "", "VM.01": ""} {
		if got := strings.Join(r.Points[id].Where, " "); got != where {
			t.Errorf("%s: %s, want %s", id, got, where)
		}
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"aliases are not followed", "COMPLIANCE.md is larger", ".git is no directory"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q: %s", want, notes)
		}
	}
	if r, err := Read(filepath.Join(dir, "absent")); err == nil {
		t.Errorf("an absent directory: %+v", r)
	}
	if r := read(t, nil); !r.Empty() {
		t.Errorf("an empty directory: %+v", r)
	}
}

// TestWanted: every point of the template says what would answer it.
func TestWanted(t *testing.T) {
	c, _ := catalogue.Lookup(catalogue.LightName, catalogue.LightVersion)
	for _, item := range c.Items {
		if Wanted(item.ID) == "" {
			t.Errorf("%s asks for nothing", item.ID)
		}
	}
	for _, f := range insightFields() {
		if pointID(f.id) == "" {
			t.Errorf("%s is for %s, which there is not", f.path, f.id)
		}
	}
}
