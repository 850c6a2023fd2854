package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
)

// Limits besides MaxSize.
const (
	maxLogs    = 64   // as in a trust file
	maxBundles = 4096 // of a log
	maxError   = 4096 // bytes
	maxTime    = 1 << 40
	maxNames   = 4096 // package URLs, digests or attestations of a component
)

// file is a report as it is written.
type file struct {
	MediaType  string     `json:"mediaType"`
	SHA256     string     `json:"sha256"`
	Time       uint64     `json:"time"`
	MaxAge     uint64     `json:"maxAge"`
	SBOM       sbomPart   `json:"sbom"`
	Trust      string     `json:"trust"`
	Pins       string     `json:"pins,omitzero"`
	Logs       logs       `json:"logs"`
	Components components `json:"components"`
}

type sbomPart struct {
	Format  string    `json:"format"`
	SHA256  bundle.ID `json:"sha256"`
	Product string    `json:"product,omitzero"`
}

type logPart struct {
	Origin      string  `json:"origin"`
	Bundles     bundles `json:"bundles,omitzero"`
	Error       string  `json:"error,omitzero"`
	Contradicts bool    `json:"contradicts,omitzero"`
}

type component struct {
	Ref     string `json:"ref,omitzero"`
	Group   string `json:"group,omitzero"`
	Name    string `json:"name,omitzero"`
	Version string `json:"version,omitzero"`
	Type    string `json:"type,omitzero"`
	PURL    string `json:"purl,omitzero"`
	More    names  `json:"purls,omitzero"`
	Digests names  `json:"digests,omitzero"`
	Parent  int    `json:"parent"`
	Product bool   `json:"product,omitzero"`

	Verdict      string       `json:"verdict"`
	Attestations attestations `json:"attestations,omitzero"`
	Undecided    attestations `json:"undecided,omitzero"`
}

type attestation struct {
	Log        string `json:"log"`
	ID         string `json:"id"`
	Verdict    string `json:"verdict"`
	Rule       string `json:"rule,omitzero"`
	FollowedBy string `json:"followedBy,omitzero"`
}

// Lists, each of which is read up to its limit. What is refused at once cannot
// make a reader allocate much.
type (
	logs         []logPart
	bundles      []jsontext.Value
	components   []component
	names        []string
	attestations []attestation
)

func (l *logs) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = bundle.ReadList[logPart](d, maxLogs)
	return err
}

func (l *bundles) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = bundle.ReadList[jsontext.Value](d, maxBundles)
	return err
}

func (l *components) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = bundle.ReadList[component](d, sbom.MaxComponents)
	return err
}

func (l *names) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	if *l, err = bundle.ReadList[string](d, maxNames); slices.Contains(*l, "") {
		err = errors.New("a name is empty")
	}
	return err
}

func (l *attestations) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = bundle.ReadList[attestation](d, maxNames)
	if slices.ContainsFunc(*l, func(a attestation) bool { return a.Log == "" || a.ID == "" || a.Verdict == "" }) {
		err = errors.New("an attestation without log, id or verdict")
	}
	return err
}

func newLog(e check.Evidence) logPart {
	l := logPart{Origin: e.Origin, Contradicts: e.Contradicts}
	if e.Err != nil {
		l.Error = e.Err.Error()
		l.Error = strings.ToValidUTF8(l.Error[:min(len(l.Error), maxError)], "")
		return l
	}
	for _, b := range e.Bundles {
		l.Bundles = append(l.Bundles, jsontext.Value(b))
	}
	return l
}

// newComponent writes what counts of a component, and of what was found about
// it, which may be nil.
func newComponent(c sbom.Component, found *check.Component) component {
	out := component{Ref: c.Ref, Group: c.Group, Name: c.Name, Version: c.Version, Type: c.Type, PURL: c.PURL,
		Parent: c.Parent, Product: c.Product}
	for _, p := range c.More {
		if p != "" {
			out.More = append(out.More, p)
		}
	}
	for _, d := range c.Digests {
		if entry.ValidDigest(d.Algorithm, d.Hex) {
			out.Digests = append(out.Digests, d.Algorithm+":"+d.Hex)
		}
	}
	if found == nil {
		return out
	}
	out.Verdict = found.Verdict
	for _, a := range found.Attestations {
		out.Attestations = append(out.Attestations, attestation{a.Log, a.ID, a.Verdict, string(a.Rule), a.FollowedBy})
	}
	for _, a := range found.Undecided {
		out.Undecided = append(out.Undecided, attestation{Log: a.Log, ID: a.ID, Verdict: a.Verdict})
	}
	return out
}

