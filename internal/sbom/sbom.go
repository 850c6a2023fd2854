// Package sbom reads a software bill of materials and tells its components.
//
// [Parse] takes the bytes of one file: CycloneDX 1.2 to 1.7 as JSON or XML, SPDX
// 2.2 or 2.3 as JSON. It reads what names a component (reference, group, name,
// version, type, package URL, digests) and passes over everything else, whatever
// is in it: an odd licence must not cost anybody the answer about a component.
//
// # What a component is
//
// CycloneDX: each object of "components", and each nested in one, in the order
// of the file; Parent says where it was nested. metadata.component is the
// product itself, not a component; those nested in it are its parts, and
// components. What was never built in is none: pedigrees, tools, formulations,
// targets of declarations, services.
//
// SPDX: each of "packages", in the order of the file. SPDX lists what the
// document describes among the packages, so it is a component here too, with
// Product set: some documents describe all their packages, and none must be
// lost. Files and snippets are none. SPDX does not nest.
//
// Invariants:
//
//   - A component without package URL, version or name is a component.
//   - A file that can be read in two ways (a member twice, two products) is
//     refused, as is one with anything behind its end.
//   - Nothing read is changed: package URLs are as written. Only the names of
//     digest algorithms are unified ("SHA-256" and "SHA256" are "sha256"), digests
//     are in small letters, and SPDX's NOASSERTION and NONE are nothing.
//   - Memory is in proportion to the file, which has at most [MaxSize] bytes, and
//     to its components, at most [MaxComponents].
package sbom

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

// Limits.
const (
	MaxSize       = 64 << 20 // bytes of a file
	MaxComponents = 250_000
	MaxDepth      = 64 // components nested in each other
)

// Errors, each wrapped in an [Error].
var (
	ErrNotSBOM     = errors.New("not an SBOM that can be read here")
	ErrUnsupported = errors.New("an SBOM of a version or encoding that is not read here")
	ErrMalformed   = errors.New("malformed SBOM")
	ErrTooLarge    = errors.New("SBOM exceeds a limit")
)

// Error says why a file was not read.
type Error struct {
	Kind   error // one of the above
	Detail string
	Next   string // the next step
}

func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Detail }
func (e *Error) Unwrap() error { return e.Kind }

// Document is what an SBOM says.
type Document struct {
	Format     string            // such as "CycloneDX 1.6 JSON"
	Digest     [sha256.Size]byte // SHA-256 of the file
	Product    string            // name, or name@version, of what the SBOM is about; "" if it names none or several
	Components []Component       // in the order of the file
}

// Component is one component of an SBOM. Any string may be empty and may hold
// anything.
type Component struct {
	Ref     string // bom-ref or SPDXID
	Group   string
	Name    string
	Version string
	Type    string // such as "library"
	PURL    string
	More    []string // further package URLs; only SPDX gives several
	Digests []Digest
	Parent  int  // index of the component it is nested in, or -1
	Product bool // the document is about it; only SPDX lists such
}

// Digest is one digest of a component.
type Digest struct {
	Algorithm string // "sha256", "sha512", "sha1", "md5", "sha3-256", …
	Hex       string
}

// Parse reads an SBOM. Errors are of type [Error].
func Parse(data []byte) (*Document, error) {
	if len(data) > MaxSize {
		return nil, &Error{ErrTooLarge, fmt.Sprintf("more than %d MiB", MaxSize>>20), "split the SBOM, or leave out files and evidence"}
	}
	d := &Document{Digest: sha256.Sum256(data)}
	b := &builder{doc: d}
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	var err error
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		err = b.readJSON(text)
	case bytes.HasPrefix(text, []byte("<")):
		err = b.readXML(text)
	default:
		err = unreadable(data)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

const (
	formats      = "CycloneDX 1.2 to 1.7 (JSON, XML) and SPDX 2.2 and 2.3 (JSON) are read"
	exportAgain  = "export it again in one of the forms read here: " + formats
	nameAnSBOM   = "name an SBOM: " + formats
	mendAndAgain = "make the SBOM again, or mend it there, and validate it against its schema"
)

// unreadable names what begins neither as JSON nor as XML.
func unreadable(data []byte) error {
	head := data[:min(len(data), 4096)]
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return &Error{ErrNotSBOM, "it is empty", nameAnSBOM}
	case bytes.Contains(head, []byte("SPDXVersion:")):
		return &Error{ErrUnsupported, "SPDX tag-value", exportAgain}
	case bytes.Contains(head, []byte("spdxVersion:")):
		return &Error{ErrUnsupported, "SPDX YAML", exportAgain}
	// A CycloneDX protobuf begins with field 1, the version of the
	// specification.
	case bytes.HasPrefix(head, []byte("\x0a\x031.")):
		return &Error{ErrUnsupported, "CycloneDX protobuf", exportAgain}
	}
	return &Error{ErrNotSBOM, "it is no JSON object and no XML", nameAnSBOM}
}

// checkCycloneDX sets the format of the document.
func (b *builder) checkCycloneDX(version, encoding string) error {
	b.doc.Format = "CycloneDX " + version + " " + encoding
	switch version {
	case "1.2", "1.3", "1.4", "1.5", "1.6", "1.7":
		return nil
	}
	return &Error{ErrUnsupported, fmt.Sprintf("CycloneDX %.20q", version), exportAgain}
}

func malformed(format string, args ...any) error {
	return &Error{ErrMalformed, fmt.Sprintf(format, args...), mendAndAgain}
}

// builder collects the components of a document.
type builder struct {
	doc      *Document
	products int
}

// add appends an empty component before anything of it is read, so that those
// nested in it come behind it.
func (b *builder) add(parent int) (int, error) {
	if len(b.doc.Components) == MaxComponents {
		return 0, &Error{ErrTooLarge, fmt.Sprintf("more than %d components", MaxComponents), "split the SBOM"}
	}
	b.doc.Components = append(b.doc.Components, Component{Parent: parent})
	return len(b.doc.Components) - 1, nil
}

// product notes what the document is about.
func (b *builder) product(c *Component) {
	b.products++
	b.doc.Product = ""
	if b.products > 1 {
		return
	}
	if b.doc.Product = c.Name; c.Version != "" {
		b.doc.Product += "@" + c.Version
	}
}

func checkDepth(depth int) error {
	if depth > MaxDepth {
		return &Error{ErrTooLarge, fmt.Sprintf("components nested more than %d deep", MaxDepth), "flatten the SBOM"}
	}
	return nil
}

// addDigest notes a digest under the unified name of its algorithm.
func (c *Component) addDigest(algorithm, hex string) {
	if algorithm == "" || hex == "" {
		return
	}
	name := strings.ToLower(algorithm)
	switch name {
	case "sha-1", "sha-256", "sha-384", "sha-512": // CycloneDX's spelling
		name = "sha" + name[len("sha-"):]
	}
	c.Digests = append(c.Digests, Digest{name, strings.ToLower(hex)})
}
