package auditor

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/standing-log/standing/internal/metric"
)

// Metrics are the numbers of one Auditor. Nobody counts if it is nil.
type Metrics struct {
	seconds *prometheus.HistogramVec
	held    *prometheus.GaugeVec
	size    *prometheus.GaugeVec
	synced  *prometheus.GaugeVec
	failed  *prometheus.CounterVec
	stopped *prometheus.GaugeVec
	owed    *prometheus.GaugeVec
	overdue *prometheus.GaugeVec
}

// NewMetrics makes the metrics of one Auditor.
func NewMetrics(set *metric.Set) *Metrics {
	return &Metrics{
		seconds: set.Histograms("auditor_seconds", "Time to answer a request to the auditor, by HTTP status.", metric.Slow(), "code"),
		held:    set.Gauges("auditor_held_leaves", "Leaves of a log that the auditor holds and has recomputed.", "log"),
		size:    set.Gauges("auditor_tree_leaves", "Leaves of the tree that the auditor is copying, or has copied last.", "log"),
		synced:  set.Gauges("auditor_followed_timestamp_seconds", "When the auditor last held all that a log had published, in Unix time.", "log"),
		failed:  set.Counters("auditor_failed_total", "Attempts of the auditor to hold what a log has published that failed.", "log"),
		stopped: set.Gauges("auditor_stopped", "1 if the auditor does not cosign a log any more, because it has lied.", "log"),
		owed:    set.Gauges("auditor_owed_entries", "Entries and promises that the auditor holds because a log owes them.", "log"),
		overdue: set.Gauges("auditor_overdue_entries", "Those of them without which the auditor does not cosign any more.", "log"),
	}
}

// begin makes the numbers of one log appear.
func (m *Metrics) begin(f *follower) {
	if m == nil {
		return
	}
	m.failed.WithLabelValues(f.Origin)
	m.extended(f)
}

// extended sets how far the copy of a log is, and whether it is cosigned.
func (m *Metrics) extended(f *follower) {
	if m == nil {
		return
	}
	p := f.far()
	m.held.WithLabelValues(f.Origin).Set(float64(p.done))
	m.size.WithLabelValues(f.Origin).Set(float64(p.size))
	stopped := 0.0
	if f.stopped() != nil {
		stopped = 1
	}
	m.stopped.WithLabelValues(f.Origin).Set(stopped)
}

// owes sets how much a log owes, and how much of that is overdue.
func (m *Metrics) owes(f *follower, all, overdue int) {
	if m != nil {
		m.owed.WithLabelValues(f.Origin).Set(float64(all))
		m.overdue.WithLabelValues(f.Origin).Set(float64(overdue))
	}
}

// followed counts one look at what is published.
func (m *Metrics) followed(f *follower, err error, now time.Time) {
	switch {
	case m == nil:
	case err != nil:
		m.failed.WithLabelValues(f.Origin).Inc()
	default:
		m.synced.WithLabelValues(f.Origin).Set(float64(now.Unix()))
	}
}

// measured returns the cosigner h with its requests counted.
func (m *Metrics) measured(h http.Handler) http.Handler {
	if m == nil {
		return h
	}
	return promhttp.InstrumentHandlerDuration(m.seconds, h)
}
