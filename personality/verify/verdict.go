package verify

import "slices"

// Verdict is the answer about one attestation. Smaller is worse: the first that
// applies decides.
type Verdict int

// The verdicts (bundle/SPEC.md, "Verification").
const (
	Invalid    Verdict = iota // the evidence fails or contradicts itself
	Rollback                  // the log shows an older or another tree than before
	NoEvidence                // nothing can be said
	NotLogged                 // the map does not have it
	Revoked
	KeyVoid // issued at or after the cutoff of its key
	Superseded
	Lapsed    // held beyond the end of the hold
	Suspended // held
	Partial   // some of its claims are withdrawn
	Expired   // outside its period of validity
	Stale     // stood then, but then is too long ago
	Active
	None // nothing is attested: of subjects, never of an attestation
)

// String returns the stable name.
func (v Verdict) String() string {
	names := [...]string{"INVALID", "ROLLBACK", "NO_EVIDENCE", "NOT_LOGGED", "REVOKED", "KEY_VOID",
		"SUPERSEDED", "LAPSED", "SUSPENDED", "PARTIAL", "EXPIRED", "STALE", "ACTIVE", "NONE"}
	if v < 0 || int(v) >= len(names) {
		return "NO_EVIDENCE"
	}
	return names[v]
}

// ExitCode returns the exit code of programs: 0 stands, 1 does not stand, 3
// cannot tell, 4 evidence fails or contradicts.
func (v Verdict) ExitCode() int {
	switch v {
	case Active, None:
		return 0
	case Invalid, Rollback:
		return 4
	case NoEvidence, Stale:
		return 3
	}
	return 1
}

// ExitCode returns the exit code for the whole report. Without witnesses, good
// news is not enough unless the reader says so. What is partial is as good as
// it would be otherwise to a reader whose claims are untouched.
func (r *Report) ExitCode(allowUnwitnessed bool) int {
	verdict := r.Verdict
	if verdict == Partial && len(r.Results) > 0 {
		verdict = Active
		for _, a := range r.Results {
			verdict = min(verdict, a.relied())
		}
	}
	code := verdict.ExitCode()
	if code == 0 && (!r.complete() || !r.Witnessed && !allowUnwitnessed) {
		return 3
	}
	return code
}

// complete reports whether each subject of the bundle is shown with all that
// the log has about it.
func (r *Report) complete() bool {
	return !slices.ContainsFunc(r.Subjects, func(s Subject) bool { return s.Incomplete != "" })
}

// whole is the verdict of the whole: the worst of the results.
func (v *verifier) whole() Verdict {
	worst := None
	if v.report.Stale != "" {
		worst = Stale
	}
	for _, r := range v.report.Results {
		worst = min(worst, r.Verdict)
	}
	// SPEC: a subject that is not complete takes good news away, and no bad
	// news.
	if code := worst.ExitCode(); !v.report.complete() && (code == 0 || code == 3) {
		return NoEvidence
	}
	return worst
}

// relied is the verdict for a reader who relies on some claims only.
func (r *Result) relied() Verdict {
	switch {
	case r.Verdict != Partial || !r.Untouched:
		return r.Verdict
	case len(r.Causes) > 1:
		return r.Causes[1].Verdict
	}
	return Active
}
