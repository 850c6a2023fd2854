package admission

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/personality/reason"
)

// Metrics are the numbers of one Admission; nil counts nothing.
type Metrics struct {
	seconds prometheus.Histogram
	refused *prometheus.CounterVec
}

// NewMetrics makes the metrics of one Admission.
func NewMetrics(set *metric.Set) *Metrics {
	return &Metrics{
		seconds: set.Histogram("admission_seconds", "Time to check one envelope.", metric.Fast()),
		refused: set.Counters("admission_refused_total", "Envelopes not admitted, by reason code; internal if that is the node's fault.", "code"),
	}
}

func (m *Metrics) checked(took time.Duration, err error) {
	if m == nil {
		return
	}
	m.seconds.Observe(took.Seconds())
	if err == nil {
		return
	}
	code := reason.CodeOf(err)
	if code == "" {
		code = reason.Internal
	}
	m.refused.WithLabelValues(string(code)).Inc()
}
