package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/trust"
)

// Gatherer asks the cosigners for their lines. A Grace of 0 is 100 ms.
type Gatherer struct {
	Policy   *trust.Policy
	Clients  []*cosign.Client
	Auditors []string // names in Policy of those that are asked first
	Store    interface {
		Root(ctx context.Context) (backend.Root, error)
		ConsistencyProof(ctx context.Context, from, to uint64) ([]backend.Hash, error)
	}
	Grace   time.Duration
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *cosign.Metrics // nil: nobody counts
	// Late is sequencer.Config's: lines that come when Cosign has returned. Nil:
	// they are not wanted.
	Late chan<- []byte

	forward sync.WaitGroup    // of what brings late lines
	forget  func()            // ends it; nil before the first
	told    map[string]string // the last failure of a client that was logged
}

// Cosign is sequencer.Config's Cosign; it is called by one goroutine at a time.
//
// What was published had a quorum, and of two quorums one is always in the other's
// way. So if those who say that they know another tree of this log leave no
// quorum of others, the store is a restored backup or somebody else writes:
// [sequencer.ErrRestored]. If they do leave one, and it is not there only because
// others do not answer, then one cosigner's word stands against ours:
// [sequencer.ErrDoubt], until the others have answered. Where there is a quorum,
// or where no quorum counts on him, a contradicting cosigner is only reported.
func (g *Gatherer) Cosign(ctx context.Context, checkpoint []byte, size uint64) ([]byte, error) {
	if g.forget != nil {
		g.forget() // lines for what is published already would come too late
		g.forward.Wait()
	}
	grace := g.Grace
	if grace == 0 {
		grace = 100 * time.Millisecond
	}
	r, err := cosign.Gather(ctx, cosign.Request{
		Policy: g.Policy, Clients: g.Clients, Auditors: g.Auditors,
		Checkpoint: checkpoint, Now: g.Now(), Grace: grace, Metrics: g.Metrics,
		Consistency: func(ctx context.Context, from uint64) ([]cosign.Hash, error) {
			return g.Store.ConsistencyProof(ctx, from, size)
		},
	})
	if err != nil {
		return nil, err
	}
	g.report(r, size)
	if r.Quorum != nil {
		return nil, g.doubt(ctx, r)
	}
	ctx, g.forget = context.WithCancel(ctx)
	g.forward.Go(func() { g.bring(ctx, r.Late) })
	return r.Checkpoint, nil
}

// Wait waits until the calls that Cosign has begun have ended: soon after its
// context has.
func (g *Gatherer) Wait() {
	g.forward.Wait()
	for _, c := range g.Clients {
		c.Wait()
	}
}

// bring hands late lines on.
func (g *Gatherer) bring(ctx context.Context, late <-chan []byte) {
	for {
		select {
		case cosigned, ok := <-late:
			if !ok {
				return
			}
			select {
			case g.Late <- cosigned:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// doubt says what it means that there is no quorum.
func (g *Gatherer) doubt(ctx context.Context, r *cosign.Result) error {
	// What the store holds now: while a slow cosigner was asked about this
	// size, the log has gone on, and somebody may have offered it the rest.
	held, err := g.Store.Root(ctx)
	if err != nil {
		return err
	}
	var against, others []string
	var last error
	for _, c := range g.Clients {
		others = append(others, c.Names()...)
	}
	for _, f := range r.Failures {
		if contradicts(f.Err, held.Size) {
			against, last = append(against, f.Names...), f.Err
		}
	}
	others = slices.DeleteFunc(others, func(n string) bool { return slices.Contains(against, n) })
	counts := slices.ContainsFunc(g.Policy.Cosigners(), func(c trust.Cosigner) bool { return c.InQuorum && slices.Contains(against, c.Name) })
	switch {
	case counts && !cosign.Suffices(g.Policy, others):
		return fmt.Errorf("%w: %v: %w; recover from a mirror", sequencer.ErrRestored, against, last)
	case counts:
		return fmt.Errorf("%w: %v: %w; %w", sequencer.ErrDoubt, against, last, r.Quorum)
	}
	return r.Quorum
}

// report logs what is new about who does not cosign.
func (g *Gatherer) report(r *cosign.Result, size uint64) {
	failing := map[string]string{}
	for _, f := range r.Failures {
		name := strings.Join(f.Names, ",")
		failing[name] = f.Err.Error()
		if g.told[name] != failing[name] {
			g.Log.Warn("cosigner", "names", f.Names, "size", size, "err", f.Err)
		}
	}
	for name := range g.told {
		if failing[name] == "" {
			g.Log.Info("cosigner answers again", "names", name, "size", size)
		}
	}
	g.told = failing
}

// contradicts reports whether the cosigner says that it knows another tree of
// this log than ours: a larger one than we hold, another one of this size, or a
// smaller one that ours does not extend. One that is only larger than what it
// was asked about is asked again about what we hold, and then tells.
func contradicts(err error, held uint64) bool {
	ahead, larger := errors.AsType[*cosign.AheadError](err)
	return larger && ahead.Size > held || errors.Is(err, cosign.ErrConflict) || errors.Is(err, cosign.ErrInconsistent)
}

// inProcess is an http.RoundTripper that calls a handler of this process: the
// local witness is asked as any other is, without an address.
type inProcess struct{ handler http.Handler }

// RoundTrip calls the handler and returns what it has written.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, r)
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
