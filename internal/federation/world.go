package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// world is all that runs.
type world struct {
	ctx  context.Context
	bin  string // directory of the programs
	dir  string
	out  io.Writer
	logs [2]*log
	// auditor serves the copies.
	auditor *process
	monitor *process
	running []*process
}

// log is one of the two logs, and the steward who attests there.
type log struct {
	origin, dir, url string // of the node
	steward, purl    string
	process          *process
	id               string // of the attestation
	bundle           string // file
}

// patience bounds the wait for something that has to happen.
const patience = 2 * time.Minute

func (w *world) say(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) }

func (w *world) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

// tool runs one of the programs to its end, and fails unless it exits with code.
func (w *world) tool(code int, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, name), args...)
	cmd.Dir, cmd.Env = w.dir, w.env()
	out, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return "", err
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		return "", fmt.Errorf("%s %s: exit code %d, not %d\n%s", name, strings.Join(args, " "), got, code, out)
	}
	return string(out), nil
}

// standing runs the command of users, who trust the two logs.
func (w *world) standing(code int, args ...string) (string, error) {
	return w.tool(code, "standing", append(args, "--trust", "trust.policy")...)
}

// env keeps what users of this machine have out of it.
func (w *world) env() []string {
	return append(os.Environ(), "HOME="+w.dir, "XDG_CACHE_HOME="+w.path("cache"), "XDG_CONFIG_HOME="+w.path("config"))
}

// process is a program that goes on.
type process struct {
	cmd    *exec.Cmd
	url    string // where it serves
	reader sync.WaitGroup

	mu     sync.Mutex
	out    bytes.Buffer // under mu
	waited bool
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// text returns what it has written.
func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// start starts a program whose output is kept.
func (w *world) start(name string, args ...string) (*process, *bufio.Reader, error) {
	p := &process{cmd: exec.Command(filepath.Join(w.bin, name), args...)}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = w.dir, w.env(), p
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, nil, err
	}
	w.running = append(w.running, p)
	return p, bufio.NewReader(pipe), nil
}

// follow keeps the rest of what it writes.
func (p *process) follow(out *bufio.Reader) { p.reader.Go(func() { _, _ = io.Copy(p, out) }) }

// serve starts a node and waits for its address.
func (w *world) serve(name, dir, listen string) (*process, error) {
	p, out, err := w.start(name, "serve", "--dir", dir, "--listen", listen)
	if err != nil {
		return nil, err
	}
	line, err := out.ReadString('\n')
	p.follow(out)
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		_ = p.end(syscall.SIGKILL)
		return nil, fmt.Errorf("%s in %s does not serve: %s", name, dir, p.text())
	}
	p.url = address
	return p, nil
}

// end sends a signal and waits for the end.
func (p *process) end(s os.Signal) error {
	if p == nil || p.waited {
		return nil
	}
	p.waited = true
	_ = p.cmd.Process.Signal(s) // it may have ended
	p.reader.Wait()
	err := p.cmd.Wait()
	if s == syscall.SIGKILL {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd, err, p.text())
	}
	return nil
}

// end ends all that runs.
func (w *world) end() error {
	var errs []error
	for _, p := range w.running {
		errs = append(errs, p.end(os.Interrupt))
	}
	return errors.Join(errs...)
}

// free returns an address that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// until tries again until it is so, or patience ends.
func (w *world) until(what string, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	for {
		ok, err := is()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %v", what, patience)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (w *world) read(names ...string) (string, error) {
	b, err := os.ReadFile(w.path(names...))
	return strings.TrimSpace(string(b)), err
}

func (w *world) write(text string, names ...string) error {
	return os.WriteFile(w.path(names...), []byte(text), 0o644)
}

var attestation = regexp.MustCompile(`att:[0-9a-f]{64}`)
