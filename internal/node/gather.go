package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/trust"
)

// Gatherer asks the cosigners for their lines. A Grace of 0 is 100 ms.
type Gatherer struct {
	Policy  *trust.Policy
	Clients []*cosign.Client
	Store   interface {
		Root(ctx context.Context) (backend.Root, error)
		ConsistencyProof(ctx context.Context, from, to uint64) ([]backend.Hash, error)
	}
	Grace   time.Duration
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *cosign.Metrics // nil: nobody counts
}

// Cosign is sequencer.Config's Cosign. One cosigner's word does not stop the
// log; without a quorum of others it does: then the store may be a restored
// backup, and signing would fork the log.
func (g Gatherer) Cosign(ctx context.Context, checkpoint []byte, size uint64) ([]byte, error) {
	grace := g.Grace
	if grace == 0 {
		grace = 100 * time.Millisecond
	}
	r, err := cosign.Gather(ctx, cosign.Request{
		Policy: g.Policy, Clients: g.Clients, Checkpoint: checkpoint, Now: g.Now(), Grace: grace, Metrics: g.Metrics,
		Consistency: func(ctx context.Context, from uint64) ([]cosign.Hash, error) {
			return g.Store.ConsistencyProof(ctx, from, size)
		},
	})
	if err != nil {
		return nil, err
	}
	// What the store holds now: while a slow cosigner was asked about this
	// size, the log has gone on, and somebody may have offered it the rest.
	held, err := g.Store.Root(ctx)
	if err != nil {
		return nil, err
	}
	var ahead error
	for _, f := range r.Failures {
		if errors.Is(f.Err, context.Canceled) {
			continue
		}
		g.Log.Warn("cosigner", "names", f.Names, "size", size, "err", f.Err)
		if contradicts(f.Err, held.Size) {
			ahead = fmt.Errorf("%w: %v: %v; recover from a mirror", sequencer.ErrRestored, f.Names, f.Err)
		}
	}
	if r.Quorum != nil && ahead != nil {
		return nil, ahead
	}
	return r.Checkpoint, r.Quorum
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
