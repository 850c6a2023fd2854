package sbom

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonReader reads JSON token by token: nothing is built of what is not wanted.
// A member that occurs twice and text that is not UTF-8 are errors anywhere.
type jsonReader struct{ dec *jsontext.Decoder }

func newJSONReader(data []byte) *jsonReader {
	return &jsonReader{jsontext.NewDecoder(bytes.NewBuffer(data))}
}

// readJSON finds out which SBOM it is, and reads it.
func (b *builder) readJSON(data []byte) error {
	h, err := readHead(data)
	if err != nil {
		return err
	}
	r := newJSONReader(data)
	switch {
	case h.cycloneDX && h.spdx != "":
		return malformed("it says that it is CycloneDX and SPDX")
	case h.cycloneDX:
		if err := b.checkCycloneDX(h.specVersion, "JSON"); err != nil {
			return err
		}
		return b.readCycloneDX(r)
	case h.spdx != "":
		if err := b.checkSPDX(h.spdx); err != nil {
			return err
		}
		return b.readSPDX(r)
	case h.wrapped:
		return &Error{ErrNotSBOM, `the SBOM lies in the member "sbom"`, "take that member out, such as with jq .sbom"}
	case h.linked:
		return &Error{ErrUnsupported, "JSON-LD, as SPDX 3 is written", exportAgain}
	}
	return &Error{ErrNotSBOM, `neither "bomFormat" nor "spdxVersion" is in it`, nameAnSBOM}
}

// head is what tells one SBOM from another.
type head struct {
	cycloneDX         bool
	specVersion, spdx string
	wrapped, linked   bool
}

// readHead reads the members at the top and checks that all of it is one JSON
// object.
func readHead(data []byte) (h head, err error) {
	r := newJSONReader(data)
	err = r.object(func(name string) error {
		switch name {
		case "bomFormat":
			var format string
			err := r.text(&format)
			h.cycloneDX = format == "CycloneDX"
			return err
		case "specVersion":
			return r.text(&h.specVersion)
		case "spdxVersion":
			return r.text(&h.spdx)
		case "sbom":
			h.wrapped = true
		case "@context":
			h.linked = true
		}
		return r.skip()
	})
	if err != nil {
		return head{}, err
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return head{}, malformed("there is something behind its end")
	}
	return h, nil
}

// object reads an object: member is called for each name, and must read the
// value.
func (r *jsonReader) object(member func(name string) error) error {
	if err := r.begin(jsontext.BeginObject); err != nil {
		return err
	}
	for r.dec.PeekKind() != jsontext.EndObject.Kind() {
		token, err := r.dec.ReadToken()
		if err != nil {
			return syntax(err)
		}
		if err := member(token.String()); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return syntax(err)
}

// array reads an array: item is called before each value, and must read it.
// Null is no items.
func (r *jsonReader) array(item func() error) error {
	if r.dec.PeekKind() == jsontext.Null.Kind() {
		return r.skip()
	}
	if err := r.begin(jsontext.BeginArray); err != nil {
		return err
	}
	for r.dec.PeekKind() != jsontext.EndArray.Kind() {
		if err := item(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return syntax(err)
}

// text reads a string. Null is "".
func (r *jsonReader) text(to *string) error {
	token, err := r.dec.ReadToken()
	switch {
	case err != nil:
		return syntax(err)
	case token.Kind() == jsontext.Null.Kind():
		*to = ""
	case token.Kind() != jsontext.KindString:
		return r.wrong(token.Kind())
	default:
		*to = token.String()
	}
	return nil
}

func (r *jsonReader) skip() error { return syntax(r.dec.SkipValue()) }

func (r *jsonReader) begin(want jsontext.Token) error {
	token, err := r.dec.ReadToken()
	if err != nil {
		return syntax(err)
	}
	if token.Kind() != want.Kind() {
		return r.wrong(token.Kind())
	}
	return nil
}

func (r *jsonReader) wrong(kind jsontext.Kind) error {
	return malformed("%.200s is not to be %v", r.dec.StackPointer(), kind)
}

func syntax(err error) error {
	if err == nil {
		return nil
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return malformed("JSON at byte %d, %.200s: %v", s.ByteOffset, s.JSONPointer, s.Err)
	}
	return malformed("JSON: %v", err)
}
