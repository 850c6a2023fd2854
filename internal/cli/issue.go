package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
)

func (a *app) issueCommand() *cobra.Command {
	var s signerFlags
	var f publishFlags
	var log string
	cmd := command("issue FILE", `
Reads the draft FILE (see "standing new"), checks it by the rules of the log,
shows exactly what becomes public, asks, signs, saves the signed entry as
FILE.dsse.json, and only then submits it. The bundle that comes back is saved as
FILE.standing.json: give it to whoever wants to verify.
`+signerHelp+publishHelp+`
  --log ORIGIN|URL  submit to this one of the draft's logs`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.issue(cmd.Context(), args[0], log, s, f)
		})
	s.add(cmd)
	f.add(cmd)
	cmd.Flags().StringVar(&log, "log", "", "")
	return cmd
}

func (a *app) issue(ctx context.Context, file, log string, s signerFlags, f publishFlags) error {
	data, err := a.readFile(file, maxDraft)
	if err != nil {
		return err
	}
	d, err := parseDraft(data)
	if err != nil {
		return usage("%s: %w", file, err).hinted(`correct the draft; "standing new" writes one that is complete`)
	}
	predicate, subjects, err := d.statement()
	if err != nil {
		return usage("%s: %w", file, err).hinted("correct the draft")
	}
	policy, err := a.policy()
	if err != nil {
		return err
	}
	if log == "" && len(d.Logs) == 1 {
		log = d.Logs[0]
	}
	l, err := pickLog(policy, log)
	if err != nil {
		return err
	}
	if !slices.Contains(d.Logs, l.Origin) {
		return usage("the draft is not meant for %s", l.Origin).hinted("add it to logs in " + file)
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	return a.publish(ctx, proposal{
		predicate: predicate, subjects: subjects, log: l, signer: signer,
		name: withoutSuffix(file, ".yaml", ".yml"), question: "Sign this?",
	}, f)
}
