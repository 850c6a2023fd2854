package monitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/watch"
)

// Metrics are the numbers of one Monitor. Nobody counts if it is nil.
type Metrics struct {
	leaves      *prometheus.GaugeVec
	followed    *prometheus.GaugeVec
	told        *prometheus.GaugeVec
	events      *prometheus.CounterVec
	contradicts *prometheus.GaugeVec
}

// NewMetrics makes the metrics of one Monitor.
func NewMetrics(set *metric.Set) *Metrics {
	return &Metrics{
		leaves:      set.Gauges("monitor_leaves", "Leaves of a log that the monitor has read.", "log"),
		followed:    set.Gauges("monitor_followed_timestamp_seconds", "When the monitor last had all that a log had published, or was started, in Unix time.", "log"),
		told:        set.Gauges("monitor_told_timestamp_seconds", "When a receiver had last been told all there was to tell of a log, or the monitor was started, in Unix time.", "log", "receiver"),
		events:      set.Counters("monitor_events_total", "Events that have arrived at a receiver.", "log", "receiver"),
		contradicts: set.Gauges("monitor_contradicted", "1 if a log was found to contradict itself, since the start: in what it shows here, what a witness holds, or what it promised.", "log"),
	}
}

// begin makes the numbers of one log appear.
func (m *Metrics) begin(origin string, receivers []string, now time.Time) {
	if m == nil {
		return
	}
	m.followed.WithLabelValues(origin).Set(float64(now.Unix()))
	m.contradicts.WithLabelValues(origin).Set(0)
	for _, to := range receivers {
		m.told.WithLabelValues(origin, to).Set(float64(now.Unix()))
		m.events.WithLabelValues(origin, to)
	}
}

// looked counts a look at a log.
func (m *Metrics) looked(r Result, receivers []string, now time.Time) {
	if m == nil {
		return
	}
	if r.Size > 0 {
		m.leaves.WithLabelValues(r.Origin).Set(float64(r.Size))
	}
	switch kindOf(r.Sync) {
	case "":
		if r.Sync == nil {
			m.followed.WithLabelValues(r.Origin).Set(float64(now.Unix()))
		}
	case watch.Rollback: // no proof of anything
	default:
		// It stays so: what the log has signed it has signed.
		m.contradicts.WithLabelValues(r.Origin).Set(1)
	}
	for _, to := range receivers {
		n, told := r.Told[to]
		m.events.WithLabelValues(r.Origin, to).Add(float64(n))
		if told && r.Failed[to] == nil && !r.Late[to] {
			m.told.WithLabelValues(r.Origin, to).Set(float64(now.Unix()))
		}
	}
}
