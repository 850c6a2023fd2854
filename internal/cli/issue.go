package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
)

func (a *app) issueCommand() *cobra.Command {
	var s signerFlags
	var f publishFlags
	var log, versions string
	cmd := command("issue FILE…", `
Reads the draft FILE (see "standing new"), checks it by the rules of the log,
shows exactly what becomes public, asks, signs, saves the signed entry as
FILE.dsse.json, and only then submits it. The bundle that comes back is saved as
FILE.standing.json: give it to whoever wants to verify.

Several drafts, or several versions, are shown, signed and saved together before
the first is sent. If that is interrupted, or the log does not answer, run the same
again: what is saved is not signed anew, and what is logged is not sent again.

  --versions LIST   issue the draft FILE once for each line of the file LIST (or "-"):
                    VERSION DIGEST; the entry is saved as FILE-VERSION.dsse.json
`+signerHelp+publishHelp+`
  --log ORIGIN|URL  submit to this one of the draft's logs`,
		cobra.MinimumNArgs(1), func(cmd *cobra.Command, args []string) error {
			drafts, err := a.readDrafts(args, versions)
			if err != nil {
				return err
			}
			if len(args) == 1 && versions == "" {
				return a.issue(cmd.Context(), drafts[0], log, s, f)
			}
			return a.issueAll(cmd.Context(), drafts, log, s, f)
		})
	s.add(cmd)
	f.add(cmd)
	cmd.Flags().StringVar(&log, "log", "", "")
	cmd.Flags().StringVar(&versions, "versions", "", "")
	return cmd
}

// named is a draft and the name of its files, without suffix.
type named struct {
	*draft
	file, name string
}

func (a *app) issue(ctx context.Context, d named, log string, s signerFlags, f publishFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	p, err := d.propose(policy, log, signer)
	if err != nil {
		return err
	}
	p.question = "Sign this?"
	return a.publish(ctx, p, f)
}

// readDraft reads a draft from a file.
func (a *app) readDraft(file string) (named, error) {
	data, err := a.readFile(file, maxDraft)
	if err != nil {
		return named{}, err
	}
	d, err := parseDraft(data)
	if err != nil {
		return named{}, usage("%s: %w", file, err).hinted(`correct the draft; "standing new" writes one that is complete`)
	}
	return named{d, file, withoutSuffix(file, ".yaml", ".yml")}, nil
}

// propose makes the statement of a draft, for the one log that is meant.
func (d named) propose(policy *trust.Policy, log string, signer entry.Signer) (proposal, error) {
	predicate, subjects, err := d.statement()
	if err != nil {
		return proposal{}, usage("%s: %w", d.file, err).hinted("correct the draft")
	}
	if log == "" && len(d.Logs) == 1 {
		log = d.Logs[0]
	}
	l, err := pickLog(policy, log)
	if err != nil {
		return proposal{}, err
	}
	if !slices.Contains(d.Logs, l.Origin) {
		return proposal{}, usage("the draft is not meant for %s", l.Origin).hinted("add it to logs in " + d.file)
	}
	return proposal{predicate: predicate, subjects: subjects, log: l, signer: signer, name: d.name}, nil
}
