package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/internal/sbom"
)

// ErrAnnotated is returned for an SBOM that was written by CycloneDX.
var ErrAnnotated = errors.New("attestations were added to this SBOM before")

// CycloneDX writes the SBOM with what was found: external references and
// properties of its components, and claims, each of which names the party that
// makes it. Whoever ships the SBOM declares nothing: there is no affirmation and
// no signatory.
//
// CycloneDX in JSON is kept as it is otherwise, in its order, but for what a
// change undoes: the version counts up, the signature of the whole goes, and
// what was written for a specification before 1.6 becomes 1.6. Components that
// are signed, and declarations of the SBOM's own, stay as they are. Of other
// formats, the components are taken over.
func (r *Result) CycloneDX(w io.Writer, doc *sbom.Document, file []byte) error {
	if !strings.HasPrefix(doc.Format, "CycloneDX ") || !strings.HasSuffix(doc.Format, " JSON") {
		var err error
		if file, err = takeOver(doc); err != nil {
			return err
		}
	}
	n := &annotator{r: r, prefix: "standing:" + r.SBOM.SHA256[:16] + ":", assessors: map[string]string{}}
	out, err := n.document(file)
	if err != nil {
		return err
	}
	value := jsontext.Value(out)
	if err := value.Indent(jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err = w.Write(append(value, '\n'))
	return err
}

// annotator adds what was found to an SBOM.
type annotator struct {
	r      *Result
	prefix string // of references that are ours
	next   int    // index of the next component
	declarations
	assessors map[string]string // references of parties
}

type declarations struct {
	Assessors    []assessor `json:"assessors"`
	Attestations []attested `json:"attestations"`
	Claims       []claim    `json:"claims"`
}

type assessor struct {
	Ref          string       `json:"bom-ref"`
	ThirdParty   bool         `json:"thirdParty"`
	Organization organization `json:"organization"`
}

type organization struct {
	Name string `json:"name"`
}

type attested struct {
	Summary  string     `json:"summary"`
	Assessor string     `json:"assessor"`
	Map      []claimMap `json:"map"`
}

type claimMap struct {
	Claims        []string `json:"claims,omitempty"`
	CounterClaims []string `json:"counterClaims,omitempty"`
}

type claim struct {
	Ref       string      `json:"bom-ref"`
	Target    string      `json:"target"`
	Predicate string      `json:"predicate"`
	Reasoning string      `json:"reasoning"`
	External  []reference `json:"externalReferences"`
}

type reference struct {
	Type    string `json:"type"`
	URL     string `json:"url"`
	Comment string `json:"comment"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// document adds to the whole.
func (n *annotator) document(file []byte) ([]byte, error) {
	o, err := readObject(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")))
	if err != nil {
		return nil, err
	}
	old := !slices.Contains([]string{`"1.6"`, `"1.7"`}, string(o.get("specVersion")))
	if old {
		o.set("specVersion", "1.6")
		if o.get("$schema") != nil {
			o.set("$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json")
		}
	}
	if v, err := strconv.ParseUint(string(o.get("version")), 10, 32); err == nil {
		o.set("version", v+1)
	}
	o.drop("signature")
	if o.get("metadata") == nil {
		o.set("metadata", struct{}{})
	}
	for i, m := range o {
		switch m.name {
		case "metadata":
			o[i].value, err = n.metadata(m.value)
		case "components":
			o[i].value, err = n.components(m.value, false)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(n.Claims) > 0 && o.get("declarations") == nil {
		o.set("declarations", n.declarations)
	}
	return o.bytes(), nil
}

func (n *annotator) metadata(value jsontext.Value) (jsontext.Value, error) {
	o, err := readObject(value)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(o.get("properties"), []byte(`"standing:judgedAsOf"`)) {
		return nil, ErrAnnotated
	}
	if product, err := readObject(o.get("component")); err == nil && product.get("components") != nil {
		for i, m := range product {
			if m.name == "components" {
				if product[i].value, err = n.components(m.value, product.get("signature") != nil); err != nil {
					return nil, err
				}
			}
		}
		o.set("component", product.bytes())
	}
	properties := []property{{"standing:judgedAsOf", clock(n.r.Now)}, {"standing:sbom", "sha256:" + n.r.SBOM.SHA256}, {"standing:note", Footer}}
	for _, l := range n.r.Logs {
		properties = append(properties, property{"standing:log", l.text()})
	}
	err = extend(&o, "properties", properties)
	return o.bytes(), err
}

// components adds to an array of components; frozen ones are only counted.
func (n *annotator) components(value jsontext.Value, frozen bool) (jsontext.Value, error) {
	items, err := readArray(value)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i], err = n.component(items[i], frozen); err != nil {
			return nil, err
		}
	}
	if items == nil {
		return value, nil
	}
	return joined(items), nil
}

func (n *annotator) component(value jsontext.Value, frozen bool) (jsontext.Value, error) {
	if n.next == len(n.r.Components) {
		return nil, errors.New("adding to an SBOM: it has other components than were checked")
	}
	c := n.r.Components[n.next]
	n.next++
	o, err := readObject(value)
	if err != nil {
		return nil, err
	}
	frozen = frozen || o.get("signature") != nil
	for i, m := range o {
		if m.name == "components" {
			if o[i].value, err = n.components(m.value, frozen); err != nil {
				return nil, err
			}
		}
	}
	if frozen {
		return value, nil
	}
	if c.Ref == "" && len(c.Attestations) > 0 {
		c.Ref = fmt.Sprintf("%scomponent:%d", n.prefix, c.Index)
		o.set("bom-ref", c.Ref)
	}
	var refs []reference
	for _, a := range c.Attestations {
		ref := reference{"attestation", a.ID, a.stood()}
		refs = append(refs, ref)
		n.claim(c, a, ref)
	}
	if err := extend(&o, "externalReferences", refs); err != nil {
		return nil, err
	}
	properties := []property{{"standing:verdict", c.Verdict}}
	if c.Severity != "" {
		properties = append(properties, property{"standing:severity", string(c.Severity)})
	}
	if c.Next != "" && c.Needs() {
		properties = append(properties, property{"standing:next", c.Next})
	}
	err = extend(&o, "properties", properties)
	return o.bytes(), err
}

// claim notes who says what about a component. What is negative is a
// counter-claim.
func (n *annotator) claim(c Component, a Attestation, ref reference) {
	party, ok := n.assessors[a.Party]
	if !ok {
		party = fmt.Sprintf("%sparty:%d", n.prefix, len(n.Assessors))
		n.assessors[a.Party] = party
		n.Assessors = append(n.Assessors, assessor{party, true, organization{clean(a.PartyName)}})
	}
	id := fmt.Sprintf("%sclaim:%d", n.prefix, len(n.Claims))
	predicate := a.what()
	if a.Claims != nil {
		if list := answers(a.Claims); list != "" {
			predicate += "; " + list
		}
	}
	reasoning := a.stood()
	for _, cause := range a.Causes {
		reasoning += "; " + cause.text()
	}
	n.Claims = append(n.Claims, claim{id, c.Ref, clean(predicate), clean(reasoning), []reference{ref}})
	m := claimMap{Claims: []string{id}}
	if a.Polarity == "negative" {
		m = claimMap{CounterClaims: []string{id}}
	}
	n.Attestations = append(n.Attestations, attested{a.stood() + "; " + clean(a.who()), party, []claimMap{m}})
}

// stood says who attested what, and how it stood.
func (a Attestation) stood() string {
	text := fmt.Sprintf("%s attested %s on %s, as %s; %s", a.PartyName, a.Subject, day(a.ValidFrom), a.Relation, a.Verdict)
	if a.FollowedBy != "" {
		text += ", followed by " + a.FollowedBy
	}
	return clean(text)
}

// takeOver writes the components of a document of another format as CycloneDX.
func takeOver(doc *sbom.Document) ([]byte, error) {
	children := make(map[int][]int, len(doc.Components))
	for i, c := range doc.Components {
		children[c.Parent] = append(children[c.Parent], i)
	}
	var nested func(parent int) []any
	nested = func(parent int) []any {
		list := []any{}
		for _, i := range children[parent] {
			m := takenOver(i, doc.Components[i])
			if len(children[i]) > 0 {
				m["components"] = nested(i)
			}
			list = append(list, m)
		}
		return list
	}
	top := map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": nested(-1)}
	if doc.Product != "" {
		top["metadata"] = map[string]any{"component": map[string]any{"type": "application", "name": doc.Product}}
	}
	return json.Marshal(top)
}

func takenOver(i int, c sbom.Component) map[string]any {
	types := []string{"application", "framework", "library", "container", "platform", "operating-system", "device",
		"device-driver", "firmware", "file", "machine-learning-model", "data", "cryptographic-asset"}
	m := map[string]any{"type": "library", "name": c.Name}
	if slices.Contains(types, c.Type) {
		m["type"] = c.Type
	}
	if c.Name == "" {
		m["name"] = Component{Index: i, PURL: c.PURL}.Label()
	}
	for name, s := range map[string]string{"bom-ref": c.Ref, "group": c.Group, "version": c.Version, "purl": c.PURL} {
		if s != "" {
			m[name] = s
		}
	}
	algorithms := map[string]string{"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512",
		"sha3-256": "SHA3-256", "sha3-384": "SHA3-384", "sha3-512": "SHA3-512"}
	var hashes []map[string]string
	for _, d := range c.Digests {
		whole := slices.Contains([]int{32, 40, 64, 96, 128}, len(d.Hex)) && strings.Trim(d.Hex, "0123456789abcdef") == ""
		if algorithms[d.Algorithm] != "" && whole {
			hashes = append(hashes, map[string]string{"alg": algorithms[d.Algorithm], "content": d.Hex})
		}
	}
	if hashes != nil {
		m["hashes"] = hashes
	}
	return m
}
