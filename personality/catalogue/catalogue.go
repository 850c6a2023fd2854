// Package catalogue holds the lists that entries refer to by code: the reasons
// for which an attestation is withdrawn, and the requirement catalogues whose
// points claims answer.
//
// All of it is data, compiled in. Neither the map function nor a verdict reads
// it: a log refuses at admission what is not in these lists, and programs use
// them to write and explain. Codes and ids are facts of their sources; titles
// and meanings are this project's wording and are never to be shown as the
// text of a law, a standard or a template.
//
// # Versions
//
// A claim names catalogue and version, because an id means something only
// within one version: ids of different catalogues look alike and differ. The
// version code of Regulation (EU) 2024/2847 is "2024-2847", since a code has
// no slash (entry/SPEC.md, "Payload").
//
// # Invariants
//
//   - Reason numbers 0 to 18 and their codes never change; numbers are added.
//   - A catalogue version, once listed, keeps its ids.
//   - Every code, version and id matches the grammar of a code.
package catalogue

import (
	"regexp"
	"slices"
)

// Catalogue is one version of a list of requirements.
type Catalogue struct {
	Name    string // as in claims.catalogue
	Version string // as in claims.version
	Title   string // in our words
	// Items are the points known, in the catalogue's order. Empty if only the
	// shape of the ids is known.
	Items []Item
	// shape matches the ids of a catalogue whose points are not listed here.
	shape *regexp.Regexp
}

// Item is one point of a catalogue.
type Item struct {
	ID       string
	Group    string // heading it stands under, in our words
	Title    string // in our words; "" if only the shape of ids is known
	Strength Strength
	// Personal warns that the obvious answer names a person: answer with a
	// role, or by evidence kept off the log.
	Personal bool
}

// Strength is how much the catalogue asks for a point.
type Strength string

// Strengths of points. Those that end in -if hold only where their condition
// does; StrengthExtra marks points of ours beside a catalogue's own.
const (
	StrengthMust     Strength = "must"
	StrengthMustIf   Strength = "must-if"
	StrengthShould   Strength = "should"
	StrengthShouldIf Strength = "should-if"
	StrengthExtra    Strength = "extra"
)

// Item returns the point with the given id.
func (c Catalogue) Item(id string) (Item, bool) {
	for i := range c.Items {
		if c.Items[i].ID == id {
			return c.Items[i], true
		}
	}
	if c.shape != nil && c.shape.MatchString(id) {
		return Item{ID: id}, true
	}
	return Item{}, false
}

// Catalogues returns every catalogue version known.
func Catalogues() []Catalogue { return slices.Clone(known) }

// Lookup returns a catalogue version, if it is known.
func Lookup(name, version string) (Catalogue, bool) {
	for i := range known {
		if known[i].Name == name && known[i].Version == version {
			return known[i], true
		}
	}
	return Catalogue{}, false
}

// known are the catalogues. Of the OSPS Baseline the points are not copied here:
// ids are checked by shape.
var known = []Catalogue{
	{Name: LightName, Version: LightVersion, Title: "Light template of the ORC working group, draft 0.1", Items: light},
	{Name: "cra-annex-i", Version: "2024-2847", Title: "Regulation (EU) 2024/2847, Annex I", Items: annexI},
	baseline("2025-02-25"),
	baseline("2025-10-10"),
	baseline("2026-02-19"),
}

func baseline(version string) Catalogue {
	return Catalogue{Name: "osps-baseline", Version: version, Title: "Open Source Project Security Baseline", shape: baselineID}
}

var baselineID = regexp.MustCompile(`^OSPS-[A-Z]{2}-[0-9]{2}(\.[0-9]{2})?$`)
