package check

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/mapfn"
)

// TestInterest: what an attestation is about is found without looking at every
// component, and is in one of the places.
func TestInterest(t *testing.T) {
	text := testlog.Component("pkg:maven/a.example/text@1.2")
	i := NewInterest([]sbom.Component{
		{PURL: "pkg:npm/left@1.0.0"},
		{Name: "right", Version: "2.0.0", PURL: "pkg:npm/right"},
		{Name: "text", Version: "1", Digests: []sbom.Digest{{Algorithm: text.Algorithm, Hex: text.Digest}}},
		{PURL: "pkg:npm/left@1.0.0"},
		{PURL: "pkg:gem/rails@7.0.1"},
		{Name: "nothing"},
	})
	key := testlog.NewKey("interest", false)
	for subject, want := range map[string]string{
		"pkg:npm/left@1.0.0":                  `[{0 pkg:npm/left@1.0.0 exact pkg:npm/left@1.0.0 } {3 pkg:npm/left@1.0.0 exact pkg:npm/left@1.0.0 }]`,
		"pkg:npm/left@1.0.0?a=b":              `[{0 pkg:npm/left@1.0.0 no-qualifiers pkg:npm/left@1.0.0?a=b } {3 pkg:npm/left@1.0.0 no-qualifiers pkg:npm/left@1.0.0?a=b }]`,
		"pkg:npm/left@1.0.1":                  `[]`,
		"pkg:npm/right vers:npm/>=1.0.0":      `[{1 pkg:npm/right range pkg:npm/right }]`,
		"pkg:npm/right all":                   `[{1 pkg:npm/right package pkg:npm/right }]`,
		"pkg:maven/a.example/text@1.2":        `[{2 text 1 digest pkg:maven/a.example/text@1.2 }]`,
		"pkg:npm/else@1.0.0":                  `[]`,
		"pkg:gem/rails vers:gem/>=7.0|<8.0.0": `[{4 pkg:gem/rails@7.0.1  pkg:gem/rails cannot decide: versions of "gem" have no order known here}]`,
	} {
		e := attestationAbout(key, subject, 0, 0)
		got := i.About(e, time.Unix(1_796_000_000, 0))
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", subject, got, want)
		}
		listed := slices.ContainsFunc(mapfn.Places(e.Subjects), func(p mapfn.Place) bool { return slices.Contains(i.Places(), p) })
		if len(got) > 0 && !listed {
			t.Errorf("%s is in none of the places", subject)
		}
	}
}
