// Package bundle is the file format that proves how attestations stand: its
// parts, reader and writer. SPEC.md beside this file is the format, and the
// rules by which package verify judges it.
//
// Invariants:
//
//   - Parse believes nothing; it only gives the parts their types, within
//     limits that are checked before anything is allocated for them.
//   - Parse(b.Marshal()) gives b again.
package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/personality/entry"
)

// MediaType is the media type of a bundle.
const MediaType = "application/vnd.standing.bundle.v1+json"

// Limits of a bundle.
const (
	MaxSize         = 16 << 20
	MaxAttestations = 4096
	// MaxItems of any other list: an attestation has at most two causes, and
	// each of the three entries a signer.
	MaxItems = 3 * MaxAttestations
	maxPath  = 64 // hashes
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// ErrMalformed is wrapped by every error of Parse.
var ErrMalformed = errors.New("malformed bundle")

// Bundle is a parsed bundle. Nothing in it has been verified.
type Bundle struct {
	MediaType    string            `json:"mediaType"`
	Checkpoint   string            `json:"checkpoint"`
	Seal         Seal              `json:"seal"`
	Attestations List[Attestation] `json:"attestations"`
	Keys         List[Key]         `json:"keys"`
	Parties      List[Party]       `json:"parties"`
	Programmes   List[Programme]   `json:"programmes,omitzero"`
	Causes       List[Cause]       `json:"causes,omitzero"`
	Subjects     List[Subject]     `json:"subjects,omitzero"`
	Opened       List[Opened]      `json:"opened,omitzero"`
}

// List is a slice that is read no further than its greatest length, so that a
// small file cannot make a reader allocate much.
type List[T any] []T

// UnmarshalJSONFrom reads an array of at most MaxItems items.
func (l *List[T]) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = ReadList[T](d, MaxItems)
	return err
}

// ReadList reads an array of at most most items. It returns nil only with an
// error.
func ReadList[T any](d *jsontext.Decoder, most int) ([]T, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	if tok.Kind() != jsontext.KindBeginArray {
		return nil, errors.New("not an array")
	}
	l := []T{} // not nil, which is a list that is missing
	for d.PeekKind() != jsontext.KindEndArray {
		var item T
		if len(l) == most {
			return nil, fmt.Errorf("array of more than %d items", most)
		}
		if err := json.UnmarshalDecode(d, &item); err != nil {
			return nil, err
		}
		l = append(l, item)
	}
	_, err = d.ReadToken()
	return l, err
}

// Seal is the last leaf of the checkpoint's tree.
type Seal struct {
	Leaf string `json:"leaf"`
	Path Path   `json:"path"`
}

// Attestation is one attestation with the proof of its record.
type Attestation struct {
	Entry  Leaf   `json:"entry"`
	Path   Path   `json:"path,omitzero"`
	Record Record `json:"record,omitzero"`
	Proof  Base64 `json:"proof,omitzero"`
}

// Key is a signer's key with the proof of its record.
type Key struct {
	SPKI   Base64 `json:"spki"`
	Record Record `json:"record"`
	Proof  Base64 `json:"proof"`
}

// Party is a party with the proof of its record and the leaf that enrolled it,
// whose id is the party's.
type Party struct {
	Entry  Leaf   `json:"entry"`
	Record Record `json:"record"`
	Proof  Base64 `json:"proof"`
}

// Programme is a programme that an attestation names, with the proof of its
// record and its newest rules.
type Programme struct {
	ID     ID     `json:"id"`
	Entry  Leaf   `json:"entry"`
	Record Record `json:"record"`
	Proof  Base64 `json:"proof"`
}

// Cause is an entry behind a verdict.
type Cause struct {
	Entry Leaf   `json:"entry"`
	Index uint64 `json:"index"`
	Path  Path   `json:"path"`
}

// Subject is a key of the map that was looked up: a component, a package or a
// digest, with its event list or the proof that there is none.
type Subject struct {
	Name   string `json:"name"`
	Record Record `json:"record,omitzero"`
	Events Base64 `json:"events,omitzero"`
	Proof  Base64 `json:"proof"`
}

// Opened is what the id of an attestation follows from, and nothing else.
type Opened struct {
	KeyID   ID     `json:"keyid"`
	Payload Base64 `json:"payload"`
}

// Leaf is the canonical bytes of an entry, embedded as JSON.
type Leaf []byte

// MarshalJSONTo writes the leaf as it is: canonical leaves are JSON.
func (l Leaf) MarshalJSONTo(e *jsontext.Encoder) error { return e.WriteValue(jsontext.Value(l)) }

// UnmarshalJSONFrom reads an envelope and makes it canonical again.
func (l *Leaf) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	*l, err = entry.Canonicalize(v)
	return err
}

// Record is the canonical bytes of a record, embedded as JSON.
type Record []byte

// MarshalJSONTo writes the record as it is.
func (r Record) MarshalJSONTo(e *jsontext.Encoder) error { return e.WriteValue(jsontext.Value(r)) }

// UnmarshalJSONFrom reads a record and drops white space between its tokens.
func (r *Record) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	v = v.Clone()
	if len(v) > entry.MaxSize || v.Kind() != jsontext.KindBeginObject {
		return errors.New("record is not an object of a sensible size")
	}
	err = v.Compact()
	*r = Record(v)
	return err
}

// ID is the id of an event or of a key, 64 hex in the file.
type ID Hash

// MarshalText encodes the id.
func (i ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, i[:]), nil }

