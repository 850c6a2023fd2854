package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

func (a *app) verifyCommand() *cobra.Command {
	var unwitnessed bool
	var document string
	cmd := command("verify FILE", `
Judges the bundle FILE under your trust file, and says what was attested, by whom,
and whether it stood, as of when. Never uses the network. "-" reads standard
input. The largest tree seen of each log is kept beside the trust file, so that a
log that goes back is noticed.

  --max-age AGE          how old the answer may be (default: 24h)
  --document FILE        the document that a bundle attests by its digest
  --allow-unwitnessed    take a log's word alone, where the trust file says quorum none`,
		cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
			return a.verify(args[0], document, unwitnessed)
		})
	cmd.Flags().BoolVar(&unwitnessed, "allow-unwitnessed", false, "")
	cmd.Flags().StringVar(&document, "document", "", "")
	return cmd
}

func (a *app) verify(file, document string, unwitnessed bool) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	data, err := a.readFile(file, bundle.MaxSize)
	if err != nil {
		return err
	}
	path, err := a.trustPath()
	if err != nil {
		return err
	}
	seen, err := a.loadSeen(path)
	if err != nil {
		a.note("standing: what was seen before cannot be read: %v", err)
	}
	r := verify.Bundle(data, verify.Options{Policy: policy, Now: a.now(), MaxAge: a.maxAge, Seen: seen})
	if r.Err == nil {
		// A reader that cannot write still gets its answer.
		if err := saveSeen(path, policy, seen, trust.Body{Origin: r.Origin, Size: r.Size, Root: r.Root}); err != nil {
			a.note("standing: this tree is not remembered: %v", err)
		}
	}
	a.printReport(r, unwitnessed)
	if r.Err == nil && document != "" {
		if err := a.matchDocument(r, document); err != nil {
			return err
		}
	}
	code := r.ExitCode(unwitnessed)
	a.result(reportOutput(r, code))
	if code != exitStands {
		a.note("hint: %s", verdictHint(r, unwitnessed))
	}
	return quiet(code)
}

// matchDocument looks for the document among what the bundle attests.
func (a *app) matchDocument(r *verify.Report, file string) error {
	digest, err := digestFile(file)
	if err != nil {
		return err
	}
	for _, result := range r.Results {
		if s := statementOf(result.Entry); s != nil && fmt.Sprintf("sha256:%x", s.SHA256) == digest {
			a.say("%s is the document of %s", file, result.ID)
			return nil
		}
	}
	return cannotTell("%s, %s, is not the document of any attestation in the bundle", file, digest).
		hinted("find the bundle of this document, or the document of this bundle")
}

func statementOf(e *entry.Entry) *entry.Statement {
	if e == nil || e.Attestation == nil {
		return nil
	}
	return e.Attestation.Statement
}

// printReport says what the bundle shows.
func (a *app) printReport(r *verify.Report, unwitnessed bool) {
	if r.Err != nil {
		a.say("%s: %v", r.Verdict, r.Err)
		return
	}
	for _, result := range r.Results {
		for _, line := range resultLines(r, result) {
			a.say("%s", line)
		}
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
		if result.Verdict <= verify.NotLogged {
			how = "nothing is shown"
		}
	}
	lines := []string{fmt.Sprintf("%s attested %s on %s; %s as of %s: %s",
		result.PartyName, what, day(result.Entry.Attestation.ValidFrom), how, clock(r.AsOf), result.Verdict)}
	lines = append(lines, fmt.Sprintf("  %s, index %d, as %s, valid until %s", result.ID, result.Index,
		result.Entry.Attestation.Relation, day(result.Entry.Attestation.ValidUntil)))
	if result.PartyEnded {
		lines = append(lines, "  the log no longer counts "+result.PartyName+" among its parties")
	}
	return append(lines, causeLines(result)...)
}

