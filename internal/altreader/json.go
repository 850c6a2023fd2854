package altreader

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value is a JSON value of the strict profile (entry/SPEC.md, "Payload").
type value struct {
	kind    kind
	text    string // of a string, unescaped
	number  int64
	items   []value
	members map[string]value
}

type kind byte

const (
	isString kind = iota + 1
	isNumber
	isBool
	isArray
	isObject
)

// scanner reads JSON. Its methods return the fault they met, or "".
type scanner struct {
	in string
	at int
}

// parseJSON reads the object that payload is.
func parseJSON(payload string) (value, string) {
	// SPEC: UTF-8 without byte order mark. (One at the start begins no object;
	// elsewhere U+FEFF is a character of a string like any other.)
	if !utf8.ValidString(payload) {
		return value{}, "json-encoding"
	}
	s := &scanner{in: payload}
	v, fault := s.value(1)
	// SPEC: nothing but white space follows the object.
	if s.space(); fault == "" && (v.kind != isObject || s.at < len(s.in)) {
		fault = "json-malformed"
	}
	return v, fault
}

func (s *scanner) space() {
	for s.at < len(s.in) && strings.IndexByte(" \t\n\r", s.in[s.at]) >= 0 {
		s.at++
	}
}

// next skips white space and returns the byte behind it, or 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.at == len(s.in) {
		return 0
	}
	return s.in[s.at]
}

// take skips white space and c, and reports whether c was there.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// value reads a value; depth is that of the value if it is an object or array.
func (s *scanner) value(depth int) (value, string) {
	switch c := s.next(); {
	case c == '"':
		text, fault := s.string()
		return value{kind: isString, text: text}, fault
	case c == '{' || c == '[':
		// SPEC: depth at most 16, objects and arrays alike, the outermost
		// object being 1.
		if depth > 16 {
			return value{}, "json-depth"
		}
		if c == '{' {
			return s.object(depth)
		}
		return s.array(depth)
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	return s.word()
}

func (s *scanner) word() (value, string) {
	for _, w := range []string{"true", "false", "null"} {
		if !strings.HasPrefix(s.in[s.at:], w) {
			continue
		}
		s.at += len(w)
		if w == "null" { // SPEC: no null.
			return value{}, "json-null"
		}
		return value{kind: isBool}, ""
	}
	return value{}, "json-malformed"
}

func (s *scanner) number() (value, string) {
	from := s.at
	for s.at < len(s.in) && strings.IndexByte("+-.0123456789Ee", s.in[s.at]) >= 0 {
		s.at++
	}
	token := s.in[from:s.at]
	n, err := strconv.ParseInt(token, 10, 64)
	// SPEC: numbers match 0|-?[1-9][0-9]{0,15} with absolute value at most
	// 2^53. What is written as it was read matches, but for length.
	if err != nil || strconv.FormatInt(n, 10) != token || n < -(1<<53) || n > 1<<53 {
		return value{}, "json-number"
	}
	return value{kind: isNumber, number: n}, ""
}

func (s *scanner) array(depth int) (value, string) {
	v := value{kind: isArray}
	s.take('[')
	if s.take(']') {
		return v, ""
	}
	for {
		item, fault := s.value(depth + 1)
		if fault != "" {
			return v, fault
		}
		// SPEC: arrays at most 256 items.
		if v.items = append(v.items, item); len(v.items) > 256 {
			return v, "json-limit"
		}
		if s.take(']') {
			return v, ""
		}
		if !s.take(',') {
			return v, "json-malformed"
		}
	}
}

func (s *scanner) object(depth int) (value, string) {
	v := value{kind: isObject, members: map[string]value{}}
	s.take('{')
	if s.take('}') {
		return v, ""
	}
	for {
		if s.next() != '"' {
			return v, "json-malformed"
		}
		name, fault := s.string()
		if fault != "" {
			return v, fault
		}
		if !s.take(':') {
			return v, "json-malformed"
		}
		// SPEC: no object with two members of the same name after unescaping.
		if _, twice := v.members[name]; twice {
			return v, "json-duplicate-member"
		}
		if v.members[name], fault = s.value(depth + 1); fault != "" {
			return v, fault
		}
		// SPEC: objects at most 256 members.
		if len(v.members) > 256 {
			return v, "json-limit"
		}
		if s.take('}') {
			return v, ""
		}
		if !s.take(',') {
			return v, "json-malformed"
		}
	}
}

// string reads a string, whose quotation mark is next.
func (s *scanner) string() (string, string) {
	var out []byte
	for s.at++; s.at < len(s.in); {
		c := s.in[s.at]
		s.at++
		switch {
		case c == '"':
			// SPEC: strings, member names included, at most 4,096 bytes.
			if len(out) > 4096 {
				return "", "json-limit"
			}
			return string(out), ""
		case c < 0x20:
			return "", "json-malformed"
		case c != '\\':
			out = append(out, c)
		default:
			r, fault := s.escape()
			if fault != "" {
				return "", fault
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return "", "json-malformed"
}

// escape reads what follows a reverse solidus.
func (s *scanner) escape() (rune, string) {
	if s.at == len(s.in) {
		return 0, "json-malformed"
	}
	c := s.in[s.at]
	s.at++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), ""
	}
	s.at--
	r, ok := s.unit()
	if !ok {
		return 0, "json-malformed"
	}
	if utf16.IsSurrogate(r) && strings.HasPrefix(s.in[s.at:], `\`) {
		s.at++
		low, ok := s.unit()
		if !ok {
			return 0, "json-encoding"
		}
		r = utf16.DecodeRune(r, low)
		if r == utf8.RuneError {
			return 0, "json-encoding"
		}
	}
	// SPEC: no NUL and no lone surrogate after unescaping.
	if r == 0 || utf16.IsSurrogate(r) {
		return 0, "json-encoding"
	}
	return r, ""
}

// unit reads uXXXX.
func (s *scanner) unit() (rune, bool) {
	if len(s.in)-s.at < 5 || s.in[s.at] != 'u' {
		return 0, false
	}
	n := rune(0)
	for _, c := range []byte(s.in[s.at+1 : s.at+5]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, false
		}
		n = n<<4 | rune(digit)
	}
	s.at += 5
	return n, true
}