// UnmarshalText is the inverse of MarshalText.
func (i *ID) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	if err != nil || len(b) != len(i) || !bytes.Equal(hex.AppendEncode(nil, b), text) {
		return errors.New("not 64 digits of lower-case hex")
	}
	*i = ID(b)
	return nil
}

// Base64 is a byte string, canonical in the file.
type Base64 []byte

// MarshalText encodes b.
func (b Base64) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText decodes canonical base64.
func (b *Base64) UnmarshalText(text []byte) error {
	out, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(out) == 0 || !bytes.Equal(base64.StdEncoding.AppendEncode(nil, out), text) {
		return errors.New("empty, or not canonical base64")
	}
	*b = out
	return nil
}

// Path is an audit path: hashes from leaf to root.
type Path []Hash

// MarshalText encodes the hashes one after the other.
func (p Path) MarshalText() ([]byte, error) {
	b := make(Base64, 0, 32*len(p))
	for _, h := range p {
		b = append(b, h[:]...)
	}
	return b.MarshalText()
}

// UnmarshalText is the inverse of MarshalText.
func (p *Path) UnmarshalText(text []byte) error {
	var b Base64
	if err := b.UnmarshalText(text); err != nil {
		return err
	}
	// No path is empty: a log has at least two leaves.
	if len(b) == 0 || len(b)%32 != 0 || len(b) > 32*maxPath {
		return fmt.Errorf("path of %d bytes", len(b))
	}
	*p = make(Path, 0, len(b)/32)
	for ; len(b) > 0; b = b[32:] {
		*p = append(*p, Hash(b))
	}
	return nil
}

// Parse parses a bundle file.
func Parse(data []byte) (*Bundle, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(data), MaxSize)
	}
	var b Bundle
	if err := json.Unmarshal(data, &b, Strict()); err != nil {
		// The library quotes names whole.
		return nil, fmt.Errorf("%w: %.300v", ErrMalformed, err)
	}
	if b.MediaType != MediaType {
		return nil, fmt.Errorf("%w: media type %.80q", ErrMalformed, b.MediaType)
	}
	if err := b.count(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !b.complete() {
		return nil, fmt.Errorf("%w: a member is missing or empty", ErrMalformed)
	}
	b.normalize()
	return &b, nil
}

// count checks how many parts there are. Keys and parties nobody refers to are
// verify's to refuse.
func (b *Bundle) count() error {
	// SPEC: at least one attestation or subject; at most 4,096 attestations.
	n := len(b.Attestations)
	if n+len(b.Subjects) < 1 || n > MaxAttestations || len(b.Causes) > 2*n || len(b.Programmes) > n {
		return fmt.Errorf("%d attestations, %d causes, %d programmes, %d subjects", n, len(b.Causes), len(b.Programmes), len(b.Subjects))
	}
	return nil
}

// complete reports whether every member is there that has to be.
//
// SPEC: members are exactly these; none is empty but parties, programmes,
// causes, subjects and opened, and, where there are subjects, attestations and
// keys. What an attestation lacks is verify's to say: it is what people try.
func (b *Bundle) complete() bool {
	ok := b.Checkpoint != "" && b.Seal.Leaf != "" && b.Seal.Path != nil && b.Attestations != nil && b.Keys != nil && b.Parties != nil
	for _, a := range b.Attestations {
		ok = ok && len(a.Entry) > 0
	}
	for _, k := range b.Keys {
		ok = ok && len(k.SPKI) > 0 && len(k.Proof) > 0 && k.Record != nil
	}
	for _, p := range b.Parties {
		ok = ok && len(p.Entry) > 0 && len(p.Proof) > 0 && p.Record != nil
	}
	for _, p := range b.Programmes {
		ok = ok && len(p.Entry) > 0 && len(p.Proof) > 0 && p.Record != nil && p.ID != (ID{})
	}
	for _, c := range b.Causes {
		// Leaf 0 is the charter: the cause of nothing here.
		ok = ok && len(c.Entry) > 0 && c.Path != nil && c.Index > 0
	}
	for _, s := range b.Subjects {
		ok = ok && s.Name != "" && len(s.Proof) > 0
	}
	for _, o := range b.Opened {
		ok = ok && len(o.Payload) > 0 && o.KeyID != (ID{})
	}
	return ok
}

// normalize drops the lists that say nothing.
func (b *Bundle) normalize() {
	if len(b.Programmes) == 0 {
		b.Programmes = nil
	}
	if len(b.Causes) == 0 {
		b.Causes = nil
	}
	if len(b.Subjects) == 0 {
		b.Subjects = nil
	}
	if len(b.Opened) == 0 {
		b.Opened = nil
	}
}

// Strict is how files of evidence are read.
func Strict() json.Options {
	// SPEC: members are exactly these, each at most once; names are compared
	// with case; none is null. The library refuses duplicate names by itself.
	return json.JoinOptions(json.RejectUnknownMembers(true), json.MatchCaseInsensitiveNames(false),
		json.WithUnmarshalers(json.UnmarshalFromFunc(refuseNull)))
}

// refuseNull stands before the reader of every value.
func refuseNull(d *jsontext.Decoder, _ any) error {
	if d.PeekKind() == jsontext.KindNull {
		return errors.New("null")
	}
	return errors.ErrUnsupported
}

// Marshal writes the file.
func (b *Bundle) Marshal() ([]byte, error) {
	return json.Marshal(b)
}
