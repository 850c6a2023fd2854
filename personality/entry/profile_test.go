package entry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// profileOf decides by encoding/json and by looking at the bytes whether b is
// one object of the strict profile (SPEC.md, "Payload"). It is slow, lenient
// where encoding/json is, and makes up for that rule by rule.
func profileOf(b []byte) error {
	if !utf8.Valid(b) || !json.Valid(b) {
		return errors.New("no JSON in UTF-8")
	}
	if err := checkEscapes(string(b)); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return fmt.Errorf("begins with %v: %v", tok, err)
	}
	if err := checkRest(d, '{', 1); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("data after")
	}
	return nil
}

// checkEscapes looks for NUL and lone surrogates, which encoding/json lets
// pass. In valid JSON a backslash stands in strings only.
func checkEscapes(s string) error {
	// code is the number behind \u at the beginning of s, or -1.
	code := func(s string) (n int) {
		if !strings.HasPrefix(s, `\u`) {
			return -1
		}
		_, _ = fmt.Sscanf(s[2:6], "%04x", &n)
		return n
	}
	for i := strings.IndexByte(s, '\\'); i >= 0; i = strings.IndexByte(s, '\\') {
		n := code(s[i:])
		switch {
		case n < 0:
			s = s[i+2:]
			continue
		case n == 0:
			return errors.New("NUL")
		case n >= 0xdc00 && n <= 0xdfff:
			return errors.New("low surrogate first")
		case n >= 0xd800 && n < 0xdc00:
			if low := code(s[i+6:]); low < 0xdc00 || low > 0xdfff {
				return errors.New("lone high surrogate")
			}
			i += 6
		}
		s = s[i+6:]
	}
	return nil
}

var integer = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,15})$`)

// checkRest reads an object or array to its end.
func checkRest(d *json.Decoder, kind json.Delim, depth int) error {
	if depth > 16 {
		return errors.New("too deep")
	}
	seen := map[string]bool{}
	for n := 0; d.More(); n++ {
		if n == 256 {
			return errors.New("more than 256")
		}
		if kind == '{' {
			tok, err := d.Token()
			name, ok := tok.(string)
			if err != nil || !ok || seen[name] || len(name) > 4096 {
				return fmt.Errorf("name %.40q: %v", name, err)
			}
			seen[name] = true
		}
		if err := checkValue(d, depth); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func checkValue(d *json.Decoder, depth int) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		return checkRest(d, v, depth+1)
	case nil:
		return errors.New("null")
	case string:
		if len(v) > 4096 {
			return errors.New("long string")
		}
	case json.Number:
		n, err := v.Int64()
		if err != nil || !integer.MatchString(v.String()) || n > 1<<53 || n < -1<<53 {
			return fmt.Errorf("number %s", v)
		}
	}
	return nil
}
