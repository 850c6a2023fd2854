package auditor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

const (
	// maxWaiting is how many requests may wait for the copy of one log.
	maxWaiting = 16
	// farBehind is how many leaves may be missing for a request to wait at all:
	// some seconds' worth.
	farBehind = 20_000
	// reportEvery is how often the progress of a long run is reported.
	reportEvery = 30 * time.Second
)

// follower audits one log.
type follower struct {
	Log
	a      *Auditor
	life   context.Context
	log    *slog.Logger
	mirror *mirror.Mirror
	oracle *oracle // nil unless asked for

	admission *admission.Admission // of what is owed

	turn  chan struct{} // holds one token; who has it may extend the copy
	seats chan struct{} // one token for each request that waits

	mu       sync.Mutex
	progress progress
	stop     error // why this log is not cosigned any more
	trouble  string
	owed     map[string]*owed // by name
}

// progress is how far a run is.
type progress struct {
	done, size uint64
	reported   time.Time
}

func (a *Auditor) follow(ctx, life context.Context, l Log) (*follower, error) {
	f := &follower{
		Log: l, a: a, life: life, log: a.cfg.Logger.With("log", l.Origin),
		turn: make(chan struct{}, 1), seats: make(chan struct{}, maxWaiting),
	}
	f.turn <- struct{}{}
	var err error
	if f.stop, err = readStopped(a.evidencePath(l.Origin)); err != nil {
		return nil, err
	}
	if f.stop != nil {
		f.log.Error("a log is not cosigned any more", "evidence", a.evidencePath(l.Origin), "err", f.stop)
	}
	f.mirror, err = mirror.Open(ctx, mirror.Config{
		Dir: filepath.Join(a.cfg.Dir, MirrorDir, mirror.DirName(l.Origin)), FS: a.cfg.FS,
		Origin: l.Origin, Policy: l.Policy, Now: a.cfg.Now, Logger: a.cfg.Logger, Versions: heldVersions,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the copy of %s: %w", l.Origin, err)
	}
	if err := f.loadOwed(); err != nil {
		return nil, errors.Join(err, f.mirror.Close())
	}
	f.admission = admission.New(f.mirror.Keys(), a.cfg.Now)
	if a.cfg.Oracle {
		f.oracle = newOracle(l.Origin)
	}
	held, err := f.mirror.Held(ctx)
	f.progress = progress{done: held, size: held}
	a.cfg.Metrics.begin(f)
	return f, err
}

// heldVersions of the map stay in memory: that of which the copy answers, and
// those held ahead of it.
const heldVersions = 4

// run looks for published checkpoints until ctx ends.
func (f *follower) run(ctx context.Context) error {
	for {
		f.poll(ctx)
		t := time.NewTimer(f.a.cfg.Poll)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-f.mirror.Failed():
			t.Stop()
			return f.failed(ctx)
		case <-t.C:
		}
	}
}

// failed says what to do about a copy that takes no more writes.
func (f *follower) failed(ctx context.Context) error {
	_, err := f.mirror.Held(context.WithoutCancel(ctx))
	next := "start the node again"
	if errors.Is(err, syscall.ENOSPC) {
		next = "the disk is full; make room, then " + next + ": what was cosigned is there"
	}
	return fmt.Errorf("the copy of %s: %s: %w", f.Origin, next, err)
}

