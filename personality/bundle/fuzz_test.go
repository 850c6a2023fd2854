package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/standing-log/standing/personality/entry"
)

// seeds are files that parse.
func seeds() [][]byte {
	short := bytes.Replace([]byte(minimal), []byte(`"path":"`+hash+`","record":{"v":1},`), nil, 1)
	spaced := bytes.ReplaceAll([]byte(minimal), []byte(`,`), []byte(" ,\n"))
	alone := bytes.Replace([]byte(minimal), []byte(opened), nil, 1)
	return [][]byte{[]byte(minimal), short, spaced, alone}
}

// checkRoundTrip says what is wrong with how parse treats data: a file that is
// accepted must say the same when it is written again, member for member, and
// be accepted again.
func checkRoundTrip(parse func([]byte) (*Bundle, error), data []byte) error {
	b, err := parse(data)
	if err != nil {
		return nil
	}
	out, err := b.Marshal()
	if err != nil {
		return fmt.Errorf("writing what was accepted: %w", err)
	}
	again, err := parse(out)
	if err != nil {
		return fmt.Errorf("reading what was written: %w", err)
	}
	if !reflect.DeepEqual(b, again) {
		return fmt.Errorf("%+v became %+v", b, again)
	}
	before, after := plain(data), plain(out)
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("%s became %s (%v, %v)", data, out, before, after)
	}
	return nil
}

// plain reads a file with the standard library, makes its entries canonical,
// and drops empty lists that may be absent.
func plain(data []byte) any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	root, _ := v.(map[string]any)
	for _, name := range []string{"programmes", "causes", "subjects", "opened"} {
		if list, ok := root[name].([]any); ok && len(list) == 0 {
			delete(root, name)
		}
	}
	canonical(v)
	return v
}

func canonical(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			canonical(item)
		}
	case map[string]any:
		for name, item := range v {
			if name == "entry" {
				raw, _ := json.Marshal(item)
				leaf, _ := entry.Canonicalize(raw)
				v[name] = string(leaf)
				continue
			}
			canonical(item)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := checkRoundTrip(Parse, data); err != nil {
			t.Error(err)
		}
	})
}

// TestPlanted checks that what the fuzz target asks for would find faults: each
// parser here has one.
func TestPlanted(t *testing.T) {
	planted := map[string]func([]byte) (*Bundle, error){
		"reads over unknown members": func(data []byte) (*Bundle, error) {
			var b Bundle
			return &b, jsonv2.Unmarshal(data, &b)
		},
		"loses a bit of an index": func(data []byte) (*Bundle, error) {
			b, err := Parse(data)
			if err == nil && len(b.Causes) > 0 {
				b.Causes[0].Index &^= 2
			}
			return b, err
		},
		"takes a list that is not shown for an empty one": func(data []byte) (*Bundle, error) {
			b, err := Parse(data)
			for i := 0; err == nil && i < len(b.Subjects); i++ {
				if len(b.Subjects[i].Events) == 1 {
					b.Subjects[i].Events = nil
				}
			}
			return b, err
		},
		"loses the last hash of long paths": func(data []byte) (*Bundle, error) {
			b, err := Parse(data)
			if err == nil && len(b.Seal.Path) > 1 {
				b.Seal.Path = b.Seal.Path[:1]
			}
			return b, err
		},
	}
	for name, parse := range planted {
		if found(parse) == nil {
			t.Errorf("a parser that %s is not found out", name)
		}
	}
	if err := found(Parse); err != nil {
		t.Errorf("Parse itself is found out: %v", err)
	}
}

// found returns what the check says of the first of a few thousand changed
// seeds that fails it.
func found(parse func([]byte) (*Bundle, error)) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, seed := range seeds() {
		for range 3000 {
			if err := checkRoundTrip(parse, mutate(rng, seed)); err != nil {
				return err
			}
		}
	}
	return nil
}

// mutate makes one or two changes, half of them with pieces of JSON.
func mutate(rng *rand.Rand, seed []byte) []byte {
	pieces := []string{`"x":1,`, `"path":"",`, "0", "9", " ", "null", "[]", "{}", `""`, ",", hash[:32], hash[:43] + "A", `AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g`}
	out := bytes.Clone(seed)
	for range 1 + rng.IntN(2) {
		at := rng.IntN(len(out))
		switch rng.IntN(4) {
		case 0:
			out[at] ^= 1 << rng.IntN(7)
		case 1:
			out = append(out[:at:at], out[min(len(out), at+1+rng.IntN(20)):]...)
		default:
			// Where a value or member may begin or end.
			for at < len(out)-1 && !bytes.ContainsRune([]byte("{}[],:\"0123456789"), rune(out[at])) {
				at++
			}
			piece := pieces[rng.IntN(len(pieces))]
			if rng.IntN(3) == 0 { // two paths one after the other
				out = bytes.Replace(out, []byte(hash), []byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw=="), 1)
				continue
			}
			out = append(out[:at+1:at+1], append([]byte(piece), out[at+1:]...)...)
		}
	}
	return out
}
