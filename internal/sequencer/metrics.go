package sequencer

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the numbers of one Sequencer.
type Metrics struct {
	Queued        prometheus.Counter
	Entries       prometheus.Counter
	Refused       *prometheus.CounterVec
	BatchSize     prometheus.Histogram
	Turn          prometheus.Histogram
	SignedSize    prometheus.Gauge
	PublishedSize prometheus.Gauge
	NoQuorum      prometheus.Counter
	Halted        prometheus.Gauge
}

// NewMetrics makes the metrics and registers them with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "standing_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "standing_" + name, Help: help})
	}
	m := &Metrics{
		Queued:  counter("queued_total", "Entries put into a queue of the sequencer."),
		Entries: counter("entries_total", "Entries appended to the log."),
		Refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "standing_refused_total", Help: "Entries the map function would ignore, by reason code."}, []string{"code"}),
		BatchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "standing_batch_entries", Help: "Entries per batch.", Buckets: prometheus.ExponentialBuckets(1, 4, 7)}),
		Turn: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "standing_turn_seconds", Help: "Duration of a turn, from batch to signature.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		SignedSize:    gauge("signed_size", "Size of the newest signed tree."),
		PublishedSize: gauge("published_size", "Size of the newest published tree."),
		NoQuorum:      counter("no_quorum_total", "Attempts to publish that found no quorum of cosigners."),
		Halted:        gauge("writer_halted", "1 if the writer has stopped and only reading goes on."),
	}
	if reg != nil {
		reg.MustRegister(m.Queued, m.Entries, m.Refused, m.BatchSize, m.Turn, m.SignedSize, m.PublishedSize, m.NoQuorum, m.Halted)
	}
	return m
}

func (m *Metrics) batch(entries int, size uint64) {
	m.Entries.Add(float64(entries))
	m.BatchSize.Observe(float64(entries))
	m.SignedSize.Set(float64(size))
}
