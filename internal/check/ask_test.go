package check_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
)

// answers writes what it was asked, so many subjects at a time.
type answers int

func (n answers) Answer(subjects ...string) ([]byte, int, error) {
	if slices.Contains(subjects, "pkg:npm/broken@1") {
		return nil, 0, errors.New("broken")
	}
	k := min(int(n), len(subjects))
	return []byte(strings.Join(subjects[:k], " ")), k, nil
}

// TestAsk: each name is asked about once, in order, however much comes into a
// bundle.
func TestAsk(t *testing.T) {
	var components []sbom.Component
	var want []string
	for i := range 2500 {
		p := fmt.Sprintf("pkg:npm/c%d@1", i)
		components = append(components, purl(p), sbom.Component{Name: "unnamed"}, purl(p+"?again=1"))
		want = append(want, p)
	}
	for _, n := range []answers{7, 100_000} {
		bundles, err := check.Ask(components, n)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range bundles {
			got = append(got, strings.Fields(string(b))...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d at a time: asked about %d subjects, not %d", n, len(got), len(want))
		}
	}
	if _, err := check.Ask(append(components, purl("pkg:npm/broken@1")), answers(7)); err == nil || err.Error() != "broken" {
		t.Error(err)
	}
	if bundles, err := check.Ask(nil, answers(1)); len(bundles) != 0 || err != nil {
		t.Error(bundles, err)
	}
}
