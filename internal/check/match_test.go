package check

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
)

const origin = "log.example/check"

// about is an attestation about a subject: a purl with version, or a purl
// without, a space and a range, or "all".
func attestationAbout(key *testlog.Key, subject string, from, to uint64) *entry.Entry {
	a := testlog.Claims(origin, 1_795_000_000, 1)
	name, text, scoped := strings.Cut(subject, " ")
	if !scoped {
		return testlog.Attest(key, a, testlog.Component(name))
	}
	s := entry.Scope{Purl: name, Vers: text}
	if text == "all" {
		s.Vers = ""
	}
	if from > 0 {
		s.From = &from
	}
	if to > 0 {
		s.To = &to
	}
	a.Scopes = []entry.Scope{s}
	return testlog.Attest(key, a, s.Subject())
}

// TestMatching holds the rule against MATCHING.md and more.
func TestMatching(t *testing.T) {
	key := testlog.NewKey("match", false)
	const now = 1_796_000_000
	text := testlog.Component("pkg:maven/org.apache.commons/commons-text@1.2")
	hash := text.Algorithm + ":" + text.Digest
	for _, test := range []struct {
		purl, version, digest string // of the component
		subject               string
		from, to              uint64
		want                  string // rule, or "? " and what is said, or ""
	}{
		{"pkg:maven/org.apache.commons/commons-text@1.2?type=jar", "", "", "pkg:maven/org.apache.commons/commons-text@1.2?type=jar", 0, 0, "exact"},
		{"pkg:maven/org.apache.commons/commons-text@1.2?type=jar", "", "", "pkg:maven/org.apache.commons/commons-text@1.2", 0, 0, "no-qualifiers"},
		{"pkg:maven/org.apache.commons/commons-text@1.2", "", "", "pkg:maven/org.apache.commons/commons-text@1.2?type=jar", 0, 0, "no-qualifiers"},
		{"pkg:maven/org.apache.commons/commons-text@1.2?type=jar", "", "", "pkg:maven/org.apache.commons/commons-text vers:maven/>=1.0|<1.5", 0, 0, "range"},
		{"pkg:maven/org.apache.commons/commons-text@1.5?type=jar", "", "", "pkg:maven/org.apache.commons/commons-text vers:maven/>=1.0|<1.5", 0, 0, ""},
		{"pkg:maven/org.apache.commons/commons-text@1.2?type=jar", "", "", "pkg:maven/org.apache.commons/commons-text all", 0, 0, "package"},
		{"pkg:maven/org.apache.commons/commons-text@1.2?type=jar", "", "", "pkg:maven/org.apache.commons/commons-text@1.3", 0, 0, ""},
		{"pkg:maven/org.apache.commons/commons-text@1.2?type=jar", "", "", "pkg:maven/org.apache.commons/commons-lang3 all", 0, 0, ""},
		{"pkg:generic/text@1", "", hash, "pkg:maven/org.apache.commons/commons-text@1.2", 0, 0, "digest"},
		{"", "", hash, "pkg:maven/org.apache.commons/commons-text@1.2", 0, 0, "digest"},
		{"pkg:maven/org.apache.commons/commons-text@1.2", "", hash, "pkg:maven/org.apache.commons/commons-text@1.2", 0, 0, "exact"},
		{"pkg:generic/text@1", "", "sha256:" + strings.Repeat("0", 64), "pkg:maven/org.apache.commons/commons-text@1.2", 0, 0, ""},

		// Names of a component.
		{"pkg:pypi/Django_Rest@3.0", "", "", "pkg:pypi/django-rest@3.0", 0, 0, "exact"},
		{"pkg:npm/@scope/name@1.0.0", "", "", "pkg:npm/%40scope/name@1.0.0", 0, 0, "exact"},
		{"pkg:npm/lodash", "4.17.21", "", "pkg:npm/lodash@4.17.21", 0, 0, "exact"},
		{"pkg:npm/lodash", "4.17.21", "", "pkg:npm/lodash vers:npm/>=4.0.0", 0, 0, "range"},
		{"pkg:deb/debian/c?arch=s390x", "1:2-3", "", "pkg:deb/debian/c@1:2-3?arch=s390x", 0, 0, "exact"},
		{"pkg:golang/x.example/y@v1.0.0+incompatible#sub", "", "", "pkg:golang/x.example/y@v1.0.0%2Bincompatible", 0, 0, "no-qualifiers"},
		{"pkg:golang/x.example/y@v1.0.0%2Bincompatible", "", "", "pkg:golang/x.example/y vers:golang/v1.0.0%2Bincompatible", 0, 0, "range"},

		// Dates of a scope.
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash all", now, now + 1, "package"},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash all", now + 1, 0, ""},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash all", 0, now, ""},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash vers:npm/>=4.0.0", now - 1, now, ""},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash vers:gem/>=4", now - 1, now, ""},

		// Cannot decide.
		{"pkg:gem/rails@7.0.1", "", "", "pkg:gem/rails vers:gem/>=7.0.0|<8.0.0", 0, 0, `? cannot decide: versions of "gem" have no order known here`},
		{"pkg:npm/left-pad@1.3", "", "", "pkg:npm/left-pad vers:npm/>=1.0.0", 0, 0, `? cannot decide: "1.3" and "1.0.0" cannot be ordered as versions of npm`},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash vers:pypi/>=4.0", 0, 0, `? "vers:pypi/>=4.0" is no range of versions of npm`},
		{"pkg:npm/lodash", "", "", "pkg:npm/lodash vers:npm/>=4.0.0", 0, 0, "? the SBOM gives no version, and it is about vers:npm/>=4.0.0"},
		{"pkg:npm/lodash", "", "", "pkg:npm/lodash@4.17.21", 0, 0, "? the SBOM gives no version, and it is about pkg:npm/lodash@4.17.21"},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash vers:npm/>=4", 0, 0, `? malformed version range: "4" is no version of npm: "vers:npm/>=4"`},
		{"pkg:gem/rails@7.0.1", "", "", "pkg:gem/rails vers:gem/7.0.1", 0, 0, "range"},
		{"pkg:gem/rails@7.0.1", "", "", "pkg:gem/rails vers:gem/*", 0, 0, "range"},
		{"pkg:npm/lodash", "", "", "pkg:npm/lodash vers:npm/*", 0, 0, "range"},
		{"pkg:npm/lodash", "", "", "pkg:npm/lodash all", 0, 0, "package"},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash vers:semver/>=4.0.0", 0, 0, "range"},
		{"pkg:npm/lodash@4.17.21", "", "", "pkg:npm/lodash vers:none/*", 0, 0, ""},
	} {
		c := sbom.Component{PURL: test.purl, Version: test.version}
		if algorithm, hex, ok := strings.Cut(test.digest, ":"); ok {
			c.Digests = []sbom.Digest{{Algorithm: algorithm, Hex: hex}}
		}
		m := matching(newTarget(c), attestationAbout(key, test.subject, test.from, test.to), time.Unix(now, 0))
		got := string(m.rule)
		if m.undecided != "" {
			got = "? " + m.undecided
		}
		if got != test.want || (got == "") != (m.subject == nil) {
			t.Errorf("%s %s %s, of %s:\n%s\nnot\n%s", test.purl, test.version, test.digest, test.subject, got, test.want)
		}
	}
}

