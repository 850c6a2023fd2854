// Command standing issues, withdraws and verifies security attestations of
// open-source components in a Standing log. "standing --help" says how.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/standing-log/standing/internal/cli"
)

// memoryLimit is what the collector keeps the process below, as far as what is
// in use lets it. Who sets GOMEMLIMIT knows better.
const memoryLimit = 400 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
