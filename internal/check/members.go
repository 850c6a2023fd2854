package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object whose members keep their order and their bytes.
type object []member

type member struct {
	name  string
	value jsontext.Value
}

func readObject(value []byte) (object, error) {
	d := jsontext.NewDecoder(bytes.NewReader(value))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, fmt.Errorf("reading an object of an SBOM: it is none: %w", err)
	}
	var o object
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		v, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		o = append(o, member{name, v.Clone()})
	}
	return o, nil
}

// readArray reads an array; null is none, and has no items.
func readArray(value []byte) (items []jsontext.Value, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(value))
	token, err := d.ReadToken()
	if err != nil || token.Kind() != '[' {
		return nil, err
	}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		items = append(items, v.Clone())
	}
	return items, nil
}

func joined(items []jsontext.Value) jsontext.Value {
	b := []byte{'['}
	for i, v := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// get returns the value of a member, or nil.
func (o object) get(name string) jsontext.Value {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// set replaces a member, or adds one. Only what can be marshalled comes here.
func (o *object) set(name string, v any) {
	value, ok := v.(jsontext.Value)
	if !ok {
		value, _ = json.Marshal(v)
	}
	for i, m := range *o {
		if m.name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

func (o *object) drop(name string) {
	*o = slices.DeleteFunc(*o, func(m member) bool { return m.name == name })
}

// extend appends to an array, which it adds if there is none.
func extend[T any](o *object, name string, more []T) error {
	if len(more) == 0 {
		return nil
	}
	items, err := readArray(o.getOr(name, "[]"))
	if err != nil {
		return err
	}
	for _, m := range more {
		v, err := json.Marshal(m)
		if err != nil {
			return err
		}
		items = append(items, v)
	}
	o.set(name, joined(items))
	return nil
}

func (o object) getOr(name, otherwise string) []byte {
	if v := o.get(name); v != nil {
		return v
	}
	return []byte(otherwise)
}

func (o object) bytes() jsontext.Value {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, m.name) // the name was read from JSON
		b = append(append(b, ':'), m.value...)
	}
	return append(b, '}')
}
