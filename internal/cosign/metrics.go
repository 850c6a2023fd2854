package cosign

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/standing-log/standing/internal/metric"
)

// Metrics are the numbers of the cosigners of one log; nil counts nothing.
type Metrics struct {
	asked   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// NewMetrics makes the metrics of the cosigners of one log.
func NewMetrics(set *metric.Set) *Metrics {
	return &Metrics{
		asked: set.Counters("cosigner_asked_total",
			"Times a cosigner was to cosign: ok, failed, ahead (it has seen another tree), late (the quorum did without it), resting (not asked after repeated failures).",
			"cosigner", "result"),
		seconds: set.Histograms("cosigner_seconds", "Time until a cosigner had answered, or had failed to.", metric.Slow(), "cosigner"),
	}
}

// Results of asking a cosigner, as labels.
const (
	resultOK      = "ok"
	resultFailed  = "failed"
	resultAhead   = "ahead"
	resultLate    = "late"
	resultResting = "resting"
)

// Expect makes the counters of clients, so that they begin at 0.
func (m *Metrics) Expect(clients []*Client) {
	for _, c := range clients {
		for _, result := range []string{resultOK, resultFailed, resultAhead, resultLate, resultResting} {
			m.asked.WithLabelValues(c.label(), result)
		}
	}
}

// label is the client in a metric: its names in the trust file.
func (c *Client) label() string { return strings.Join(c.Names(), ",") }

func (m *Metrics) answered(c *Client, took time.Duration, err error) {
	if m == nil {
		return
	}
	result := resultOf(err)
	m.asked.WithLabelValues(c.label(), result).Inc()
	if result != resultResting {
		m.seconds.WithLabelValues(c.label()).Observe(took.Seconds())
	}
}

func resultOf(err error) string {
	_, ahead := errors.AsType[*AheadError](err)
	switch {
	case err == nil:
		return resultOK
	case errors.Is(err, ErrBackoff):
		return resultResting
	case ahead, errors.Is(err, ErrConflict):
		return resultAhead
	case errors.Is(err, context.Canceled):
		return resultLate
	}
	return resultFailed
}
