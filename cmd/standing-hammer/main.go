// Command standing-hammer loads a log and measures it: package hammer.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/standing-log/standing/internal/hammer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg := hammer.Config{Figures: os.Stdout, Text: os.Stderr}
	flag.IntVar(&cfg.Entries, "entries", 20000, "number of entries")
	flag.IntVar(&cfg.Batch, "batch", 1, "entries per request, at most 256")
	flag.IntVar(&cfg.Workers, "workers", 2048, "requests in flight at most")
	flag.Float64Var(&cfg.Rate, "rate", 0, "entries per second offered; 0: as fast as they are answered")
	flag.IntVar(&cfg.Rounds, "rounds", 1, "number of rounds, each with a new log")
	flag.IntVar(&cfg.Readers, "readers", 16, "requests for bundles in flight, as fast as they are answered")
	flag.Float64Var(&cfg.ReadRate, "read-rate", 1500, "bundles per second asked for, before that")
	flag.DurationVar(&cfg.Reads, "reads", 5*time.Second, "how long to read bundles in each of these two ways, about")
	flag.StringVar(&cfg.API, "api", "grpc", "rest or grpc")
	flag.StringVar(&cfg.URL, "url", "", "load this log, which runs already, instead of a new one")
	flag.StringVar(&cfg.Keys, "keys", "", "directory with the registrar.key and trust.policy of the log at -url")
	flag.StringVar(&cfg.Node, "node", "batch: {interval: 100ms}", "YAML added to standingd.yaml")
	flag.StringVar(&cfg.Standingd, "standingd", beside("standingd"), "program that is the log")
	flag.StringVar(&cfg.Tessera, "tessera", "", "program that is Tessera's POSIX server: alternate with it and print the ratio")
	flag.BoolVar(&cfg.Growth, "growth", false, "load the log further, by turns with a new one, and print the ratio")
	flag.BoolVar(&cfg.Cosigned, "cosigned", false, "alternate with a log that needs two of three witnesses and an auditor, and print the ratio")
	flag.StringVar(&cfg.Cosigner, "cosigner", "", `command that runs those, on processors of their own: "taskset -c 1"`)
	flag.StringVar(&cfg.Dir, "dir", "", "directory for temporary files, on the disk to measure (default: the system's)")
	timeout := flag.Duration("timeout", 30*time.Minute, "when to give up")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if err := hammer.Run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "standing-hammer:", err)
		os.Exit(1)
	}
}

// beside is the path of a program that was built along with this one.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}
