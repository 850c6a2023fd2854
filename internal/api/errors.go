package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

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
		s.Log.Error("request failed", "err", err)
		e = reason.Errorf(reason.Internal, "the node failed")
	}
	return &standingv1.Refusal{Code: string(e.Code), Message: e.Detail, NextStep: reason.Lookup(e.Code).NextStep}
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
func (s *Service) status(err error) error {
	r := s.refusal(err)
	st, detailErr := status.New(grpcCodes[reason.Lookup(reason.Code(r.Code)).GRPC], r.Message).WithDetails(r)
	if detailErr != nil {
		return status.Error(codes.Internal, r.Message)
	}
	return st.Err()
}

// NewHandler returns the REST side of the service.
func NewHandler(ctx context.Context, s *Service) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithErrorHandler(writeError),
		// Unknown members of a request are refused: a misspelt one would
		// otherwise be dropped silently.
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: false},
		}),
	)
	if err := standingv1.RegisterLogHandlerServer(ctx, mux, s); err != nil {
		return nil, err
	}
	return http.MaxBytesHandler(mux, MaxMessageBytes), nil
}

// writeError writes google.rpc.Status with a refusal among its details, and the
// HTTP status of the table.
func writeError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	st := status.Convert(err)
	code := reason.RequestMalformed
	refused := false
	for _, d := range st.Details() {
		if r, ok := d.(*standingv1.Refusal); ok {
			code, refused = reason.Code(r.GetCode()), true
		}
	}
	row := reason.Lookup(code)
	httpStatus := row.HTTP
	if !refused {
		// The gateway's own errors: an unknown path, a body it cannot read.
		if routing, ok := errors.AsType[*runtime.HTTPStatusError](err); ok {
			httpStatus = routing.HTTPStatus
		}
		r := &standingv1.Refusal{Code: string(code), Message: st.Message(), NextStep: row.NextStep}
		if with, err := st.WithDetails(r); err == nil {
			st = with
		}
	}
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
