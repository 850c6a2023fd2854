package sbom_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/sbom"
)

// read parses a file of testdata.
func read(t *testing.T, name string) *sbom.Document {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d, err := sbom.Parse(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if d.Digest != sha256.Sum256(data) {
		t.Errorf("%s: digest %x", name, d.Digest)
	}
	return d
}

func TestParse(t *testing.T) {
	type digests = []sbom.Digest
	for _, test := range []struct {
		file, format, product string
		want                  []sbom.Component
	}{
		{"cyclonedx-1.2.json", "CycloneDX 1.2 JSON", "gateway@3.1", []sbom.Component{
			{Ref: "a", Group: "org.apache.commons", Name: "commons-text", Version: "1.2", Type: "library",
				PURL: "pkg:maven/org.apache.commons/commons-text@1.2?type=jar", Parent: -1, Digests: digests{
					{"sha256", "ec88c36cf05c9e64ae6bb1d8bf9fd9a5b9b7e0b3e8f7a1d2c3b4a59687786950"},
					{"md5", "26c2b6f7bc704ccadc64c83995e0ff7f"}}},
			{Name: "without-anything", Type: "library", Parent: -1}}},
		{"cyclonedx-1.5.json", "CycloneDX 1.5 JSON", "product", []sbom.Component{
			{Ref: "outer", Name: "outer", Version: "1", Type: "framework", Parent: -1},
			{Name: "inner", Version: "2", Type: "library", PURL: "pkg:npm/inner@2", Parent: 0},
			{Name: "innermost", Type: "file", Parent: 1},
			{Name: "second", Type: "library", Parent: 0},
			{Ref: "outer-again", Name: "outer", Version: "1", Type: "framework", Parent: -1},
			{Name: "part", Type: "library", Parent: -1}}},
		{"cyclonedx-1.7.json", "CycloneDX 1.7 JSON", "", []sbom.Component{
			{Name: "jason", Version: "1.1.2", Type: "library", PURL: "pkg:hex/jason@1.1.2", Parent: -1},
			{Name: "ranged", Type: "library", Parent: -1}}},
		{"cyclonedx-1.3.xml", "CycloneDX 1.3 XML", "product@7", []sbom.Component{
			{Name: "part", Type: "library", Parent: -1},
			{Ref: "a", Group: "org.eclipse.jetty", Name: "jetty-server", Version: "9.4.18.v20190429", Type: "library",
				PURL: "pkg:maven/org.eclipse.jetty/jetty-server@9.4.18.v20190429?type=jar&classifier=x", Parent: -1,
				Digests: digests{{"sha512", "ab12"}, {"sha3-256", "cd34"}}},
			{Name: "inner", Type: "library", PURL: "pkg:npm/inner@2", Parent: 1},
			{Name: "last", Type: "library", Parent: -1}}},
		{"spdx-2.2.json", "SPDX 2.2 JSON", "product@4.2", []sbom.Component{
			{Ref: "SPDXRef-Package-product", Name: "product", Version: "4.2", Parent: -1, Product: true},
			{Ref: "SPDXRef-Package-hyper", Name: "hyper", Version: "0.14.1", PURL: "pkg:cargo/hyper@0.14.1",
				More: []string{"pkg:github/hyperium/hyper@v0.14.1"}, Digests: digests{{"sha256", "02c929"}, {"sha1", "aa"}}, Parent: -1},
			{Ref: "SPDXRef-Package-unknown", Name: "unknown", Parent: -1}}},
		{"spdx-2.3.json", "SPDX 2.3 JSON", "", []sbom.Component{
			{Ref: "SPDXRef-a", Name: "a", Type: "application", Parent: -1, Product: true},
			{Ref: "SPDXRef-b", Name: "b", Version: "1", Parent: -1, Product: true},
			{Ref: "SPDXRef-c", Name: "c", PURL: "pkg:deb/debian/c@1%3A2-3?arch=s390x", Parent: -1}}},
	} {
		d := read(t, test.file)
		if d.Format != test.format || d.Product != test.product {
			t.Errorf("%s: %q about %q", test.file, d.Format, d.Product)
		}
		if !reflect.DeepEqual(d.Components, test.want) {
			t.Errorf("%s:\n%+v\nnot\n%+v", test.file, d.Components, test.want)
		}
	}
}

// TestVersions: the structure that is read here is the same in all versions.
func TestVersions(t *testing.T) {
	for minor := range 10 {
		version := fmt.Sprintf("1.%d", minor)
		for _, text := range []string{
			`{"bomFormat":"CycloneDX","specVersion":"` + version + `","components":[{"name":"a"}]}`,
			"\ufeff" + `<bom xmlns="http://cyclonedx.org/schema/bom/` + version + `"><components><component><name>a</name></component></components></bom>` + "\n",
		} {
			d, err := sbom.Parse([]byte(text))
			if ok := 2 <= minor && minor <= 7; !ok {
				if !errors.Is(err, sbom.ErrUnsupported) {
					t.Errorf("%s: %v", text, err)
				}
			} else if err != nil || len(d.Components) != 1 || d.Components[0].Name != "a" {
				t.Errorf("%s: %v, %v", text, d, err)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	cyclone := func(members string) string { return `{"bomFormat":"CycloneDX","specVersion":"1.6",` + members + `}` }
	spdx := func(members string) string { return `{"spdxVersion":"SPDX-2.3",` + members + `}` }
	xml := func(inner string) string {
		return `<bom xmlns="http://cyclonedx.org/schema/bom/1.6">` + inner + `</bom>`
	}
	nest := func(open, name, end string) string {
		return strings.Repeat(open, sbom.MaxDepth+1) + name + strings.Repeat(end, sbom.MaxDepth+1)
	}
	for _, test := range []struct {
		name, text string
		kind       error
		says       string
	}{
		{"empty", " \n", sbom.ErrNotSBOM, "empty"},
		{"text", "hello", sbom.ErrNotSBOM, "no JSON object"},
		{"array", "[]", sbom.ErrNotSBOM, "no JSON object"},
		{"other JSON", `{"name":"left-pad","version":"1.0.0"}`, sbom.ErrNotSBOM, "bomFormat"},
		{"other bomFormat", `{"bomFormat":"SpinalTap","specVersion":"1.6"}`, sbom.ErrNotSBOM, "bomFormat"},
		{"other XML", `<html></html>`, sbom.ErrNotSBOM, "root"},
		{"other bom", `<bom xmlns="https://other.example/1.6"></bom>`, sbom.ErrNotSBOM, "root"},
		{"wrapped", `{"sbom":` + spdx(`"packages":[]`) + `}`, sbom.ErrNotSBOM, `"sbom"`},
		{"both", cyclone(`"spdxVersion":"SPDX-2.3"`), sbom.ErrMalformed, "CycloneDX and SPDX"},
		{"SPDX tag-value", "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\n", sbom.ErrUnsupported, "tag-value"},
		{"SPDX YAML", "SPDXID: SPDXRef-DOCUMENT\nspdxVersion: SPDX-2.3\n", sbom.ErrUnsupported, "YAML"},
		{"SPDX RDF", `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>`, sbom.ErrUnsupported, "RDF"},
		{"SPDX 3", `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}`, sbom.ErrUnsupported, "SPDX 3"},
		{"SPDX 2.1", `{"spdxVersion":"SPDX-2.1","packages":[]}`, sbom.ErrUnsupported, "SPDX-2.1"},
		{"SPDX 2.30", `{"spdxVersion":"SPDX-2.30","packages":[]}`, sbom.ErrUnsupported, "SPDX-2.30"},
		{"protobuf", "\x0a\x031.6\x12\x2durn:uuid:", sbom.ErrUnsupported, "protobuf"},
		{"no version", `{"bomFormat":"CycloneDX","components":[]}`, sbom.ErrUnsupported, `""`},
		{"cut short", cyclone(`"components":[`)[:60], sbom.ErrMalformed, "JSON"},
		{"more behind", cyclone(`"components":[]`) + "{}", sbom.ErrMalformed, "behind"},
		{"components twice", cyclone(`"components":[{"name":"a"}],"components":[]`), sbom.ErrMalformed, "duplicate"},
		{"purl twice", cyclone(`"components":[{"purl":"pkg:npm/a@1","purl":"pkg:npm/b@1"}]`), sbom.ErrMalformed, "duplicate"},
		{"null component", cyclone(`"components":[{"name":"a"},null]`), sbom.ErrMalformed, "/components/1 is not to be null"},
		{"component in object", cyclone(`"components":{"name":"a"}`), sbom.ErrMalformed, "/components"},
		{"number for version", cyclone(`"components":[{"version":1}]`), sbom.ErrMalformed, "/components/0/version is not to be number"},
		{"no UTF-8", cyclone("\"components\":[{\"name\":\"\xff\"}]"), sbom.ErrMalformed, "UTF-8"},
		{"null package", spdx(`"packages":[null]`), sbom.ErrMalformed, "/packages/0"},
		{"nested deeply", cyclone(nest(`"components":[{`, `"name":"a"`, `}]`)), sbom.ErrTooLarge, "nested"},
		{"XML nested deeply", xml(nest(`<components><component>`, ``, `</component></components>`)), sbom.ErrTooLarge, "nested"},
		{"too many", cyclone(`"components":[` + strings.Repeat(`{},`, sbom.MaxComponents) + `{}]`), sbom.ErrTooLarge, "250000 components"},
		{"too large", strings.Repeat(" ", sbom.MaxSize+1), sbom.ErrTooLarge, "64 MiB"},
		{"XML cut short", xml("<components>")[:60], sbom.ErrMalformed, "XML"},
		{"XML and more", xml("") + xml(""), sbom.ErrMalformed, "behind"},
		{"XML and text", xml("") + "x", sbom.ErrMalformed, "behind"},
		{"XML two lists", xml("<components></components><components></components>"), sbom.ErrMalformed, `two elements "components"`},
		{"XML two purls", xml("<components><component><purl>pkg:npm/a@1</purl><purl>pkg:npm/b@1</purl></component></components>"), sbom.ErrMalformed, `"purl"`},
		{"XML element in text", xml("<components><component><purl>pkg:npm/<b/>a@1</purl></component></components>"), sbom.ErrMalformed, "in a text"},
		{"XML entities", `<!DOCTYPE bom [<!ENTITY a "aaaa">]>` + xml("<components><component><name>&a;</name></component></components>"), sbom.ErrMalformed, "declaration"},
		{"XML in Latin 1", `<?xml version="1.0" encoding="ISO-8859-1"?>` + xml(""), sbom.ErrMalformed, "encoding"},
	} {
		d, err := sbom.Parse([]byte(test.text))
		e, ok := errors.AsType[*sbom.Error](err)
		if !ok || d != nil || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) || e.Next == "" {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
