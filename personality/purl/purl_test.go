package purl

import (
	"errors"
	"regexp"
	"sort"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, component, pkg string }{
		{"pkg:npm/lodash@4.17.21", "pkg:npm/lodash@4.17.21", "pkg:npm/lodash"},
		{"pkg:npm/%40angular/core@17.0.0", "pkg:npm/%40angular/core@17.0.0", "pkg:npm/%40angular/core"},
		{"pkg:golang/golang.org/x/mod@v0.42.0#sumdb/note", "pkg:golang/golang.org/x/mod@v0.42.0", "pkg:golang/golang.org/x/mod"},
		{"pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5?arch=amd64&distro=bookworm", "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5", "pkg:deb/debian/curl"},
		{"pkg:generic/openssl", "pkg:generic/openssl", "pkg:generic/openssl"},
		{"pkg:golang/widgets.example/parse@v1.4.0", "pkg:golang/widgets.example/parse@v1.4.0", "pkg:golang/widgets.example/parse"},
		{"pkg:docker/alpine@sha256:abc", "pkg:docker/alpine@sha256:abc", "pkg:docker/alpine"},
		{"pkg:a+b.c-1/x@1", "pkg:a+b.c-1/x@1", "pkg:a+b.c-1/x"},
		{"pkg:generic/%C3%A4@1", "pkg:generic/%C3%A4@1", "pkg:generic/%C3%A4"},
	} {
		p, err := Parse(tt.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.in, err)
			continue
		}
		if p.String() != tt.in || p.Component() != tt.component || p.Package() != tt.pkg {
			t.Errorf("Parse(%q) = %q, %q, %q", tt.in, p, p.Component(), p.Package())
		}
		if got, want := p.HasVersion(), tt.component != tt.pkg; got != want {
			t.Errorf("Parse(%q).HasVersion() = %v, want %v", tt.in, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", "pkg:", "pkg:npm", "pkg:npm/", "PKG:npm/a", "pkg:NPM/a", "pkg:1npm/a", "npm/a", "pkg:/npm/a", "pkg://npm/a",
		"pkg:npm/a@", "pkg:npm/a@1@2", "pkg:npm/@angular/core@1", "pkg:npm/a b", "pkg:npm/a%20b%2g", "pkg:npm/a%2",
		"pkg:npm/a%61", "pkg:npm/a%2d", "pkg:npm/%00", "pkg:npm/a+b", "pkg:npm/./a", "pkg:npm/../a", "pkg:npm/a/", "pkg:npm//a",
		"pkg:npm/a@1/2", "pkg:npm/a@..", "pkg:npm/a?", "pkg:npm/a?k", "pkg:npm/a?k=", "pkg:npm/a?b=1&a=1", "pkg:npm/a?a=1&a=2",
		"pkg:npm/a?A=1", "pkg:npm/a?a=1&", "pkg:npm/a#", "pkg:npm/a#/x", "pkg:npm/a#x/../y", "pkg:npm/ä", "pkg:npm/a\n", "pkg:npm/a@1#x?y=1",
		"pkg:npm/" + strings.Repeat("a", 512),
	} {
		if p, err := Parse(in); !errors.Is(err, ErrMalformed) {
			t.Errorf("Parse(%.40q) = %q, %v, want ErrMalformed", in, p, err)
		}
	}
}

// The grammar again, as a regular expression: a second writing of the package
// doc, slow and without code in common with Parse.
var grammar = func() *regexp.Regexp {
	seg := `(?:[A-Za-z0-9._~:!-]|%[0-9A-F]{2})+`
	return regexp.MustCompile(`^pkg:[a-z][a-z0-9.+-]*/(` + seg + `(?:/` + seg + `)*)(?:@(` + seg + `))?(?:\?([a-z][a-z0-9._-]*=` + seg + `(?:&[a-z][a-z0-9._-]*=` + seg + `)*))?(?:#(` + seg + `(?:/` + seg + `)*))?$`)
}()

var needless = regexp.MustCompile(`%(00|2D|2E|3[0-9A]|21|4[1-9A-F]|5[0-9A]|5F|6[1-9A-F]|7[0-9A]|7E)`)

func oracle(s string) bool {
	m := grammar.FindStringSubmatch(s)
	if m == nil || len(s) > MaxLen || needless.MatchString(s) || strings.HasSuffix(s, "\n") {
		return false
	}
	for _, path := range []string{m[1], m[2], m[4]} {
		for _, seg := range strings.Split(path, "/") {
			if seg == "." || seg == ".." {
				return false
			}
		}
	}
	var keys []string
	for _, q := range strings.Split(m[3], "&") {
		k, v, _ := strings.Cut(q, "=")
		if v == "." || v == ".." {
			return false
		}
		keys = append(keys, k)
	}
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return false
		}
	}
	return sort.StringsAreSorted(keys)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"pkg:npm/%40a/b@1.0?x=1&y=2#c/d", "pkg:npm/a@1", "pkg:npm/a%2b", "pkg:a/..", "pkg:a/b?c=..", "pkg:a/b@1%3A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if got, want := err == nil, oracle(s); got != want {
			t.Fatalf("Parse(%q): %v, the grammar says %v", s, err, want)
		}
		if err != nil {
			return
		}
		if p.String() != s || !strings.HasPrefix(s, p.Component()) || !strings.HasPrefix(p.Component(), p.Package()) {
			t.Fatalf("Parse(%q) = %q, %q, %q", s, p, p.Component(), p.Package())
		}
		for _, part := range []string{p.Component(), p.Package()} {
			if _, err := Parse(part); err != nil {
				t.Fatalf("part of %q: %v", s, err)
			}
		}
	})
}
