package testlog

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/standing-log/standing/personality/entry"
)

// Component returns the subject of a version, with a digest made up from its
// purl.
func Component(purl string) entry.Subject {
	h := sha256.Sum256([]byte(purl))
	return entry.Subject{Name: purl, Algorithm: "sha256", Digest: hex.EncodeToString(h[:])}
}

// component is Component with one of the digests there are.
func component(purl string, algorithm int) entry.Subject {
	s := Component(purl)
	switch algorithm {
	case 1:
		h := sha512.Sum512([]byte(purl))
		s.Algorithm, s.Digest = "sha512", hex.EncodeToString(h[:])
	case 2:
		s.Algorithm, s.Digest = "gitCommit", s.Digest[:40]
	}
	return s
}

// Package returns the purl without version of the nth component: real ones
// first, then made-up ones without end.
func Package(n int) string {
	if n < len(packages) {
		return packages[n]
	}
	return fmt.Sprintf("pkg:npm/%%40widgets-example/part-%d", n)
}

// packages are real components, which are subjects and say nothing.
var packages = []string{
	"pkg:npm/express", "pkg:npm/lodash", "pkg:npm/webpack", "pkg:npm/fastify", "pkg:npm/%40babel/core",
	"pkg:npm/%40angular/core", "pkg:npm/typescript", "pkg:npm/semver", "pkg:npm/debug", "pkg:npm/undici",
	"pkg:pypi/django", "pkg:pypi/requests", "pkg:pypi/urllib3", "pkg:pypi/numpy", "pkg:pypi/cryptography",
	"pkg:pypi/setuptools", "pkg:pypi/jinja2", "pkg:pypi/pip", "pkg:pypi/attrs", "pkg:pypi/certifi",
	"pkg:golang/golang.org/x/crypto", "pkg:golang/golang.org/x/net", "pkg:golang/k8s.io/api",
	"pkg:golang/google.golang.org/grpc", "pkg:golang/github.com/spf13/cobra", "pkg:golang/github.com/google/trillian",
	"pkg:maven/org.apache.logging.log4j/log4j-core", "pkg:maven/org.apache.commons/commons-lang3",
	"pkg:maven/org.eclipse.jetty/jetty-server", "pkg:maven/com.fasterxml.jackson.core/jackson-databind",
	"pkg:maven/org.springframework/spring-core", "pkg:maven/com.google.guava/guava",
	"pkg:cargo/tokio", "pkg:cargo/serde", "pkg:cargo/rustls", "pkg:cargo/hyper", "pkg:cargo/rand", "pkg:cargo/time",
	"pkg:gem/rails", "pkg:gem/rack", "pkg:gem/nokogiri", "pkg:nuget/Newtonsoft.Json", "pkg:composer/symfony/console",
	"pkg:composer/drupal/core", "pkg:hex/phoenix", "pkg:github/apache/httpd", "pkg:github/curl/curl",
	"pkg:generic/openssl", "pkg:generic/zlib", "pkg:generic/sqlite", "pkg:generic/python", "pkg:generic/freebsd",
}

var adjectives = []string{"North", "Open", "Harbour", "Bright", "Common", "River", "Quiet", "Granite", "Amber", "Public"}
var nouns = []string{"Source", "Bridge", "Lantern", "Garden", "Compass", "Workshop", "Orchard", "Signal", "Meadow", "Anchor"}
var forms = []string{"Foundation", "Association", "Collective", "Institute"}

// partyName makes up an organisation for seed.
func partyName(seed string) string {
	h := sha256.Sum256([]byte(seed))
	return fmt.Sprintf("%s %s %s %s", adjectives[int(h[0])%len(adjectives)], nouns[int(h[1])%len(nouns)],
		forms[int(h[2])%len(forms)], slug(seed))
}

// slug keeps what may stand in a host name.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
}
