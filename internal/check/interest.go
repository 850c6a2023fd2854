package check

import (
	"slices"
	"time"

	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// Interest finds the components of an SBOM that an attestation is about, for
// those who read attestations as they come.
type Interest struct {
	components []sbom.Component
	targets    []target
	byPackage  map[string][]int
	byDigest   map[string][]int
}

// About is a component that an attestation is about.
type About struct {
	Component int    // index in the SBOM
	Name      string // as the SBOM has it: its purl, or else its name and version
	Rule      Rule   // "" if it could not be decided
	Subject   string // of the attestation
	Undecided string // why it could not be decided
}

// NewInterest returns the Interest in the components.
func NewInterest(components []sbom.Component) *Interest {
	i := &Interest{components: components, byPackage: map[string][]int{}, byDigest: map[string][]int{}}
	for n, c := range components {
		t := newTarget(c)
		i.targets = append(i.targets, t)
		for _, p := range t.purls {
			i.byPackage[p.Package()] = append(i.byPackage[p.Package()], n)
		}
		for _, d := range t.digests {
			i.byDigest[d] = append(i.byDigest[d], n)
		}
	}
	return i
}

// Places are the event lists in which all attestations about the components
// are.
func (i *Interest) Places() []mapfn.Place {
	var out []mapfn.Place
	for p := range i.byPackage {
		out = append(out, mapfn.Place{NS: mapfn.NSPackage, Data: p})
	}
	for d := range i.byDigest {
		out = append(out, mapfn.Place{NS: mapfn.NSDigest, Data: d})
	}
	return out
}

// About returns the components that the attestation e is about at a time, by
// the rule of MATCHING.md, in the order of the SBOM. What cannot be decided is
// among them.
func (i *Interest) About(e *entry.Entry, at time.Time) []About {
	var near []int
	for _, s := range e.Subjects {
		near = append(near, i.byPackage[s.Purl.Package()]...)
		near = append(near, i.byDigest[s.Algorithm+":"+s.Digest]...)
	}
	slices.Sort(near)
	var out []About
	for _, n := range slices.Compact(near) {
		m := matching(i.targets[n], e, at)
		if m.subject == nil {
			continue
		}
		out = append(out, About{n, i.name(n), m.rule, m.subject.Name, m.undecided})
	}
	return out
}

// name is what people know a component by.
func (i *Interest) name(n int) string {
	c := i.components[n]
	switch {
	case c.PURL != "":
		return c.PURL
	case c.Version != "":
		return c.Name + " " + c.Version
	}
	return c.Name
}
