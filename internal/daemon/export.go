package daemon

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/node"
)

func exportCommand(began *bool) *cobra.Command {
	var dir, out, from string
	cmd := &cobra.Command{
		Use:   "export --dir DIR --to OUT",
		Short: "write the log as files that any file server can serve",
		Long: `export writes the published log into OUT: checkpoint, tile/, withdrawals/ and
trust.policy, as C2SP tlog-tiles. All of it is verified on its way. Into the same
OUT again, it writes what is new; the checkpoint comes last, so that OUT can be
served meanwhile. What came after the published checkpoint is not in it.

The store of a running node cannot be read beside it: --from URL exports what the
node serves.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			res, err := node.Export(cmd.Context(), dir, out, from, quiet(), progress(cmd))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d leaves and %d withdrawals are in %s, %d leaves of them new\n",
				res.Origin, res.Size, res.Withdrawals, out, res.New)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the node")
	cmd.Flags().StringVar(&out, "to", "", "directory to write to; made if it is not there")
	cmd.Flags().StringVar(&from, "from", "", "URL of the node, if it is running")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}
