package daemon

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/watch"
)

func monitorCommand(began *bool) *cobra.Command {
	var dir, begin, log, to string
	var from int64
	var changed bool
	cmd := &cobra.Command{
		Use:   "monitor --dir DIR --begin all|now | --from INDEX | --changed",
		Short: "say from where the monitor of a node tells what happens",
		Long: `monitor says from where the monitor of a node tells what happens. It serves nothing:
"standingd serve" does, and does not begin by itself where it is not known what was
told before.

It may be run while the node runs: what is to be told again is, from the next look
on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			var err error
			switch {
			case changed:
				err = node.ChangeMonitor(dir)
			case begin == watch.BeginAll || begin == watch.BeginNow:
				err = node.BeginMonitor(dir, begin)
			case begin != "":
				err = fmt.Errorf("--begin %.40q is neither all nor now", begin)
			case from < 0:
				err = fmt.Errorf("--from %d is no leaf", from)
			default:
				err = node.ReplayMonitor(dir, log, to, uint64(from))
			}
			if errors.Is(err, monitor.ErrBegun) || errors.Is(err, monitor.ErrOtherInterest) || errors.Is(err, watch.ErrReplay) {
				err = &node.SetupError{Err: err}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "directory of the node")
	f.StringVar(&begin, "begin", "", "where nothing was watched before: tell of all there has been, or of what comes from now on")
	f.Int64Var(&from, "from", -1, "tell again from a leaf on, as much as was told before")
	f.StringVar(&to, "to", "", "with --from: to this receiver only")
	f.StringVar(&log, "log", "", "with --from: the origin of the log, if there are several")
	f.BoolVar(&changed, "changed", false, "go on with another interest than before")
	cmd.MarkFlagsOneRequired("begin", "from", "changed")
	cmd.MarkFlagsMutuallyExclusive("begin", "from", "changed")
	return cmd
}