func causeLines(result verify.Result) []string {
	var lines []string
	for _, c := range result.Causes {
		line := fmt.Sprintf("  %s: %s", c.Verdict, c.Detail)
		if c.Event != nil {
			line += ", by " + c.Event.IDString()
			if rev := c.Event.Revocation; rev != nil {
				line += "; " + reasonText(rev.Reason)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// verdictHint is the one next step for a verdict.
func verdictHint(r *verify.Report, unwitnessed bool) string {
	switch r.Verdict {
	case verify.Active:
		return "use a trust file with cosigners, or say --allow-unwitnessed"
	case verify.Invalid:
		return "do not rely on it; get the bundle again from its source, and keep this one if the failure stays"
	case verify.Rollback:
		return "keep this file and the .seen file beside your trust file: together they show that the log went back; tell the log's monitors"
	case verify.NoEvidence:
		return "get a newer version of this program, or another bundle"
	case verify.NotLogged:
		return "ask the issuer to submit it"
	case verify.Stale:
		return "get a newer bundle, or allow more with --max-age"
	case verify.Suspended:
		return "wait for the end of the hold, and get a newer bundle then"
	case verify.Superseded:
		return "get the bundle of the attestation that replaced it"
	case verify.Expired:
		return "look for a newer attestation"
	}
	return "do not rely on it; read the reason"
}

// reportJSON is a report in JSON output.
type reportJSON struct {
	Verdict   string       `json:"verdict"`
	Exit      int          `json:"exit"`
	Error     string       `json:"error,omitempty"`
	Log       string       `json:"log,omitempty"`
	Size      uint64       `json:"size,omitempty"`
	Root      string       `json:"root,omitempty"`
	AsOf      string       `json:"asOf,omitempty"` // RFC 3339
	Witnessed bool         `json:"witnessed"`
	Cosigners []string     `json:"cosigners,omitempty"`
	Results   []resultJSON `json:"results"`
}

type resultJSON struct {
	ID         string      `json:"id"`
	Verdict    string      `json:"verdict"`
	Subjects   []string    `json:"subjects,omitempty"`
	Relation   string      `json:"relation,omitempty"`
	Index      uint64      `json:"index,omitempty"`
	Party      string      `json:"party,omitempty"`
	PartyName  string      `json:"partyName,omitempty"`
	PartyEnded bool        `json:"partyEnded,omitempty"`
	ValidFrom  uint64      `json:"validFrom,omitempty"`  // Unix seconds
	ValidUntil uint64      `json:"validUntil,omitempty"` // Unix seconds
	Causes     []causeJSON `json:"causes,omitempty"`
}

type causeJSON struct {
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Event   string `json:"event,omitempty"`
	Index   uint64 `json:"index,omitempty"`
	Reason  *uint8 `json:"reason,omitempty"`
}

func reportOutput(r *verify.Report, code int) reportJSON {
	out := reportJSON{Verdict: r.Verdict.String(), Exit: code, Log: r.Origin, Size: r.Size,
		Witnessed: r.Witnessed, Cosigners: r.Cosigners, Results: []resultJSON{}}
	if r.Err != nil {
		out.Error = r.Err.Error()
		return out
	}
	out.Root, out.AsOf = fmt.Sprintf("%x", r.Root), r.AsOf.UTC().Format(time.RFC3339)
	for _, result := range r.Results {
		j := resultJSON{ID: result.ID, Verdict: result.Verdict.String(), Index: result.Index,
			Party: result.Party, PartyName: result.PartyName, PartyEnded: result.PartyEnded}
		if e := result.Entry; e != nil && e.Attestation != nil {
			j.Relation, j.ValidFrom, j.ValidUntil = e.Attestation.Relation, e.Attestation.ValidFrom, e.Attestation.ValidUntil
			for _, s := range e.Subjects {
				j.Subjects = append(j.Subjects, s.Name)
			}
		}
		for _, c := range result.Causes {
			j.Causes = append(j.Causes, causeOutput(c))
		}
		out.Results = append(out.Results, j)
	}
	return out
}

func causeOutput(c verify.Cause) causeJSON {
	out := causeJSON{Verdict: c.Verdict.String(), Detail: c.Detail}
	if c.Event != nil {
		out.Event, out.Index = c.Event.IDString(), c.EventIndex
		if c.Event.Revocation != nil {
			out.Reason = &c.Event.Revocation.Reason
		}
	}
	return out
}
