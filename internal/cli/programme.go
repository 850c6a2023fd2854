package cli

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// maxRules bounds a rules document, in bytes.
const maxRules = 64 << 20

// programmeFlags are the flags of programme.
type programmeFlags struct {
	rules, link, log           string
	catalogues, roles, members []string
	days                       uint64
}

func (a *app) programmeCommand() *cobra.Command {
	var p programmeFlags
	var s signerFlags
	var f publishFlags
	cmd := command("programme publish|amend|close [PROG]", `
Publishes rules under which attestations are issued, as their operator. What is
issued under a programme is held against its newest rules by the log, and its
operator may withdraw it.

  publish            new rules; the id that comes back names the programme
  amend PROG         other rules from now on; what is not given stays as it is
  close PROG         nothing more is issued under it; what was issued stands

  --rules FILE       the rules document: its SHA-256 is logged, the file stays here
  --link URL         where everybody finds it
  --catalogues A,B   the catalogues that claims may be made of
  --roles A,B        an issuer has one of these roles
  --members ID,ID    the parties that may issue, or any
  --max-validity N   the longest validity of an attestation, in days
  --log ORIGIN|URL   the log (default: the one you trust)
`+signerHelp+publishHelp, cobra.RangeArgs(1, 2), func(cmd *cobra.Command, args []string) error {
		return a.programme(cmd.Context(), args, p, s, f)
	})
	s.add(cmd)
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&p.rules, "rules", "", "")
	fl.StringVar(&p.link, "link", "", "")
	fl.StringVar(&p.log, "log", "", "")
	fl.StringSliceVar(&p.catalogues, "catalogues", nil, "")
	fl.StringSliceVar(&p.roles, "roles", nil, "")
	fl.StringSliceVar(&p.members, "members", nil, "")
	fl.Uint64Var(&p.days, "max-validity", 0, "")
	return cmd
}

func (a *app) programme(ctx context.Context, args []string, p programmeFlags, s signerFlags, f publishFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	l, err := pickLog(policy, p.log)
	if err != nil {
		return err
	}
	predicate, subject, err := a.programmeEvent(ctx, l, args, p)
	if err != nil {
		return err
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	return a.publish(ctx, proposal{
		predicate: predicate, subjects: []entry.Subject{subject}, log: l, signer: signer,
		name: "programme-" + predicate.Action + "-" + subject.Digest[:12], question: "Sign this?",
	}, f)
}

// programmeEvent puts the statement together.
func (a *app) programmeEvent(ctx context.Context, l target, args []string, p programmeFlags) (*entry.Programme, entry.Subject, error) {
	event := &entry.Programme{Log: l.Origin, Action: args[0]}
	var none entry.Subject
	if event.Action == entry.ActionPublish {
		if len(args) != 1 {
			return nil, none, usage("a programme gets its id when it is published")
		}
		if p.rules == "" || p.link == "" || p.catalogues == nil || p.roles == nil || p.members == nil || p.days == 0 {
			return nil, none, usage("publish needs --rules, --link, --catalogues, --roles, --members and --max-validity").
				hinted("standing programme --help explains them")
		}
		err := a.setRules(event, p)
		return event, entry.RulesSubject(event.Rules), err
	}
	if len(args) != 2 {
		return nil, none, usage("name the programme, as prog:<64 hex>")
	}
	id, err := programmeID(args[1])
	if err != nil {
		return nil, none, usage("%v", err).hinted("the id is prog:<64 hex>, as printed when it was published")
	}
	switch {
	case event.Action == entry.ActionAmend:
		if err := a.presentRules(ctx, l, event, id); err != nil {
			return nil, none, err
		}
		err = a.setRules(event, p)
	case event.Action != entry.ActionClose:
		err = usage("programme %.80q is not publish, amend or close", event.Action)
	case p.given():
		err = usage("close changes no rules")
	}
	return event, entry.ProgrammeSubject(id), err
}

func (p *programmeFlags) given() bool {
	return p.rules != "" || p.link != "" || p.catalogues != nil || p.roles != nil || p.members != nil || p.days != 0
}

// presentRules fills in what an amendment starts from. The log's word is
// enough: all of it is shown before it is signed, and if `after` is wrong, the
// amendment has no effect.
func (a *app) presentRules(ctx context.Context, l target, event *entry.Programme, id entry.Hash) error {
	c, err := l.dial(client.Config{})
	if err != nil {
		return err
	}
	name := entry.ProgrammeSubject(id).Name
	status, err := c.Status(ctx, name)
	if err != nil {
		return err
	}
	r := status.Results[0]
	if r.Refused != nil {
		return r.Refused
	}
	if r.Programme == nil {
		return reason.Errorf(reason.Programme, "%s is not in %s", name, l.Origin)
	}
	now := r.Programme
	event.After, event.Link, event.Catalogues, event.Roles, event.MaxValidity = &now.LastIndex, now.Link, now.Catalogues, now.Roles, now.MaxValidity
	if event.Rules, err = parseHash(now.Rules); err != nil {
		return cannotTell("the rules that %s lists: %w", l.Origin, err)
	}
	if len(now.Members) > 0 {
		event.Members, err = memberIDs(now.Members)
	}
	return err
}

// setRules puts what was given over what is there.
func (a *app) setRules(event *entry.Programme, p programmeFlags) error {
	if p.rules != "" {
		data, err := a.readFile(p.rules, maxRules)
		if err != nil {
			return err
		}
		event.Rules = sha256.Sum256(data)
	}
	if p.link != "" {
		event.Link = p.link
	}
	if p.catalogues != nil {
		event.Catalogues = p.catalogues
	}
	if p.roles != nil {
		event.Roles = p.roles
	}
	if p.days != 0 {
		event.MaxValidity = p.days * secondsPerDay
	}
	if p.members == nil {
		return nil
	}
	if event.Members = nil; slices.Equal(p.members, []string{"any"}) {
		return nil
	}
	var err error
	event.Members, err = memberIDs(p.members)
	return err
}

func memberIDs(printed []string) ([]entry.Hash, error) {
	out := make([]entry.Hash, len(printed))
	for i, s := range printed {
		var err error
		if out[i], err = parseHash(strings.TrimPrefix(s, "party:")); err != nil {
			return nil, usage("--members: %v", err).hinted("name parties as party:<64 hex>, or say any")
		}
	}
	return out, nil
}

// programmeID parses prog:<hex>.
func programmeID(s string) (entry.Hash, error) {
	return parseHash(strings.TrimPrefix(s, "prog:"))
}
