package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/entry"
)

// keyFlags are the flags of key.
type keyFlags struct {
	party, log string
	cutoff     uint64
	hasCutoff  bool
}

func (a *app) keyCommand() *cobra.Command {
	var k keyFlags
	var s signerFlags
	var f publishFlags
	cmd := command("key add|retire|compromise KEY", `
Changes your party's keys. Signed with the recovery key; a key may also retire or
report itself.

  add KEYFILE        the new key file (see "standing keygen --single"), and
    --party ID         your party's id
  retire KEYID       the key signs nothing more; what it signed stands
  compromise KEYID   attestations issued with the key from --cutoff on are void
    --cutoff N         index in the log (default: from now on; lower later if needed)
  --log ORIGIN|URL   the log (default: the one you trust)

KEYID is 64 hex digits, or a public key file.
`+signerHelp+publishHelp, cobra.ExactArgs(2), func(cmd *cobra.Command, args []string) error {
		k.hasCutoff = cmd.Flags().Changed("cutoff")
		return a.changeKey(cmd.Context(), args[0], args[1], k, s, f)
	})
	s.add(cmd)
	f.add(cmd)
	cmd.Flags().StringVar(&k.party, "party", "", "")
	cmd.Flags().StringVar(&k.log, "log", "", "")
	cmd.Flags().Uint64Var(&k.cutoff, "cutoff", 0, "")
	return cmd
}

func (a *app) changeKey(ctx context.Context, action, arg string, k keyFlags, s signerFlags, f publishFlags) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	l, err := pickLog(policy, k.log)
	if err != nil {
		return err
	}
	p := &entry.Key{Log: l.Origin, Action: action}
	var id entry.Hash
	switch action {
	case entry.ActionAdd:
		id, err = k.proveNew(p, arg)
	case entry.ActionRetire, entry.ActionCompromise:
		if k.hasCutoff {
			p.Cutoff = &k.cutoff
		}
		id, err = keyArgument(arg)
	default:
		err = usage("key %.80q is not add, retire or compromise", action)
	}
	if err != nil {
		return err
	}
	if k.hasCutoff && action != entry.ActionCompromise {
		return usage("--cutoff goes with compromise only")
	}
	signer, err := s.signer(ctx)
	if err != nil {
		return err
	}
	subject := entry.KeySubject(id)
	return a.publish(ctx, proposal{
		predicate: p, subjects: []entry.Subject{subject}, log: l, signer: signer,
		name: "key-" + action + "-" + subject.Digest[:12], question: "Sign this?",
	}, f)
}

// proveNew fills in the key to be added and its proof of possession.
func (k *keyFlags) proveNew(p *entry.Key, file string) (entry.Hash, error) {
	var err error
	if p.Party, err = parseHash(strings.TrimPrefix(k.party, "party:")); err != nil {
		return entry.Hash{}, usage("--party: %v", err).hinted("the id is party:<64 hex>, as printed when you were enrolled")
	}
	added, err := keyfile.Load(file)
	if err != nil {
		return entry.Hash{}, err
	}
	id := added.Public().ID()
	pop, err := added.Sign(entry.AddText(p.Log, p.Party, id))
	if err != nil {
		return entry.Hash{}, err
	}
	p.Add = &entry.KeyProof{Key: added.Public(), Pop: pop}
	return id, nil
}

// keyArgument reads a keyid, or the public key file of the key.
func keyArgument(arg string) (entry.Hash, error) {
	if id, err := parseHash(strings.TrimPrefix(arg, "key:")); err == nil {
		return id, nil
	}
	public, err := keyfile.LoadPublic(arg)
	if err != nil {
		return entry.Hash{}, usage("%.80q is neither a keyid nor a public key file: %w", arg, err)
	}
	return public.ID(), nil
}
