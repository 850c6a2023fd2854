package sequencer

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

// Metrics are the numbers of one Sequencer. What can be asked of it is asked
// when somebody reads the metrics.
type Metrics struct {
	queued       *prometheus.CounterVec
	queueRefused *prometheus.CounterVec
	mapRefused   *prometheus.CounterVec
	entries      prometheus.Counter
	batchSize    prometheus.Histogram
	turn         prometheus.Histogram
	step         *prometheus.HistogramVec
	toSealed     prometheus.Histogram
	toPublished  prometheus.Histogram
	noQuorum     prometheus.Counter

	of         atomic.Pointer[Sequencer]
	quorumTime atomic.Int64 // of what is published, Unix seconds; 0: none
	cosigners  atomic.Int64 // whose cosignatures it bears

	mu        sync.Mutex // guards what follows
	published uint64     // size
	waiting   []wait     // sealed and not published, oldest first
	waits     int        // entries in it
}

// wait says when the entries of a batch were submitted.
type wait struct {
	size      uint64 // of the tree that seals them
	submitted []time.Time
}

// maxWaits bounds what Metrics remembers; what comes beyond is not measured.
const maxWaits = 1 << 16

// NewMetrics makes the metrics of one Sequencer.
func NewMetrics(set *metric.Set) *Metrics {
	m := &Metrics{
		queued:       set.Counters("queued_total", "Entries put into a queue.", "queue"),
		queueRefused: set.Counters("queue_refused_total", "Admitted entries that no queue took, by reason code.", "code"),
		mapRefused:   set.Counters("map_refused_total", "Queued entries that the map function would ignore, by reason code.", "code"),
		entries:      set.Counter("entries_total", "Entries appended to the log, without seals."),
		batchSize:    set.Histogram("batch_entries", "Entries per batch.", prometheus.ExponentialBuckets(1, 2, 14)),
		turn:         set.Histogram("turn_seconds", "Duration of a turn, from batch to signature.", metric.Slow()),
		step:         set.Histograms("turn_step_seconds", "Duration of one step of a turn.", metric.Slow(), "step"),
		toSealed:     set.Histogram("sealed_seconds", "Time from submission until the entry is durable and under a seal.", metric.Slow()),
		toPublished:  set.Histogram("published_seconds", "Time from submission until the entry is under a published checkpoint.", metric.Slow()),
		noQuorum:     set.Counter("no_quorum_total", "Attempts to publish that found no quorum of cosigners."),
	}
	m.gauges(set)
	return m
}

// gauges makes what is asked of the Sequencer.
func (m *Metrics) gauges(set *metric.Set) {
	of := func(read func(s *Sequencer) float64) func() float64 {
		return func() float64 {
			if s := m.of.Load(); s != nil {
				return read(s)
			}
			return math.NaN()
		}
	}
	ask := func(name, help string, read func(s *Sequencer) float64) { set.Func(name, help, of(read)) }
	set.Funcs("queue_entries", "Entries that wait in a queue.", "queue", map[string]func() float64{
		queueEntries:     of(func(s *Sequencer) float64 { return float64(len(s.entries)) }),
		queueWithdrawals: of(func(s *Sequencer) float64 { return float64(len(s.withdrawals)) }),
	})
	ask("queue_capacity", "Entries that each of the two queues can hold.", func(s *Sequencer) float64 { return float64(s.cfg.QueueMax) })
	ask("tree_size", "Leaves in the store.", (*Sequencer).treeSize)
	ask("signed_size", "Size of the newest signed tree.", func(s *Sequencer) float64 { return float64(s.SignedSize()) })
	ask("published_size", "Size of the newest published tree.", func(s *Sequencer) float64 { return float64(s.PublishedSize()) })
	ask("backlog_leaves", "Leaves that are signed and not published.", func(s *Sequencer) float64 { return float64(s.backlog()) })
	ask("backlog_max_leaves", "Backlog above which only withdrawals are taken.", func(s *Sequencer) float64 { return float64(s.cfg.Backlog) })
	ask("seal_age_seconds", "Age of the newest seal. It grows while nothing is submitted.", func(s *Sequencer) float64 { return s.age(int64(s.sealedAt.Load())) })
	ask("published_age_seconds", "Age of the quorum time of the published checkpoint: how old what readers get is.", func(s *Sequencer) float64 { return s.age(m.quorumTime.Load()) })
	ask("published_cosigners", "Cosigners whose cosignatures the published checkpoint bears.", func(*Sequencer) float64 { return float64(m.cosigners.Load()) })
	ask("policy_cosigners", "Cosigners that trust.policy names.", (*Sequencer).named)
	ask("writer_halted", "1 if the writer has stopped and only reading goes on.", (*Sequencer).isHalted)
}

