package sbom

// readCycloneDX reads a CycloneDX document in JSON.
func (b *builder) readCycloneDX(r *jsonReader) error {
	return r.object(func(name string) error {
		switch name {
		case "metadata":
			return r.object(func(name string) error {
				if name == "component" {
					return b.readProduct(r)
				}
				return r.skip()
			})
		case "components":
			return b.readComponents(r, -1, 1)
		}
		return r.skip()
	})
}

// readProduct reads metadata.component: those nested in it are components, it
// is none.
func (b *builder) readProduct(r *jsonReader) error {
	var c Component
	if err := r.object(func(name string) error {
		if name == "components" {
			return b.readComponents(r, -1, 1)
		}
		return c.readMember(r, name)
	}); err != nil {
		return err
	}
	b.product(&c)
	return nil
}

func (b *builder) readComponents(r *jsonReader, parent, depth int) error {
	if err := checkDepth(depth); err != nil {
		return err
	}
	return r.array(func() error {
		i, err := b.add(parent)
		if err != nil {
			return err
		}
		return r.object(func(name string) error {
			if name == "components" {
				return b.readComponents(r, i, depth+1)
			}
			return b.doc.Components[i].readMember(r, name)
		})
	})
}

// readMember reads one member of a component.
func (c *Component) readMember(r *jsonReader, name string) error {
	switch name {
	case "bom-ref":
		return r.text(&c.Ref)
	case "group":
		return r.text(&c.Group)
	case "name":
		return r.text(&c.Name)
	case "version":
		return r.text(&c.Version)
	case "type":
		return r.text(&c.Type)
	case "purl":
		return r.text(&c.PURL)
	case "hashes":
		return c.readDigests(r, "alg", "content")
	}
	return r.skip()
}

// readDigests reads an array of digests, whose members have these names.
func (c *Component) readDigests(r *jsonReader, algorithmName, hexName string) error {
	return r.array(func() error {
		var algorithm, hex string
		err := r.object(func(name string) error {
			switch name {
			case algorithmName:
				return r.text(&algorithm)
			case hexName:
				return r.text(&hex)
			}
			return r.skip()
		})
		c.addDigest(algorithm, hex)
		return err
	})
}
