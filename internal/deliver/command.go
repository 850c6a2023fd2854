package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/standing-log/standing/internal/watch"
)

// Command runs a program for each event. The event has arrived if the program
// ends with 0.
type Command struct {
	argv    []string
	timeout time.Duration
}

// commandTimeout is how long a program may take.
const commandTimeout = time.Minute

// NewCommand returns a Command: a program and its arguments. No shell is
// involved.
func NewCommand(argv []string) (*Command, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("no program is named")
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return nil, err
	}
	return &Command{argv, commandTimeout}, nil
}

// maxSaid bounds what is kept of what a program says, in bytes.
const maxSaid = 512

// Deliver runs the program with the CloudEvent on standard input.
func (c *Command) Deliver(ctx context.Context, e *watch.Event) error {
	body, err := CloudEvent(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	said := new(first)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(append(body, '\n')), said
	cmd.WaitDelay = 5 * time.Second // for what it has started
	err = cmd.Run()
	// A program that needs nothing of the event need not read it.
	if err != nil && !(cmd.ProcessState != nil && cmd.ProcessState.Success() && ctx.Err() == nil) {
		return fmt.Errorf("%s: %w: %s", c.argv[0], errors.Join(err, ctx.Err()), printable(string(said.b)))
	}
	return nil
}

// Flush does nothing: the program has ended.
func (c *Command) Flush() error { return nil }

// first keeps the first bytes of what is written to it.
type first struct{ b []byte }

func (f *first) Write(p []byte) (int, error) {
	f.b = append(f.b, p[:min(len(p), maxSaid-len(f.b))]...)
	return len(p), nil
}
