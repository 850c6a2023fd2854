// Package jsontree changes JSON files in any way that JSON allows, for tests that
// swap one thing after the other in a file that must not bear it.
package jsontree

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Tree is a JSON value that can be changed and written again, in any way that
// JSON allows: with its members in order, and twice if need be.
type Tree struct {
	Kind  jsontext.Kind
	Text  string   // of a string, decoded; of any other scalar, as it is
	Names []string // of an object's members
	Items []*Tree  // of an object or array
}

// Parse reads a file.
func Parse(file []byte) (*Tree, error) {
	return read(jsontext.NewDecoder(bytes.NewReader(file)))
}

func read(d *jsontext.Decoder) (*Tree, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	v := &Tree{Kind: tok.Kind(), Text: tok.String()}
	for (v.Kind == '{' || v.Kind == '[') && d.PeekKind() != '}' && d.PeekKind() != ']' {
		if v.Kind == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			v.Names = append(v.Names, name.String())
		}
		item, err := read(d)
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
	}
	if v.Kind == '{' || v.Kind == '[' {
		_, err = d.ReadToken()
	}
	return v, err
}

// Bytes writes the value.
func (v *Tree) Bytes() []byte { return v.append(nil) }

func (v *Tree) append(b []byte) []byte {
	switch v.Kind {
	case '"':
		b, _ = jsontext.AppendQuote(b, v.Text)
		return b
	case '{', '[':
		b = append(b, byte(v.Kind))
		for i, item := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			if v.Kind == '{' {
				b, _ = jsontext.AppendQuote(b, v.Names[i])
				b = append(b, ':')
			}
			b = item.append(b)
		}
		return append(b, byte(v.Kind)+2) // '}' and ']' are two behind
	}
	return append(b, v.Text...)
}

// String is the value of a string.
func String(s string) *Tree { return &Tree{Kind: '"', Text: s} }

// Clone copies the value itself; what it contains is shared.
func (v *Tree) Clone() *Tree {
	return &Tree{v.Kind, v.Text, slices.Clone(v.Names), slices.Clone(v.Items)}
}

// Walk calls visit for the value at each path, with a function that gives the
// whole file with the value replaced by another; nil removes it.
func (v *Tree) Walk(visit func(path string, at *Tree, with func(*Tree) []byte)) {
	v.walkAt("", visit, func(n *Tree) []byte { return n.Bytes() })
}

func (v *Tree) walkAt(path string, visit func(string, *Tree, func(*Tree) []byte), with func(*Tree) []byte) {
	visit(path, v, with)
	for i, item := range v.Items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v.Kind == '{' {
			at = path + "." + v.Names[i]
		}
		item.walkAt(at, visit, func(n *Tree) []byte {
			c := v.Clone()
			if n != nil {
				c.Items[i] = n
				return with(c)
			}
			c.Items = slices.Delete(c.Items, i, i+1)
			if c.Kind == '{' {
				c.Names = slices.Delete(c.Names, i, i+1)
			}
			return with(c)
		})
	}
}

// Paths returns all values by path.
func (v *Tree) Paths() map[string]*Tree {
	all := map[string]*Tree{}
	v.Walk(func(path string, at *Tree, _ func(*Tree) []byte) { all[path] = at })
	return all
}
