package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/personality/entry"
)

// signerFlags say which key signs.
type signerFlags struct{ key, program, public string }

const signerHelp = `
  --key FILE        the key file that signs, or
  --signer CMD      a program that signs: it gets the bytes on standard input and
  --public FILE     prints the signature in base64; FILE holds its public key`

func (s *signerFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.key, "key", "", "")
	cmd.Flags().StringVar(&s.program, "signer", "", "")
	cmd.Flags().StringVar(&s.public, "public", "", "")
}

func (s *signerFlags) signer(ctx context.Context) (entry.Signer, error) {
	switch {
	case s.key != "" && s.program == "" && s.public == "":
		return keyfile.Load(s.key)
	case s.key == "" && s.program != "" && s.public != "":
		public, err := keyfile.LoadPublic(s.public)
		if err != nil {
			return nil, err
		}
		return keyfile.Command(ctx, s.program, public)
	}
	return nil, usage("no key to sign with, or more than one").hinted("give --key FILE, or --signer CMD with --public FILE")
}
