package entry

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
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

// value is a JSON value of the strict profile. Its zero value is none.
type value struct {
	kind  jsontext.Kind
	known bool     // a member that somebody has asked for; see fields
	text  string   // a string, or a number as it is written
	items []member // of an object; those of an array have no names
}

// object is a JSON object: its members in their order, all names distinct.
type object []member

type member struct {
	name string
	value
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

// parseJSON parses b, which must be one JSON object of the strict profile, and calls
// use with it and with b as text. The object is valid during the call only; its strings,
// which are parts of the text, stay.
func parseJSON(b []byte, maxString int, use func(o object, text string) error) error {
	// SPEC: UTF-8 without byte order mark.
	if bytes.HasPrefix(b, []byte("\ufeff")) || !utf8.Valid(b) {
		return reason.Errorf(reason.JSONEncoding, "byte order mark or invalid UTF-8")
	}
	d := decoders.Get().(*decoder)
	defer d.release()
	d.text, d.maxString, d.buffer = string(b), maxString, *bytes.NewBuffer(b)
	d.Reset(&d.buffer)
	v, err := d.readValue(1)
	if err != nil {
		return err
	}
	if v.kind != jsontext.KindBeginObject {
		return reason.Errorf(reason.JSONMalformed, "not a JSON object")
	}
	// SPEC: nothing but white space follows the object.
	if _, err := d.ReadToken(); err != io.EOF {
		return reason.Errorf(reason.JSONMalformed, "data after the object at byte %d", d.InputOffset())
	}
	return use(v.items, d.text)
}

// decoder reads values of the strict profile.
type decoder struct {
	jsontext.Decoder
	buffer    bytes.Buffer // what is decoded
	text      string       // the same: strings are parts of it
	maxString int
	open      []member // of the objects and arrays that are being read, outer ones first
	read      []member // of those that have been read: each is a part of it
}

// decoders are kept for their memory, most of what reading an entry needs, and
// hold nothing of what they have read.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

func (d *decoder) release() {
	d.buffer, d.text = bytes.Buffer{}, ""
	d.Reset(&d.buffer)
	if cap(d.open)+cap(d.read) > 4*maxItems {
		return // after an entry such as few are
	}
	clear(d.open[:cap(d.open)])
	clear(d.read)
	d.open, d.read = d.open[:0], d.read[:0]
	decoders.Put(d)
}

// readValue reads the next value; depth is that of an object or array here.
func (d *decoder) readValue(depth int) (v value, err error) {
	switch v.kind = d.PeekKind(); v.kind {
	case jsontext.KindString:
		v.text, err = d.readString()
		return v, err
	case jsontext.KindNumber:
		v.text, err = d.readNumber()
		return v, err
	}
	if _, err := d.ReadToken(); err != nil {
		return v, jsonError(err)
	}
	switch v.kind {
	case jsontext.KindTrue, jsontext.KindFalse:
		return v, nil
	case jsontext.KindNull:
		return v, reason.Errorf(reason.JSONNull, "null at byte %d", d.InputOffset())
	}
	if depth > maxDepth {
		return v, reason.Errorf(reason.JSONDepth, "more than %d levels at byte %d", maxDepth, d.InputOffset())
	}
	v.items, err = d.readItems(v.kind == jsontext.KindBeginObject, depth)
	return v, err
}

// readItems reads the members of an object, or the items of an array, and its end.
func (d *decoder) readItems(named bool, depth int) ([]member, error) {
	first := len(d.open)
	for k := d.PeekKind(); k != jsontext.KindEndObject && k != jsontext.KindEndArray; k = d.PeekKind() {
		var m member
		var err error
		if named {
			// The decoder refuses names that are equal after unescaping.
			if m.name, err = d.readString(); err != nil {
				return nil, err
			}
		}
		if m.value, err = d.readValue(depth + 1); err != nil {
			return nil, err
		}
		if d.open = append(d.open, m); len(d.open)-first > maxItems {
			return nil, reason.Errorf(reason.JSONLimit, "more than %d members or items", maxItems)
		}
	}
	// When read grows, the items of before stay where they are.
	from := len(d.read)
	d.read = append(d.read, d.open[first:]...)
	items := d.read[from:len(d.read):len(d.read)]
	d.open = d.open[:first]
	_, err := d.ReadToken()
	return items, jsonError(err)
}

// readString reads a string, which is a name perhaps.
func (d *decoder) readString() (string, error) {
	raw, err := d.ReadValue()
	if err != nil {
		return "", jsonError(err)
	}
	end := int(d.InputOffset()) - 1
	s := d.text[end-len(raw)+2 : end]
	if strings.IndexByte(s, '\\') >= 0 {
		plain, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return "", jsonError(err)
		}
		s = string(plain)
	}
	if len(s) > d.maxString {
		return "", reason.Errorf(reason.JSONLimit, "string of %d bytes, at most %d", len(s), d.maxString)
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", reason.Errorf(reason.JSONEncoding, "NUL in a string")
	}
	return s, nil
}

// readNumber reads a number, which is an integer.
func (d *decoder) readNumber() (string, error) {
	raw, err := d.ReadValue()
	if err != nil {
		return "", jsonError(err)
	}
	// SPEC: numbers match 0|-?[1-9][0-9]{0,15} with absolute value at most
	// 2^53. JSON itself forbids leading zeros and a plus sign.
	end := int(d.InputOffset())
	s := d.text[end-len(raw) : end]
	if len(s) > 17 || s == "-0" || strings.ContainsAny(s, ".eE") {
		return "", reason.Errorf(reason.JSONNumber, "number %.32q", s)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err != nil || n > maxInteger || n < -maxInteger {
		return "", reason.Errorf(reason.JSONNumber, "number %.32q", s)
	}
	return s, nil
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
