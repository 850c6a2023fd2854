package sbom

import (
	"fmt"
	"strings"
)

// checkSPDX sets the format of the document. The third number of a version
// stands for corrections of the specification's text.
func (b *builder) checkSPDX(version string) error {
	b.doc.Format = strings.Replace(version, "SPDX-", "SPDX ", 1) + " JSON"
	number, ok := strings.CutPrefix(version, "SPDX-")
	for _, read := range []string{"2.2", "2.3"} {
		if ok && (number == read || strings.HasPrefix(number, read+".")) {
			return nil
		}
	}
	return &Error{ErrUnsupported, fmt.Sprintf("spdxVersion %.20q", version), exportAgain}
}

// readSPDX reads an SPDX document in JSON.
func (b *builder) readSPDX(r *jsonReader) error {
	described := map[string]bool{}
	err := r.object(func(name string) error {
		switch name {
		case "packages":
			return r.array(func() error { return b.readPackage(r) })
		case "documentDescribes":
			return r.array(func() error {
				var id string
				err := r.text(&id)
				described[id] = true
				return err
			})
		case "relationships":
			return r.array(func() error { return readRelationship(r, described) })
		}
		return r.skip()
	})
	for i := range b.doc.Components {
		if c := &b.doc.Components[i]; described[c.Ref] {
			c.Product = true
			b.product(c)
		}
	}
	return err
}

// readRelationship notes what the document describes.
func readRelationship(r *jsonReader, described map[string]bool) error {
	var from, to, kind string
	err := r.object(func(name string) error {
		switch name {
		case "spdxElementId":
			return r.text(&from)
		case "relatedSpdxElement":
			return r.text(&to)
		case "relationshipType":
			return r.text(&kind)
		}
		return r.skip()
	})
	switch kind {
	case "DESCRIBES":
		described[to] = true
	case "DESCRIBED_BY":
		described[from] = true
	}
	return err
}

func (b *builder) readPackage(r *jsonReader) error {
	i, err := b.add(-1)
	if err != nil {
		return err
	}
	c := &b.doc.Components[i]
	return r.object(func(name string) error {
		switch name {
		case "SPDXID":
			return r.text(&c.Ref)
		case "name":
			return asserted(r, &c.Name)
		case "versionInfo":
			return asserted(r, &c.Version)
		case "primaryPackagePurpose":
			err := asserted(r, &c.Type)
			c.Type = strings.ToLower(c.Type)
			return err
		case "checksums":
			return c.readDigests(r, "algorithm", "checksumValue")
		case "externalRefs":
			return r.array(func() error { return c.readExternalRef(r) })
		}
		return r.skip()
	})
}

// asserted reads a string in which NOASSERTION and NONE say nothing.
func asserted(r *jsonReader, to *string) error {
	err := r.text(to)
	if *to == "NOASSERTION" || *to == "NONE" {
		*to = ""
	}
	return err
}

// readExternalRef reads a reference, which may be a package URL.
func (c *Component) readExternalRef(r *jsonReader) error {
	var kind, locator string
	err := r.object(func(name string) error {
		switch name {
		case "referenceType":
			return r.text(&kind)
		case "referenceLocator":
			return r.text(&locator)
		}
		return r.skip()
	})
	switch {
	case kind != "purl" || locator == "":
	case c.PURL == "":
		c.PURL = locator
	default:
		c.More = append(c.More, locator)
	}
	return err
}
