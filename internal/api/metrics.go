package api

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// Metrics are the numbers of one Service, over both transports.
type Metrics struct {
	calls       *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	bundles     prometheus.Counter
	bundleBytes prometheus.Counter
}

// NewMetrics makes the metrics of one Service.
func NewMetrics(set *metric.Set) *Metrics {
	m := &Metrics{
		calls: set.Counters("api_calls_total", "Calls, by reason code of the refusal, or ok. What is refused within a batch is counted where it was refused.",
			"call", "code"),
		seconds:     set.Histograms("api_seconds", "Time to answer a call, waiting included.", metric.Slow(), "call"),
		bundles:     set.Counter("bundles_total", "Bundles served."),
		bundleBytes: set.Counter("bundle_bytes_total", "Bytes of the bundles served."),
	}
	// It is there from the beginning: Prometheus sees no increase in the first
	// value of a counter.
	for _, method := range standingv1.Log_ServiceDesc.Methods {
		m.calls.WithLabelValues(method.MethodName, string(reason.Internal))
	}
	return m
}

// Measured returns s with its calls counted.
func (m *Metrics) Measured(s standingv1.LogServer) standingv1.LogServer { return measured{s, m} }

type measured struct {
	standingv1.LogServer
	m *Metrics
}

func measure[Q, R any](ctx context.Context, m *Metrics, call string, request Q, f func(context.Context, Q) (R, error)) (R, error) {
	began := time.Now()
	r, err := f(ctx, request)
	m.seconds.WithLabelValues(call).Observe(time.Since(began).Seconds())
	m.calls.WithLabelValues(call, codeOf(err)).Inc()
	return r, err
}

// codeOf returns the reason code in an answer.
func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	st := status.Convert(err)
	for _, d := range st.Details() {
		if d, ok := d.(*standingv1.Refusal); ok {
			return d.GetCode()
		}
	}
	return st.Code().String()
}

func (m *Metrics) bundle(b []byte) {
	if len(b) > 0 {
		m.bundles.Inc()
		m.bundleBytes.Add(float64(len(b)))
	}
}

func (s measured) Submit(ctx context.Context, r *standingv1.SubmitRequest) (*standingv1.SubmitResponse, error) {
	out, err := measure(ctx, s.m, "Submit", r, s.LogServer.Submit)
	s.m.bundle(out.GetResult().GetBundle())
	return out, err
}

func (s measured) SubmitBatch(ctx context.Context, r *standingv1.SubmitBatchRequest) (*standingv1.SubmitBatchResponse, error) {
	return measure(ctx, s.m, "SubmitBatch", r, s.LogServer.SubmitBatch)
}

func (s measured) GetBundle(ctx context.Context, r *standingv1.GetBundleRequest) (*standingv1.GetBundleResponse, error) {
	out, err := measure(ctx, s.m, "GetBundle", r, s.LogServer.GetBundle)
	s.m.bundle(out.GetBundle())
	return out, err
}

func (s measured) CheckStatus(ctx context.Context, r *standingv1.CheckStatusRequest) (*standingv1.CheckStatusResponse, error) {
	return measure(ctx, s.m, "CheckStatus", r, s.LogServer.CheckStatus)
}

func (s measured) ProveStatus(ctx context.Context, r *standingv1.ProveStatusRequest) (*standingv1.ProveStatusResponse, error) {
	out, err := measure(ctx, s.m, "ProveStatus", r, s.LogServer.ProveStatus)
	s.m.bundle(out.GetBundle())
	return out, err
}

func (s measured) ListEntries(ctx context.Context, r *standingv1.ListEntriesRequest) (*standingv1.ListEntriesResponse, error) {
	return measure(ctx, s.m, "ListEntries", r, s.LogServer.ListEntries)
}

func (s measured) GetLogInfo(ctx context.Context, r *standingv1.GetLogInfoRequest) (*standingv1.GetLogInfoResponse, error) {
	return measure(ctx, s.m, "GetLogInfo", r, s.LogServer.GetLogInfo)
}
