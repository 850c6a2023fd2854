// Package vers tells whether a version lies in a version range, and says so
// where it cannot tell.
//
// A range is written as VERS, https://www.packageurl.org/docs/vers/introduction:
//
//	vers:<scheme>/<constraint>|<constraint>…    constraint = [!=|<|<=|>|>=]<version>, or * alone
//
// The constraints cut the line of all versions into intervals: "vers:npm/1.2.3|>=2.0.0|<5.0.0"
// is 1.2.3, and everything from 2.0.0 up to, but without, 5.0.0.
//
// How versions follow each other is a matter of the scheme:
//
//	semver, npm, golang, cargo, hex   Semantic Versioning 2.0.0, all three numbers;
//	                                  one leading v is passed over
//	pypi                              PEP 440
//	maven                             the version order of the POM reference
//	deb                               deb-version(7)
//	all, none                         * only: every version, no version
//	others                            equality of the bytes, and *
//
// Invariants:
//
//   - Never a guess: what a scheme does not define, or this package does not
//     know, is [ErrUndecided]. With a scheme it does not know, a version is in
//     the range if it is named in it, out of it if it is excluded by name, and
//     else undecided.
//   - Order is that of the scheme and nothing else: 2.0.0-rc.1 lies in <2.0.0,
//     whatever a package manager would install for such a range.
//   - [Parse] refuses a range that can be read in two ways: a version twice, or
//     bounds that do not alternate. The order in which the constraints are
//     written does not matter.
package vers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Errors.
var (
	ErrMalformed = errors.New("malformed version range")
	ErrUndecided = errors.New("cannot decide")
)

// MaxLen is the greatest length of a range in bytes.
const MaxLen = 512

// Range is a version range. The zero value is malformed.
type Range struct {
	scheme string
	order  order // nil if the scheme is not known
	any    bool  // the constraint is *
	exact  []constraint
	bounds []constraint // sorted, if there is an order
}

type constraint struct {
	op      string // "", "!=", "<", "<=", ">" or ">="
	version string
}

// order compares two versions; ok is false if it cannot.
type order func(a, b string) (cmp int, ok bool)

func orderOf(scheme string) order {
	switch scheme {
	case "semver", "npm", "golang", "cargo", "hex":
		return compareSemver
	case "pypi":
		return comparePyPI
	case "maven":
		return compareMaven
	case "deb":
		return compareDeb
	}
	return nil
}

// Scheme returns the scheme, such as "npm".
func (r Range) Scheme() string { return r.scheme }

// Parse reads a range.
func Parse(s string) (Range, error) {
	r, cause := parse(s)
	if cause != "" {
		return Range{}, fmt.Errorf("%w: %s: %.600q", ErrMalformed, cause, s)
	}
	return r, nil
}

func parse(s string) (r Range, cause string) {
	if len(s) > MaxLen {
		return r, "longer than 512 bytes"
	}
	rest, ok := strings.CutPrefix(s, "vers:")
	if !ok {
		return r, "does not begin with vers:"
	}
	scheme, list, ok := strings.Cut(rest, "/")
	if !ok || !validScheme(scheme) {
		return r, "scheme is not [a-z][a-z0-9.-]* followed by /"
	}
	r = Range{scheme: scheme, order: orderOf(scheme)}
	if list == "*" {
		r.any = true
		return r, ""
	}
	if scheme == "all" || scheme == "none" {
		return r, "scheme " + scheme + " has the constraint * alone"
	}
	for text := range strings.SplitSeq(list, "|") {
		c, cause := parseConstraint(text)
		switch {
		case cause != "":
			return r, cause
		case c.op == "" || c.op == "!=":
			r.exact = append(r.exact, c)
		default:
			r.bounds = append(r.bounds, c)
		}
	}
	return r, r.sort()
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if lower := 'a' <= c && c <= 'z'; !lower && (i == 0 || strings.IndexByte("0123456789.-", c) < 0) {
			return false
		}
	}
	return s != ""
}

