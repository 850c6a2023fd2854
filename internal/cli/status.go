package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

func (a *app) statusCommand() *cobra.Command {
	var log, save string
	cmd := command("status SUBJECT…", `
Asks every log that you trust what it holds about subjects: purls, digests (sha256:<hex>) or ids
(att:<hex>, or prog:<hex> for a programme). Asking reveals the subject to the logs, and
the answers are not proven: "standing verify" judges a bundle in private. Each log
answers for itself, as of a time of its own, and shows who has cosigned the checkpoint
that it rests on; one that is down, slow or stale takes nothing from what the others
say. They are asked at once, and have 20 seconds.

  --log ORIGIN|URL   ask this log only
  --save FILE        also fetch a bundle that proves what the log holds, and that it
                     is all, as FILE, for "standing verify" and your files: of one log

Exit code 0 if every attestation found stands, or none is found; 1 if one does not;
3 if none does not, and a checkpoint is too old, or not cosigned as your trust file
asks; 75 if none does not, and a log was not reached.`,
		cobra.MinimumNArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.status(cmd.Context(), log, save, args)
		})
	cmd.Flags().StringVar(&log, "log", "", "")
	cmd.Flags().StringVar(&save, "save", "", "")
	return cmd
}

// logStatus is what one log says.
type logStatus struct {
	Log  string       `json:"log"`
	AsOf *client.AsOf `json:"asOf,omitempty"`
	// Cosigned are the cosignatures that verify, of the checkpoint of that state.
	Cosigned []cosigned             `json:"cosigned,omitempty"`
	Doubt    string                 `json:"doubt,omitempty"` // why the checkpoint does not count
	Results  []client.SubjectStatus `json:"results"`
	Error    string                 `json:"error,omitempty"` // why it says nothing

	err error // the same
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
	answers := a.askAll(ctx, logs, policy, canonical(args))
	code := exitStands
	var all []*logStatus
	for i := range logs {
		s := <-answers[i]
		if s.err != nil && (len(logs) == 1 || ctx.Err() != nil) {
			return s.err
		}
		code = graver(code, a.printLog(s))
		all = append(all, s)
	}
	if save != "" {
		if err := a.saveBundle(ctx, logs[0], save, policy, all[0].Results); err != nil {
			return err
		}
	}
	a.result(map[string]any{"logs": all, "exit": code})
	return quiet(code)
}

// answerTime is how long a log may take to answer.
const answerTime = 20 * time.Second

// askAll asks all logs at once, of which a trust file has 64 at most: none waits
// for another that is slow. There is one answer in each channel.
func (a *app) askAll(ctx context.Context, logs []target, policy *trust.Policy, subjects []string) []chan *logStatus {
	answers := make([]chan *logStatus, len(logs))
	for i, l := range logs {
		a.note("Asking %s: it learns what you are interested in.", l.Origin)
		answers[i] = make(chan *logStatus, 1)
		go func() {
			ctx, cancel := context.WithTimeout(ctx, answerTime)
			defer cancel()
			answers[i] <- a.ask(ctx, l, policy, subjects)
		}()
	}
	return answers
}

// ask asks one log.
func (a *app) ask(ctx context.Context, l target, policy *trust.Policy, subjects []string) *logStatus {
	out := &logStatus{Log: l.Origin, Results: []client.SubjectStatus{}}
	c, err := l.dial(client.Config{})
	for part := range slices.Chunk(subjects, 50) {
		var s *client.Status
		if err == nil {
			s, err = c.Status(ctx, part...)
		}
		if err != nil {
			return &logStatus{Log: l.Origin, Results: []client.SubjectStatus{}, Error: err.Error(), err: err}
		}
		// Of several answers the first is the oldest: all are as of then, or later.
		if out.AsOf == nil {
			out.AsOf = &s.AsOf
			a.cosigners(out, policy, s.Checkpoint)
		}
		out.Results = append(out.Results, s.Results...)
	}
	return out
}

// cosigners fills in who has cosigned the checkpoint that an answer rests on, or
// why it does not count.
func (a *app) cosigners(s *logStatus, policy *trust.Policy, note []byte) {
	cp, err := policy.Open(note, a.now())
	if err == nil && cp.Witnessed {
		s.AsOf.Time = uint64(cp.Time.Unix()) // the log may count others than we do
	}
	if errors.Is(err, trust.ErrQuorum) {
		if signed, signedErr := policy.OpenLogSigned(note); signedErr == nil {
			cp = signed // and there may be some who have
		}
	}
	if cp != nil && (cp.Origin != s.Log || cp.Size != s.AsOf.Size) {
		cp, err = nil, fmt.Errorf("it is of %s, size %d", cp.Origin, cp.Size)
	}
	if err != nil {
		s.Doubt = err.Error()
	}
	if cp != nil {
		s.Cosigned = cosignedBy(cp.Cosignatures)
	}
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

// printLog prints what a log says and returns the exit code it asks for.
func (a *app) printLog(s *logStatus) int {
	if s.err != nil {
		a.say("%s says nothing: %v", s.Log, s.err)
		if client.Temporary(s.err) {
			return exitUnreachable
		}
		return exitCannotTell
	}
	code := exitStands
	for _, r := range s.Results {
		code = graver(code, a.printStatus(r))
	}
	a.say("%s says so as of %s, %d leaves. This is no evidence.", s.Log, day(s.AsOf.Time), s.AsOf.Size)
	a.say("  Its checkpoint is cosigned by %s.", cosignersText(s.Cosigned))
	if s.Doubt != "" {
		a.say("  It does not count under your trust file: %s.", s.Doubt)
		code = graver(code, exitCannotTell)
	}
	if uint64(a.now().Unix()) > s.AsOf.Time+uint64(a.maxAge/time.Second) {
		a.note("The newest state of %s is of %s, older than --max-age.", s.Log, day(s.AsOf.Time))
		code = graver(code, exitCannotTell)
	}
	return code
}

func cosignersText(all []cosigned) string {
	var by []string
	for _, c := range all {
		by = append(by, c.By+" ("+c.At+")")
	}
	if len(by) == 0 {
		return "nobody in your trust file"
	}
	return strings.Join(by, ", ")
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
