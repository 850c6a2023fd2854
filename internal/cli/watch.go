package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/deliver"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/watch"
)

// watchFlags are those of watch alone.
type watchFlags struct {
	runFlags
	state string
	post  string
}

func (a *app) watchCommand() *cobra.Command {
	var f watchFlags
	cmd := command("watch SBOM", `
Tells when something happens to attestations about the components of an SBOM: one is
issued, withdrawn, suspended, reinstated, superseded, about to expire; a key, a party
or a programme behind them changes; a log is not heard of, or contradicts itself.
Nobody learns what is watched: the logs are synced as by "standing check", and what
matters to you is found in your own copy.

How far it is stands in a file. It moves only behind what was printed, and posted if
you ask for that: what fails is told again, nothing is left out. Without that file
nothing is told but that it is missing. "standing monitor" can watch more than an
SBOM, and tell it to more.

  --begin all|now        begin to watch: tell of all there has been, or only of what
                         comes from now on. Only where nothing was watched before
  --from INDEX           tell again from a leaf on, as much as was told before
  --to NAME              with --from: to terminal or to post only
  --state FILE           how far it is (default: SBOM.watch)
  --changed              go on with another SBOM than before; "standing check" tells
                         how its new components stand
  --post URL             post each event there, too, as a CloudEvent
  --interval TIME        from one look to the next (default: 10m)
  --once                 look once. Exit code 1 if something was told to be looked at
  --max-age AGE          how long a log may say nothing new (default: 24h)
  --log ORIGIN|URL       watch this log only`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.watch(cmd.Context(), args[0], f)
		})
	f.runFlags.register(cmd)
	cmd.Flags().StringVar(&f.state, "state", "", "")
	cmd.Flags().StringVar(&f.post, "post", "", "")
	return cmd
}

func (a *app) watch(ctx context.Context, file string, f watchFlags) error {
	if file == "-" {
		return usage("standard input cannot be watched").hinted("name a file")
	}
	if f.state == "" {
		f.state = file + ".watch"
	}
	doc, _, err := a.readSBOM(file)
	if err != nil {
		return err
	}
	interest, err := watch.NewInterest(watch.Interests{SBOMs: []*sbom.Document{doc}})
	if err != nil {
		return err
	}
	cfg := monitor.Config{Interest: interest, State: f.state, Receivers: []monitor.Receiver{a.terminalReceiver()}}
	if f.post != "" {
		hook, err := deliver.NewWebhook(deliver.WebhookConfig{URL: f.post})
		if err != nil {
			return usage("--post: %v", err)
		}
		cfg.Receivers = append(cfg.Receivers, monitor.Receiver{Name: "post", Receiver: hook})
	}
	return a.monitor(ctx, cfg, f.runFlags)
}

// terminalReceiver writes events to standard output.
func (a *app) terminalReceiver() monitor.Receiver {
	return monitor.Receiver{Name: monitor.Terminal, Receiver: deliver.NewLines(a.stdout, a.output == "json")}
}
