package entry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/personality/reason"
)

// fields reads the members of an object. The first failure sticks; done
// reports it, or else the first member that nobody asked for.
type fields struct {
	o     object
	where string
	err   error
}

func (f *fields) fail(code reason.Code, format string, args ...any) {
	if f.err == nil {
		f.err = reason.Errorf(code, "%s: %s", f.where, fmt.Sprintf(format, args...))
	}
}

// object returns a reader of v, whose failures are f's to report through its
// own done.
func (f *fields) object(v value, where string) fields {
	nested := fields{where: where}
	if v.kind == jsontext.KindBeginObject {
		nested.o = v.items
	} else {
		f.fail(reason.MemberInvalid, "%s is not an object", where)
	}
	nested.err = f.err
	return nested
}

// has reports whether the optional member is present.
func (f *fields) has(name string) bool { return f.o.find(name) != nil }

// get returns a required member and marks it as known.
func (f *fields) get(name string) value {
	m := f.o.find(name)
	if m == nil {
		f.missing(name)
		return value{}
	}
	m.known = true
	return m.value
}

// missing reports a required member that is not there, or is there in another
// case.
func (f *fields) missing(name string) {
	for _, m := range f.o {
		if strings.EqualFold(m.name, name) {
			f.fail(reason.MemberUnknown, "%.64q is spelt %q", m.name, name)
		}
	}
	f.fail(reason.MemberMissing, "%s is missing", name)
}

// done reports the first failure, then unknown members.
func (f *fields) done() error {
	for _, m := range f.o {
		if !m.known {
			f.fail(reason.MemberUnknown, "%.64q", m.name)
		}
	}
	return f.err
}

// skipExtensions marks the members that begin with x- as known.
//
// SPEC: in the predicate object, members whose name begins with x- are allowed
// and never read: at most 16, name at most 64 bytes, value a string of at most
// 1,024 bytes.
func (f *fields) skipExtensions() {
	n := 0
	for i := range f.o {
		m := &f.o[i]
		if !strings.HasPrefix(m.name, "x-") {
			continue
		}
		n++
		if m.kind != jsontext.KindString || len(m.text) > 1024 || len(m.name) > 64 || n > 16 {
			f.fail(reason.MemberInvalid, "extension members: at most 16, names of 64 bytes, strings of 1,024 bytes")
		}
		m.known = true
	}
}

func (f *fields) str(name string) string {
	v := f.get(name)
	if v.kind != jsontext.KindString {
		f.fail(reason.MemberInvalid, "%s is not a string", name)
		return ""
	}
	return v.text
}

// array returns the items of an array, which have no names.
func (f *fields) array(name string) []member {
	v := f.get(name)
	if v.kind != jsontext.KindBeginArray {
		f.fail(reason.MemberInvalid, "%s is not an array", name)
		return nil
	}
	return v.items
}

// match returns a string member of the grammar g.
func (f *fields) match(name string, g *grammar) string {
	s := f.str(name)
	if f.err == nil && !g.has(s) {
		f.fail(reason.MemberInvalid, "%s is %.80q", name, s)
	}
	return s
}

// mediaType returns a member that is two halves around a slash.
func (f *fields) mediaType(name string) string {
	s := f.str(name)
	a, b, ok := strings.Cut(s, "/")
	if f.err == nil && (!ok || !media.has(a) || !media.has(b)) {
		f.fail(reason.MemberInvalid, "%s is %.80q", name, s)
	}
	return s
}

// enum returns a string member that is one of the words given.
func (f *fields) enum(name string, words ...string) string {
	s := f.str(name)
	if f.err == nil && !slices.Contains(words, s) {
		f.fail(reason.MemberInvalid, "%s is %.80q, not one of %s", name, s, strings.Join(words, ", "))
	}
	return s
}

// integer returns a member lo <= n < hi.
func (f *fields) integer(name string, lo, hi int64) uint64 {
	v := f.get(name)
	n, err := strconv.ParseInt(v.text, 10, 64)
	if f.err == nil && (v.kind != jsontext.KindNumber || err != nil || n < lo || n >= hi) {
		f.fail(reason.MemberInvalid, "%s is not an integer from %d to %d", name, lo, hi-1)
	}
	return uint64(n)
}

