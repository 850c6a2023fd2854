// Command standing issues, withdraws and verifies security attestations of
// open-source components in a Standing log. "standing --help" says how.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/standing-log/standing/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