// same reports whether two components are the same, whatever was found.
func (c component) same(o component) bool {
	return c.Ref == o.Ref && c.Group == o.Group && c.Name == o.Name && c.Version == o.Version && c.Type == o.Type && c.PURL == o.PURL &&
		slices.Equal(c.More, o.More) && slices.Equal(c.Digests, o.Digests) && c.Parent == o.Parent && c.Product == o.Product
}

// marshal writes the file, with its digest.
func (f *file) marshal() ([]byte, error) {
	// An SBOM may hold anything.
	data, err := json.Marshal(f, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, err
	}
	at := len(head)
	if !bytes.HasPrefix(data, []byte(head)) {
		return nil, errors.New("the report does not begin with its digest")
	}
	digest := sha256.Sum256(data)
	hex.Encode(data[at:], digest[:])
	return data, nil
}

// head is what stands before the digest.
const head = `{"mediaType":"` + MediaType + `","sha256":"`

// parse reads a file and checks its digest and what does not depend on proofs.
func parse(data []byte) (*file, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%d bytes, at most %d", len(data), MaxSize)
	}
	at, end := len(head), len(head)+len(zeros)
	if len(data) < end || !bytes.HasPrefix(data, []byte(head)) {
		return nil, fmt.Errorf("it does not begin with %s", head)
	}
	h := sha256.New()
	h.Write(data[:at])
	h.Write(zeros)
	h.Write(data[end:])
	if hex.EncodeToString(h.Sum(nil)) != string(data[at:end]) {
		return nil, errors.New("its digest is another: it was changed")
	}
	var f file
	if err := json.Unmarshal(data, &f, bundle.Strict()); err != nil {
		return nil, fmt.Errorf("%.300v", err)
	}
	return &f, f.check()
}

// check holds the members against the format.
func (f *file) check() error {
	if f.Time >= maxTime || f.MaxAge == 0 || f.MaxAge >= maxTime/1000 {
		return fmt.Errorf("time %d, maxAge %d", f.Time, f.MaxAge)
	}
	if f.SBOM.Format == "" || f.Trust == "" || f.Logs == nil || f.Components == nil {
		return errors.New("a member is missing or empty")
	}
	for i, l := range f.Logs {
		twice := slices.ContainsFunc(f.Logs[:i], func(o logPart) bool { return o.Origin == l.Origin })
		if l.Origin == "" || twice || l.Bundles != nil && l.Error != "" || l.Contradicts && l.Error == "" || len(l.Error) > maxError {
			return fmt.Errorf("log %d has no origin of its own, or both bundles and an error, or contradicts without one", i)
		}
	}
	for i, c := range f.Components {
		if c.Parent < -1 || c.Parent >= i {
			return fmt.Errorf("component %d is nested in component %d", i, c.Parent)
		}
		for _, d := range c.Digests {
			if algorithm, digits, _ := strings.Cut(d, ":"); !entry.ValidDigest(algorithm, digits) {
				return fmt.Errorf("component %d: %.80q is no digest", i, d)
			}
		}
	}
	return nil
}

// document returns what counts of the SBOM.
func (f *file) document() *sbom.Document {
	doc := &sbom.Document{Format: f.SBOM.Format, Digest: f.SBOM.SHA256, Product: f.SBOM.Product,
		Components: make([]sbom.Component, len(f.Components))}
	for i, c := range f.Components {
		doc.Components[i] = sbom.Component{Ref: c.Ref, Group: c.Group, Name: c.Name, Version: c.Version, Type: c.Type, PURL: c.PURL,
			More: c.More, Parent: c.Parent, Product: c.Product}
		for _, d := range c.Digests {
			algorithm, digits, _ := strings.Cut(d, ":")
			doc.Components[i].Digests = append(doc.Components[i].Digests, sbom.Digest{Algorithm: algorithm, Hex: digits})
		}
	}
	return doc
}

// evidence returns what the logs showed.
func (f *file) evidence() []check.Evidence {
	var out []check.Evidence
	for _, l := range f.Logs {
		e := check.Evidence{Origin: l.Origin, Contradicts: l.Contradicts}
		if l.Error != "" {
			e.Err = errors.New(l.Error)
		}
		for _, b := range l.Bundles {
			e.Bundles = append(e.Bundles, b)
		}
		out = append(out, e)
	}
	return out
}
