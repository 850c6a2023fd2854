package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/trust"
)

// watchFlags are those of watch alone.
type watchFlags struct {
	begin    string
	state    string
	post     string
	log      string
	interval time.Duration
	once     bool
	changed  bool
}

func (a *app) watchCommand() *cobra.Command {
	var f watchFlags
	cmd := command("watch SBOM", `
Tells when something happens to attestations about the components of an SBOM: one is
issued, withdrawn, suspended, reinstated, superseded, about to expire; a key, a party
or a programme behind them changes; a log is not heard of, or contradicts itself.
Nobody learns what is watched: the logs are synced as by "standing check", and what
matters to you is found in your own copy.

How far it is stands in a file. It moves only behind what was printed, and posted if
you ask for that: what fails is told again, nothing is left out. Without that file
nothing is told but that it is missing.

  --begin start|now      begin to watch: tell of all there has been, or only of what
                         comes from now on. Only where nothing was watched before
  --state FILE           how far it is (default: SBOM.watch)
  --sbom-changed         go on with another SBOM than before; "standing check" tells
                         how its new components stand
  --post URL             post each event there as a CloudEvent, before it is printed
  --interval TIME        from one look to the next (default: 10m)
  --once                 look once. Exit code 1 if something was told to be looked at
  --max-age AGE          how long a log may say nothing new (default: 24h)
  --log ORIGIN|URL       watch this log only`,
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			return a.watch(cmd.Context(), args[0], f)
		})
	cmd.Flags().StringVar(&f.begin, "begin", "", "")
	cmd.Flags().StringVar(&f.state, "state", "", "")
	cmd.Flags().StringVar(&f.post, "post", "", "")
	cmd.Flags().StringVar(&f.log, "log", "", "")
	cmd.Flags().DurationVar(&f.interval, "interval", 10*time.Minute, "")
	cmd.Flags().BoolVar(&f.once, "once", false, "")
	cmd.Flags().BoolVar(&f.changed, "sbom-changed", false, "")
	return cmd
}

// watching is one run of watch.
type watching struct {
	*app
	watchFlags
	policy   *trust.Policy
	logs     []target
	interest *check.Interest
	state    *watch.State
	poster   *watch.Poster // nil: nothing is posted
	begun    []string      // logs that are to be begun with
	bad      bool          // something was told to be looked at
}

func (a *app) watch(ctx context.Context, file string, f watchFlags) error {
	w, err := a.prepareWatch(file, f)
	if err != nil {
		return err
	}
	for {
		err := w.look(ctx)
		// Until this process ends a copy that is damaged cannot be opened again.
		if f.once || errors.Is(err, mirror.ErrDamaged) {
			if err == nil && w.bad {
				err = quiet(exitNot)
			}
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			a.report(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.interval):
		}
	}
}

func (a *app) prepareWatch(file string, f watchFlags) (*watching, error) {
	if file == "-" {
		return nil, usage("standard input cannot be watched").hinted("name a file")
	}
	if f.begin != "" && f.begin != "start" && f.begin != "now" {
		return nil, usage("--begin %.40q is neither start nor now", f.begin)
	}
	if f.interval < time.Second {
		return nil, usage("--interval %v is less than a second", f.interval)
	}
	if f.state == "" {
		f.state = file + ".watch"
	}
	policy, err := a.policy()
	if err != nil {
		return nil, err
	}
	w := &watching{app: a, watchFlags: f, policy: policy}
	if w.logs, err = pickLogs(policy, f.log); err != nil {
		return nil, err
	}
	if f.post != "" {
		if w.poster, err = watch.NewPoster(f.post); err != nil {
			return nil, usage("--post: %v", err)
		}
	}
	doc, _, err := a.readSBOM(file)
	if err != nil {
		return nil, err
	}
	w.interest = check.NewInterest(doc.Components)
	return w, w.loadState(doc)
}

// loadState reads how far it is. What is not known is asked for.
func (w *watching) loadState(doc *sbom.Document) error {
	digest := fmt.Sprintf("%x", doc.Digest)
	s, err := watch.ReadState(w.watchFlags.state)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s = &watch.State{Version: 1, SBOM: digest, Logs: map[string]watch.Cursor{}}
	case err != nil:
		return usage("%w", err).hinted("find out what happened to it; to begin anew, move it away and use --begin")
	case s.SBOM != digest && !w.changed:
		return usage("%s is of another SBOM", w.watchFlags.state).hinted(
			`if it is a new version of the same, run "standing check" on it, and go on with --sbom-changed; if not, name another --state`)
	}
	s.SBOM, w.state = digest, s
	var known []string
	for _, l := range w.logs {
		if _, ok := s.Logs[l.Origin]; ok {
			known = append(known, l.Origin)
		} else {
			w.begun = append(w.begun, l.Origin)
		}
	}
	switch {
	case len(w.begun) > 0 && w.begin == "":
		return usage("%s does not say how far %s was watched", w.watchFlags.state, strings.Join(w.begun, ", ")).hinted(
			"if it was not watched before, begin with --begin start or --begin now; if it was, find the file")
	case len(w.begun) == 0 && w.begin != "":
		return usage("%s is watched already", strings.Join(known, ", ")).hinted("go on without --begin")
	}
	return nil
}

