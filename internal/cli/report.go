package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// printReport says what the bundle shows.
func (a *app) printReport(r *verify.Report, in *atHand, unwitnessed bool) {
	if r.Err != nil {
		a.say("%s: %v", r.Verdict, r.Err)
		return
	}
	for _, result := range r.Results {
		for _, line := range resultLines(r, result) {
			a.say("%s", line)
		}
	}
	if len(r.Results) == 0 {
		a.say("%s", r.Verdict)
	}
	for i := range r.Subjects {
		a.say("%s", subjectLine(r, &r.Subjects[i]))
	}
	for _, n := range r.Notes {
		a.say("%s: %s changes no verdict: %s", unloggedCode, in.names[n.Index], n.Detail)
	}
	a.say("log %s, %d leaves, root %x", r.Origin, r.Size, r.Root)
	switch {
	case r.Witnessed:
		a.say("cosigned by %s; as of %s", strings.Join(r.Cosigners, ", "), clock(r.AsOf))
	case unwitnessed:
		a.say("not witnessed: the time, %s, is the log's own word", clock(r.AsOf))
	default:
		a.say("not witnessed: this is the log's word alone, at %s by its own clock", clock(r.AsOf))
	}
}

// subjectLine says whether what is shown about a subject is all.
func subjectLine(r *verify.Report, s *verify.Subject) string {
	what := s.Data
	if s.NS == mapfn.NSPackage {
		what += ", whatever the version,"
	}
	what += " as of " + clock(r.AsOf)
	about := r.Origin + " has about " + what
	switch {
	case s.Incomplete != "":
		return fmt.Sprintf("%s: it is not shown what else %s: %s", verify.NoEvidence, about, s.Incomplete)
	case s.Count == 0:
		return r.Origin + " has no attestation about " + what
	case s.Count == 1:
		about = "this is the only attestation that " + about
	default:
		about = fmt.Sprintf("these are all %d attestations that %s", s.Count, about)
	}
	if n := len(s.Opened); n > 0 {
		about += fmt.Sprintf("; %d of them, about other versions, not judged here", n)
	}
	return about
}

// resultLines says of one attestation who attested what, and how it stood.
func resultLines(r *verify.Report, result verify.Result) []string {
	if result.Entry == nil || result.Entry.Attestation == nil || result.Record == nil {
		lines := []string{fmt.Sprintf("%s: %s", orNone(result.ID), result.Verdict)}
		return append(lines, causeLines(result)...)
	}
	var names []string
	for _, s := range result.Entry.Subjects {
		names = append(names, s.Name)
	}
	what := names[0]
	if n := len(names) - 1; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	how := "it stood"
	if result.Verdict != verify.Active {
		how = "it did not stand"
		if result.Verdict == verify.Stale {
			how = "it stood, and nothing newer is known,"
		}
		if result.Verdict == verify.Partial {
			how = "it stood in part"
		}
		if result.Verdict <= verify.NotLogged {
			how = "nothing is shown"
		}
	}
	lines := []string{fmt.Sprintf("%s attested %s on %s; %s as of %s: %s",
		result.PartyName, what, day(result.Entry.Attestation.ValidFrom), how, clock(r.AsOf), result.Verdict)}
	lines = append(lines, fmt.Sprintf("  %s, index %d, as %s, valid until %s", result.ID, result.Index,
		result.Entry.Attestation.Relation, day(result.Entry.Attestation.ValidUntil)))
	lines = append(lines, programmeLines(result)...)
	if result.PartyEnded {
		lines = append(lines, "  the log no longer counts "+result.PartyName+" among its parties")
	}
	return append(lines, causeLines(result)...)
}

// programmeLines says under which programme it was issued.
func programmeLines(result verify.Result) []string {
	id, p := result.Entry.Attestation.Programme, result.Programme
	if id == nil {
		return nil
	}
	if p == nil {
		return []string{fmt.Sprintf("  under prog:%x, which the bundle does not show", *id)}
	}
	state, operator := "open", p.Party
	if !p.Open {
		state = "closed"
	}
	if p.PartyName != "" {
		operator = p.PartyName
	}
	return []string{fmt.Sprintf("  under %s of %s, %s; its rules: %s", p.ID, operator, state, p.Rules.Link)}
}

func causeLines(result verify.Result) []string {
	var lines []string
	for _, c := range result.Causes {
		line := fmt.Sprintf("  %s: %s", c.Verdict, c.Detail)
		if c.Event != nil {
			line += ", by " + c.Event.IDString()
			if rev := c.Event.Revocation; rev != nil && rev.Programme != nil {
				line += fmt.Sprintf(" of the operator of prog:%x", *rev.Programme)
			}
		}
		if n := causeReason(c); n != nil {
			line += "; " + reasonText(*n)
		}
		lines = append(lines, line)
	}
	return lines
}

// causeReason is the reason that the map or, for claims, the event gives.
func causeReason(c verify.Cause) *uint8 {
	if c.Reason == nil && c.Event != nil && c.Event.Revocation != nil {
		return &c.Event.Revocation.Reason
	}
	return c.Reason
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// verdictHint is the one next step for a verdict.
func verdictHint(r *verify.Report) string {
	if _, ok := errors.AsType[*trust.QuorumError](r.Err); ok && r.Verdict == verify.NoEvidence {
		return "get a bundle of that time, or judge as of a later one; if it is now that you ask about, check your clock"
	}
	switch r.Verdict {
	case verify.Active, verify.None:
		return "use a trust file with cosigners, or say --allow-unwitnessed"
	case verify.Invalid:
		return "do not rely on it; get the bundle again from its source, and keep this one if the failure stays"
	case verify.Rollback:
		return "keep this file and the .seen file beside your trust file: together they show that the log went back; tell the log's monitors"
	case verify.NoEvidence:
		if r.Err == nil {
			return "ask about fewer subjects at once, or look into a copy of the log"
		}
		return "get a newer bundle, or a newer version of this program"
	case verify.NotLogged:
		return "ask the issuer to submit it"
	case verify.Stale:
		return "get a newer bundle, or allow more with --max-age"
	case verify.Suspended:
		return "wait for the end of the hold, and get a newer bundle then"
	case verify.Partial:
		return "name the claims you rely on with --claims, if those are not withdrawn, or get a newer attestation"
	case verify.Superseded:
		return "get the bundle of the attestation that replaced it"
	case verify.Expired:
		return "look for a newer attestation"
	}
	return "do not rely on it; read the reason"
}
