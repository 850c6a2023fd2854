package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/client"
)

// runFlags are those of watch and monitor.
type runFlags struct {
	begin    string
	log      string
	interval time.Duration
	once     bool
	changed  bool
	from     int64 // a leaf; -1: none
	to       string
}

func (f *runFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.begin, "begin", "", "")
	cmd.Flags().StringVar(&f.log, "log", "", "")
	cmd.Flags().DurationVar(&f.interval, "interval", 10*time.Minute, "")
	cmd.Flags().BoolVar(&f.once, "once", false, "")
	cmd.Flags().BoolVar(&f.changed, "changed", false, "")
	cmd.Flags().Int64Var(&f.from, "from", -1, "")
	cmd.Flags().StringVar(&f.to, "to", "", "")
}

func (f *runFlags) check() error {
	if f.begin != "" && f.begin != watch.BeginAll && f.begin != watch.BeginNow {
		return usage("--begin %.40q is neither all nor now", f.begin)
	}
	if f.interval < time.Second {
		return usage("--interval %v is less than a second", f.interval)
	}
	if f.to != "" && f.from < 0 {
		return usage("--to %.40q says nothing without --from", f.to)
	}
	return nil
}

// monitor runs a monitor: cfg says what for whom.
func (a *app) monitor(ctx context.Context, cfg monitor.Config, f runFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := a.monitored(&cfg, f.log); err != nil {
		return err
	}
	if !f.once {
		cfg.Interval = f.interval
		cfg.Looked = func(r monitor.Result) {
			if err := a.explained(r, cfg); err != nil {
				a.report(err)
			} else {
				a.noted(r)
			}
		}
	}
	m, err := prepare(cfg, f)
	if err != nil {
		return err
	}
	if f.once {
		return a.monitorOnce(ctx, m, cfg)
	}
	return m.Run(ctx)
}

// prepare opens a monitor, as the flags ask. What is not known is asked for.
func prepare(cfg monitor.Config, f runFlags) (*monitor.Monitor, error) {
	var err error
	if f.changed {
		err = monitor.Change(cfg)
	}
	if err == nil && f.begin != "" {
		err = monitor.Begin(cfg, f.begin)
	}
	if err == nil && f.from >= 0 {
		err = monitor.Replay(cfg, f.to, uint64(f.from))
	}
	var m *monitor.Monitor
	if err == nil {
		m, err = monitor.Open(cfg)
	}
	switch {
	case errors.Is(err, monitor.ErrNotBegun):
		return nil, usage("%w", err).hinted("if nothing was watched before, begin with --begin all or --begin now; if it was, find the file")
	case errors.Is(err, monitor.ErrBegun):
		return nil, usage("%w", err).hinted("go on without --begin")
	case errors.Is(err, monitor.ErrOtherInterest):
		return nil, usage("%w", err).hinted("if what you watch has changed, go on with --changed; if this is something else, name another --state")
	case errors.Is(err, watch.ErrReplay):
		return nil, usage("%w", err).hinted("what was not told yet comes by itself, without --from")
	case errors.Is(err, watch.ErrState):
		return nil, usage("%w", err).hinted("find out what happened to it; to begin anew, move it away and use --begin")
	}
	return m, err
}

// monitored adds the logs to cfg.
func (a *app) monitored(cfg *monitor.Config, log string) error {
	policy, err := a.policy()
	if err != nil {
		return err
	}
	logs, err := pickLogs(policy, log)
	if err != nil {
		return err
	}
	for _, l := range logs {
		c, err := l.dial(client.Config{})
		if err != nil {
			return err
		}
		dir, err := mirror.DefaultDir(l.Origin)
		if err != nil {
			return err
		}
		cfg.Logs = append(cfg.Logs, monitor.Log{Origin: l.Origin, Source: c, Dir: dir,
			Progress: func(done, size uint64) { a.progress("%s: %d of %d leaves", l.Origin, done, size) }})
	}
	cfg.Policy, cfg.MaxAge, cfg.Now = policy, a.maxAge, a.now
	return nil
}

// monitorOnce looks once, and ends with what is gravest.
func (a *app) monitorOnce(ctx context.Context, m *monitor.Monitor, cfg monitor.Config) error {
	var worst error
	bad := false
	for _, r := range m.Once(ctx) {
		a.progress("")
		bad = bad || r.Bad
		err := a.explained(r, cfg)
		if err == nil {
			a.noted(r)
			continue
		}
		if worst == nil || classify(err).code == exitEvidence {
			worst, err = err, worst
		}
		if err != nil {
			a.report(err)
		}
	}
	if worst == nil && bad {
		return quiet(exitNot)
	}
	return worst
}

// noted says how far it is, for people.
func (a *app) noted(r monitor.Result) {
	told := 0
	for _, n := range r.Told {
		told = max(told, n)
	}
	a.note("%s: %d leaves, as of %s; %s", r.Origin, r.Size, clock(r.AsOf), check.Count(told, "event"))
}

// explained says what to do about what went wrong.
func (a *app) explained(r monitor.Result, cfg monitor.Config) error {
	err := r.Err()
	if err == nil || !contradicts(r.Sync) && !errors.Is(err, watch.ErrForked) {
		return err
	}
	dir, _ := mirror.DefaultDir(r.Origin) // it was there
	return &failure{code: exitEvidence, err: err, hint: strings.Join([]string{"keep", dir, "and", cfg.State,
		"as they are, and compare what the log shows with others who read it"}, " ")}
}
