// Package auditor is the auditor role: a cosigner that holds every leaf of the
// logs it vouches for, has recomputed every live seal among them, and only then
// cosigns.
//
// [Open] opens an Auditor over a directory; [Auditor.Run] follows the logs;
// [Auditor.Handler] serves C2SP tlog-witness
// (https://c2sp.org/tlog-witness, package witness) under /auditor/, and the
// copies as C2SP tlog-tiles under /mirror/<origin>/.
//
// # What is cosigned
//
// A checkpoint that the log has signed (package witness), if
//
//   - every leaf of its tree is fetched, recomputed and durably stored (package
//     mirror), by the first implementation and, if asked for, by the second
//     (package altreader), too;
//   - its last leaf is a live seal, not dated more than five minutes ahead of
//     the auditor's clock;
//   - nothing that the log has shown to the auditor, here or before, contradicts
//     it;
//   - no pin of the auditor's closes the log, or asks for a newer map function.
//
// What is not cosigned yet is answered with 503 and how far the copy is. While
// much is missing that comes at once, and the copy goes on in the background:
// what an add-checkpoint request has begun does not end with it.
//
// # Evidence
//
// A live seal that is wrong, or two trees of one log, end the matter: the
// evidence goes to evidence/, and that log is not cosigned any more, over
// restarts. What is held stays served.
//
// # What a log owes
//
// Whoever has signed a withdrawal that a log refuses, or answers and leaves out,
// brings it to an auditor: POST /auditor/entries. It is checked as the log would
// (package admission), and against the state that is held: it has to have effect.
// The auditor keeps it, offers it to the log, and gives it a deadline: some leaves
// behind what is held, and a day if the log hardly grows. Past that no checkpoint
// is cosigned in which it has no effect, unless by then it would have none any
// more, because somebody else has withdrawn the same.
//
// Without more, only what can worsen a verdict is taken: a late attestation harms
// nobody but its issuer, and anybody could make an auditor wait for it. For anything
// the log's own promise is taken (package promise), whose deadline is the index in
// it; a tree that holds another leaf there is evidence.
//
// # Files
//
//	mirror/<name>/                  the copy of a log
//	owed/<name>/                    entries that a log owes, and its promises
//	evidence/<name>.stopped         why a log is not cosigned any more
//	evidence/<name>.evidence.json   what proves it to others, if it can be proven
//
// A name is made of the log's origin; see mirror.DirName.
//
// # Invariants
//
//   - Nothing is fetched for a checkpoint that the log has not signed.
//   - One run extends the copy of a log at a time, whoever asks for it, and at
//     most a few requests wait for it.
//   - A log that was found to lie is not cosigned again: the file that says so is
//     durable before the request that found it is answered.
//
// # Memory
//
// For each log that of its mirror, and with the second implementation that of
// altreader.Log: all of the state.
package auditor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/trust"
)

// The directories of an auditor.
const (
	MirrorDir   = "mirror"
	EvidenceDir = "evidence"
	OwedDir     = "owed"
)

// Log is a log to be audited.
type Log struct {
	Origin string
	// Policy lists the log's keys, and the quorum that its published checkpoints
	// have, with the pins of whoever runs the auditor.
	Policy *trust.Policy
	Source mirror.Source
	// Submit offers the log a signed entry; nil: it is not asked.
	Submit func(ctx context.Context, envelope []byte) error
}

// Config is what an Auditor needs.
type Config struct {
	// Dir holds mirror/ and evidence/, which are made.
	Dir  string
	Logs []Log
	// Signers are the auditor's keys, none of them a witness's or a log's; Store
	// has what they have cosigned.
	Signers []witness.Signer
	Store   witness.Store
	// Oracle says that the second implementation recomputes, too.
	Oracle bool
	// Wait is how long add-checkpoint waits for leaves. It belongs below the
	// time that logs give a cosigner. Default 8s.
	Wait time.Duration
	// Deadline is how many leaves a log may add before an entry that it owes.
	// Default 20,000.
	Deadline uint64
	// Poll is how often published checkpoints are looked for. Default 5s.
	Poll time.Duration
	// FS holds the copies; nil means the disk.
	FS      vfs.FS
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: none
	Metrics *Metrics         // nil: nobody counts
}

// Auditor audits logs. Its methods are safe for concurrent use.
type Auditor struct {
	cfg     Config
	logs    map[string]*follower // by origin
	witness *witness.Witness
	handler http.Handler
	end     context.CancelFunc

	mu     sync.Mutex // guards closed, and that nothing is added to work behind it
	closed bool
	work   sync.WaitGroup // what requests have begun
}

// Open opens the copies. It fails as mirror.Open does.
func Open(ctx context.Context, cfg Config) (*Auditor, error) {
	cfg.defaults()
	a := &Auditor{cfg: cfg, logs: map[string]*follower{}}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	a.end = end
	if err := a.open(ctx, life); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (c *Config) defaults() {
	if c.Wait == 0 {
		c.Wait = 8 * time.Second
	}
	if c.Deadline == 0 {
		c.Deadline = defaultDeadline
	}
	if c.Poll == 0 {
		c.Poll = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func (a *Auditor) open(ctx, life context.Context) error {
	if err := os.MkdirAll(filepath.Join(a.cfg.Dir, EvidenceDir), 0o755); err != nil {
		return err
	}
	var logs []witness.Log
	for _, l := range a.cfg.Logs {
		known, ok := l.Policy.Log(l.Origin)
		if !ok {
			return fmt.Errorf("the trust file does not list %s", l.Origin)
		}
		w := witness.Log{Origin: l.Origin}
		for _, k := range known.Keys {
			w.Vkeys = append(w.Vkeys, k.Vkey)
		}
		logs = append(logs, w)
		// Two of one origin fail in witness.New, and would share a directory.
		if a.logs[l.Origin] != nil {
			return fmt.Errorf("%s is listed twice", l.Origin)
		}
		f, err := a.follow(ctx, life, l)
		if err != nil {
			return err
		}
		a.logs[l.Origin] = f
	}
	var err error
	a.witness, err = witness.New(witness.Config{
		Signers: a.cfg.Signers, Logs: logs, Store: a.cfg.Store, Now: a.cfg.Now, Logger: a.cfg.Logger,
		Hold: func(ctx context.Context, origin string, note []byte) error { return a.logs[origin].hold(ctx, note) },
	})
	if err == nil {
		a.handler = a.routes()
	}
	return err
}

// Run follows the published checkpoints of the logs until ctx ends, or until a
// copy cannot be written any more: then only a new process can open it again.
func (a *Auditor) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range a.logs {
		g.Go(func() error { return f.run(ctx) })
	}
	return g.Wait()
}

// begin runs f, which may go on when the request that wants it has ended. It does
// not, and says so, once Close has been called: requests may still come then, and the
// copies are being released.
func (a *Auditor) begin(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.work.Go(f)
	}
	return !a.closed
}

// Close ends what requests have begun, and releases the copies.
func (a *Auditor) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.end()
	a.work.Wait()
	var errs []error
	for _, f := range a.logs {
		errs = append(errs, f.mirror.Close())
	}
	return errors.Join(errs...)
}

// Vkeys returns the verifier keys of the auditor.
func (a *Auditor) Vkeys() []string { return a.witness.Vkeys() }

// Handler serves /auditor/ and /mirror/.
func (a *Auditor) Handler() http.Handler { return a.handler }