func (f *fields) time(name string) uint64  { return f.integer(name, 0, maxTime) }
func (f *fields) index(name string) uint64 { return f.integer(name, 0, maxInteger) }

func (f *fields) hash(name string) Hash {
	b, ok := parseHex(f.str(name), 32)
	if !ok {
		f.fail(reason.MemberInvalid, "%s is not 64 lower-case hex digits", name)
		return Hash{}
	}
	return Hash(b)
}

func (f *fields) base64(name string) []byte {
	b, ok := decodeBase64(f.str(name))
	if !ok {
		f.fail(reason.Base64, "%s", name)
	}
	return b
}

// strings returns an array of min to max strings, sorted, each accepted by ok.
func (f *fields) strings(name string, min, max int, ok func(string) bool) []string {
	a := f.array(name)
	if f.err == nil && (len(a) < min || len(a) > max) {
		f.fail(reason.MemberInvalid, "%s has %d items, not %d to %d", name, len(a), min, max)
	}
	out := make([]string, len(a))
	for i, v := range a {
		if v.kind != jsontext.KindString || !ok(v.text) {
			f.fail(reason.MemberInvalid, "%s: item %d is malformed", name, i)
		} else if i > 0 && v.text <= out[i-1] {
			f.fail(reason.MemberInvalid, "%s is not sorted, or has an item twice", name)
		}
		out[i] = v.text
	}
	return out
}

// optional returns pointers for members that may be absent.
func optional[T any](f *fields, name string, read func(string) T) *T {
	if !f.has(name) {
		return nil
	}
	v := read(name)
	return &v
}

// grammar is a set of strings: prefix, and then 1 to max bytes of some.
type grammar struct {
	prefix string
	max    int
	some   [256]bool
}

const (
	digits   = "0123456789"
	lower    = "abcdefghijklmnopqrstuvwxyz"
	alphanum = digits + lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func newGrammar(prefix string, max int, some string) *grammar {
	g := &grammar{prefix: prefix, max: max}
	for _, b := range []byte(some) {
		g.some[b] = true
	}
	return g
}

// has reports whether s is in g.
func (g *grammar) has(s string) bool {
	rest, ok := strings.CutPrefix(s, g.prefix)
	if !ok || len(rest) < 1 || len(rest) > g.max {
		return false
	}
	for i := range len(rest) {
		if !g.some[rest[i]] {
			return false
		}
	}
	return true
}

// The grammars of SPEC.md, "Payload".
var (
	codes   = newGrammar("", 64, alphanum+"._:-")
	links   = newGrammar("https://", 192, alphanum+"._~:/?#[]@!$&'()*+,;=%-")
	origins = newGrammar("", 255, digits+lower+"./-")
	ranges  = newGrammar("", 512, alphanum+".:/|<>=!*,%+~_-")
	media   = newGrammar("", 63, digits+lower+"!#$&^_.+-") // each half of a media type
	types   = newGrammar("", 200, alphanum+"!#$%&'()*+,-./:;<=>?@[]^_`{|}~")
)

var roleWords = []string{"steward", "maintainer", "manufacturer", "user", "assessor", "public-body", "fiscal-host", "authority"}

func (f *fields) code(name string) string   { return f.match(name, codes) }
func (f *fields) link(name string) string   { return f.match(name, links) }
func (f *fields) origin(name string) string { return f.match(name, origins) }
func (f *fields) role(name string) string   { return f.enum(name, roleWords...) }

func validRole(s string) bool { return slices.Contains(roleWords, s) }

// partyName checks the only free text of a log.
func (f *fields) partyName(name string) string {
	s := f.str(name)
	control := strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f && r <= 0x9f })
	if f.err == nil && (len(s) < 1 || len(s) > 200 || control || !utf8.ValidString(s)) {
		f.fail(reason.MemberInvalid, "%s is not 1 to 200 bytes without control characters", name)
	}
	return s
}
