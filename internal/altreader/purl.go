package altreader

import (
	"regexp"
	"strings"
)

// The grammar of package purl's documentation. An escape of a byte that may
// stand for itself, of 00, and segments "." and ".." are refused apart.
var purlPattern = regexp.MustCompile(`^pkg:[a-z][a-z0-9.+-]*(/` + segment + `)+(@` + segment + `)?` +
	`(\?` + qualifier + `(&` + qualifier + `)*)?(#` + segment + `(/` + segment + `)*)?$`)

const (
	segment   = `(?:[A-Za-z0-9._~:!-]|%[0-9A-F]{2})+`
	qualifier = `[a-z][a-z0-9._-]*=` + segment
)

// purl is a canonical purl, cut.
type purl struct {
	component  string // up to the first ? or #
	pkg        string // the same without @version
	hasVersion bool
	bare       bool // neither version nor qualifiers nor subpath
}

func parsePurl(s string) (purl, bool) {
	if len(s) > 512 || !purlPattern.MatchString(s) || !escapesRight(s) || relative(s) {
		return purl{}, false
	}
	p := purl{component: s}
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		p.component = s[:i]
		tail, _, _ := strings.Cut(s[i:], "#")
		if !qualifiersSorted(strings.TrimPrefix(tail, "?")) {
			return purl{}, false
		}
	}
	p.pkg, _, p.hasVersion = strings.Cut(p.component, "@")
	p.bare = p.pkg == s
	return p, true
}

// escapesRight: %XX is of any other byte but 00.
func escapesRight(s string) bool {
	for i := range len(s) {
		if s[i] != '%' {
			continue
		}
		b := strings.IndexByte(upperHex, s[i+1])<<4 | strings.IndexByte(upperHex, s[i+2])
		if b == 0 || strings.IndexByte(letters+digits+"._~:!-", byte(b)) >= 0 {
			return false
		}
	}
	return true
}

const upperHex = "0123456789ABCDEF"

// relative reports a segment, version or qualifier value that is . or .. .
func relative(s string) bool {
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("/@?&=#", r) }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// qualifiersSorted: sorted by key and unique.
func qualifiersSorted(s string) bool {
	last := ""
	if s == "" {
		return true
	}
	for _, pair := range strings.Split(s, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name <= last {
			return false
		}
		last = name
	}
	return true
}
