package entry

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/personality/reason"
)

// Limits of the payload (SPEC.md, "Payload").
const (
	maxDepth   = 16
	maxString  = 4096
	maxItems   = 256
	maxInteger = 1 << 53
	maxTime    = 1 << 40
)

// value is a JSON value of the strict profile: a string, int64, bool, []value
// or object.
type value any

// object is a JSON object: its members in their order, all names distinct.
type object []member

type member struct {
	name  string
	value value
	known bool // somebody has asked for it; see fields
}

// find returns the member called name, or nil.
func (o object) find(name string) *member {
	for i := range o {
		if o[i].name == name {
			return &o[i]
		}
	}
	return nil
}

// parseJSON parses b, which must be one JSON object of the strict profile.
func parseJSON(b []byte) (object, error) { return parseJSONLimit(b, maxString) }

// parseJSONLimit is parseJSON with another greatest length of strings.
func parseJSONLimit(b []byte, maxString int) (object, error) {
	// SPEC: UTF-8 without byte order mark.
	if bytes.HasPrefix(b, []byte("\ufeff")) || !utf8.Valid(b) {
		return nil, reason.Errorf(reason.JSONEncoding, "byte order mark or invalid UTF-8")
	}
	d := &decoder{jsontext.NewDecoder(bytes.NewBuffer(b)), maxString, make([]member, 0, 32)}
	v, err := d.readValue(1)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, reason.Errorf(reason.JSONMalformed, "not a JSON object")
	}
	// SPEC: nothing but white space follows the object.
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, reason.Errorf(reason.JSONMalformed, "data after the object at byte %d", d.InputOffset())
	}
	return o, nil
}

// decoder reads values of the strict profile.
type decoder struct {
	*jsontext.Decoder
	maxString int
	members   []member // of the objects that are being read, outer ones first
}

// readValue reads the next value; depth is that of an object or array here.
func (d *decoder) readValue(depth int) (value, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return nil, jsonError(err)
	}
	switch tok.Kind() {
	case jsontext.KindString:
		return d.checkString(tok.String())
	case jsontext.KindNumber:
		return parseInteger(tok.String())
	case jsontext.KindTrue, jsontext.KindFalse:
		return tok.Bool(), nil
	case jsontext.KindNull:
		return nil, reason.Errorf(reason.JSONNull, "null at byte %d", d.InputOffset())
	}
	if depth > maxDepth {
		return nil, reason.Errorf(reason.JSONDepth, "more than %d levels at byte %d", maxDepth, d.InputOffset())
	}
	if tok.Kind() == jsontext.KindBeginArray {
		return d.readArray(depth)
	}
	return d.readObject(depth)
}

func (d *decoder) readArray(depth int) (value, error) {
	items := []value{}
	for d.PeekKind() != jsontext.KindEndArray {
		v, err := d.readValue(depth + 1)
		if err != nil {
			return nil, err
		}
		if items = append(items, v); len(items) > maxItems {
			return nil, reason.Errorf(reason.JSONLimit, "array of more than %d items", maxItems)
		}
	}
	_, err := d.ReadToken()
	return items, jsonError(err)
}

func (d *decoder) readObject(depth int) (value, error) {
	first := len(d.members)
	for d.PeekKind() != jsontext.KindEndObject {
		// The decoder refuses names that are equal after unescaping.
		name, err := d.ReadToken()
		if err != nil {
			return nil, jsonError(err)
		}
		key := name.String()
		if _, err := d.checkString(key); err != nil {
			return nil, err
		}
		v, err := d.readValue(depth + 1)
		if err != nil {
			return nil, err
		}
		if d.members = append(d.members, member{name: key, value: v}); len(d.members)-first > maxItems {
			return nil, reason.Errorf(reason.JSONLimit, "object of more than %d members", maxItems)
		}
	}
	o := object(slices.Clone(d.members[first:]))
	d.members = d.members[:first]
	_, err := d.ReadToken()
	return o, jsonError(err)
}

func (d *decoder) checkString(s string) (value, error) {
	if len(s) > d.maxString {
		return nil, reason.Errorf(reason.JSONLimit, "string of %d bytes, at most %d", len(s), d.maxString)
	}
	if strings.IndexByte(s, 0) >= 0 {
		return nil, reason.Errorf(reason.JSONEncoding, "NUL in a string")
	}
	return s, nil
}

// parseInteger parses a number token.
func parseInteger(s string) (value, error) {
	// SPEC: numbers match 0|-?[1-9][0-9]{0,15} with absolute value at most
	// 2^53. JSON itself forbids leading zeros and a plus sign.
	if len(s) > 17 || s == "-0" || strings.ContainsAny(s, ".eE") {
		return nil, reason.Errorf(reason.JSONNumber, "number %.32q", s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxInteger || n < -maxInteger {
		return nil, reason.Errorf(reason.JSONNumber, "number %.32q", s)
	}
	return n, nil
}

// jsonError maps the decoder's errors to codes; nil stays nil.
func jsonError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return reason.Errorf(reason.JSONDuplicate, "%v", err)
	}
	// The bytes are valid UTF-8, so what is left of this class are escapes:
	// a lone surrogate.
	if s := err.Error(); strings.Contains(s, "surrogate") || strings.Contains(s, "UTF-8") {
		return reason.Errorf(reason.JSONEncoding, "%v", err)
	}
	return reason.Errorf(reason.JSONMalformed, "%v", err)
}
