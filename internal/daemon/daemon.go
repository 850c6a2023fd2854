// Package daemon is the command standingd.
//
// Its exit codes tell a supervisor what to do:
//
//	0  it was told to end, and has
//	1  it failed; to start it again may help
//	2  the command line, the configuration or a key is wrong
//	4  the store contradicts itself, a mirror, or what was signed
//
// After 2 and 4 nothing gets better by itself: do not start it again before
// somebody has looked. (A writer that has stopped does not end the process, as
// long as the store can be read.)
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/recovery"
	"github.com/standing-log/standing/internal/sequencer"
)

// Main runs standingd and returns the exit code. Unless that is 0, one line on
// stderr says what is wrong.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	began := false
	cmd := command(&began)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintln(stderr, "standingd:", err)
		if !began {
			return exitSetup
		}
		return exitCode(err)
	}
	return 0
}

const (
	exitFailed  = 1
	exitSetup   = 2
	exitDamaged = 4
)

// exitCode returns the exit code for an error of a command that has begun.
func exitCode(err error) int {
	_, setup := errors.AsType[*node.SetupError](err)
	switch {
	case errors.Is(err, embedded.ErrDamaged), errors.Is(err, sequencer.ErrRestored),
		errors.Is(err, recovery.ErrContradiction), errors.Is(err, recovery.ErrBehind):
		return exitDamaged
	case setup:
		return exitSetup
	}
	return exitFailed
}

// command returns the command tree; it sets began when the command line was
// understood.
func command(began *bool) *cobra.Command {
	root := &cobra.Command{
		Use:           "standingd",
		Short:         "standingd runs a Standing node: a log, and a witness beside it.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	var dir, origin, name, auditor, listen string
	initCmd := &cobra.Command{
		Use:   "init --dir DIR --origin ORIGIN | --witness NAME | --auditor NAME",
		Short: "make a node: a log with keys, charter and a local witness; or a witness or an auditor alone",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			if name != "" {
				return initWitness(cmd, dir, name)
			}
			if auditor != "" {
				return initAuditor(cmd, dir, auditor)
			}
			return initNode(cmd, dir, origin)
		},
	}
	initCmd.Flags().StringVar(&dir, "dir", "", "directory of the node, empty or not there yet")
	initCmd.Flags().StringVar(&origin, "origin", "", "name of the log for ever: the URL it will have, without https://")
	initCmd.Flags().StringVar(&name, "witness", "", "make a witness alone, of this key name: the URL it will have, without https://")
	initCmd.Flags().StringVar(&auditor, "auditor", "", "make an auditor alone, of this key name: the URL it will have, without https://")
	initCmd.MarkFlagsOneRequired("origin", "witness", "auditor")
	initCmd.MarkFlagsMutuallyExclusive("origin", "witness", "auditor")
	serveCmd := &cobra.Command{
		Use:   "serve --dir DIR --listen ADDR",
		Short: "serve tiles, REST, gRPC, the witness, metrics and health on one address",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			return serve(cmd, dir, listen)
		},
	}
	serveCmd.Flags().StringVar(&dir, "dir", "", "directory of the node")
	serveCmd.Flags().StringVar(&listen, "listen", "127.0.0.1:2025", "address to listen on")
	commands := []*cobra.Command{initCmd, serveCmd, recoverCommand(began), rebuildCommand(began), exportCommand(began), doctorCommand(began), monitorCommand(began)}
	for _, c := range commands {
		_ = c.MarkFlagRequired("dir")
	}
	root.AddCommand(commands...)
	return root
}

func initNode(cmd *cobra.Command, dir, origin string) error {
	if err := node.Init(cmd.Context(), dir, origin, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), `made a node for %s in %s
  log.vkey       the log's verifier key: publish it
  trust.policy   what readers need to believe the log: publish it
  registrar.key  enrols parties: give it to the registrar
  root.key       amends the charter: move it offline now, the node does not need it
next: standingd serve --dir %s --listen 127.0.0.1:2025
`, origin, dir, dir)
	return err
}

func initWitness(cmd *cobra.Command, dir, name string) error {
	if err := node.InitWitness(dir, name); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), `made a witness, %s, in %s
  witness.vkey     its verifier key: logs put it into their trust.policy, with its URL, which ends in /witness
  standingd.yaml   add the verifier keys of the logs it shall cosign under witness: logs:
next: standingd serve --dir %s --listen 127.0.0.1:2026
`, name, dir, dir)
	return err
}

func initAuditor(cmd *cobra.Command, dir, name string) error {
	if err := node.InitAuditor(dir, name); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), `made an auditor, %s, in %s
  auditor.vkey     its verifier key: logs put it into their trust.policy, with its URL, which ends in /auditor
  standingd.yaml   add the logs it shall hold and cosign under audit: logs:, each with url: and trust: or vkeys:
next: standingd serve --dir %s --listen 127.0.0.1:2027
`, name, dir, dir)
	return err
}

// memoryLimit is what the collector keeps the process below: much of the memory
// is the store's cache, its memtables and the tiles of the map, which grow to their
// full size in any case, and would be doubled before the next collection. Who sets
// GOMEMLIMIT knows better.
const memoryLimit = 640 << 20

func serve(cmd *cobra.Command, dir, listen string) (err error) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	n, err := node.Open(cmd.Context(), dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "listening on http://%s\n", l.Addr())
	return n.Serve(cmd.Context(), l)
}
