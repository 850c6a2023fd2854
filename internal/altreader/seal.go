package altreader

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// sealed is what the next seal must know of the last live one.
type sealed struct{ index, at uint64 }

// SealError says that a live seal is wrong: evidence against the log.
type SealError struct {
	Index uint64 // of the seal
	// Line is the first wrong line, counted from 1, or 0 if every line is
	// right but the seal stands directly behind another.
	Line      int
	Got, Want string
}

// Error names the line.
func (e *SealError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("seal at %d: the leaf before it is a live seal", e.Index)
	}
	return fmt.Sprintf("seal at %d: line %d is %q, should be %s", e.Index, e.Line, e.Got, e.Want)
}

// The shape of a seal (seal/SPEC.md). Ranges and base64 are checked apart.
var sealPattern = regexp.MustCompile(`^standing/seal/v1\n[a-z0-9./-]{1,255}\n` + number + `(?:-\n|` + number + `)` +
	strings.Repeat(number, 3) + hash64 + number + hash64 + hash64 + `$`)

const (
	number = `(?:0|[1-9][0-9]*)\n`
	hash64 = `[A-Za-z0-9+/]{43}=\n`
)

// checkSeal reports whether a leaf that begins like a seal is a live one, and
// what is wrong with it if it is.
func (l *Log) checkSeal(leaf []byte) (bool, error) {
	got, ok := splitSeal(string(leaf))
	index, prefix := l.Size(), l.TreeRoot()
	// SPEC: live iff it parses, its origin and index are those of the log and
	// of the leaf, and its prefix root is the root of the leaves before it.
	if !ok || got[2] != l.origin || got[3] != decimal(index) || got[11] != b64(prefix) {
		return false, nil
	}
	want := map[int]string{
		4: "-", 5: decimal(l.function()), 7: decimal(l.Keys()), 8: b64(l.Root()),
		9: decimal(l.Withdrawals()), 10: b64(l.WithdrawalRoot()),
	}
	at, _ := strconv.ParseUint(got[6], 10, 64)
	if l.sealed != nil {
		want[4] = decimal(l.sealed.index)
		// SPEC: sealed at is not before the previous one's.
		if at < l.sealed.at {
			want[6] = decimal(l.sealed.at) + " or later"
		}
	}
	for n := 4; n <= 10; n++ {
		if w, checked := want[n]; checked && got[n] != w {
			return true, &SealError{index, n, got[n], w}
		}
	}
	// SPEC: the leaf before is not a live seal.
	if l.sealed != nil && l.sealed.index+1 == index {
		return true, &SealError{Index: index}
	}
	l.sealed = &sealed{index, at}
	return true, nil
}

// splitSeal returns the lines of a seal, counted from 1.
func splitSeal(leaf string) ([]string, bool) {
	if !sealPattern.MatchString(leaf) {
		return nil, false
	}
	lines := append([]string{""}, strings.Split(leaf, "\n")...)
	limits := map[int]uint64{3: 1 << 53, 4: 1 << 53, 5: 1 << 16, 6: 1 << 40, 7: 1 << 53, 9: 1 << 53}
	for n, limit := range limits {
		v, err := strconv.ParseUint(lines[n], 10, 64)
		if lines[n] != "-" && (err != nil || v >= limit) {
			return nil, false
		}
	}
	for _, n := range []int{8, 10, 11} {
		if b, ok := unbase64(lines[n]); !ok || len(b) != 32 {
			return nil, false
		}
	}
	return lines, lines[5] != "0"
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
func b64(h Hash) string       { return base64.StdEncoding.EncodeToString(h[:]) }
