package cosign

import (
	"context"
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/standing-log/standing/internal/metric"
)

// Metrics are the numbers of the cosigners of one log; nil counts nothing.
type Metrics struct {
	asked   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	size    *prometheus.GaugeVec
	time    *prometheus.GaugeVec
}

// NewMetrics makes the metrics of the cosigners of one log.
func NewMetrics(set *metric.Set) *Metrics {
	return &Metrics{
		asked: set.Counters("cosigner_asked_total",
			"Times a cosigner was to cosign: ok, failed, ahead (it has seen another tree), late (it cosigned when the quorum had done without it), resting (not asked: it has failed repeatedly, or is still busy), unasked (a witness, because auditors have not cosigned).",
			"cosigner", "result"),
		seconds: set.Histograms("cosigner_seconds", "Time until a cosigner had answered, or had failed to.", metric.Slow(), "cosigner"),
		size:    set.Gauges("cosigner_signed_size", "Size of the tree that a cosigner cosigned last, since the node started.", "cosigner"),
		time:    set.Gauges("cosigner_signed_timestamp_seconds", "When that was, by the cosigner's clock; Unix time.", "cosigner"),
	}
}

// Results of asking a cosigner, as labels.
const (
	resultOK      = "ok"
	resultFailed  = "failed"
	resultAhead   = "ahead"
	resultLate    = "late"
	resultResting = "resting"
	resultUnasked = "unasked"
)

// Expect makes the counters of clients, so that they begin at 0.
func (m *Metrics) Expect(clients []*Client) {
	for _, c := range clients {
		for _, result := range []string{resultOK, resultFailed, resultAhead, resultLate, resultResting, resultUnasked} {
			m.asked.WithLabelValues(c.label(), result)
		}
	}
}

// label is the client in a metric: its names in the trust file.
func (c *Client) label() string { return strings.Join(c.Names(), ",") }

// answered counts an answer, which came when nobody waited for it any more if it
// is late.
func (m *Metrics) answered(c *Client, a answer, late bool) {
	if m == nil || errors.Is(a.err, context.Canceled) {
		return
	}
	m.asked.WithLabelValues(c.label(), resultOf(a.err, late)).Inc()
	m.seconds.WithLabelValues(c.label()).Observe(a.took.Seconds())
	for _, s := range c.Signed() {
		if s.Size > 0 {
			m.size.WithLabelValues(s.Name).Set(float64(s.Size))
			m.time.WithLabelValues(s.Name).Set(float64(s.Time))
		}
	}
}

// notAsked counts a client that was not asked.
func (m *Metrics) notAsked(c *Client, why error) {
	if m == nil {
		return
	}
	result := resultResting
	if errors.Is(why, ErrNotHeld) {
		result = resultUnasked
	}
	m.asked.WithLabelValues(c.label(), result).Inc()
}

func resultOf(err error, late bool) string {
	_, ahead := errors.AsType[*AheadError](err)
	switch {
	case err == nil && late:
		return resultLate
	case err == nil:
		return resultOK
	case ahead, errors.Is(err, ErrConflict):
		return resultAhead
	}
	return resultFailed
}
