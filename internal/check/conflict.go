package check

import (
	"maps"
	"slices"
	"strings"

	"github.com/standing-log/standing/personality/verify"
)

// conflicts finds the points on which attestations that stand, in whole or in
// part, contradict each other. Who is right is for people to decide: nothing is
// weighed here.
func conflicts(all []Attestation) []Conflict {
	type point struct{ catalogue, id string }
	sides := map[point][]Side{}
	for _, a := range all {
		if a.FollowedBy != "" || !stands(a) && a.verdict != verify.Partial {
			continue
		}
		say := func(p point, answer string) {
			// An attestation may be in several logs.
			if !slices.ContainsFunc(sides[p], func(s Side) bool { return s.ID == a.ID }) {
				sides[p] = append(sides[p], Side{a.ID, a.PartyName, a.Relation, answer})
			}
		}
		say(point{id: "polarity"}, a.Polarity)
		if a.Claims == nil {
			continue
		}
		for _, c := range a.Claims.Items {
			// What does not apply, or is not stated, contradicts nothing.
			if !c.Withdrawn && (c.Answer == "yes" || c.Answer == "no") {
				say(point{a.Claims.Catalogue + " " + a.Claims.Version, c.ID}, c.Answer)
			}
		}
	}
	out := []Conflict{}
	for _, p := range slices.SortedFunc(maps.Keys(sides), func(a, b point) int {
		return strings.Compare(a.catalogue+"\n"+a.id, b.catalogue+"\n"+b.id)
	}) {
		if first := sides[p][0].Answer; slices.ContainsFunc(sides[p], func(s Side) bool { return s.Answer != first }) {
			out = append(out, Conflict{p.catalogue, p.id, sides[p]})
		}
	}
	return out
}
