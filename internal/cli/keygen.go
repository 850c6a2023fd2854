package cli

import (
	"encoding/hex"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/entry"
)

func (a *app) keygenCommand() *cobra.Command {
	var dir string
	var single bool
	cmd := command("keygen [NAME]", `
Makes two Ed25519 keys in files that only you can read:

  NAME.key            ordinary key: signs attestations and withdrawals
  NAME-recovery.key   recovery key: adds keys, retires them, reports a theft

and beside each the public half, NAME.pub and NAME-recovery.pub. NAME is
"standing" unless given. Existing files are never overwritten.

  --dir DIR     where to write them (default: here)
  --single      make the ordinary key only, to be added with "standing key add"

P-256 keys made by other programs (PKCS #8 in PEM) work as well.`,
		cobra.MaximumNArgs(1), func(_ *cobra.Command, args []string) error {
			name := "standing"
			if len(args) == 1 {
				name = args[0]
			}
			return a.keygen(filepath.Join(dir, name), single)
		})
	cmd.Flags().StringVar(&dir, "dir", "", "")
	cmd.Flags().BoolVar(&single, "single", false, "")
	return cmd
}

// keyInfo is a key in output.
type keyInfo struct {
	File   string `json:"file"`
	Public string `json:"public,omitempty"`
	KeyID  string `json:"keyid"`
}

func (a *app) keygen(base string, single bool) error {
	ordinary, err := a.makeKey(base)
	if err != nil {
		return err
	}
	out := map[string]keyInfo{"ordinary": ordinary}
	a.say("ordinary key  %s\n  keyid %s", ordinary.File, ordinary.KeyID)
	if !single {
		recovery, err := a.makeKey(base + "-recovery")
		if err != nil {
			return err
		}
		out["recovery"] = recovery
		a.say("recovery key  %s\n  keyid %s", recovery.File, recovery.KeyID)
		a.note("Once you have joined, move the recovery key to a place that is offline: it is needed only when something is wrong.")
	}
	a.result(out)
	return nil
}

func (a *app) makeKey(base string) (keyInfo, error) {
	k, err := keyfile.Generate()
	if err != nil {
		return keyInfo{}, err
	}
	info := keyInfo{base + ".key", base + ".pub", keyHex(k.Public())}
	if err := k.Create(info.File); err != nil {
		return info, err
	}
	return info, keyfile.WriteFile(info.Public, keyfile.MarshalPublic(k.Public()), 0o644)
}

func keyHex(k entry.PublicKey) string {
	id := k.ID()
	return hex.EncodeToString(id[:])
}