// look looks at each log once. It returns the gravest error.
func (w *watching) look(ctx context.Context) error {
	var worst error
	for _, l := range w.logs {
		err := w.lookAt(ctx, l)
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", l.Origin, err)
		if worst == nil || classify(err).code == exitEvidence {
			worst, err = err, worst
		}
		if err != nil {
			w.report(err)
		}
	}
	return worst
}

// lookAt syncs one log and tells what has happened. Where the log cannot be had
// the copy says at least that it gets old.
func (w *watching) lookAt(ctx context.Context, l target) error {
	dir, err := mirror.DefaultDir(l.Origin)
	if err != nil {
		return err
	}
	m, err := mirror.Open(ctx, mirror.Config{Dir: dir, Origin: l.Origin, Policy: w.policy, Now: w.now})
	if err != nil {
		return err
	}
	defer m.Close()
	syncErr := w.syncCopy(ctx, l, m)
	if syncErr != nil && (ctx.Err() != nil || errors.Is(syncErr, mirror.ErrDamaged)) {
		return syncErr
	}
	err = w.round(ctx, l.Origin, m, syncErr)
	if contradicts(syncErr) {
		syncErr = &failure{code: exitEvidence, err: syncErr, hint: "keep the copy in " + dir + " as it is"}
	}
	return errors.Join(err, syncErr)
}

// round tells what has happened in the copy since the last round.
func (w *watching) round(ctx context.Context, origin string, m *mirror.Mirror, syncErr error) error {
	state, err := m.State(ctx)
	if errors.Is(err, mirror.ErrEmpty) && syncErr != nil {
		return nil // that is said already
	}
	if err != nil {
		return err
	}
	defer state.Close()
	now := w.now()
	log := &watch.Log{Copy: m, State: state, AsOf: time.Unix(int64(state.Seal.SealedAt), 0)}
	if contradicts(syncErr) {
		log.Evidence = syncErr
	}
	if cp, err := w.policy.Open(state.Checkpoint, now); err == nil && cp.Witnessed {
		log.AsOf = cp.Time
	}
	cursor, ok := w.state.Logs[origin]
	if !ok && slices.Contains(w.begun, origin) {
		cursor = watch.Begin(log, now, w.begin == "start")
	}
	told := 0
	watcher := &watch.Watcher{Interest: w.interest, Now: now, MaxAge: w.maxAge}
	err = watcher.Round(ctx, log, &cursor, func(e watch.Event) error {
		told++
		return w.deliver(ctx, &e)
	})
	if errors.Is(err, watch.ErrForked) {
		return &failure{code: exitEvidence, err: err, hint: "keep the copy and " + w.watchFlags.state + " as they are, and compare what the log shows with others who read it"}
	}
	// What was told is remembered, whatever came then.
	w.state.Logs[origin] = cursor
	if saveErr := w.state.Write(w.watchFlags.state); saveErr != nil {
		return errors.Join(m.Explain(err), fmt.Errorf("remembering how far it is: %w", saveErr))
	}
	if err == nil {
		w.note("%s: %d leaves, as of %s; %d events", origin, cursor.Size, clock(log.AsOf), told)
	}
	return m.Explain(err)
}

// deliver posts and prints one event. It must be out before the cursor moves.
func (w *watching) deliver(ctx context.Context, e *watch.Event) error {
	if w.poster != nil {
		if err := w.poster.Deliver(ctx, e); err != nil {
			return err
		}
	}
	w.bad = w.bad || e.Bad()
	if w.output == "json" {
		line, err := json.Marshal(e)
		if err == nil {
			_, err = fmt.Fprintf(w.stdout, "%s\n", line)
		}
		return err
	}
	_, err := fmt.Fprintln(w.stdout, printable(fmt.Sprintf("%s %s %s [%s]: %s",
		e.Time.Format(time.RFC3339), e.Log, strings.ToUpper(string(e.Kind)), e.Severity, e.Text)))
	return err
}