// poll brings the copy up to the newest published checkpoint, unless the log was
// given up.
func (f *follower) poll(ctx context.Context) {
	if f.stopped() != nil {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-f.turn:
	}
	defer f.release()
	err := f.mirror.Sync(ctx, f.source(), f.told)
	if err == nil {
		err = f.recompute(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	f.a.cfg.Metrics.followed(f, err, f.a.cfg.Now())
	if err == nil {
		err = f.collect(ctx)
	}
	if e := lie(err); e != nil {
		err = f.give(e)
	}
	f.report(err)
}

// collect settles what is held by now, and offers the log the rest.
func (f *follower) collect(ctx context.Context) error {
	held, err := f.mirror.Held(ctx)
	if err == nil {
		err = f.paid(ctx, held)
	}
	f.a.begin(func() { f.forward(f.life) })
	return err
}

// report logs trouble when it begins, changes, and ends.
func (f *follower) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	f.mu.Lock()
	was := f.trouble
	f.trouble = text
	f.mu.Unlock()
	switch {
	case text == was:
	case err != nil:
		f.log.Warn("following a log", "err", err)
	default:
		f.log.Info("following a log again")
	}
}

func (f *follower) release() { f.turn <- struct{}{} }

// hold is witness.Config's Hold.
func (f *follower) hold(ctx context.Context, note []byte) error {
	if err := f.stopped(); err != nil {
		return err
	}
	// SPEC: a log that a pin closes is good up to there: its key may be in other
	// hands.
	if f.Policy.Closed(f.Origin) {
		return fmt.Errorf("%w: a pin says that this log is closed", witness.ErrRefused)
	}
	select {
	case f.seats <- struct{}{}:
		defer func() { <-f.seats }()
	default:
		return f.notYet("others wait for the same")
	}
	ctx, cancel := context.WithTimeout(ctx, f.a.cfg.Wait)
	defer cancel()
	if err := f.begin(ctx); err != nil {
		return err
	}
	// It does not end with the request: the log asks again, and then it is done.
	done := make(chan error, 1)
	if !f.a.begin(func() {
		defer f.release()
		done <- f.extend(f.life, note)
	}) {
		f.release()
		return f.notYet("the auditor ends")
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return f.notYet("the copy is being extended")
	}
}

// begin takes the turn, unless whoever has it will need it for long.
func (f *follower) begin(ctx context.Context) error {
	select {
	case <-f.turn:
		return nil
	default:
	}
	if p := f.far(); p.size-p.done > farBehind {
		return f.notYet("the copy is being made")
	}
	select {
	case <-f.turn:
		return nil
	case <-ctx.Done():
		return f.notYet("the copy is being extended")
	}
}

func (f *follower) notYet(why string) error {
	p := f.far()
	return fmt.Errorf("%w: %s: %d of %d leaves are held", witness.ErrNotHeld, why, p.done, p.size)
}

// extend holds the tree of a checkpoint that the log has signed. Whoever calls
// it has the turn.
func (f *follower) extend(ctx context.Context, note []byte) error {
	if err := f.stopped(); err != nil {
		return err // somebody before us has found it
	}
	last, err := f.mirror.Hold(ctx, f.source(), note, f.told)
	if err == nil {
		err = f.recompute(ctx)
	}
	if err == nil {
		err = f.acceptable(last)
	}
	if err == nil {
		err = f.paid(ctx, last.Index+1)
	}
	if err = f.judge(err); err != nil && !errors.Is(err, witness.ErrRefused) {
		f.log.Warn("a checkpoint is not cosigned", "err", err)
	}
	return err
}

// acceptable refuses a seal from the future, and one under a map function that
// the pins do not believe any more.
func (f *follower) acceptable(last *seal.Seal) error {
	// SPEC: seals under an older map function than min-mapfn are no evidence.
	if last.MapFn < f.Policy.MinMapFn() {
		return fmt.Errorf("%w: it is under map function %d, a pin asks for %d", witness.ErrRefused, last.MapFn, f.Policy.MinMapFn())
	}
	// SPEC: an auditor does not cosign checkpoints yet that are sealed more than
	// 5 min ahead of its clock.
	latest := f.a.cfg.Now().Add(trust.MaxSkew).Unix()
	if int64(last.SealedAt) > latest {
		return fmt.Errorf("%w: it is dated %d s ahead of our clock", witness.ErrNotHeld, int64(last.SealedAt)-f.a.cfg.Now().Unix())
	}
	return nil
}

// judge turns an error into what the log is answered. What it does not know is
// our own failure.
func (f *follower) judge(err error) error {
	var unserved *sourceError
	switch {
	case err == nil, errors.Is(err, witness.ErrNotHeld):
		return err
	case lie(err) != nil:
		return f.give(lie(err))
	case errors.As(err, &unserved), errors.Is(err, mirror.ErrTiles):
		return fmt.Errorf("%w: the leaves are not served: %w", witness.ErrNotHeld, err)
	case errors.Is(err, mirror.ErrUnsealed), errors.Is(err, mapfn.ErrFunction), errors.Is(err, errDisagree):
		return fmt.Errorf("%w: %w", witness.ErrNotHeld, err)
	case errors.Is(err, trust.ErrMalformed), errors.Is(err, trust.ErrBadSignature):
		return fmt.Errorf("%w: %w", witness.ErrBadRequest, err)
	}
	return err
}

// told is told of progress.
func (f *follower) told(done, size uint64) {
	defer f.a.cfg.Metrics.extended(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.a.cfg.Now()
	if f.progress.done >= f.progress.size { // a run begins
		f.progress.reported = now
	}
	f.progress.done, f.progress.size = done, size
	if done < size && now.Sub(f.progress.reported) >= reportEvery {
		f.progress.reported = now
		f.log.Info("copying a log", "held", done, "of", size)
	}
}

func (f *follower) far() progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.progress
}

// source is the log, whose failures are told from ours.
func (f *follower) source() mirror.Source { return source{f.Log.Source} }
