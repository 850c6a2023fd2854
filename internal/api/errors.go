package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// refusal describes an error to the caller. Failures that are not the caller's
// are logged, and tell no more than that.
func (s *Service) refusal(err error) *standingv1.Refusal {
	e, ok := errors.AsType[*reason.Error](err)
	switch {
	case ok:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e = reason.Errorf(reason.ShuttingDown, "the call ended before the answer")
	default:
		s.Fail(err)
		e = reason.Errorf(reason.Internal, "the node failed")
	}
	return &standingv1.Refusal{Code: string(e.Code), Message: e.Detail, NextStep: reason.Lookup(e.Code).NextStep}
}

// Fail is told of a failure of this node. Nothing is signed any more on a store
// that is known to be damaged.
func (s *Service) Fail(err error) {
	s.Log.Error("request failed", "err", err)
	if errors.Is(err, backend.ErrDamaged) {
		s.Sequencer.Halt(err)
	}
}

// grpcCodes are the canonical names of the statuses in the table.
var grpcCodes = map[string]codes.Code{
	"InvalidArgument":    codes.InvalidArgument,
	"ResourceExhausted":  codes.ResourceExhausted,
	"FailedPrecondition": codes.FailedPrecondition,
	"PermissionDenied":   codes.PermissionDenied,
	"NotFound":           codes.NotFound,
	"Unimplemented":      codes.Unimplemented,
	"Unavailable":        codes.Unavailable,
	"Internal":           codes.Internal,
}

// status returns the gRPC status of an error, with its refusal.
func (s *Service) status(err error) error { return statusOf(s.refusal(err)).Err() }

func statusOf(r *standingv1.Refusal) *status.Status {
	st := status.New(grpcCodes[reason.Lookup(reason.Code(r.Code)).GRPC], r.Message)
	with, err := st.WithDetails(r)
	if err != nil {
		return st
	}
	return with
}

// NewHandler returns the REST side of the service.
func NewHandler(ctx context.Context, s standingv1.LogServer) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithErrorHandler(writeError),
		runtime.WithRoutingErrorHandler(writeRoutingError),
		// Unknown members of a request are refused: a misspelt one would
		// otherwise be dropped silently.
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: false},
		}),
	)
	if err := standingv1.RegisterLogHandlerServer(ctx, mux, s); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := *r
		own.Body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, MaxMessageBytes)}
		mux.ServeHTTP(w, &own)
	}), nil
}

// WriteError writes a refusal as the REST side of the service does, for handlers
// beside it. An error that is no *reason.Error is the node's own, and told to
// nobody.
func WriteError(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*reason.Error](err)
	if !ok {
		e = reason.Errorf(reason.Internal, "the node failed")
	}
	row := reason.Lookup(e.Code)
	writeStatus(w, row.HTTP, statusOf(&standingv1.Refusal{Code: string(e.Code), Message: e.Detail, NextStep: row.NextStep}))
}

// body is a request's body. The gateway hides why reading it has failed.
type body struct {
	io.ReadCloser
	tooLarge bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		b.tooLarge = true
	}
	return n, err
}

// writeError writes google.rpc.Status with a refusal among its details, and the
// HTTP status of the table.
func writeError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	st := status.Convert(err)
	for _, d := range st.Details() {
		if d, ok := d.(*standingv1.Refusal); ok {
			writeStatus(w, reason.Lookup(reason.Code(d.GetCode())).HTTP, st)
			return
		}
	}
	// The gateway's own errors: a body or a query that it cannot read.
	row, message := reason.Lookup(reason.RequestMalformed), st.Message()
	if b, ok := r.Body.(*body); ok && b.tooLarge {
		row, message = reason.Lookup(reason.RequestTooLarge), fmt.Sprintf("the request exceeds %d bytes", MaxMessageBytes)
	}
	writeStatus(w, row.HTTP, statusOf(&standingv1.Refusal{Code: string(row.Code), Message: message, NextStep: row.NextStep}))
}

// writeRoutingError answers what is no call of the service. The HTTP status is
// the usual one, so that programs which know only HTTP understand it.
func writeRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, httpStatus int) {
	writeStatus(w, httpStatus, statusOf(&standingv1.Refusal{
		Code:     string(reason.RequestMalformed),
		Message:  fmt.Sprintf("%s %.200q: %s", r.Method, r.URL.Path, http.StatusText(httpStatus)),
		NextStep: reason.Lookup(reason.RequestMalformed).NextStep,
	}))
}

func writeStatus(w http.ResponseWriter, httpStatus int, st *status.Status) {
	b, err := protojson.Marshal(st.Proto())
	if err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(httpStatus)
	_, _ = w.Write(append(b, '\n'))
}
