// Package purl checks package URLs against the grammar that the map function
// freezes, and cuts them into the names the status map is keyed by.
//
// It knows one spelling only, the canonical one: a purl that Parse refuses
// cannot be a subject. The rules of single purl types (case folding of a
// GitHub namespace, dashes of a PyPI name) are not in it, because they move
// with the purl specification and the map must not; admission and look-up
// apply those.
//
//	pkg:type/(namespace/)*name[@version][?qualifiers][#subpath]
//
// type is [a-z][a-z0-9.+-]*. Namespace segments, name, version (one segment),
// qualifier values and subpath segments are not empty, not "." and not "..",
// and consist of the bytes [A-Za-z0-9._~:!-] and of %XX, upper-case hex of any
// other byte but 00. Qualifiers are key=value joined by &, sorted by key and
// unique, with keys of [a-z][a-z0-9._-]*. A purl has at most 512 bytes.
//
// Invariants:
//
//   - Parse(s) succeeds iff s matches the grammar, and then String() is s.
//   - Component and Package are prefixes of the purl and parse themselves.
package purl

import (
	"errors"
	"fmt"
	"strings"
)

// MaxLen is the greatest length of a purl in bytes.
const MaxLen = 512

// ErrMalformed is wrapped by every error of Parse.
var ErrMalformed = errors.New("not a canonical purl")

// Purl is a package URL in canonical spelling. The zero value is not one.
type Purl struct {
	s       string
	pkg     int // end of the name
	version int // end of the version, = pkg if there is none
}

// Parse checks s against the grammar of the package doc.
func Parse(s string) (Purl, error) {
	p, cause := parse(s)
	if cause != "" {
		return Purl{}, fmt.Errorf("%w: %s: %.600q", ErrMalformed, cause, s)
	}
	return p, nil
}

// String returns the whole purl.
func (p Purl) String() string { return p.s }

// Component returns the purl up to the first '?' or '#': the name of a
// version, whatever its qualifiers. It equals Package if there is no version.
func (p Purl) Component() string { return p.s[:p.version] }

// Package returns the purl without version, qualifiers and subpath.
func (p Purl) Package() string { return p.s[:p.pkg] }

// HasVersion reports whether the purl names a version.
func (p Purl) HasVersion() bool { return p.version > p.pkg }

func parse(s string) (Purl, string) {
	if len(s) > MaxLen {
		return Purl{}, "longer than 512 bytes"
	}
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok {
		return Purl{}, "does not begin with pkg:"
	}
	rest, subpath, hasSubpath := strings.Cut(rest, "#")
	rest, qualifiers, hasQualifiers := strings.Cut(rest, "?")
	path, version, hasVersion := strings.Cut(rest, "@")
	typ, names, ok := strings.Cut(path, "/")
	switch {
	case !ok || !validWord(typ, "+"):
		return Purl{}, "type is not [a-z][a-z0-9.+-]* followed by a name"
	case !validSegments(names):
		return Purl{}, "namespace or name has an empty, relative or wrongly escaped segment"
	case hasVersion && !validSegment(version):
		return Purl{}, "version is empty, relative or wrongly escaped"
	case hasQualifiers && !validQualifiers(qualifiers):
		return Purl{}, "qualifiers are not sorted, unique key=value pairs"
	case hasSubpath && !validSegments(subpath):
		return Purl{}, "subpath has an empty, relative or wrongly escaped segment"
	}
	pkg := len("pkg:") + len(path)
	p := Purl{s: s, pkg: pkg, version: pkg}
	if hasVersion {
		p.version += 1 + len(version)
	}
	return p, ""
}

// validWord matches [a-z][a-z0-9.-]* plus the bytes in more.
func validWord(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		lower := 'a' <= c && c <= 'z'
		if i == 0 && !lower {
			return false
		}
		if !lower && !('0' <= c && c <= '9') && c != '.' && c != '-' && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return s != ""
}

func validQualifiers(s string) bool {
	last := ""
	for pair := range strings.SplitSeq(s, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key <= last || !validWord(key, "_") || !validSegment(value) {
			return false
		}
		last = key
	}
	return true
}

func validSegments(s string) bool {
	for segment := range strings.SplitSeq(s, "/") {
		if !validSegment(segment) {
			return false
		}
	}
	return true
}

func validSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		if plain(s[i]) {
			continue
		}
		if s[i] != '%' || i+2 >= len(s) {
			return false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		// SPEC: %XX, upper-case hex of any *other* byte but 00: a byte that
		// may stand for itself must.
		if hi < 0 || lo < 0 || hi|lo == 0 || plain(byte(hi<<4|lo)) {
			return false
		}
		i += 2
	}
	return true
}

func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("._~:!-", c) >= 0
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
