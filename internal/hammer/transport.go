package hammer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// transport offers entries to a Standing log and fetches bundles, in one of the
// ways there are.
type transport interface {
	// submit offers entries in one call: Submit for one, SubmitBatch for more.
	// There is one result per entry.
	submit(ctx context.Context, leaves [][]byte) ([]result, error)
	bundle(ctx context.Context, id string) ([]byte, error)
	close() error
}

// result is what became of an entry: refused, or the rest.
type result struct {
	id          string
	index, size uint64
	refused     error
}

// pool is an HTTP client that keeps a connection for each worker.
func pool(workers int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers}}
}

// rest is what programs use that import package client.
type rest struct{ *client.Client }

func (t rest) submit(ctx context.Context, leaves [][]byte) ([]result, error) {
	if len(leaves) == 1 {
		r, err := t.Submit(ctx, leaves[0], false)
		if err != nil {
			return nil, err
		}
		return []result{{id: r.ID, index: r.Index, size: r.SealedSize}}, nil
	}
	results, err := t.SubmitBatch(ctx, leaves, false)
	out := make([]result, len(results))
	for i, r := range results {
		out[i] = result{id: r.ID, index: r.Index, size: r.SealedSize}
		if r.Refused != nil {
			out[i].refused = r.Refused
		}
	}
	return out, err
}

func (t rest) bundle(ctx context.Context, id string) ([]byte, error) { return t.Bundle(ctx, id) }

func (t rest) close() error { return nil }

// rpc is gRPC over unencrypted HTTP/2.
type rpc struct {
	conns []*grpc.ClientConn
	next  atomic.Uint64
}

// streams of one connection; servers allow some hundred.
const streams = 100

func dial(address string, workers int) (*rpc, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	t := &rpc{}
	for range (workers + streams - 1) / streams {
		c, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t.conns = append(t.conns, c)
	}
	return t, nil
}

func (t *rpc) close() error {
	var errs []error
	for _, c := range t.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func (t *rpc) log() standingv1.LogClient {
	return standingv1.NewLogClient(t.conns[t.next.Add(1)%uint64(len(t.conns))])
}

func (t *rpc) submit(ctx context.Context, leaves [][]byte) ([]result, error) {
	if len(leaves) == 1 {
		r, err := t.log().Submit(ctx, &standingv1.SubmitRequest{Envelope: leaves[0]})
		if err != nil {
			return nil, err
		}
		return []result{answer(r.GetResult())}, nil
	}
	r, err := t.log().SubmitBatch(ctx, &standingv1.SubmitBatchRequest{Envelopes: leaves})
	if err != nil {
		return nil, err
	}
	out := make([]result, len(r.GetResults()))
	for i, one := range r.GetResults() {
		out[i] = answer(one)
	}
	return out, nil
}

func answer(r *standingv1.SubmitResult) result {
	if f := r.GetRefusal(); f != nil {
		return result{refused: &reason.Error{Code: reason.Code(f.GetCode()), Detail: f.GetMessage()}}
	}
	return result{id: r.GetId(), index: r.GetIndex(), size: r.GetSealedSize()}
}

func (t *rpc) bundle(ctx context.Context, id string) ([]byte, error) {
	r, err := t.log().GetBundle(ctx, &standingv1.GetBundleRequest{Ids: []string{id}})
	return r.GetBundle(), err
}

// temporary reports whether the log asks to come back later.
func temporary(err error) bool {
	if e, ok := errors.AsType[*reason.Error](err); ok {
		return reason.Lookup(e.Code).HTTP == http.StatusServiceUnavailable
	}
	return client.Temporary(err) || status.Code(err) == codes.Unavailable
}

// patience is how often and how long a log may ask to come back later.
const (
	attempts = 20
	pause    = 50 * time.Millisecond
)

// insist submits until every entry is taken. Each time the log asked to come
// back later is added to pushed.
func insist(ctx context.Context, t transport, leaves [][]byte, pushed *atomic.Int64) ([]result, error) {
	out := make([]result, len(leaves))
	left := make([]int, len(leaves))
	for i := range left {
		left[i] = i
	}
	for try := 1; ; try++ {
		part := make([][]byte, len(left))
		for j, i := range left {
			part[j] = leaves[i]
		}
		got, err := t.submit(ctx, part)
		if err == nil && len(got) != len(part) {
			err = fmt.Errorf("%d results for %d entries", len(got), len(part))
		}
		var again []int
		for j, i := range left {
			if err == nil {
				out[i] = got[j]
			}
			if err != nil || out[i].refused != nil {
				again, err = append(again, i), errors.Join(err, out[i].refused)
			}
		}
		if err == nil {
			return out, nil
		}
		if try == attempts || !temporary(err) {
			return nil, err
		}
		pushed.Add(1)
		left = again
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}
