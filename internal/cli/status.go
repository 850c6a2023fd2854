package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

func (a *app) statusCommand() *cobra.Command {
	var log, save string
	cmd := command("status SUBJECT…", `
Asks every log that you trust what it holds about subjects: purls, digests (sha256:<hex>) or ids
(att:<hex>, or prog:<hex> for a programme). Asking reveals the subject to the logs, and
the answers are not proven: "standing verify" judges a bundle in private. Each log
answers for itself, as of a time of its own; one that is down or stale takes nothing
from what the others say.

  --log ORIGIN|URL   ask this log only
  --save FILE        also fetch a bundle that proves what the log holds, and that it
                     is all, as FILE, for "standing verify" and your files: of one log

Exit code 0 if every attestation found stands, or none is found; 1 if one does not;
75 if none does not, and a log was not reached.`,
		cobra.MinimumNArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.status(cmd.Context(), log, save, args)
		})
	cmd.Flags().StringVar(&log, "log", "", "")
	cmd.Flags().StringVar(&save, "save", "", "")
	return cmd
}

// logStatus is what one log says.
type logStatus struct {
	Log     string                 `json:"log"`
	AsOf    *client.AsOf           `json:"asOf,omitempty"`
	Results []client.SubjectStatus `json:"results"`
	Error   string                 `json:"error,omitempty"` // why it says nothing
}

func (a *app) status(ctx context.Context, log, save string, args []string) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	logs, err := pickLogs(policy, log)
	if err != nil {
		return err
	}
	if save != "" && len(logs) > 1 {
		_, err := pickLog(policy, "")
		return err // which names them
	}
	code := exitStands
	var all []logStatus
	for _, l := range logs {
		c, err := l.dial(client.Config{})
		if err != nil {
			return err
		}
		s, own, err := a.statusOf(ctx, l, c, canonical(args))
		if err != nil {
			if len(logs) == 1 || ctx.Err() != nil {
				return err
			}
			a.say("%s says nothing: %v", l.Origin, err)
		}
		code = graver(code, own)
		all = append(all, *s)
		if save != "" {
			if err := a.saveBundle(ctx, c, save, policy, s.Results); err != nil {
				return err
			}
		}
	}
	a.result(map[string]any{"logs": all, "exit": code})
	return quiet(code)
}

// graver returns the exit code that says more: bad news counts, whoever could
// not be asked.
func graver(a, b int) int {
	rank := []int{exitStands, exitUnreachable, exitCannotTell, exitNot, exitUsage}
	if slices.Index(rank, b) > slices.Index(rank, a) {
		return b
	}
	return a
}

// canonical returns purls as they would have been admitted, and all else as it is.
func canonical(args []string) []string {
	subjects := slices.Clone(args)
	for i, arg := range args {
		if name, err := lint.CanonicalPurl(arg); err == nil {
			subjects[i] = name
		}
	}
	return subjects
}

// statusOf asks one log, and prints what it says.
func (a *app) statusOf(ctx context.Context, l target, c *client.Client, subjects []string) (*logStatus, int, error) {
	a.note("Asking %s: it learns what you are interested in.", l.Origin)
	out := &logStatus{Log: l.Origin, Results: []client.SubjectStatus{}}
	for part := range slices.Chunk(subjects, 50) {
		s, err := c.Status(ctx, part...)
		if err != nil {
			out.Results, out.AsOf, out.Error = []client.SubjectStatus{}, nil, err.Error()
			if client.Temporary(err) {
				return out, exitUnreachable, err
			}
			return out, exitCannotTell, err
		}
		out.Results, out.AsOf = append(out.Results, s.Results...), &s.AsOf
	}
	code := exitStands
	for _, r := range out.Results {
		code = graver(code, a.printStatus(r))
	}
	if uint64(a.now().Unix()) > out.AsOf.Time+uint64(a.maxAge/time.Second) {
		a.note("The newest state of %s is of %s, older than --max-age.", l.Origin, day(out.AsOf.Time))
		code = graver(code, exitCannotTell)
	}
	a.say("%s says so as of %s, %d leaves. This is no evidence.", l.Origin, day(out.AsOf.Time), out.AsOf.Size)
	return out, code, nil
}

