package watch

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
)

// Interest says what is of interest: everything, or components, packages and
// parties. It is immutable and safe for concurrent use.
type Interest struct {
	all        bool
	components *check.Interest
	packages   map[string]bool // purls without version
	parties    map[Hash]bool
	lines      []string // what it was made of, for Digest
}

// Interests are what an Interest is made of.
type Interests struct {
	// All is everything that happens in a log.
	All bool
	// SBOMs are documents whose components are of interest.
	SBOMs []*sbom.Document
	// Subjects are purls, with version or without (then any version is of
	// interest), and digests, <algorithm>:<hex>.
	Subjects []string
	// Parties are ids, party:<hex>: what they attest is of interest, and what
	// happens to them.
	Parties []string
}

// NewInterest returns the Interest in all of these.
func NewInterest(from Interests) (*Interest, error) {
	i := &Interest{all: from.All, packages: map[string]bool{}, parties: map[Hash]bool{}}
	if i.all {
		i.lines = append(i.lines, "all")
	}
	var components []sbom.Component
	for _, doc := range from.SBOMs {
		components = append(components, doc.Components...)
		i.lines = append(i.lines, fmt.Sprintf("sbom:%x", doc.Digest))
	}
	for _, s := range from.Subjects {
		c, err := i.subject(s)
		if err != nil {
			return nil, err
		}
		if c != nil {
			components = append(components, *c)
		}
	}
	for _, p := range from.Parties {
		hex, ok := strings.CutPrefix(p, "party:")
		id, err := prover.ParseHash(hex)
		if !ok || err != nil {
			return nil, fmt.Errorf("party %.100q is not party:<64 hex digits>", p)
		}
		i.parties[id] = true
		i.lines = append(i.lines, p)
	}
	if len(i.lines) == 0 {
		return nil, fmt.Errorf("nothing is named that is of interest")
	}
	i.components = check.NewInterest(components)
	slices.Sort(i.lines)
	return i, nil
}

// subject adds a package, or returns the component that a subject is.
func (i *Interest) subject(s string) (*sbom.Component, error) {
	if algorithm, hex, _ := strings.Cut(s, ":"); entry.ValidDigest(algorithm, hex) {
		i.lines = append(i.lines, s)
		return &sbom.Component{Name: s, Digests: []sbom.Digest{{Algorithm: algorithm, Hex: hex}}}, nil
	}
	canonical, err := lint.CanonicalPurl(s)
	if err != nil {
		return nil, fmt.Errorf("subject %.200q is neither a purl nor a digest: %w", s, err)
	}
	p, err := purl.Parse(canonical)
	if err != nil {
		return nil, fmt.Errorf("subject %.200q: %w", s, err)
	}
	i.lines = append(i.lines, canonical)
	if !p.HasVersion() {
		i.packages[p.Package()] = true
		return nil, nil
	}
	return &sbom.Component{PURL: canonical}, nil
}

// Digest identifies what is of interest, whatever the order it was named in.
func (i *Interest) Digest() string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(slices.Compact(slices.Clone(i.lines)), "\n"))))
}

// wide reports whether attestations are of interest because of who made them,
// or all are: then there may be too many to hold.
func (i *Interest) wide() bool { return i.all || len(i.parties) > 0 }

// party reports whether a party is of interest, whatever it attests.
func (i *Interest) party(id Hash) bool { return i.all || i.parties[id] }

// places are the event lists in which the attestations are that are of interest
// because of what they are about.
func (i *Interest) places() []mapfn.Place {
	out := i.components.Places()
	for p := range i.packages {
		out = append(out, mapfn.Place{NS: mapfn.NSPackage, Data: p})
	}
	return out
}

// about returns what an attestation of a party is about, of what is of
// interest: nothing if it is of none.
func (i *Interest) about(e *entry.Entry, party Hash, at time.Time) []About {
	out := abouts(i.components.About(e, at))
	wide := len(out) == 0 && i.party(party)
	for _, s := range e.Subjects {
		if wide || i.packages[s.Purl.Package()] {
			out = append(out, About{Component: -1, Name: s.Name, Subject: s.Name})
		}
	}
	return out
}
