// Package monitor watches logs, for those who want to be told: it keeps a
// verified copy of each, finds in it what is of interest (package watch), and
// brings that to receivers (package deliver). `standing watch`, `standing
// monitor` and the node's role are this package.
//
// Nothing about what is of interest leaves the machine, but to the receivers:
// what a log is asked for is the same for everybody (package mirror).
//
// # State
//
// A file (watch.State) has a cursor for each receiver in each log, so that a
// receiver that fails stops no other: it goes on from its own cursor. A cursor
// is only made by [Begin], which somebody asked for: where the file, or a cursor
// in it, is missing, [Open] fails with ErrNotBegun, for what was told and what
// was not is then not known. It fails with ErrOtherInterest if the file is of
// another interest.
//
// Invariants:
//
//   - A cursor is written only behind what has arrived. If we crash in between,
//     it is told again, with the same ids.
//   - The file is replaced as a whole, and synced. It is the only truth, and
//     changed under a lock: what [Replay] asks for holds from the next look on.
//   - A log that cannot be synced, or lies, stops no other log.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/trust"
)

// Config is what a Monitor needs.
type Config struct {
	Policy    *trust.Policy
	Logs      []Log
	Interest  *watch.Interest
	Receivers []Receiver
	// State is the path of the state file. Evidence, what was found against a
	// log, is kept in a directory beside it: see EvidenceDir.
	State string
	// Promises, unless empty, is a directory of *.promise files, to which the
	// logs are held.
	Promises string
	// MaxAge is how old the newest checkpoint of a log may be.
	MaxAge time.Duration
	// Interval is from one look at a log to the next, and how long a receiver
	// may take in one. 0, for Once: as long as it takes.
	Interval time.Duration
	// Daily asks for a sign of life each day.
	Daily bool
	// HTTP asks witnesses; nil: one with limits.
	HTTP *http.Client
	// Now is the clock; nil: time.Now.
	Now     func() time.Time
	Metrics *Metrics // nil: nobody counts
	// Looked, unless nil, is told of each look; of several logs at the same time.
	Looked func(Result)
}

// Log is a log to be watched.
type Log struct {
	Origin string
	Source mirror.Source
	// Dir is the directory of its copy, in FS, or on the disk if that is nil.
	Dir string
	FS  vfs.FS
	// Progress, unless nil, is told how far the copy is.
	Progress func(done, size uint64)
}

// Receiver is a receiver with a name, under which its cursors are kept.
type Receiver struct {
	Name string
	watch.Receiver
}

// Result is what came of a look at a log.
type Result struct {
	Origin string
	Size   uint64           // leaves of the copy; 0: there is none yet
	AsOf   time.Time        // zero: there is no copy yet
	Told   map[string]int   // events, by receiver
	Bad    bool             // something was told that is to be looked at
	Late   map[string]bool  // receivers that are told the rest in the next look, at once
	Sync   error            // why the copy is not new, or what contradicts it
	Failed map[string]error // by receiver: why it was not told all
}

// Err returns all that went wrong.
func (r *Result) Err() error {
	var errs []error
	if r.Sync != nil {
		errs = append(errs, fmt.Errorf("%s: %w", r.Origin, r.Sync))
	}
	for name, err := range r.Failed {
		errs = append(errs, fmt.Errorf("%s: %s was not told all: %w", r.Origin, name, err))
	}
	return errors.Join(errs...)
}

// Errors of Open.
var (
	// ErrNotBegun means that there is no cursor, where nobody said that this is
	// the first time.
	ErrNotBegun = errors.New("it is not known what was told before")
	// ErrBegun means that there is a cursor, where somebody said that there is
	// none.
	ErrBegun = errors.New("watched already")
	// ErrOtherInterest means that the state is of another interest.
	ErrOtherInterest = errors.New("the state is of another interest")
)

// Monitor watches. Its methods are safe for concurrent use.
type Monitor struct {
	cfg      Config
	watchers map[string]*watch.Watcher // by origin

	witnesses []witness

	mu   sync.Mutex
	kept map[string]string // under mu: names of evidence, by condition
}

// Open reads the state.
func Open(cfg Config) (*Monitor, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTP == nil {
		cfg.HTTP = newHTTP()
	}
	m := &Monitor{cfg: cfg, watchers: map[string]*watch.Watcher{}, witnesses: witnesses(cfg.Policy), kept: map[string]string{}}
	s, err := m.read()
	if err != nil {
		return nil, err
	}
	if missing := missing(s, cfg); len(missing) > 0 {
		return nil, fmt.Errorf("%w: %s does not say how far %s", ErrNotBegun, cfg.State, missing[0])
	}
	for _, l := range cfg.Logs {
		m.watchers[l.Origin] = &watch.Watcher{Interest: cfg.Interest, MaxAge: cfg.MaxAge, Daily: cfg.Daily}
		cfg.Metrics.begin(l.Origin, cfg.names(), cfg.Now())
	}
	return m, nil
}

// EvidenceDir is where a monitor with a state file keeps what it found against
// logs.
func EvidenceDir(state string) string {
	return filepath.Join(filepath.Dir(state), filepath.Base(state)+".evidence")
}

// Run looks at each log again and again, until ctx ends. It ends earlier if no
// log can be looked at any more in this process.
func (m *Monitor) Run(ctx context.Context) error {
	var all sync.WaitGroup
	failed := make([]error, len(m.cfg.Logs))
	for i, l := range m.cfg.Logs {
		all.Go(func() { failed[i] = m.follow(ctx, l) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// follow looks at one log until ctx ends, or its copy is damaged.
func (m *Monitor) follow(ctx context.Context, l Log) error {
	for {
		r := m.look(ctx, l)
		if ctx.Err() != nil {
			return nil
		}
		m.looked(r)
		// Until this process ends a copy that is damaged cannot be opened again.
		if errors.Is(r.Sync, mirror.ErrDamaged) {
			return r.Sync
		}
		if len(r.Late) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(m.cfg.Interval):
		}
	}
}

// Once looks at each log once.
func (m *Monitor) Once(ctx context.Context) []Result {
	out := make([]Result, len(m.cfg.Logs))
	var all sync.WaitGroup
	for i, l := range m.cfg.Logs {
		all.Go(func() {
			out[i] = m.look(ctx, l)
			m.looked(out[i])
		})
	}
	all.Wait()
	return out
}

func (m *Monitor) looked(r Result) {
	m.cfg.Metrics.looked(r, m.cfg.names(), m.cfg.Now())
	if m.cfg.Looked != nil {
		m.cfg.Looked(r)
	}
}

// names of the receivers, in order.
func (c *Config) names() []string {
	var out []string
	for _, r := range c.Receivers {
		out = append(out, r.Name)
	}
	slices.Sort(out)
	return out
}
