package lint

import (
	"fmt"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
)

func checkPurl(s string) error {
	want, err := CanonicalPurl(s)
	if err != nil {
		return err
	}
	if want != s {
		return reason.Errorf(reason.PurlType, "%q is spelt %q by the rules of its type", s, want)
	}
	return nil
}

// CanonicalPurl returns the purl s, however spelt, in the spelling that a log
// admits: the rules of its type applied (a GitHub namespace in small letters, a
// PyPI name with dashes), in the grammar of package purl. A purl that breaks a
// rule no spelling can mend has the code purl-type-rule; what is no purl at
// all, purl-not-canonical.
func CanonicalPurl(s string) (string, error) {
	if len(s) > 3*purl.MaxLen {
		return "", reason.Errorf(reason.Purl, "purl of %d bytes", len(s))
	}
	u, err := packageurl.FromString(s)
	if err != nil {
		if _, ours := purl.Parse(s); ours != nil {
			return "", reason.Errorf(reason.Purl, "%.120q: %v", s, err)
		}
		return "", reason.Errorf(reason.PurlType, "%.120q: %v", s, err)
	}
	out := format(u)
	if _, err := purl.Parse(out); err != nil {
		return "", reason.Errorf(reason.Purl, "%v", err)
	}
	return out, nil
}

// format writes u in the grammar of package purl, which leaves ! plain where
// newer editions of the purl specification encode it.
func format(u packageurl.PackageURL) string {
	var b strings.Builder
	b.WriteString("pkg:" + u.Type)
	for _, segment := range segments(u.Namespace) {
		b.WriteString("/" + escape(segment))
	}
	b.WriteString("/" + escape(u.Name))
	if u.Version != "" {
		b.WriteString("@" + escape(u.Version))
	}
	sep := "?"
	for _, q := range u.Qualifiers { // sorted by Normalize
		b.WriteString(sep + q.Key + "=" + escape(q.Value))
		sep = "&"
	}
	sep = "#"
	for _, segment := range segments(u.Subpath) {
		b.WriteString(sep + escape(segment))
		sep = "/"
	}
	return b.String()
}

func segments(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "/")
}

func escape(s string) string {
	if !strings.ContainsFunc(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; special(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// special reports whether r is not one of the characters that stand for themselves.
func special(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._~:!-", r))
}