// printStatus prints one answer and returns the exit code it asks for.
func (a *app) printStatus(r client.SubjectStatus) int {
	if r.Refused != nil {
		a.say("%s: %v", r.Subject, r.Refused)
		a.note("hint: %s", nextStep(r.Refused))
		return exitUsage
	}
	if p := r.Programme; p != nil {
		a.printProgramme(p)
	} else if len(r.Attestations) == 0 {
		a.say("%s: NONE", r.Subject)
	}
	code := exitStands
	for _, att := range r.Attestations {
		line := fmt.Sprintf("%s: %s %s", r.Subject, att.Verdict, att.ID)
		if att.ReasonName != "" {
			line += " (" + att.ReasonName + ")"
		}
		a.say("%s", line)
		a.say("  %s attested it at index %d; valid from %s until %s", att.IssuerName, att.IssuedIndex, day(att.ValidFrom), day(att.ValidUntil))
		if len(att.WithdrawnClaims) > 0 {
			a.say("  withdrawn of it: %s", strings.Join(att.WithdrawnClaims, ", "))
		}
		if att.ProgrammeID != "" {
			a.say("  under %s, which is %s", att.ProgrammeID, att.ProgrammeState)
		}
		switch att.Verdict {
		case "ACTIVE":
		case "STALE":
			code = graver(code, exitCannotTell)
		default:
			code = graver(code, exitNot)
		}
	}
	if n := r.Total - uint64(len(r.Attestations)); n > 0 {
		a.say("  and %d older ones", n)
	}
	return code
}

func (a *app) printProgramme(p *client.Programme) {
	a.say("%s: %s", p.ID, p.State)
	a.say("  %s (%s) published it at index %d; its newest rules are of index %d, its last change of index %d",
		p.OperatorName, p.OperatorID, p.IssuedIndex, p.RulesIndex, p.LastIndex)
	a.say("  rules sha256:%s, %s", p.Rules, p.Link)
	a.say("  catalogues %s; roles %s; at most %s", strings.Join(p.Catalogues, ", "), strings.Join(p.Roles, ", "), days(p.MaxValidity))
	members := "any party"
	if len(p.Members) > 0 {
		members = strings.Join(p.Members, ", ")
	}
	a.say("  members: %s", members)
}

// saveBundle fetches a bundle about what was asked and writes it to a file.
func (a *app) saveBundle(ctx context.Context, c *client.Client, file string, policy *trust.Policy, found []client.SubjectStatus) error {
	b, err := a.bundleAbout(ctx, c, found)
	if err != nil {
		return err
	}
	if err := keyfile.WriteFile(file, b, 0o644); err != nil {
		return err
	}
	a.say("wrote %s", file)
	r := verify.Bundle(b, verify.Options{Policy: policy, Now: a.now(), MaxAge: a.maxAge})
	if r.Err != nil {
		return cannotTell("%s proves nothing: %w", file, r.Err).hinted(verdictHint(r))
	}
	for i := range r.Subjects {
		a.say("  %s", subjectLine(r, &r.Subjects[i]))
	}
	return nil
}

// bundleAbout fetches the bundle of all that the log holds about purls and
// digests; where it was asked about ids, of the attestations found.
func (a *app) bundleAbout(ctx context.Context, c *client.Client, found []client.SubjectStatus) ([]byte, error) {
	var subjects, ids []string
	for _, r := range found {
		if !strings.HasPrefix(r.Subject, "att:") && !strings.HasPrefix(r.Subject, "prog:") {
			subjects = append(subjects, r.Subject)
		}
		for _, att := range r.Attestations {
			if !slices.Contains(ids, att.ID) {
				ids = append(ids, att.ID)
			}
		}
	}
	if len(subjects) < len(found) {
		if len(ids) == 0 {
			return nil, cannotTell("there is no attestation to save").hinted("ask about another subject")
		}
		return c.Bundle(ctx, ids...)
	}
	bundles, err := c.Prove(ctx, subjects...)
	if err == nil && len(bundles) > 1 {
		err = usage("the answer takes %d bundles", len(bundles)).hinted("ask about fewer subjects at once")
	}
	if err != nil {
		return nil, err
	}
	return bundles[0], nil
}
