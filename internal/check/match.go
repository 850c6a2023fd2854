package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/vers"
)

// Rule is the reason for which an attestation is about a component
// (MATCHING.md, "Rules").
type Rule string

// The rules, the closest first.
const (
	RuleExact        Rule = "exact"
	RuleNoQualifiers Rule = "no-qualifiers"
	RuleRange        Rule = "range"
	RulePackage      Rule = "package"
	RuleDigest       Rule = "digest"
)

// match is how an attestation relates to a component.
type match struct {
	rule    Rule // "" if no rule applies
	subject *entry.Subject
	// undecided says why it cannot be told whether a rule applies to subject;
	// then there is no rule.
	undecided string
}

// matching finds the rule by which the attestation e is about t, at the time
// given.
func matching(t target, e *entry.Entry, at time.Time) match {
	var open match
	for _, rule := range []Rule{RuleExact, RuleNoQualifiers, RuleRange, RulePackage, RuleDigest} {
		for i := range e.Subjects {
			s := &e.Subjects[i]
			switch applies, why := t.matches(rule, s, e.Attestation.Scopes, at); {
			case applies:
				return match{rule: rule, subject: s}
			case why != "" && open.undecided == "":
				open = match{subject: s, undecided: why}
			}
		}
	}
	return open
}

// matches tells whether one rule applies to one subject, or why that cannot be
// told.
func (t target) matches(rule Rule, s *entry.Subject, scopes []entry.Scope, at time.Time) (applies bool, why string) {
	if rule == RuleDigest {
		return s.Purl.HasVersion() && slices.Contains(t.digests, s.Algorithm+":"+s.Digest), ""
	}
	for _, p := range t.purls {
		if applies, unknown := about(rule, p, s, scopes, at); applies {
			return true, ""
		} else if why == "" {
			why = unknown
		}
	}
	return false, why
}

// about is matches for a purl of the component.
func about(rule Rule, p purl.Purl, s *entry.Subject, scopes []entry.Scope, at time.Time) (applies bool, why string) {
	switch {
	case s.Purl.Package() != p.Package():
		return false, ""
	case rule == RuleExact:
		return s.Purl.HasVersion() && p.HasVersion() && s.Name == p.String(), ""
	case rule == RuleNoQualifiers && s.Purl.HasVersion() && !p.HasVersion():
		return false, "the SBOM gives no version, and it is about " + s.Purl.Component()
	case rule == RuleNoQualifiers:
		return s.Purl.HasVersion() && s.Purl.Component() == p.Component(), ""
	case s.Purl.HasVersion():
		return false, ""
	}
	i := slices.IndexFunc(scopes, func(c entry.Scope) bool { return c.Purl == s.Name })
	if i < 0 || (scopes[i].Vers != "") != (rule == RuleRange) || !within(scopes[i], at) {
		return false, ""
	}
	if rule == RulePackage {
		return true, ""
	}
	return inRange(p, scopes[i].Vers)
}

// within reports whether the dates of a scope hold at a time.
func within(s entry.Scope, at time.Time) bool {
	t := uint64(max(at.Unix(), 0))
	return (s.From == nil || *s.From <= t) && (s.To == nil || t < *s.To)
}

// inRange tells whether the version of p lies in a range, or why that cannot be
// told.
func inRange(p purl.Purl, text string) (in bool, why string) {
	r, err := vers.Parse(text)
	if err != nil {
		return false, err.Error()
	}
	// SPEC: a range is of the component's type, or of a scheme that is of no
	// type.
	if typ := typeOf(p); r.Scheme() != typ && !slices.Contains(strings.Fields("semver all none generic intdot lexicographic datetime exact"), r.Scheme()) {
		return false, fmt.Sprintf("%.200q is no range of versions of %s", text, typ)
	}
	version := versionOf(p)
	if in, err = r.Contains(version); err == nil {
		return in, ""
	}
	if version == "" {
		return false, "the SBOM gives no version, and it is about " + text
	}
	return false, err.Error()
}

// compareDigests tells whether the bytes that a subject is about are those of
// the component: "same", "differs", or "" where that is not said.
func compareDigests(t target, s *entry.Subject) string {
	switch {
	case !s.Purl.HasVersion(): // its digest is that of a scope
		return ""
	case slices.Contains(t.digests, s.Algorithm+":"+s.Digest):
		return "same"
	case slices.ContainsFunc(t.digests, func(d string) bool { return strings.HasPrefix(d, s.Algorithm+":") }):
		return "differs"
	}
	return ""
}
