// Command federation shows on one machine what a federation is for, with real
// processes: two logs, three witnesses, one auditor and one monitor, each of its
// own directory and address. A withdrawal is noticed; a log that seals a lie is
// caught, and the proof is confirmed from a file; a log that has lost its store
// is recovered from the auditor's copy, and goes on.
//
//	make demo-federation
//
// The programs are in the directory -bin: standing, standingd, and
// standingd-that-lies, which is standingd built with the tag standing_lie: it logs
// revocations and seals that nothing was revoked.
//
// Invariants:
//
//   - It exits 0 only if every step showed what it says.
//   - Nothing is listened to but the loopback interface; what it starts it ends;
//     what it writes is in a temporary directory, which is removed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	bin := flag.String("bin", "bin", "directory of the programs")
	keep := flag.Bool("keep", false, "leave the directory behind, to look into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *bin, *keep, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "federation:", err)
		stop()
		os.Exit(1)
	}
}

// run tells the whole story.
func run(ctx context.Context, bin string, keep bool, out io.Writer) (err error) {
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "standing-federation-")
	if err != nil {
		return err
	}
	w := &world{ctx: ctx, bin: bin, dir: dir, out: out}
	defer func() {
		err = errors.Join(err, w.end())
		if keep {
			w.say("Everything is in %s.", dir)
		} else {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	w.say("DEMO: the organisations are invented, and nothing here is a statement by anybody.")
	for _, step := range []func() error{w.found, w.attest, w.watch, w.withdraw, w.lie, w.lose} {
		if err := step(); err != nil {
			return err
		}
	}
	w.say("\nAll of it held.")
	return nil
}