func parseConstraint(s string) (c constraint, cause string) {
	for _, op := range []string{"!=", "<=", ">=", "<", ">"} {
		if rest, ok := strings.CutPrefix(s, op); ok {
			c.op, s = op, rest
			break
		}
	}
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '%':
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return c, "% is not followed by two hex digits"
			}
			c.version += string([]byte{byte(unhex(s[i+1])<<4 | unhex(s[i+2]))})
			i += 2
		// SPEC: these characters are percent-encoded in a version.
		case b <= ' ' || b >= 0x7f || strings.IndexByte("<>=!*", b) >= 0:
			return c, fmt.Sprintf("%q where a version is to be", b)
		default:
			c.version += string(rune(b))
		}
	}
	if c.version == "" {
		return c, "a constraint without version"
	}
	return c, ""
}

func unhex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// sort puts the constraints into the order of their versions, and returns what
// is wrong with them.
func (r *Range) sort() (cause string) {
	all := slices.Concat(r.exact, r.bounds)
	order := r.order
	if order == nil {
		order = func(a, b string) (int, bool) { return strings.Compare(a, b), true }
	}
	byVersion := func(a, b constraint) int { c, _ := order(a.version, b.version); return c }
	slices.SortFunc(all, byVersion)
	slices.SortFunc(r.bounds, byVersion)
	for i, c := range all {
		if _, ok := order(c.version, c.version); !ok {
			return fmt.Sprintf("%.80q is no version of %s", c.version, r.scheme)
		}
		if i == 0 {
			continue
		}
		// SPEC: versions are unique, by the equality of the scheme.
		switch cmp, ok := order(all[i-1].version, c.version); {
		case !ok:
			return fmt.Sprintf("%.80q and %.80q cannot be ordered as versions of %s", all[i-1].version, c.version, r.scheme)
		case cmp == 0:
			return fmt.Sprintf("versions %.80q and %.80q are equal", all[i-1].version, c.version)
		}
	}
	if r.order == nil {
		return ""
	}
	return checkSequence(all)
}

// checkSequence holds sorted constraints against the rules of VERS.
func checkSequence(all []constraint) (cause string) {
	open, last := false, byte(0) // between > and <; the last bound
	for _, c := range all {
		switch {
		case c.op == "!=":
		// SPEC: an equality is followed by an equality, > or >=: it lies in no
		// interval.
		case c.op == "":
			if open {
				return fmt.Sprintf("%.80q lies in the interval before it", c.version)
			}
			last = '='
		case c.op[0] == last, c.op[0] == '<' && last == '=':
			return fmt.Sprintf("%s%.80q does not bound an interval with what is before it", c.op, c.version)
		default:
			open, last = c.op[0] == '>', c.op[0]
		}
	}
	return ""
}

// Contains tells whether version, as it is written, lies in the range. If it
// cannot tell, the error is [ErrUndecided].
func (r Range) Contains(version string) (bool, error) {
	switch {
	case r.any: // whichever version it is
		return r.scheme != "none", nil
	case version == "":
		return false, fmt.Errorf("%w: no version", ErrUndecided)
	}
	for _, c := range r.exact {
		if c.version == version {
			return c.op == "", nil
		}
	}
	if r.order == nil {
		return false, fmt.Errorf("%w: versions of %q have no order known here", ErrUndecided, r.scheme)
	}
	in := len(r.bounds) > 0 && r.bounds[0].op[0] == '<'
	for _, c := range r.exact {
		switch cmp, ok := r.order(version, c.version); {
		case !ok:
			return false, r.undecided(version, c)
		case cmp == 0:
			return c.op == "", nil
		}
	}
	for _, c := range r.bounds {
		cmp, ok := r.order(version, c.version)
		switch {
		case !ok:
			return false, r.undecided(version, c)
		case cmp == 0:
			return len(c.op) == 2, nil
		case cmp < 0:
			return in, nil
		}
		in = c.op[0] == '>'
	}
	// SPEC: nothing says what a range is that only excludes.
	if len(r.bounds) == 0 && !slices.ContainsFunc(r.exact, func(c constraint) bool { return c.op == "" }) {
		return false, fmt.Errorf("%w: the range only excludes", ErrUndecided)
	}
	return in, nil
}

func (r Range) undecided(version string, c constraint) error {
	return fmt.Errorf("%w: %.80q and %.80q cannot be ordered as versions of %s", ErrUndecided, version, c.version, r.scheme)
}
