package daemon

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/recovery"
)

func recoverCommand(began *bool) *cobra.Command {
	var dir, from string
	var without []string
	cmd := &cobra.Command{
		Use:   "recover --dir DIR --from MIRROR",
		Short: "make the store of a node that is stopped again, from a copy of the log",
		Long: `recover makes the store of a node again, when it is lost, damaged, or was restored
from a backup. MIRROR is the URL of a copy of the log, or a directory with one:
of an auditor, its URL with /mirror/ORIGIN behind.

Every leaf is fetched and recomputed, under a checkpoint that this log signed. The
store there is is not changed: the new one takes its place when it is whole, and
the old one is kept beside it. What contradicts the mirror is named, and nothing
done. Every cosigner in trust.policy is asked what it holds: the log does not go on
below that. It says first how many leaves there are and how much room they take, and
fetches none if the disk has less. When interrupted, run it again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			res, err := node.Recover(cmd.Context(), dir, from, without, quiet(), starts(cmd), progress(cmd))
			return remade(cmd, dir, res, err)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the node, with its configuration and keys")
	cmd.Flags().StringVar(&from, "from", "", "URL or directory of a copy of the log")
	cmd.Flags().StringSliceVar(&without, "without", nil, "cosigner in trust.policy that need not answer, because you know that it has cosigned nothing that MIRROR lacks: else the log is forked for good")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

func rebuildCommand(began *bool) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "rebuild --dir DIR",
		Short: "compute map, lists and indexes of a node that is stopped again, from its leaves",
		Long: `rebuild makes the store of a node again from the leaves in it: the status map, the
lists and the indexes are computed anew, and come to what every seal says, or
nothing is changed. The old store is kept beside the new one. When interrupted,
run it again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			res, err := node.Rebuild(cmd.Context(), dir, quiet(), starts(cmd), progress(cmd))
			return remade(cmd, dir, res, err)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the node")
	return cmd
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// starts says what a long run will take.
func starts(cmd *cobra.Command) func(recovery.Room) {
	return func(r recovery.Room) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), r) }
}

// progress tells how far a long run has come, in lines of which few are written.
func progress(cmd *cobra.Command) func(done, size uint64) {
	tenths := uint64(0)
	return func(done, size uint64) {
		if now := 10 * done / max(size, 1); now > tenths {
			tenths = now
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d leaves\n", done, size)
		}
	}
}

// remade says what has become of the store.
func remade(cmd *cobra.Command, dir string, res *recovery.Result, err error) error {
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	_, _ = fmt.Fprintf(out, "%s holds %d leaves, with root %x\n", filepath.Join(dir, "store"), res.Root.Size, res.Root.Hash)
	if res.Aside != "" {
		_, _ = fmt.Fprintf(out, "the store before, with %d leaves, is kept in %s: delete it when the node runs again\n", res.Before.Size, res.Aside)
	}
	_, err = fmt.Fprintf(out, "next: standingd serve --dir %s\n", dir)
	return err
}
