package hammer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// federation is three witnesses and an auditor, each a process, that cosign the
// log under load: it needs two of the witnesses, and the auditor before them.
type federation struct {
	procs  []*process // the auditor is the first
	before []time.Duration
}

// cpu is the CPU time of each process so far.
func (f *federation) cpu() (used []time.Duration) {
	for _, p := range f.procs {
		used = append(used, p.cpu())
	}
	return used
}

// figures reports what the processes have taken since before.
func (f *federation) figures(r *report, entries int) {
	if len(f.procs) == 0 {
		return
	}
	var auditor, witnesses time.Duration
	for i, used := range f.cpu() {
		if used -= f.before[i]; i == 0 {
			auditor = used
		} else {
			witnesses += used
		}
	}
	r.duration("auditor_cpu_entry", auditor/time.Duration(entries), time.Microsecond)
	r.duration("witnesses_cpu_entry", witnesses/time.Duration(entries), time.Microsecond)
	r.figure("auditor_memory_peak", float64(f.procs[0].memory("VmHWM"))/1e6, "MB")
}

// join starts the cosigners and makes the log of s, which is not served yet,
// depend on them.
func (s *standing) join(ctx context.Context) error {
	var err error
	if s.listen, err = freeAddress(); err != nil {
		return err
	}
	logKey, err := os.ReadFile(filepath.Join(s.dir, "log.vkey"))
	if err != nil {
		return err
	}
	key := strings.TrimSpace(string(logKey))
	policy := "log " + key + "\n"
	audit := fmt.Sprintf("audit: {logs: [{url: \"http://%s\", vkeys: [%q]}]}\n", s.listen, key)
	witness := fmt.Sprintf("witness: {logs: [%q]}\n", key)
	for _, c := range []struct{ name, role, config string }{
		{"keeper", "auditor", audit}, {"north", "witness", witness}, {"south", "witness", witness}, {"west", "witness", witness},
	} {
		command := append(strings.Fields(s.cfg.Cosigner), s.cfg.Standingd)
		line, err := s.cosigners.add(ctx, command, filepath.Join(s.dir, "..", c.name), c.name, c.role, c.config)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		policy += line
	}
	policy += "group two 2 north south west\ngroup enough all two keeper\nquorum enough\n"
	if err := os.WriteFile(filepath.Join(s.dir, "trust.policy"), []byte(policy), 0o644); err != nil {
		return err
	}
	return s.configure("cosign: {auditors: [keeper]}")
}

// add makes and serves a cosigner, and returns its line of the trust file.
func (f *federation) add(ctx context.Context, standingd []string, dir, name, role, config string) (string, error) {
	p, err := start(ctx, nil, standingd, "init", "--dir", dir, "--"+role, name+".example/"+role)
	if err == nil {
		err = p.wait()
	}
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "standingd.yaml"), []byte(config), 0o644); err != nil {
		return "", err
	}
	vkey, err := os.ReadFile(filepath.Join(dir, role+".vkey"))
	if err != nil {
		return "", err
	}
	p, address, err := serveNode(ctx, standingd, dir, "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f.procs = append(f.procs, p)
	return fmt.Sprintf("witness %s %s %s/%s\n", name, strings.TrimSpace(string(vkey)), address, role), nil
}

func (f *federation) close() error {
	var errs []error
	for _, p := range f.procs {
		errs = append(errs, p.end(syscall.SIGKILL))
	}
	f.procs = nil
	return errors.Join(errs...)
}