// TestMatchingOfSeveral: the closest rule is named, of whichever subject and
// purl it is.
func TestMatchingOfSeveral(t *testing.T) {
	key := testlog.NewKey("match", false)
	a := testlog.Claims(origin, 1_795_000_000, 1)
	a.Scopes = []entry.Scope{{Purl: "pkg:cargo/hyper", Vers: "vers:cargo/>=1"}}
	e := testlog.Attest(key, a, a.Scopes[0].Subject(), testlog.Component("pkg:cargo/hyper@0.14.1?arch=x"), testlog.Component("pkg:github/hyperium/hyper@v0.14.1"))
	for _, test := range []struct {
		purls []string
		want  string
	}{
		{[]string{"pkg:cargo/hyper@0.14.1", "pkg:github/hyperium/hyper@v0.14.1"}, "exact pkg:github/hyperium/hyper@v0.14.1 "},
		{[]string{"pkg:cargo/hyper@0.14.1"}, "no-qualifiers pkg:cargo/hyper@0.14.1?arch=x "},
		{[]string{"pkg:cargo/hyper@0.14.2"}, ` pkg:cargo/hyper malformed version range: "1" is no version of cargo: "vers:cargo/>=1"`},
	} {
		m := matching(newTarget(sbom.Component{PURL: test.purls[0], More: test.purls[1:]}), e, time.Unix(1_796_000_000, 0))
		if got := fmt.Sprintf("%s %s %s", m.rule, m.subject.Name, m.undecided); got != test.want {
			t.Errorf("%s: %s", test.purls, got)
		}
	}
}

func TestTarget(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	got := newTarget(sbom.Component{PURL: "pkg:npm/a@1.0.0", More: []string{"", "pkg:npm/a@1.0.0", "npm:b"}, Version: "2.0.0", Digests: []sbom.Digest{
		{Algorithm: "md5", Hex: digest[:32]}, {Algorithm: "sha256", Hex: digest}, {Algorithm: "sha256", Hex: digest[2:]}, {Algorithm: "sha512", Hex: digest + digest}, {Algorithm: "sha256", Hex: digest}}})
	if s := strings.Join(got.subjects(), " "); s != "pkg:npm/a@1.0.0 sha256:"+digest+" sha512:"+digest+digest {
		t.Error(s)
	}
	if !strings.HasPrefix(got.unread, `its purl cannot be read: "npm:b": `) {
		t.Errorf("%q", got.unread)
	}
	if got := newTarget(sbom.Component{Name: "a", Version: "1"}); len(got.subjects()) != 0 || got.unread != "" {
		t.Errorf("%+v", got)
	}
}

func TestCompareDigests(t *testing.T) {
	s := testlog.Component("pkg:npm/a@1.0.0")
	e := testlog.Attest(testlog.NewKey("match", false), testlog.Claims(origin, 1_795_000_000, 1), s)
	for digest, want := range map[string]string{
		s.Digest:                 "same",
		strings.Repeat("0", 64):  "differs",
		strings.Repeat("0", 128): "",
		"":                       "",
	} {
		algorithm := "sha256"
		if len(digest) == 128 {
			algorithm = "sha512"
		}
		c := newTarget(sbom.Component{Digests: []sbom.Digest{{Algorithm: algorithm, Hex: digest}}})
		if got := compareDigests(c, &e.Subjects[0]); got != want {
			t.Errorf("%s: %q, not %q", digest, got, want)
		}
	}
}