// The two queues, as labels.
const (
	queueEntries     = "entries"
	queueWithdrawals = "withdrawals"
)

func (s *Sequencer) treeSize() float64 {
	root, err := s.cfg.Backend.Root(context.Background())
	if err != nil {
		return math.NaN()
	}
	return float64(root.Size)
}

func (s *Sequencer) age(unix int64) float64 {
	if unix == 0 {
		return math.NaN()
	}
	return s.cfg.Now().Sub(time.Unix(unix, 0)).Seconds()
}

func (s *Sequencer) named() float64 {
	if s.cfg.Policy == nil {
		return 0
	}
	return float64(len(s.cfg.Policy.Cosigners()))
}

func (s *Sequencer) isHalted() float64 {
	if s.halted.Load() != nil {
		return 1
	}
	return 0
}

// offered counts an entry that was put into a queue, or was not.
func (m *Metrics) offered(queue string, err error) {
	if err != nil {
		m.queueRefused.WithLabelValues(string(reason.CodeOf(err))).Inc()
		return
	}
	m.queued.WithLabelValues(queue).Inc()
}

// laps measures the steps of a turn: call what it returns at the end of each.
func (m *Metrics) laps(now func() time.Time) func(step string) {
	began := now()
	last := began
	return func(step string) {
		t := now()
		m.step.WithLabelValues(step).Observe(t.Sub(last).Seconds())
		if last = t; step == stepSign {
			m.turn.Observe(t.Sub(began).Seconds())
		}
	}
}

// The steps of a turn, as labels. A turn that has drafted its batch waits until
// the one before has signed.
const (
	stepMap      = "map"
	stepWait     = "wait"
	stepAppend   = "append"
	stepReadBack = "read back"
	stepSign     = "sign"
)

// batch counts a batch whose seal makes the tree size.
func (m *Metrics) batch(items []*item, size uint64, now time.Time) {
	m.entries.Add(float64(len(items)))
	m.batchSize.Observe(float64(len(items)))
	w := wait{size: size}
	for _, i := range items {
		if i.submitted.IsZero() {
			continue // the charter, which nobody submits
		}
		m.toSealed.Observe(now.Sub(i.submitted).Seconds())
		w.submitted = append(w.submitted, i.submitted)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waits+len(w.submitted) <= maxWaits {
		m.waiting = append(m.waiting, w)
		m.waits += len(w.submitted)
	}
	m.settle(now) // the publisher may have been quicker
}

// publish notes a published checkpoint.
func (m *Metrics) publish(cp *trust.Checkpoint, now time.Time) {
	m.opened(cp)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.published = cp.Size
	m.settle(now)
}

// settle counts the entries that are published by now.
func (m *Metrics) settle(now time.Time) {
	for len(m.waiting) > 0 && m.waiting[0].size <= m.published {
		for _, t := range m.waiting[0].submitted {
			m.toPublished.Observe(now.Sub(t).Seconds())
		}
		m.waits -= len(m.waiting[0].submitted)
		m.waiting = m.waiting[1:]
	}
}

// opened notes who has cosigned what is published, and when.
func (m *Metrics) opened(cp *trust.Checkpoint) {
	names := map[string]bool{}
	for _, c := range cp.Cosignatures {
		names[c.Name] = true
	}
	m.cosigners.Store(int64(len(names)))
	m.quorumTime.Store(0)
	if cp.Witnessed {
		m.quorumTime.Store(cp.Time.Unix())
	}
}
