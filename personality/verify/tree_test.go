package verify_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// tree is a JSON value that can be changed and written again, in any way that
// JSON allows: with its members in order, and twice if need be.
type tree struct {
	kind  jsontext.Kind
	text  string   // of a string, decoded; of any other scalar, as it is
	names []string // of an object's members
	items []*tree  // of an object or array
}

func parseTree(t testing.TB, file []byte) *tree {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(file))
	root, err := readTree(d)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func readTree(d *jsontext.Decoder) (*tree, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	v := &tree{kind: tok.Kind(), text: tok.String()}
	for (v.kind == '{' || v.kind == '[') && d.PeekKind() != '}' && d.PeekKind() != ']' {
		if v.kind == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			v.names = append(v.names, name.String())
		}
		item, err := readTree(d)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
	}
	if v.kind == '{' || v.kind == '[' {
		_, err = d.ReadToken()
	}
	return v, err
}

// bytes writes the value.
func (v *tree) bytes() []byte { return v.append(nil) }

func (v *tree) append(b []byte) []byte {
	switch v.kind {
	case '"':
		b, _ = jsontext.AppendQuote(b, v.text)
		return b
	case '{', '[':
		b = append(b, byte(v.kind))
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			if v.kind == '{' {
				b, _ = jsontext.AppendQuote(b, v.names[i])
				b = append(b, ':')
			}
			b = item.append(b)
		}
		return append(b, byte(v.kind)+2) // '}' and ']' are two behind
	}
	return append(b, v.text...)
}

func str(s string) *tree { return &tree{kind: '"', text: s} }

// clone copies the value itself; what it contains is shared.
func (v *tree) clone() *tree {
	return &tree{v.kind, v.text, slices.Clone(v.names), slices.Clone(v.items)}
}

// walk calls visit for the value at each path, with a function that gives the
// whole file with the value replaced by another; nil removes it.
func (v *tree) walk(visit func(path string, at *tree, with func(*tree) []byte)) {
	v.walkAt("", visit, func(n *tree) []byte { return n.bytes() })
}

func (v *tree) walkAt(path string, visit func(string, *tree, func(*tree) []byte), with func(*tree) []byte) {
	visit(path, v, with)
	for i, item := range v.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v.kind == '{' {
			at = path + "." + v.names[i]
		}
		item.walkAt(at, visit, func(n *tree) []byte {
			c := v.clone()
			if n != nil {
				c.items[i] = n
				return with(c)
			}
			c.items = slices.Delete(c.items, i, i+1)
			if c.kind == '{' {
				c.names = slices.Delete(c.names, i, i+1)
			}
			return with(c)
		})
	}
}

// at returns all values by path.
func (v *tree) paths() map[string]*tree {
	all := map[string]*tree{}
	v.walk(func(path string, at *tree, _ func(*tree) []byte) { all[path] = at })
	return all
}
