package check

import (
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/verify"
)

// attestation returns what is to be said of an attestation, whichever component
// it is about. r has a record.
func (v *view) attestation(r *verify.Result) Attestation {
	if a, ok := v.known[r.ID]; ok {
		return *a
	}
	p := r.Entry.Attestation
	a := Attestation{
		Log: v.log.Origin, ID: r.ID, Index: r.Index, Verdict: r.Verdict.String(), verdict: r.Verdict,
		Party: r.Party, PartyName: r.PartyName, PartyRoles: r.PartyRoles, PartyEnded: r.PartyEnded,
		Relation: p.Relation, Mandate: "none shown", Polarity: p.Polarity, LegalBasis: p.LegalBasis,
		ValidFrom: p.ValidFrom, ValidUntil: p.ValidUntil, SupportUntil: p.SupportUntil, Causes: []Cause{},
	}
	if g := r.Programme; g != nil {
		a.Programme = &Programme{ID: g.ID, Open: g.Open, PartyName: g.PartyName, Link: g.Rules.Link}
	}
	if p.Support != nil {
		a.Support = &Support{p.Support.Asks, p.Support.URL}
	}
	switch {
	case p.Claims != nil:
		a.Kind, a.Claims = "claims", claims(p.Claims, r.Record.Withdrawn)
	case p.Statement != nil:
		a.Kind, a.Document = "document", fmt.Sprintf("sha256:%x", p.Statement.SHA256)
	default:
		a.Kind = "private"
	}
	for _, c := range r.Causes {
		a.Causes = append(a.Causes, cause(c))
		a.ended = max(a.ended, c.EventIndex)
	}
	if len(a.Causes) > 0 {
		a.Severity = a.Causes[0].Severity
	}
	v.known[r.ID] = &a
	return a
}

func claims(c *entry.Claims, withdrawn []string) *Claims {
	list, _ := catalogue.Lookup(c.Catalogue, c.Version)
	out := &Claims{Catalogue: c.Catalogue, Version: c.Version, Points: len(list.Items), Items: []Claim{}}
	for _, item := range c.Items {
		i := Claim{ID: item.ID, Answer: item.Answer, Link: item.Link, Withdrawn: slices.Contains(withdrawn, item.ID)}
		switch {
		case i.Withdrawn:
			out.Withdrawn++
		case i.Answer == "not-stated":
			out.NotStated++
		default:
			out.Answered++
		}
		out.Items = append(out.Items, i)
	}
	// What is not mentioned is not stated. A catalogue may let ids stand that
	// it does not list.
	out.Points = max(out.Points, len(c.Items))
	if len(list.Items) == 0 {
		out.Points = 0
	} else {
		out.NotStated = out.Points - out.Answered - out.Withdrawn
	}
	return out
}

func cause(c verify.Cause) Cause {
	out := Cause{Verdict: c.Verdict.String(), Detail: c.Detail, Severity: severityOf(c.Verdict), Index: c.EventIndex}
	number := c.Reason
	if c.Event != nil {
		out.Event = c.Event.IDString()
		if r := c.Event.Revocation; r != nil {
			out.Refs, out.Link, out.Since = r.Refs, r.Link, r.Since
			if number == nil {
				number = &r.Reason
			}
		}
	}
	if number == nil {
		return out
	}
	if reason, ok := catalogue.ReasonByNumber(*number); ok {
		out.Reason, out.Meaning, out.Severity = reason.Code, reason.Meaning, reason.Severity
	} else {
		out.Reason = fmt.Sprintf("number-%d", *number)
	}
	return out
}

// severityOf is what a verdict asks for where no reason is given.
func severityOf(v verify.Verdict) catalogue.Severity {
	switch v {
	case verify.KeyVoid:
		return catalogue.SeverityAct
	case verify.Suspended:
		return catalogue.SeverityCaution
	case verify.Superseded:
		return catalogue.SeverityUpdate
	case verify.Stale:
		return catalogue.SeverityNone
	}
	return catalogue.SeverityReassess
}

// gravity orders severities, gravest first; what is none of them comes last.
func gravity(s catalogue.Severity) int {
	order := []catalogue.Severity{catalogue.SeverityAct, catalogue.SeverityReassess, catalogue.SeverityCaution,
		catalogue.SeverityPlan, catalogue.SeverityUpdate, catalogue.SeverityNone}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}

// graver returns the graver one of two severities.
func graver(a, b catalogue.Severity) catalogue.Severity {
	if gravity(b) < gravity(a) {
		return b
	}
	return a
}
