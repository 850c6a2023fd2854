// Package metric makes the metrics of one node.
//
// Each stage has a struct of its own, made from the node's one [Set]:
//
//	func NewMetrics(set *metric.Set) *Metrics {
//		return &Metrics{Entries: set.Counter("entries_total", "Entries appended to the log.")}
//	}
//
// Invariants:
//
//   - Every name begins with [Prefix] and has a row in deploy/METRICS.md with
//     the same type, labels and help; a test compares them.
//   - A label takes few values, and none that a caller can choose.
package metric

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Prefix begins the name of every metric.
const Prefix = "standing_"

// Metric describes one metric.
type Metric struct {
	Name   string
	Type   string // counter, gauge or histogram
	Labels []string
	Help   string
}

// Set makes metrics, registers them, and remembers what it made.
type Set struct {
	reg  prometheus.Registerer
	made []Metric
}

// New returns a Set that registers with reg; nil registers nowhere.
func New(reg prometheus.Registerer) *Set { return &Set{reg: reg} }

// List returns what was made, by name.
func (s *Set) List() []Metric {
	return slices.SortedFunc(slices.Values(s.made), func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
}

// Counter makes a counter.
func (s *Set) Counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: Prefix + name, Help: help})
	s.add(c, Metric{Prefix + name, "counter", nil, help})
	return c
}

// Counters makes a counter with labels.
func (s *Set) Counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: Prefix + name, Help: help}, labels)
	s.add(c, Metric{Prefix + name, "counter", labels, help})
	return c
}

// Gauges makes a gauge with labels.
func (s *Set) Gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: Prefix + name, Help: help}, labels)
	s.add(g, Metric{Prefix + name, "gauge", labels, help})
	return g
}

// Func makes a gauge that is read when somebody asks for it. It is NaN while
// nothing is known.
func (s *Set) Func(name, help string, read func() float64) {
	g := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: Prefix + name, Help: help}, read)
	s.add(g, Metric{Prefix + name, "gauge", nil, help})
}

// Funcs makes a gauge with one label, whose values are the keys of read.
func (s *Set) Funcs(name, help, label string, read map[string]func() float64) {
	var all group
	for value, f := range read {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: Prefix + name, Help: help, ConstLabels: prometheus.Labels{label: value}}, f))
	}
	s.add(all, Metric{Prefix + name, "gauge", []string{label}, help})
}

// group is several collectors that are registered as one.
type group []prometheus.Collector

func (g group) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range g {
		c.Describe(ch)
	}
}

func (g group) Collect(ch chan<- prometheus.Metric) {
	for _, c := range g {
		c.Collect(ch)
	}
}

// Histogram makes a histogram with the upper bounds of its buckets.
func (s *Set) Histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: Prefix + name, Help: help, Buckets: buckets})
	s.add(h, Metric{Prefix + name, "histogram", nil, help})
	return h
}

// Histograms makes a histogram with labels.
func (s *Set) Histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: Prefix + name, Help: help, Buckets: buckets}, labels)
	s.add(h, Metric{Prefix + name, "histogram", labels, help})
	return h
}

func (s *Set) add(c prometheus.Collector, m Metric) {
	s.made = append(s.made, m)
	if s.reg != nil {
		s.reg.MustRegister(c)
	}
}

// Fast returns buckets from 20 µs to 0.65 s, for what is computed.
func Fast() []float64 { return prometheus.ExponentialBuckets(20e-6, 2, 16) }

// Slow returns buckets from 1 ms to 65 s, for what waits for disks and others.
func Slow() []float64 { return prometheus.ExponentialBuckets(1e-3, 2, 17) }
