package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// TestErrorTable sends every reason through both transports: each has a gRPC
// status that exists, the table's HTTP status, and comes out of the client as
// what it was.
func TestErrorTable(t *testing.T) {
	s := &Service{Log: slog.New(slog.DiscardHandler)}
	for _, row := range reason.Table() {
		err := s.status(fmt.Errorf("submitting: %w", reason.Errorf(row.Code, "what was met")))
		if got := status.Code(err).String(); got != row.GRPC {
			t.Errorf("%s: gRPC status %s, want %s", row.Code, got, row.GRPC)
		}
		if d := status.Convert(err).Details(); len(d) != 1 || d[0].(*standingv1.Refusal).GetCode() != string(row.Code) {
			t.Errorf("%s: details %v", row.Code, d)
		}
		e := overREST(t, err)
		if e == nil || e.Reason.Code != row.Code || e.Reason.Detail != "what was met" || e.NextStep != row.NextStep || e.Status != row.HTTP {
			t.Errorf("%s: client got %+v", row.Code, e)
		}
		if want := row.HTTP == http.StatusServiceUnavailable; client.Temporary(e) != want {
			t.Errorf("%s: temporary is not %t", row.Code, want)
		}
	}
}

// overREST returns what the client makes of err.
func overREST(t *testing.T, err error) *client.RefusedError {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeError(r.Context(), nil, nil, w, r, err)
	}))
	defer web.Close()
	c, clientErr := client.New(web.URL, client.Config{Attempts: 1, Timeout: time.Minute})
	if clientErr != nil {
		t.Fatal(clientErr)
	}
	_, got := c.Info(t.Context())
	e, _ := errors.AsType[*client.RefusedError](got)
	return e
}

// TestForeignErrors: failures that are not the caller's tell nothing of their
// cause.
func TestForeignErrors(t *testing.T) {
	s := &Service{Log: slog.New(slog.DiscardHandler)}
	for _, c := range []struct {
		err  error
		want reason.Code
	}{
		{errors.New("open /secret/path: input/output error"), reason.Internal},
		{fmt.Errorf("reading leaf 3: %w", context.Canceled), reason.ShuttingDown},
		{context.DeadlineExceeded, reason.ShuttingDown},
	} {
		r := s.refusal(c.err)
		if r.Code != string(c.want) || r.Message == c.err.Error() || r.NextStep == "" {
			t.Errorf("%v: %v", c.err, r)
		}
	}
}
