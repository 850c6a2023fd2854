package hammer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under load, apart from this process so that its CPU time
// and memory are its own.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr tail
}

// start starts a command, which ends with ctx at the latest.
func start(ctx context.Context, env, command []string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, command[0], slices.Concat(command[1:], args)...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// end sends a signal and waits until the process is gone.
func (p *process) end(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending %s: %w", p.cmd.Path, err)
	}
	if err := p.wait(); sig == syscall.SIGTERM {
		return err
	}
	return nil
}

// wait waits until the process has ended.
func (p *process) wait() error {
	_, _ = io.Copy(io.Discard, p.stdout)
	if err := p.cmd.Wait(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.cmd.Path, err), p.stderr.err())
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-4096):]
	return len(b), nil
}

func (t *tail) err() error {
	if len(t.b) == 0 {
		return nil
	}
	return errors.New(string(bytes.TrimSpace(t.b)))
}

// cpu is the CPU time used so far, 0 where there is no /proc or no process.
func (p *process) cpu() time.Duration {
	if p == nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// The second field is the program's name and may hold anything.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(f[11]))
	system, _ := strconv.Atoi(string(f[12]))
	return time.Duration(user+system) * (time.Second / 100)
}

// memory is a line of /proc/PID/status in bytes: VmRSS now, VmHWM at most.
func (p *process) memory(line string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), line+":")
	n, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, _ := strconv.ParseInt(n, 10, 64)
	return kb << 10
}

// diskUsage is what the files under dir take on the disk.
func diskUsage(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil && d.Type().IsRegular() {
			if info, err = d.Info(); err == nil {
				sum += allocated(info)
			}
		}
		// The server deletes files meanwhile.
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}

// loadAverage is what else keeps the machine busy, "?" where it is not known.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 3 {
		return "?"
	}
	return strings.Join(f[:3], " ")
}
