package vers

import (
	"strings"

	"golang.org/x/mod/semver"
)

// compareSemver compares by Semantic Versioning 2.0.0. All three numbers must be
// there: what 1.2 stands for is a matter of the package manager.
func compareSemver(a, b string) (int, bool) {
	a, okA := fullSemver(a)
	b, okB := fullSemver(b)
	return semver.Compare(a, b), okA && okB
}

func fullSemver(s string) (string, bool) {
	s = "v" + strings.TrimPrefix(s, "v")
	canonical := semver.Canonical(s) // fills up missing numbers, drops build metadata
	return canonical, canonical != "" && canonical+semver.Build(s) == s
}

// compareNumbers compares decimals of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// compareNumberLists compares lists of decimals; the shorter is filled up with
// zeros.
func compareNumberLists(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if c := compareNumbers(at(a, i), at(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
