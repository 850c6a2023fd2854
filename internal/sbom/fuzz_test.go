package sbom_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/standing-log/standing/internal/sbom"
)

// FuzzParse: what was read can be written as a CycloneDX of the plainest kind,
// and read again, and is the same.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := sbom.Parse(data)
		if err != nil {
			return
		}
		checkNesting(t, d.Components)
		again, err := sbom.Parse(plain(t, d.Components))
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Components {
			d.Components[i].More, d.Components[i].Product = nil, false // SPDX alone says these
		}
		if len(again.Components) != len(d.Components) || len(d.Components) > 0 && !reflect.DeepEqual(again.Components, d.Components) {
			t.Fatalf("%+v\nbecame\n%+v", d.Components, again.Components)
		}
	})
}

// checkNesting: each component comes right behind its parent or behind those
// nested in a sibling.
func checkNesting(t *testing.T, cs []sbom.Component) {
	for i, c := range cs {
		at := i - 1
		for at >= 0 && at != c.Parent {
			at = cs[at].Parent
		}
		if at != c.Parent {
			t.Fatalf("component %d is not among those nested in %d", i, c.Parent)
		}
	}
}

type plainComponent struct {
	Ref        string            `json:"bom-ref,omitempty"`
	Group      string            `json:"group,omitempty"`
	Name       string            `json:"name,omitempty"`
	Version    string            `json:"version,omitempty"`
	Type       string            `json:"type,omitempty"`
	PURL       string            `json:"purl,omitempty"`
	Hashes     []plainHash       `json:"hashes,omitempty"`
	Components []*plainComponent `json:"components,omitempty"`
}

type plainHash struct {
	Algorithm string `json:"alg"`
	Hex       string `json:"content"`
}

// plain writes components as CycloneDX.
func plain(t *testing.T, cs []sbom.Component) []byte {
	root := &plainComponent{}
	all := make([]*plainComponent, len(cs))
	for i, c := range cs {
		p := &plainComponent{Ref: c.Ref, Group: c.Group, Name: c.Name, Version: c.Version, Type: c.Type, PURL: c.PURL}
		for _, d := range c.Digests {
			p.Hashes = append(p.Hashes, plainHash{d.Algorithm, d.Hex})
		}
		parent := root
		if c.Parent >= 0 {
			parent = all[c.Parent]
		}
		parent.Components, all[i] = append(parent.Components, p), p
	}
	out, err := json.Marshal(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.7", "components": root.Components})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
