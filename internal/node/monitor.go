package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/trust"
)

// Monitor says what the monitor of this node watches in which logs, and whom it
// tells. File names are relative to the node's directory.
type Monitor struct {
	// Trust is a trust file: all its logs are watched, under its quorum, which
	// had better be larger than what readers ask for. Default trust.policy.
	Trust string `yaml:"trust,omitempty"`
	// Interval is from one look at a log to the next. Default 1m.
	Interval time.Duration `yaml:"interval,omitempty"`
	// MaxAge is how long a log may say nothing new. Default 24h.
	MaxAge time.Duration `yaml:"maxAge,omitempty"`

	monitor.File `yaml:",inline"`
}

const monitorDir = "monitor"

// config returns what the monitor of the node in dir needs.
func (c *Monitor) config(dir string) (cfg monitor.Config, err error) {
	cfg = monitor.Config{State: filepath.Join(dir, monitorDir, "state"), Promises: c.PromisesIn(dir),
		MaxAge: c.MaxAge, Interval: c.Interval, Daily: true}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = 24 * time.Hour
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Minute
	}
	if cfg.MaxAge < 0 || cfg.Interval < time.Second {
		return cfg, errors.New("maxAge is negative, or interval less than a second")
	}
	if cfg.Policy, err = c.policy(dir); err != nil {
		return cfg, err
	}
	if cfg.Interest, err = c.Interest(dir); err != nil {
		return cfg, err
	}
	if cfg.Receivers, err = c.Receivers(dir); err != nil {
		return cfg, err
	}
	if len(cfg.Receivers) == 0 {
		return cfg, errors.New("deliver: nobody is told")
	}
	for _, l := range cfg.Policy.Logs() {
		url := l.URL()
		if url == "" {
			url = "https://" + l.Origin
		}
		source, err := client.New(url, client.Config{})
		if err != nil {
			return cfg, err
		}
		cfg.Logs = append(cfg.Logs, monitor.Log{Origin: l.Origin, Source: source, Dir: filepath.Join(dir, monitorDir, mirror.DirName(l.Origin))})
	}
	return cfg, nil
}

// policy reads the trust file and the pins beside it.
func (c *Monitor) policy(dir string) (*trust.Policy, error) {
	name := c.Trust
	if name == "" {
		name = policyFile
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	return pinnedPolicy(name)
}

// pinnedPolicy reads a trust file of others' logs and the pins beside it. Pins
// that cannot be read are never ignored: they are there to protect.
func pinnedPolicy(name string) (*trust.Policy, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, err := trust.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	pins, err := os.ReadFile(name + ".pins")
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		p, err = p.Pin(pins)
	}
	if err != nil {
		return nil, fmt.Errorf("%s.pins: %w", name, err)
	}
	return p, nil
}

// openMonitor opens the monitor, if this node has one.
func (n *Node) openMonitor(dir string, set *metric.Set) error {
	if n.cfg.Monitor == nil {
		return nil
	}
	cfg, err := n.cfg.Monitor.config(dir)
	if err != nil {
		return &SetupError{fmt.Errorf("%s: monitor: %w", configFile, err)}
	}
	cfg.Metrics = monitor.NewMetrics(set)
	cfg.Looked, cfg.Now = n.monitored, n.now
	for i := range cfg.Logs {
		cfg.Logs[i].FS = n.fs
	}
	n.monitor, err = monitor.Open(cfg)
	if errors.Is(err, monitor.ErrNotBegun) {
		err = fmt.Errorf("%w: if nothing was watched before, run `standingd monitor --dir %s --begin now`; if it was, find the file", err, dir)
	}
	if errors.Is(err, monitor.ErrOtherInterest) {
		err = fmt.Errorf("%w: if what you watch has changed, run `standingd monitor --dir %s --changed`", err, dir)
	}
	if err != nil {
		return &SetupError{fmt.Errorf("monitor: %w", err)}
	}
	return nil
}

// monitored logs what came of a look.
func (n *Node) monitored(r monitor.Result) {
	told := 0
	for _, events := range r.Told {
		told += events
	}
	switch err := r.Err(); {
	case err != nil:
		n.log.Warn("monitor", "log", r.Origin, "size", r.Size, "told", told, "error", err)
	case told > 0:
		n.log.Info("monitor", "log", r.Origin, "size", r.Size, "told", told)
	}
}

// monitorOf reads what the monitor of the node in dir is.
func monitorOf(dir string) (monitor.Config, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return monitor.Config{}, &SetupError{err}
	}
	if c.Monitor == nil {
		return monitor.Config{}, &SetupError{fmt.Errorf("%s: there is no monitor in it", configFile)}
	}
	cfg, err := c.Monitor.config(dir)
	if err != nil {
		return cfg, &SetupError{fmt.Errorf("%s: monitor: %w", configFile, err)}
	}
	return cfg, os.MkdirAll(filepath.Join(dir, monitorDir), 0o700)
}

// BeginMonitor has the monitor of the node in dir begin: where is watch.BeginAll
// or watch.BeginNow.
func BeginMonitor(dir, where string) error {
	cfg, err := monitorOf(dir)
	if err != nil {
		return err
	}
	return monitor.Begin(cfg, where)
}

// ReplayMonitor has everything told again from a leaf of a log on: to one receiver
// or, if that is empty, to all.
func ReplayMonitor(dir, origin, receiver string, from uint64) error {
	cfg, err := monitorOf(dir)
	if err != nil {
		return err
	}
	for _, l := range cfg.Logs {
		if l.Origin == origin || origin == "" && len(cfg.Logs) == 1 {
			cfg.Logs = []monitor.Log{l}
			return monitor.Replay(cfg, receiver, from)
		}
	}
	return fmt.Errorf("there are %d logs, and none of them is chosen by %q", len(cfg.Logs), origin)
}

// ChangeMonitor has the monitor go on with another interest than before.
func ChangeMonitor(dir string) error {
	cfg, err := monitorOf(dir)
	if err != nil {
		return err
	}
	return monitor.Change(cfg)
}
