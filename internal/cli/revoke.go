package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// revokeFlags are the flags of revoke.
type revokeFlags struct {
	reason, hold, reinstate, link, since, programme, log string
	refs, claims                                         []string
	after                                                []uint
}

func (a *app) revokeCommand() *cobra.Command {
	var r revokeFlags
	var s signerFlags
	var f publishFlags
	cmd := command("revoke ID… --reason CODE", `
Withdraws attestations of your own party, for good. With --claims only these
claims of them are withdrawn; with --hold they are suspended until a date
instead, with --reinstate a hold of yours is lifted. The operator of a programme
may do the same to what was issued under it, and names it with --programme.

  --reason CODE     why; the codes are below
  --claims A,B      withdraw these claims; the others stand
  --hold UNTIL      suspend until this date, at most 90 days ahead
  --reinstate EVT   lift the hold with this event id
  --refs A,B        what the reason refers to: claim ids, CVE numbers, digests …
  --link URL        https: link
  --since DATE      since when it was untrue
  --after N         with --hold: index of the last change of each attestation
                    (default: what the log says)
  --programme PROG  act as the operator of this programme
  --log ORIGIN|URL  the log (default: the one you trust)
`+signerHelp+publishHelp+`

Reasons, and what each must carry:
`+reasonHelp(), cobra.MinimumNArgs(1), func(cmd *cobra.Command, args []string) error {
		return a.revoke(cmd.Context(), args, r, s, f)
	})
	s.add(cmd)
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&r.reason, "reason", "", "")
	fl.StringVar(&r.hold, "hold", "", "")
	fl.StringVar(&r.reinstate, "reinstate", "", "")
	fl.StringVar(&r.link, "link", "", "")
	fl.StringVar(&r.since, "since", "", "")
	fl.StringVar(&r.programme, "programme", "", "")
	fl.StringVar(&r.log, "log", "", "")
	fl.StringSliceVar(&r.claims, "claims", nil, "")
	fl.StringSliceVar(&r.refs, "refs", nil, "")
	fl.UintSliceVar(&r.after, "after", nil, "")
	return cmd
}

func reasonHelp() string {
	var b strings.Builder
	for _, r := range catalogue.Reasons() {
		var needs []string
		for _, n := range []struct {
			flag string
			on   bool
		}{{"--refs", r.Refs}, {"--link", r.Link}, {"--since", r.Since}} {
			if n.on {
				needs = append(needs, n.flag)
			}
		}
		b.WriteString("  " + r.Code + ": " + r.Meaning)
		if needs != nil {
			b.WriteString("\n      " + strings.Join(needs, ", ") + ": " + r.Detail)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (a *app) revoke(ctx context.Context, args []string, r revokeFlags, s signerFlags, f publishFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	l, err := pickLog(policy, r.log)
	if err != nil {
		return err
	}
	predicate, err := r.predicate(l.Origin)
	if err != nil {
		return err
	}
	var subjects []entry.Subject
	for _, arg := range args {
		id, err := parseHash(strings.TrimPrefix(arg, "att:"))
		if err != nil {
			return usage("id: %v", err).hinted("ids of attestations are att:<64 hex>")
		}
		subjects = append(subjects, entry.AttestationSubject(id))
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	if predicate.Action == entry.ActionHold {
		if predicate.After, err = a.lastChanges(ctx, l, subjects, r.after); err != nil {
			return err
		}
	}
	return a.publish(ctx, proposal{
		predicate: predicate, subjects: subjects, log: l, signer: signer,
		name: predicate.Action + "-" + subjects[0].Digest[:12], question: "Sign this?",
	}, f)
}

func (r *revokeFlags) predicate(origin string) (*entry.Revocation, error) {
	p := &entry.Revocation{Log: origin, Refs: r.refs, Link: r.link}
	code, err := r.action(p)
	if err != nil {
		return nil, err
	}
	if p.Reason, err = reasonNumber(code); err != nil {
		return nil, err
	}
	if r.programme != "" {
		id, err := programmeID(r.programme)
		if err != nil {
			return nil, usage("--programme: %v", err)
		}
		p.Programme = &id
	}
	if r.since != "" {
		t, err := parseDate(r.since)
		if err != nil {
			return nil, usage("--since: %v", err)
		}
		p.Since = &t
	}
	return p, nil
}

// action fills in what is done, and returns the code of the reason.
func (r *revokeFlags) action(p *entry.Revocation) (code string, err error) {
	code, p.Action = r.reason, entry.ActionRevoke
	given := 0
	if len(r.claims) > 0 {
		given++
		p.Action, p.Claims = entry.ActionClaims, slices.Compact(slices.Sorted(slices.Values(r.claims)))
	}
	if r.hold != "" {
		given++
		p.Action, code = entry.ActionHold, cmp.Or(code, "hold")
		if p.Until, err = parseDate(r.hold); err != nil {
			return "", usage("--hold: %v", err)
		}
	}
	if r.reinstate != "" {
		given++
		p.Action, code = entry.ActionReinstate, cmp.Or(code, "hold-released")
		if p.Hold, err = parseHash(strings.TrimPrefix(r.reinstate, "evt:")); err != nil {
			return "", usage("--reinstate: %v", err)
		}
	}
	if given > 1 {
		return "", usage("--claims, --hold and --reinstate exclude each other")
	}
	return code, nil
}

// reasonNumber returns the number of the reason with the code.
func reasonNumber(code string) (uint8, error) {
	row, ok := catalogue.ReasonByCode(code)
	if !ok {
		return 0, usage("--reason %.80q is not known", code).hinted("standing revoke --help lists the reasons")
	}
	return row.Number, nil
}

// lastChanges returns `after` of a hold, one per subject in the order in which
// they will stand. The log's word is enough: if it is wrong, the hold has no
// effect.
func (a *app) lastChanges(ctx context.Context, l target, subjects []entry.Subject, given []uint) ([]uint64, error) {
	if len(given) > 0 {
		if len(given) != len(subjects) {
			return nil, usage("--after has %d numbers for %d attestations", len(given), len(subjects))
		}
		return sortTogether(subjects, given), nil
	}
	sortTogether(subjects, make([]uint, len(subjects)))
	c, err := l.dial(client.Config{})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(subjects))
	for i, s := range subjects {
		names[i] = s.Name
	}
	status, err := c.Status(ctx, names...)
	if err != nil {
		return nil, err
	}
	var after []uint64
	for _, r := range status.Results {
		if r.Refused != nil {
			return nil, r.Refused
		}
		if len(r.Attestations) != 1 {
			return nil, reason.Errorf(reason.TargetUnknown, "%s is not in %s", r.Subject, l.Origin)
		}
		after = append(after, r.Attestations[0].LastIndex)
	}
	return after, nil
}

// sortTogether sorts subjects by name, as entry.Payload will, and values with
// them.
func sortTogether(subjects []entry.Subject, values []uint) []uint64 {
	byName := map[string]uint64{}
	for i, s := range subjects {
		byName[s.Name] = uint64(values[i])
	}
	sortSubjects(subjects)
	out := make([]uint64, len(subjects))
	for i, s := range subjects {
		out[i] = byName[s.Name]
	}
	return out
}
