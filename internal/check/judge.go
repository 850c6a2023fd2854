package check

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/verify"
)

// judging is a component on its way to a verdict.
type judging struct {
	target
	Component
	now   time.Time
	worst verify.Verdict // of the evidence of logs: None, if all show all
	why   string         // of worst
	blind []string       // logs that do not show all
}

func newJudging(i int, c sbom.Component, now time.Time) *judging {
	t := newTarget(c)
	return &judging{target: t, now: now, worst: verify.None, Component: Component{
		Index: i, Parent: c.Parent, Product: c.Product, Ref: c.Ref, Group: c.Group, Name: c.Name, Version: c.Version,
		Type: c.Type, PURL: c.PURL, LookedUp: append([]string{}, t.subjects()...),
		Attestations: []Attestation{}, Undecided: []Open{}, Conflicts: []Conflict{},
	}}
}

// flaw notes what is wrong with the evidence of a log.
func (j *judging) flaw(v verify.Verdict, log, why string) {
	if v < j.worst {
		j.worst, j.why = v, log+": "+why
	}
	if v == verify.NoEvidence {
		j.blind = append(j.blind, log)
	}
}

// read takes from a log what it has about the component.
func (j *judging) read(v *view) {
	if len(j.LookedUp) == 0 {
		return
	}
	if v.verdict < verify.Active {
		j.flaw(v.verdict, v.log.Origin, v.log.Error)
	}
	if v.reports == nil {
		return
	}
	seen := map[string]bool{}
	take := func(results []*verify.Result, err error) {
		if err != nil {
			j.flaw(verify.NoEvidence, v.log.Origin, err.Error())
		}
		for _, r := range results {
			if !seen[r.ID] {
				seen[r.ID] = true
				j.match(v, r)
			}
		}
	}
	for _, p := range j.purls {
		take(v.about(p))
	}
	for _, d := range j.digests {
		take(v.all(d))
	}
	j.follow(v.log.Origin)
}

// match adds an attestation, if it is about the component or may be.
func (j *judging) match(v *view, r *verify.Result) {
	m := matching(j.target, r.Entry, j.now)
	switch {
	case m.undecided != "":
		j.Undecided = append(j.Undecided, Open{Log: v.log.Origin, ID: r.ID, PartyName: r.PartyName,
			Subject: m.subject.Name, Verdict: r.Verdict.String(), Why: m.undecided})
	case m.rule != "":
		a := v.attestation(r)
		a.Rule, a.Subject, a.Digest = m.rule, m.subject.Name, compareDigests(j.target, m.subject)
		j.Attestations = append(j.Attestations, a)
	}
}

// about returns what a log has about a purl. The error says why that may not be
// all.
func (v *view) about(p purl.Purl) ([]*verify.Result, error) {
	if !p.HasVersion() {
		return v.all(p.Package())
	}
	r, _ := v.report(p.Component())
	if r == nil {
		return nil, errNotShown
	}
	exact, wider, err := r.Component(p)
	return slices.Concat(exact, wider), err
}

// all returns what a log has about a package or a digest.
func (v *view) all(data string) ([]*verify.Result, error) {
	r, s := v.report(data)
	if r == nil {
		return nil, errNotShown
	}
	var out []*verify.Result
	for _, i := range s.Results {
		out = append(out, &r.Results[i])
	}
	switch {
	case s.Incomplete != "":
		return out, errors.New(s.Incomplete)
	// Complete is a package also where what is about single versions is known
	// and not judged.
	case s.NS == mapfn.NSPackage && len(s.Opened) > 0:
		return out, errNotShown
	}
	return out, nil
}

var errNotShown = errors.New("the evidence does not show all that there is about it")

// report finds the bundle that shows most about a component, package or digest.
func (v *view) report(data string) (best *verify.Report, subject *verify.Subject) {
	for _, r := range v.reports {
		if s := r.Subject(data); s != nil && (subject == nil || len(s.Opened) < len(subject.Opened)) {
			best, subject = r, s
		}
	}
	return best, subject
}

// follow marks as history what the same party followed by something that stands
// (MATCHING.md, "What they amount to").
func (j *judging) follow(origin string) {
	for i := range j.Attestations {
		a := &j.Attestations[i]
		if a.Log != origin || a.verdict == verify.Active {
			continue
		}
		newest := max(a.Index+1, a.ended)
		for _, b := range j.Attestations {
			if b.Log == origin && b.Party == a.Party && stands(b) && b.Index >= newest {
				a.FollowedBy, newest = b.ID, b.Index
			}
		}
	}
}

// stands reports whether an attestation stood as of what its log showed.
func stands(a Attestation) bool { return a.verdict == verify.Active || a.verdict == verify.Stale }

// judge gives the component its verdict.
func (j *judging) judge() Component {
	j.Conflicts = conflicts(j.Attestations)
	deciding := slices.DeleteFunc(slices.Clone(j.Attestations), func(a Attestation) bool { return a.FollowedBy != "" })
	slices.SortStableFunc(deciding, func(a, b Attestation) int { return int(a.verdict) - int(b.verdict) })
	j.Verdict, j.Detail = j.decide(deciding)
	for _, a := range deciding {
		// What came to its end by itself asks for nothing where another stands.
		if j.Verdict != verify.Active.String() || stands(a) {
			j.Severity = graver(j.Severity, j.asks(a))
		}
	}
	if len(j.Conflicts) > 0 {
		j.Severity = graver(j.Severity, catalogue.SeverityCaution)
	}
	j.Next = next(j.Component)
	return j.Component
}

// decide finds the verdict, by the list in MATCHING.md, of attestations sorted
// by their own.
func (j *judging) decide(deciding []Attestation) (verdict, detail string) {
	of := func(a Attestation) (string, string) {
		return a.Verdict, a.PartyName + ", " + a.ID + ": " + a.Causes[0].Detail
	}
	if j.worst == verify.Invalid || j.worst == verify.Rollback {
		return j.worst.String(), j.why
	}
	if i := slices.IndexFunc(deciding, func(a Attestation) bool { return bad(a.verdict) }); i >= 0 {
		return of(deciding[i])
	}
	// What stands in one log stands, whether another can be asked or not.
	if slices.ContainsFunc(deciding, func(a Attestation) bool {
		return a.verdict == verify.Active && !slices.Contains(j.blind, a.Log)
	}) {
		return verify.Active.String(), ""
	}
	last := len(deciding) - 1
	switch {
	case j.worst == verify.NoEvidence:
		return j.worst.String(), j.why
	case last >= 0:
		return of(deciding[last]) // of STALE, EXPIRED, SUPERSEDED the mildest
	case j.worst == verify.Stale:
		return j.worst.String(), j.why
	case len(j.Undecided) > 0:
		return Undecided, j.Undecided[0].Why
	case len(j.LookedUp) == 0 || j.unread != "":
		return Unnamed, cmp.Or(j.unread, "the SBOM gives no purl and no digest")
	}
	return verify.None.String(), ""
}

// bad reports whether a verdict is bad news that other attestations cannot make
// good.
func bad(v verify.Verdict) bool {
	return v < verify.Expired && v != verify.Superseded
}

// asks is what an attestation asks for, standing or not.
func (j *judging) asks(a Attestation) catalogue.Severity {
	s := a.Severity
	if stands(a) && a.Polarity == "negative" {
		s = graver(s, catalogue.SeverityReassess)
	}
	if a.SupportUntil != nil && *a.SupportUntil <= uint64(max(j.now.Unix(), 0)) {
		s = graver(s, catalogue.SeverityPlan)
	}
	return s
}
