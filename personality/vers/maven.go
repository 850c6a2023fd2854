package vers

import (
	"slices"
	"strings"
)

// mavenVersion is a Maven version: the numbers it begins with, and what follows
// them. 2.0.1-rc-2-SNAPSHOT is 2.0.1, {rc, 2}, {snapshot}.
type mavenVersion struct {
	release []string
	tail    []mavenPart
	odd     bool // the tail is not understood
}

// mavenPart is a qualifier with the numbers behind it, or numbers behind a
// hyphen.
type mavenPart struct {
	word    string // "" if there are numbers only
	numbers []string
}

// compareMaven compares by the version order of the POM reference: numbers first;
// where they are equal, what follows them. Versions of which that is needed are
// ordered only if they consist of letters, digits, dots and hyphens.
func compareMaven(a, b string) (int, bool) {
	v, okA := parseMaven(a)
	w, okB := parseMaven(b)
	if !okA || !okB {
		return 0, false
	}
	if c := compareNumberLists(v.release, w.release); c != 0 {
		return c, true
	}
	if v.odd || w.odd {
		return 0, a == b
	}
	return compareMavenTails(v.tail, w.tail), true
}

// parseMaven reads a version that begins with a number.
func parseMaven(s string) (v mavenVersion, ok bool) {
	s = strings.ToLower(s)
	for {
		number, rest := span(s, true)
		if number == "" {
			return v, false
		}
		v.release, s = append(v.release, number), rest
		if len(s) < 2 || s[0] != '.' || !isDigit(s[1]) {
			break
		}
		s = s[1:]
	}
	v.tail, ok = parseMavenTail(s)
	v.odd = !ok
	return v, true
}

func parseMavenTail(s string) (tail []mavenPart, ok bool) {
	for s != "" {
		var p mavenPart
		hyphen := s[0] == '-'
		if hyphen || s[0] == '.' {
			s = s[1:]
		}
		n := 0
		for n < len(s) && 'a' <= s[n] && s[n] <= 'z' {
			n++
		}
		p.word, s = s[:n], s[n:]
		if p.word != "" && len(s) > 1 && (s[0] == '-' || s[0] == '.') && isDigit(s[1]) {
			s = s[1:]
		} else {
			p.word = unabbreviated(p.word, s)
		}
		p.numbers, s = leadingNumbers(s)
		if p.word == "" && (p.numbers == nil || !hyphen) {
			return nil, false
		}
		word := p.word
		p.word = alias(word)
		if word != "" && p.word == "" && p.numbers != nil {
			return nil, false // ga-1: what would be nothing, numbered
		}
		// SPEC: what is empty or zero is nothing.
		if p.word != "" || slices.ContainsFunc(p.numbers, func(n string) bool { return compareNumbers(n, "") != 0 }) {
			tail = append(tail, p)
		}
	}
	return tail, true
}

// leadingNumbers reads numbers with dots between them.
func leadingNumbers(s string) (numbers []string, rest string) {
	for s != "" && isDigit(s[0]) {
		var number string
		number, s = span(s, true)
		numbers = append(numbers, number)
		if len(s) < 2 || s[0] != '.' || !isDigit(s[1]) {
			break
		}
		s = s[1:]
	}
	return numbers, s
}

// unabbreviated is the qualifier for which one letter right before a digit
// stands.
func unabbreviated(word, rest string) string {
	if rest == "" || !isDigit(rest[0]) {
		return word
	}
	switch word {
	case "a":
		return "alpha"
	case "b":
		return "beta"
	case "m":
		return "milestone"
	}
	return word
}

func alias(word string) string {
	switch word {
	case "ga", "final", "release":
		return ""
	case "cr":
		return "rc"
	}
	return word
}

// compareMavenTails compares part by part; where one has none, what the other
// has decides by itself.
func compareMavenTails(a, b []mavenPart) int {
	for i := range max(len(a), len(b)) {
		var p, q mavenPart
		if i < len(a) {
			p = a[i]
		}
		if i < len(b) {
			q = b[i]
		}
		if c := mavenRank(p) - mavenRank(q); c != 0 {
			return c
		}
		if c := strings.Compare(p.word, q.word); c != 0 {
			return c
		}
		if c := compareNumberLists(p.numbers, q.numbers); c != 0 {
			return c
		}
	}
	return 0
}

// mavenRank is the place of a part: known qualifiers, nothing in their midst,
// other qualifiers, numbers.
func mavenRank(p mavenPart) int {
	switch {
	case p.word == "" && p.numbers == nil:
		return 5
	case p.word == "":
		return 8
	}
	if i := slices.Index([]string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}, p.word); i >= 0 {
		return i
	}
	return 7
}
