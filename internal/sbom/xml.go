package sbom

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

const xmlNamespace = "http://cyclonedx.org/schema/bom/"

// xmlReader reads XML token by token. Elements of other namespaces than that of
// the document are extensions, and passed over.
type xmlReader struct {
	dec   *xml.Decoder
	space string
}

// readXML reads a CycloneDX document in XML.
func (b *builder) readXML(data []byte) error {
	r := &xmlReader{dec: xml.NewDecoder(bytes.NewReader(data))}
	root, err := r.root()
	if err != nil {
		return err
	}
	version, ok := strings.CutPrefix(root.Name.Space, xmlNamespace)
	switch {
	case root.Name.Local == "RDF":
		return &Error{ErrUnsupported, "RDF, in which SPDX may be written", exportAgain}
	case root.Name.Local != "bom" || !ok:
		return &Error{ErrNotSBOM, "XML whose root is no CycloneDX bom", nameAnSBOM}
	}
	r.space = root.Name.Space
	if err := b.checkCycloneDX(version, "XML"); err != nil {
		return err
	}
	err = r.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "metadata":
			return r.children(func(e xml.StartElement) error {
				if e.Name.Local == "component" {
					return b.readProductXML(r)
				}
				return r.skip()
			})
		case "components":
			return b.readComponentsXML(r, -1, 1)
		}
		return r.skip()
	})
	if err != nil {
		return err
	}
	return r.end()
}

func (b *builder) readProductXML(r *xmlReader) error {
	var c Component
	if err := r.children(func(e xml.StartElement) error {
		if e.Name.Local == "components" {
			return b.readComponentsXML(r, -1, 1)
		}
		return c.readElement(r, e)
	}); err != nil {
		return err
	}
	b.product(&c)
	return nil
}

func (b *builder) readComponentsXML(r *xmlReader, parent, depth int) error {
	if err := checkDepth(depth); err != nil {
		return err
	}
	return r.list("component", func(e xml.StartElement) error {
		i, err := b.add(parent)
		if err != nil {
			return err
		}
		b.doc.Components[i].Ref, b.doc.Components[i].Type = attribute(e, "bom-ref"), attribute(e, "type")
		return r.children(func(e xml.StartElement) error {
			if e.Name.Local == "components" {
				return b.readComponentsXML(r, i, depth+1)
			}
			return b.doc.Components[i].readElement(r, e)
		})
	})
}

// readElement reads one element of a component.
func (c *Component) readElement(r *xmlReader, e xml.StartElement) error {
	switch e.Name.Local {
	case "group":
		return r.text(&c.Group)
	case "name":
		return r.text(&c.Name)
	case "version":
		return r.text(&c.Version)
	case "purl":
		return r.text(&c.PURL)
	case "hashes":
		return r.list("hash", func(e xml.StartElement) error {
			var hex string
			err := r.text(&hex)
			c.addDigest(attribute(e, "alg"), hex)
			return err
		})
	}
	return r.skip()
}

// root reads up to the first element.
func (r *xmlReader) root() (xml.StartElement, error) {
	for {
		token, err := r.dec.Token()
		if err != nil {
			return xml.StartElement{}, r.syntax(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			return token, nil
		case xml.Directive:
			return xml.StartElement{}, malformed("a document type declaration, which no CycloneDX needs")
		}
	}
}

// children reads up to the end of the element at hand: child is called for each
// element in it and must read it to its end. None that is read here may occur
// twice.
func (r *xmlReader) children(child func(xml.StartElement) error) error {
	seen := map[string]bool{}
	return r.each(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "metadata", "component", "components", "group", "name", "version", "purl", "hashes":
		default:
			return child(e)
		}
		if seen[e.Name.Local] {
			return malformed("two elements %.40q in one, at byte %d", e.Name.Local, r.dec.InputOffset())
		}
		seen[e.Name.Local] = true
		return child(e)
	})
}

// list reads up to the end of the element at hand, in which only elements of one
// name count.
func (r *xmlReader) list(name string, item func(xml.StartElement) error) error {
	return r.each(func(e xml.StartElement) error {
		if e.Name.Local != name {
			return r.skip()
		}
		return item(e)
	})
}

func (r *xmlReader) each(element func(xml.StartElement) error) error {
	for {
		token, err := r.dec.Token()
		if err != nil {
			return r.syntax(err)
		}
		switch token := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			read := element
			if token.Name.Space != r.space {
				read = func(xml.StartElement) error { return r.skip() }
			}
			if err := read(token); err != nil {
				return err
			}
		}
	}
}

// text reads the text of the element at hand to its end.
func (r *xmlReader) text(to *string) error {
	var b strings.Builder
	for {
		token, err := r.dec.Token()
		if err != nil {
			return r.syntax(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			b.Write(token)
		case xml.StartElement:
			return malformed("an element in a text, at byte %d", r.dec.InputOffset())
		case xml.EndElement:
			*to = strings.TrimSpace(b.String())
			return nil
		}
	}
}

func (r *xmlReader) skip() error { return r.syntax(r.dec.Skip()) }

// end reads what is behind the root.
func (r *xmlReader) end() error {
	for {
		token, err := r.dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return r.syntax(err)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		switch token.(type) {
		case xml.Comment, xml.ProcInst:
		default:
			return malformed("there is something behind its end")
		}
	}
}

func (r *xmlReader) syntax(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return malformed("XML ends early")
	}
	return malformed("%v", err)
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
