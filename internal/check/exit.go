package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/standing-log/standing/personality/verify"
)

// Verdicts returns the verdicts a component may have, in the order in which they
// ask for attention.
func Verdicts() []string {
	var out []string
	for _, v := range []verify.Verdict{verify.Invalid, verify.Rollback, verify.Revoked, verify.KeyVoid, verify.Lapsed,
		verify.Suspended, verify.Partial, verify.NoEvidence, verify.Superseded, verify.Expired, verify.Stale} {
		out = append(out, v.String())
	}
	return append(out, Undecided, verify.Active.String(), Unnamed, verify.None.String())
}

// ParseVerdicts reads verdicts as people write them: in any case, with hyphens.
func ParseVerdicts(words []string) ([]string, error) {
	var out []string
	for _, w := range words {
		v := strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(w)), "-", "_")
		if !slices.Contains(Verdicts(), v) {
			return nil, fmt.Errorf("%.40q is no verdict of a component", w)
		}
		out = append(out, v)
	}
	return out, nil
}

// ExitCode returns the exit code of programs: 0 stands, 1 does not stand, 3
// cannot tell, 4 evidence fails or contradicts. Where verdicts are given that
// are to fail, others do not, but for evidence that fails or is missing. Without
// witnesses, good news is not enough unless the reader says so.
func (r *Result) ExitCode(failOn []string, allowUnwitnessed bool) int {
	// Evidence that fails is worse than bad news, and bad news worse than none.
	rank := func(code int) int { return slices.Index([]int{0, 3, 1, 4}, code) }
	code := 0
	worse := func(c int) {
		if rank(c) > rank(code) {
			code = c
		}
	}
	for _, l := range r.Logs {
		switch {
		case l.Verdict == verify.Invalid.String(), l.Verdict == verify.Rollback.String():
			worse(4)
		case l.Verdict == verify.NoEvidence.String(), l.Verdict != Unasked && !l.Witnessed && !allowUnwitnessed:
			worse(3)
		}
	}
	for _, c := range r.Components {
		switch own := exitOf(c.Verdict); {
		case failOn == nil, c.Verdict == verify.NoEvidence.String():
			worse(own)
		case slices.Contains(failOn, c.Verdict):
			worse(max(own, 1))
		}
	}
	return code
}

// exitOf is the exit code for a verdict of a component.
func exitOf(verdict string) int {
	switch verdict {
	case verify.Active.String(), verify.None.String(), Unnamed:
		return 0
	case verify.Invalid.String(), verify.Rollback.String():
		return 4
	case verify.NoEvidence.String(), verify.Stale.String(), Undecided:
		return 3
	}
	return 1
}

// count adds the components up.
func count(components []Component) Totals {
	t := Totals{Components: len(components), Verdicts: map[string]int{}}
	seen := map[[2]string]bool{}
	for _, c := range components {
		t.Verdicts[c.Verdict]++
		if len(c.Conflicts) > 0 {
			t.Conflicts++
		}
		for _, a := range c.Attestations {
			seen[[2]string{a.Log, a.ID}] = true
		}
	}
	t.Attestations = len(seen)
	return t
}
