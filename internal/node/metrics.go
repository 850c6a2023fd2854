package node

import (
	"context"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/auditor"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/tiles"
)

// logMetrics are the numbers of a log, stage by stage.
type logMetrics struct {
	admission *admission.Metrics
	sequencer *sequencer.Metrics
	cosign    *cosign.Metrics
	api       *api.Metrics
	tiles     *tiles.Metrics
}

func newLogMetrics(set *metric.Set, usage func(context.Context) (embedded.Usage, error), kept func() float64) *logMetrics {
	room := func(name, help string, of func(embedded.Usage) uint64) {
		set.Func(name, help, func() float64 {
			u, err := usage(context.Background())
			if err != nil {
				return math.NaN()
			}
			return float64(of(u))
		})
	}
	room("store_bytes", "Bytes that the store takes on disk.", func(u embedded.Usage) uint64 { return u.Store })
	room("store_available_bytes", "Bytes left on the store's file system.", func(u embedded.Usage) uint64 { return u.Available })
	room("store_total_bytes", "Size of the store's file system.", func(u embedded.Usage) uint64 { return u.Total })
	set.Func("store_reserve_bytes", "Bytes kept in reserve: with less available, only withdrawals are taken.", kept)
	return &logMetrics{
		admission.NewMetrics(set), sequencer.NewMetrics(set), cosign.NewMetrics(set), api.NewMetrics(set), tiles.NewMetrics(set),
	}
}

// nodeMetrics are the numbers of every node.
type nodeMetrics struct {
	witnessRequests *prometheus.CounterVec
	witnessSeconds  *prometheus.HistogramVec
}

func newNodeMetrics(set *metric.Set) *nodeMetrics {
	build := set.Gauges("build_info", "1, with the version of the program and of Go.", "version", "go")
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	build.WithLabelValues(version, runtime.Version()).Set(1)
	return &nodeMetrics{
		witnessRequests: set.Counters("witness_requests_total", "Requests to the witness, the log's own included, by HTTP status.", "code"),
		witnessSeconds:  set.Histograms("witness_seconds", "Time to answer a request to the witness.", metric.Slow()),
	}
}

// witness returns the witness h with its requests counted.
func (m *nodeMetrics) witness(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(m.witnessRequests, promhttp.InstrumentHandlerDuration(m.witnessSeconds, h))
}

// newRegistry returns a registry with what every Go program has.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// Metrics describes the metrics that a node serves, besides those of every Go
// program.
func Metrics() []metric.Metric {
	set := metric.New(nil)
	newNodeMetrics(set)
	newLogMetrics(set, nil, nil)
	auditor.NewMetrics(set)
	monitor.NewMetrics(set)
	return set.List()
}
