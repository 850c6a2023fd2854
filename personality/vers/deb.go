package vers

import (
	"cmp"
	"strings"
)

// compareDeb compares by deb-version(7): epoch, upstream version and revision.
func compareDeb(a, b string) (int, bool) {
	v, okA := parseDeb(a)
	w, okB := parseDeb(b)
	if !okA || !okB {
		return 0, false
	}
	return cmp.Or(compareNumbers(v.epoch, w.epoch), compareDebPart(v.upstream, w.upstream),
		compareDebPart(v.revision, w.revision)), true
}

type debVersion struct{ epoch, upstream, revision string }

func parseDeb(s string) (v debVersion, ok bool) {
	if epoch, rest, has := strings.Cut(s, ":"); has {
		if !isNumber(epoch) {
			return v, false
		}
		v.epoch, s = epoch, rest
	}
	v.upstream = s
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		if v.upstream, v.revision = s[:i], s[i+1:]; v.revision == "" {
			return v, false
		}
	}
	// SPEC: the upstream version begins with a digit, and has no colon unless
	// there is an epoch; the revision has neither colon nor hyphen.
	const plain = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.+~"
	return v, v.upstream != "" && isDigit(v.upstream[0]) &&
		strings.Trim(v.upstream, plain+"-:") == "" && strings.Trim(v.revision, plain) == ""
}

// compareDebPart compares by turns what is not digits and what is.
func compareDebPart(a, b string) int {
	for a != "" || b != "" {
		var wordA, wordB, numA, numB string
		wordA, a = span(a, false)
		wordB, b = span(b, false)
		numA, a = span(a, true)
		numB, b = span(b, true)
		if c := cmp.Or(compareDebWords(wordA, wordB), compareNumbers(numA, numB)); c != 0 {
			return c
		}
	}
	return 0
}

// span cuts off what begins s and is, or is not, digits.
func span(s string, digits bool) (head, rest string) {
	n := 0
	for n < len(s) && isDigit(s[n]) == digits {
		n++
	}
	return s[:n], s[n:]
}

// compareDebWords compares with ~ before the end, and letters before all else.
func compareDebWords(a, b string) int {
	for i := range max(len(a), len(b)) {
		if c := debRank(a, i) - debRank(b, i); c != 0 {
			return c
		}
	}
	return 0
}

func debRank(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case 'A' <= s[i] && s[i] <= 'Z', 'a' <= s[i] && s[i] <= 'z':
		return int(s[i])
	}
	return int(s[i]) + 256
}
