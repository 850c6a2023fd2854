package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"
)

var errDown = errors.New("connection refused")

// link is the network between who asks and who answers. What is on its way
// arrives, whether or not somebody still waits for it.
type link struct {
	w        *World
	from, to string
	ended    <-chan struct{} // closed by a crash of who asks
	serve    func(q *http.Request, body []byte) (*http.Response, error)
}

// RoundTrip implements http.RoundTripper.
func (l link) RoundTrip(q *http.Request) (*http.Response, error) {
	select {
	case <-l.ended: // nothing that it does from here on is seen
		return nil, errCrashed
	default:
	}
	if err := q.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if q.Body != nil {
		var err error
		if body, err = io.ReadAll(q.Body); err != nil {
			return nil, err
		}
	}
	if q.Method == http.MethodGet { // of which there may be several at once
		l.to += q.URL.Path
	}
	w := l.w
	replies := make(chan func() (*http.Response, error), 2)
	for n := range w.copies(l) {
		r := w.draw(l.from, l.to, "request", n)
		there, back := between(r, 100*time.Microsecond, 200*time.Millisecond), between(r, 100*time.Microsecond, 200*time.Millisecond)
		slow := func(d *time.Duration, what string) {
			if !w.calm() && r.Float64() < w.net/4 {
				*d = between(r, time.Second, 10*time.Second)
				w.happened(what)
			}
		}
		slow(&there, "slow request")
		slow(&back, "slow reply")
		w.goes(func() {
			time.Sleep(there)
			resp, err := l.serve(q.WithContext(context.WithValue(context.Background(), request{}, fmt.Sprint(l.from, n, there))), body)
			time.Sleep(back)
			if !w.calm() && r.Float64() < w.net/4 {
				w.happened("lost reply")
				return
			}
			replies <- func() (*http.Response, error) { return resp, err }
		})
	}
	select {
	case reply := <-replies:
		return reply()
	case <-q.Context().Done():
		return nil, q.Context().Err()
	case <-l.ended:
		return nil, errCrashed
	}
}

// copies says how many of a request arrive.
func (w *World) copies(l link) int {
	if w.calm() {
		return 1
	}
	switch n := w.draw(l.from, l.to, "copies").Float64(); {
	case n < w.net/4:
		w.happened("lost request")
		return 0
	case n < w.net/3:
		w.happened("doubled request")
		return 2
	}
	return 1
}

// request is the key under which the context of a request that has arrived says
// which it is.
type request struct{}

// call has a handler answer a request.
func call(ctx context.Context, h http.Handler, method, path string, body []byte) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, method, path, bytes.NewReader(body)))
	return rec
}
