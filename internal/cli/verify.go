package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// verifyFlags are those of verify alone.
type verifyFlags struct {
	document    string
	at          string
	minSize     uint64
	unwitnessed bool
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := command("verify FILE [REVOCATION…]", `
Judges the bundle FILE under your trust file, and says what was attested, by whom,
and whether it stood, as of when. Never uses the network. "-" reads standard
input. The largest tree seen of each log is kept beside the trust file, so that a
log that goes back is noticed; FILE.pins beside it is read too ("standing trust").

Signed entries among the files are revocations at hand, which the log may not have:
one by a key of the attestation's party counts all the same.

  --max-age AGE          how old the answer may be (default: 24h)
  --at TIME              judge as of then, RFC 3339 or Unix seconds: how it stood, by
                         what there was
  --min-size N           the least size of the log that is good enough
  --document FILE        the document that a bundle attests by its digest
  --allow-unwitnessed    take a log's word alone, where the trust file says quorum none`,
		cobra.MinimumNArgs(1), func(_ *cobra.Command, args []string) error {
			return a.verify(args, f)
		})
	cmd.Flags().BoolVar(&f.unwitnessed, "allow-unwitnessed", false, "")
	cmd.Flags().StringVar(&f.document, "document", "", "")
	cmd.Flags().StringVar(&f.at, "at", "", "")
	cmd.Flags().Uint64Var(&f.minSize, "min-size", 0, "")
	return cmd
}

func (a *app) verify(files []string, f verifyFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	at, err := parseTime(f.at)
	if err != nil {
		return err
	}
	in, err := a.readEvidence(files)
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
	r := verify.Bundle(in.bundle, verify.Options{Policy: policy, Now: a.now(), At: at, MaxAge: a.maxAge,
		MinSize: f.minSize, Seen: seen, Revocations: in.revocations})
	if r.Err == nil {
		// A reader that cannot write still gets its answer.
		if err := saveSeen(path, policy, seen, trust.Body{Origin: r.Origin, Size: r.Size, Root: r.Root}); err != nil {
			a.note("standing: this tree is not remembered: %v", err)
		}
	}
	if !at.IsZero() {
		a.say("judged as of %s", clock(at))
	}
	a.printReport(r, in, f.unwitnessed)
	if r.Err == nil && f.document != "" {
		if err := a.matchDocument(r, f.document); err != nil {
			return err
		}
	}
	code := r.ExitCode(f.unwitnessed)
	out := reportOutput(r, in, code)
	if !at.IsZero() {
		out.At = at.UTC().Format(time.RFC3339)
	}
	a.result(out)
	if code != exitStands {
		a.note("hint: %s", verdictHint(r))
	}
	return quiet(code)
}

// parseTime parses a time of the command line; "" is none.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseUint(s, 10, 40); err == nil {
		return time.Unix(int64(n), 0), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() < 0 {
		return time.Time{}, usage("--at %.40q is no time", s).hinted("write 2026-01-31T12:00:00Z, or Unix seconds")
	}
	return t, nil
}

// evidence is what verify is given.
type evidence struct {
	bundle      []byte
	revocations [][]byte
	names       []string // of the files of revocations
}

// readEvidence tells a bundle from signed entries.
func (a *app) readEvidence(files []string) (*evidence, error) {
	var in evidence
	for _, file := range files {
		data, err := a.readFile(file, bundle.MaxSize)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Canonicalize(data); err == nil {
			in.revocations, in.names = append(in.revocations, data), append(in.names, file)
			continue
		}
		if in.bundle != nil {
			return nil, usage("%s is no signed entry, and one bundle at a time is judged", file).hinted("name one bundle, and revocations that are about it")
		}
		in.bundle = data
	}
	if in.bundle == nil {
		return nil, usage("%s: a signed entry, and no bundle", files[0]).hinted("name the bundle that it is about too")
	}
	return &in, nil
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
func (a *app) printReport(r *verify.Report, in *evidence, unwitnessed bool) {
	if r.Err != nil {
		a.say("%s: %v", r.Verdict, r.Err)
		return
	}
	for _, result := range r.Results {
		for _, line := range resultLines(r, result) {
			a.say("%s", line)
		}
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
func verdictHint(r *verify.Report) string {
	if _, ok := errors.AsType[*trust.QuorumError](r.Err); ok && r.Verdict == verify.NoEvidence {
		return "get a bundle of that time, or judge as of a later one; if it is now that you ask about, check your clock"
	}
	switch r.Verdict {
	case verify.Active:
		return "use a trust file with cosigners, or say --allow-unwitnessed"
	case verify.Invalid:
		return "do not rely on it; get the bundle again from its source, and keep this one if the failure stays"
	case verify.Rollback:
		return "keep this file and the .seen file beside your trust file: together they show that the log went back; tell the log's monitors"
	case verify.NoEvidence:
		return "get a newer bundle, or a newer version of this program"
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
	At        string       `json:"at,omitempty"` // RFC 3339, of --at
	Log       string       `json:"log,omitempty"`
	Size      uint64       `json:"size,omitempty"`
	Root      string       `json:"root,omitempty"`
	AsOf      string       `json:"asOf,omitempty"` // RFC 3339
	Witnessed bool         `json:"witnessed"`
	Cosigners []string     `json:"cosigners,omitempty"`
	Results   []resultJSON `json:"results"`
	Notes     []noteJSON   `json:"notes,omitempty"`
}

// unloggedCode names revocations at hand that change no verdict.
const unloggedCode = "UNLOGGED_REVOCATION"

type noteJSON struct {
	Code   string `json:"code"` // unloggedCode
	File   string `json:"file"`
	Event  string `json:"event,omitempty"`
	Detail string `json:"detail"`
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
	Logged  *bool  `json:"logged,omitempty"` // false: the event is at hand, and not shown to be in the log
}

func reportOutput(r *verify.Report, in *evidence, code int) reportJSON {
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
	for _, n := range r.Notes {
		j := noteJSON{Code: unloggedCode, File: in.names[n.Index], Detail: n.Detail}
		if n.Event != nil {
			j.Event = n.Event.IDString()
		}
		out.Notes = append(out.Notes, j)
	}
	return out
}

func causeOutput(c verify.Cause) causeJSON {
	out := causeJSON{Verdict: c.Verdict.String(), Detail: c.Detail}
	if c.Event != nil {
		logged := !c.Unlogged
		out.Event, out.Index, out.Logged = c.Event.IDString(), c.EventIndex, &logged
		if c.Event.Revocation != nil {
			out.Reason = &c.Event.Revocation.Reason
		}
	}
	return out
}
