package vers

import (
	"cmp"
	"regexp"
	"strings"
)

// pypiPattern is a version of PEP 440 in any of the spellings it lets stand,
// in small letters.
var pypiPattern = regexp.MustCompile(`^v?(?:([0-9]+)!)?` + // epoch
	`([0-9]+(?:\.[0-9]+)*)` + // release
	`(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]+)?)?` +
	`(?:-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]+)?)?` +
	`(?:[-_.]?(dev)[-_.]?([0-9]+)?)?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// pypiVersion is a version of PEP 440.
type pypiVersion struct {
	epoch   string
	release []string
	pre     int // 0 a, 1 b, 2 rc, 3 none; -1 if there is dev, and neither pre nor post
	preN    string
	post    bool
	postN   string
	final   bool // there is no dev
	devN    string
	local   []string
}

func parsePyPI(s string) (pypiVersion, bool) {
	m := pypiPattern.FindStringSubmatch(strings.ToLower(s))
	if m == nil {
		return pypiVersion{}, false
	}
	v := pypiVersion{epoch: m[1], release: strings.Split(m[2], "."), pre: 3, preN: m[4],
		post: m[5] != "" || m[6] != "", postN: m[5] + m[7], final: m[8] == "", devN: m[9]}
	switch m[3] {
	case "a", "alpha":
		v.pre = 0
	case "b", "beta":
		v.pre = 1
	case "c", "rc", "pre", "preview":
		v.pre = 2
	default:
		// SPEC: 1.0.dev1 comes before 1.0a1.
		if !v.final && !v.post {
			v.pre = -1
		}
	}
	if m[10] != "" {
		v.local = strings.FieldsFunc(m[10], func(r rune) bool { return strings.ContainsRune("-_.", r) })
	}
	return v, true
}

// comparePyPI compares by PEP 440.
func comparePyPI(a, b string) (int, bool) {
	v, okA := parsePyPI(a)
	w, okB := parsePyPI(b)
	if !okA || !okB {
		return 0, false
	}
	return cmp.Or(
		compareNumbers(v.epoch, w.epoch),
		compareNumberLists(v.release, w.release),
		v.pre-w.pre,
		compareNumbers(v.preN, w.preN),
		compareBool(v.post, w.post),
		compareNumbers(v.postN, w.postN),
		compareBool(v.final, w.final),
		compareNumbers(v.devN, w.devN),
		compareLocal(v.local, w.local)), true
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareLocal compares local versions: numbers come after words, and more
// segments after fewer.
func compareLocal(a, b []string) int {
	for i := range min(len(a), len(b)) {
		numA, numB := isNumber(a[i]), isNumber(b[i])
		c := compareBool(numA, numB)
		switch {
		case c != 0:
		case numA:
			c = compareNumbers(a[i], b[i])
		default:
			c = strings.Compare(a[i], b[i])
		}
		if c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
