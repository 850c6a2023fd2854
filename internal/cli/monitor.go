package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/internal/monitor"
)

// maxMonitorFile bounds the file of a monitor, in bytes.
const maxMonitorFile = 1 << 20

func (a *app) monitorCommand() *cobra.Command {
	var f watchFlags
	cmd := command("monitor FILE", `
Watches the logs that you trust, for a team: everything, or what a list of packages,
SBOMs or parties is about; and tells it to webhooks, programs and a feed. It tells
what is issued, withdrawn, suspended, reinstated, about to expire; what registrars,
parties and keys do; leaves that have no effect; a log that seals what is false,
shows two histories or goes back, breaks a promise or is not heard of; a witness that
is silent. Once a day it says that all is quiet, and up to where, so that you notice
when it does not run.

Nobody learns what is watched. What FILE says, in YAML, and what receivers get is
described in docs/monitors.md:

  watch: {all: true}           or subjects: [PURL|DIGEST…], sboms: [FILE…], parties: [ID…]
  deliver:                     besides standard output
    - {name: soc, webhook: URL, secret: FILE}
    - {name: tickets, command: [PROGRAM, ARGUMENT…]}
    - {name: feed, feed: FILE}
  promises: DIR                hold the logs to the promises in it

Each receiver has its own place in each log. It moves only behind what has arrived:
what fails is told again, to nobody but whom it failed to reach. Where that place is
not known nothing is told but that it is missing.

  --begin all|now        begin to watch: tell of all there has been, or only of what
                         comes from now on. Only where nothing was watched before
  --from INDEX           tell again from a leaf on, as much as was told before
  --to NAME              with --from: to this receiver only
  --state FILE           how far it is (default: FILE.state)
  --changed              go on with another interest than before
  --interval TIME        from one look to the next (default: 10m)
  --once                 look once. Exit code 1 if something was told to be looked at
  --max-age AGE          how long a log may say nothing new (default: 24h)
  --log ORIGIN|URL       watch this log only`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.runMonitor(cmd.Context(), args[0], f)
		})
	f.runFlags.register(cmd)
	cmd.Flags().StringVar(&f.state, "state", "", "")
	return cmd
}

func (a *app) runMonitor(ctx context.Context, file string, f watchFlags) error {
	if file == "-" {
		return usage("a monitor cannot be read from standard input").hinted("name a file")
	}
	if f.state == "" {
		f.state = file + ".state"
	}
	what, err := a.readMonitor(file)
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	cfg := monitor.Config{State: f.state, Promises: what.PromisesIn(dir), Daily: true}
	if cfg.Interest, err = what.Interest(dir); err != nil {
		return usage("%s: %w", file, err)
	}
	if cfg.Receivers, err = what.Receivers(dir); err != nil {
		return usage("%s: %w", file, err)
	}
	cfg.Receivers = append(cfg.Receivers, a.terminalReceiver())
	return a.monitor(ctx, cfg, f.runFlags)
}

func (a *app) readMonitor(file string) (*monitor.File, error) {
	data, err := a.readFile(file, maxMonitorFile)
	if err != nil {
		return nil, err
	}
	var f monitor.File
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return nil, usage("%s: %s", file, strings.Join(strings.Fields(err.Error()), " ")).hinted("docs/monitors.md describes it")
	}
	return &f, nil
}
