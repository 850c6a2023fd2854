package check

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/purl"
)

// target is a component as it is looked up (MATCHING.md, "Names of a
// component").
type target struct {
	purls   []purl.Purl // canonical
	digests []string    // <algorithm>:<hex>
	unread  string      // why a purl is not among purls
}

func newTarget(c sbom.Component) target {
	var t target
	for _, s := range append([]string{c.PURL}, c.More...) {
		if s == "" {
			continue
		}
		p, err := canonical(s, c.Version)
		if err != nil {
			t.unread = fmt.Sprintf("its purl cannot be read: %v", err)
		} else if !slices.Contains(t.purls, p) {
			t.purls = append(t.purls, p)
		}
	}
	for _, d := range c.Digests {
		name := d.Algorithm + ":" + d.Hex
		if entry.ValidDigest(d.Algorithm, d.Hex) && !slices.Contains(t.digests, name) {
			t.digests = append(t.digests, name)
		}
	}
	return t
}

// canonical returns a purl in the spelling that logs admit, with the version of
// the component if it has none of its own.
func canonical(s, version string) (purl.Purl, error) {
	s, err := lint.CanonicalPurl(s)
	if err != nil {
		return purl.Purl{}, err
	}
	p, err := purl.Parse(s)
	if err != nil || p.HasVersion() || version == "" {
		return p, err
	}
	// The rules of the type hold for this version, too.
	s, err = lint.CanonicalPurl(p.Package() + "@" + url.PathEscape(version) + s[len(p.Package()):])
	if err != nil {
		return p, nil
	}
	return purl.Parse(s)
}

// subjects are the names that a log is asked about.
func (t target) subjects() []string {
	var out []string
	for _, p := range t.purls {
		out = append(out, p.Component())
	}
	return append(out, t.digests...)
}

// versionOf returns the version of a purl, unescaped; "" if it has none.
func versionOf(p purl.Purl) string {
	// What the grammar lets stand can be unescaped.
	v, _ := url.PathUnescape(strings.TrimPrefix(p.Component()[len(p.Package()):], "@"))
	return v
}

// typeOf returns the type of a purl, such as "npm".
func typeOf(p purl.Purl) string {
	t, _, _ := strings.Cut(strings.TrimPrefix(p.Package(), "pkg:"), "/")
	return t
}
