package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/entry"
)

// keyFlags are the flags of key.
type keyFlags struct {
	party, log         string
	reason, pkg        string
	cutoff, from, to   uint64
	cutoffSet, fromSet bool
}

func (a *app) keyCommand() *cobra.Command {
	var k keyFlags
	var s signerFlags
	var f publishFlags
	cmd := command("key add|retire|compromise|range KEY", `
Changes your party's keys. Signed with the recovery key; a key may also retire or
report itself.

  add KEYFILE        the new key file (see "standing keygen --single"), and
    --party ID         your party's id
  retire KEYID       the key signs nothing more; what it signed stands
  compromise KEYID   attestations issued with the key from --cutoff on are void
    --cutoff N         index in the log (default: from now on; lower later if needed)
  range KEYID        attestations issued with the key in a range are revoked; the
                     key goes on
    --from N --to N    indexes in the log, from N to before N
    --reason CODE      why; "standing revoke --help" lists the codes
    --package PURL     only those about this package (default: all)
  --log ORIGIN|URL   the log (default: the one you trust)

KEYID is 64 hex digits, or a public key file.
`+signerHelp+publishHelp, cobra.ExactArgs(2), func(cmd *cobra.Command, args []string) error {
		k.cutoffSet, k.fromSet = cmd.Flags().Changed("cutoff"), cmd.Flags().Changed("from")
		return a.changeKey(cmd.Context(), args[0], args[1], k, s, f)
	})
	s.add(cmd)
	f.add(cmd)
	cmd.Flags().StringVar(&k.party, "party", "", "")
	cmd.Flags().StringVar(&k.log, "log", "", "")
	cmd.Flags().StringVar(&k.reason, "reason", "", "")
	cmd.Flags().StringVar(&k.pkg, "package", "", "")
	cmd.Flags().Uint64Var(&k.cutoff, "cutoff", 0, "")
	cmd.Flags().Uint64Var(&k.from, "from", 0, "")
	cmd.Flags().Uint64Var(&k.to, "to", 0, "")
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
	id, err := k.fill(p, arg)
	if err != nil {
		return err
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

// fill fills in what the action needs, and returns the key that it is about.
func (k *keyFlags) fill(p *entry.Key, arg string) (entry.Hash, error) {
	if k.cutoffSet && p.Action != entry.ActionCompromise {
		return entry.Hash{}, usage("--cutoff goes with compromise only")
	}
	if (k.fromSet || k.to != 0 || k.reason != "" || k.pkg != "") && p.Action != entry.ActionRange {
		return entry.Hash{}, usage("--from, --to, --reason and --package go with range only")
	}
	switch p.Action {
	case entry.ActionAdd:
		return k.proveNew(p, arg)
	case entry.ActionRetire:
	case entry.ActionCompromise:
		if k.cutoffSet {
			p.Cutoff = &k.cutoff
		}
	case entry.ActionRange:
		if err := k.voids(p); err != nil {
			return entry.Hash{}, err
		}
	default:
		return entry.Hash{}, usage("key %.80q is not add, retire, compromise or range", p.Action)
	}
	return keyArgument(arg)
}

// voids fills in the range.
func (k *keyFlags) voids(p *entry.Key) error {
	if !k.fromSet || k.to <= k.from {
		return usage("range needs --from and --to, the first smaller than the second").hinted(`"standing status" shows at which index an attestation was issued`)
	}
	number, err := reasonNumber(k.reason)
	if err != nil {
		return err
	}
	p.Range = &entry.KeyRange{From: k.from, To: k.to, Reason: number}
	if k.pkg != "" {
		// As its attestations were admitted.
		if p.Range.Package, err = lint.CanonicalPurl(k.pkg); err != nil {
			return err
		}
	}
	return nil
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
