package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
)

// joinFlags are the flags of join.
type joinFlags struct {
	name, website, recovery, out string
	roles, keys                  []string
	yes                          bool
}

func (a *app) joinCommand() *cobra.Command {
	var j joinFlags
	cmd := command("join LOG", `
Writes a request to be enrolled in a log, signed by your key, to be sent to the
log's registrar. LOG is the origin or URL of a log that you trust. Nothing is
sent by this command.

  --name NAME       the organisation's name, with its legal form if it has one;
                    it can never be changed
  --website URL     https: link
  --role ROLE       steward, maintainer, manufacturer, user, assessor, public-body,
                    fiscal-host or authority; may be repeated
  --key FILE        ordinary key file; may be repeated; the first one signs
  --recovery FILE   recovery key file
  --out FILE        where the request is saved (default: join.dsse.json)
  --yes             do not ask`,
		cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error { return a.join(args[0], j) })
	f := cmd.Flags()
	f.StringVar(&j.name, "name", "", "")
	f.StringVar(&j.website, "website", "", "")
	f.StringVar(&j.recovery, "recovery", "", "")
	f.StringVar(&j.out, "out", "join"+entrySuffix, "")
	f.StringSliceVar(&j.roles, "role", nil, "")
	f.StringSliceVar(&j.keys, "key", nil, "")
	f.BoolVarP(&j.yes, "yes", "y", false, "")
	return cmd
}

func (a *app) join(log string, j joinFlags) error {
	if j.name == "" || j.website == "" || len(j.roles) == 0 || len(j.keys) == 0 || j.recovery == "" {
		return usage("--name, --website, --role, --key and --recovery are all needed").hinted(`"standing keygen" makes the keys`)
	}
	policy, err := a.policy()
	if err != nil {
		return err
	}
	l, err := pickLog(policy, log)
	if err != nil {
		return err
	}
	p, subjects, signer, err := j.predicate(l.Origin)
	if err != nil {
		return err
	}
	// The request is the enrolment itself, signed by the applicant. A log
	// refuses it: only a registrar's signature enrols.
	return a.publish(context.Background(), proposal{
		predicate: p, subjects: subjects, log: l, signer: signer,
		question: "Sign this request?", request: true,
	}, publishFlags{out: j.out, yes: j.yes, noSubmit: true})
}

// predicate loads all keys and has each prove possession.
func (j *joinFlags) predicate(origin string) (*entry.Party, []entry.Subject, entry.Signer, error) {
	recovery, err := keyfile.Load(j.recovery)
	if err != nil {
		return nil, nil, nil, err
	}
	var keys []*keyfile.Key
	var ids []entry.Hash
	for _, path := range j.keys {
		k, err := keyfile.Load(path)
		if err != nil {
			return nil, nil, nil, err
		}
		keys, ids = append(keys, k), append(ids, k.Public().ID())
	}
	recoveryID := recovery.Public().ID()
	var failed error
	prove := func(k *keyfile.Key) entry.KeyProof {
		pop, err := k.Sign(entry.EnrolText(origin, j.name, recoveryID, ids, k.Public().ID()))
		if err != nil {
			failed = err
		}
		return entry.KeyProof{Key: k.Public(), Pop: pop}
	}
	r := prove(recovery)
	p := &entry.Party{Log: origin, Action: entry.ActionEnrol, Name: j.name, Website: j.website, Roles: j.roles, Recovery: &r}
	subjects := []entry.Subject{entry.KeySubject(recoveryID)}
	for _, k := range keys {
		p.Keys = append(p.Keys, prove(k))
		subjects = append(subjects, entry.KeySubject(k.Public().ID()))
	}
	return p, subjects, keys[0], failed
}

func (a *app) enrolCommand() *cobra.Command {
	var s signerFlags
	var f publishFlags
	var log string
	cmd := command("enrol REQUEST", `
Checks a request that "standing join" wrote, shows it and what was checked, asks,
signs it with the registrar's key and submits it.

  --log URL         where the log is reached (default: what the trust file says)
`+signerHelp+publishHelp, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		return a.enrol(cmd.Context(), args[0], log, s, f)
	})
	s.add(cmd)
	f.add(cmd)
	cmd.Flags().StringVar(&log, "log", "", "")
	return cmd
}

func (a *app) enrol(ctx context.Context, file, log string, s signerFlags, f publishFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	data, err := a.readFile(file, 2*entry.MaxSize)
	if err != nil {
		return err
	}
	request, err := parseEntry(data)
	if err != nil {
		return err
	}
	l, err := a.checkRequest(policy, log, request)
	if err != nil {
		return err
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	return a.publish(ctx, proposal{
		payload: request.Payload, log: l, signer: signer,
		name: withoutSuffix(file, entrySuffix, ".json") + "-enrolled", question: "Enrol this party?",
	}, f)
}

// checkRequest verifies what a request can show by itself, and prints it.
func (a *app) checkRequest(policy *trust.Policy, log string, request *entry.Entry) (target, error) {
	if request.Party == nil || request.Party.Action != entry.ActionEnrol {
		return target{}, usage("it is a %s, not a request to be enrolled", kindText(request))
	}
	if log == "" {
		log = request.Party.Log
	}
	l, err := pickLog(policy, log)
	if err != nil {
		return l, err
	}
	if l.Origin != request.Party.Log {
		return l, usage("the request is for %s", request.Party.Log)
	}
	i := slices.IndexFunc(request.Party.Keys, func(k entry.KeyProof) bool { return k.Key.ID() == request.KeyID })
	if i < 0 {
		return l, &failure{code: exitNot, err: errors.New("the request is not signed by a key that it names"), hint: `ask for a new one, by "standing join"`}
	}
	if err := request.Verify(request.Party.Keys[i].Key); err != nil {
		return l, err
	}
	if err := lint.Check(request); err != nil {
		return l, err
	}
	a.tell("Checked: the request is for %s; key %x signed it; all %d keys prove possession", l.Origin, request.KeyID, len(request.Party.Keys)+1)
	a.tell("         for this log, name and set of keys; no person and no mailbox of one was found in it.")
	a.tell("Not checked, and yours to check: that the organisation exists, that it wants this, that the website is its own.")
	return l, nil
}
