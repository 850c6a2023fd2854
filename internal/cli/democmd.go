package cli

import (
	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/demo"
)

func (a *app) demoCommand() *cobra.Command {
	o := demo.Options{Out: a.stdout}
	cmd := command("demo", `
Shows the whole of it on this machine: a log and a witness, two invented stewards
who attest the modules this program was built from and one component that does
not exist, offline checks, a withdrawal, and forgeries that are noticed. Exit code
0 only if everything was so.

  --keep          leave the log up until you interrupt it
  --dir DIR       where the log is kept (default: a directory that is removed)
  --listen ADDR   address of the log (default: any port of this machine)`,
		cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
			if a.output == "json" {
				o.Out = a.stderr
			}
			if err := demo.Run(cmd.Context(), o); err != nil {
				return &failure{code: exitEvidence, err: err, hint: "report this: the demo shows what must always hold"}
			}
			a.result(map[string]int{"exit": exitStands})
			return nil
		})
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "")
	cmd.Flags().StringVar(&o.Listen, "listen", "", "")
	return cmd
}
