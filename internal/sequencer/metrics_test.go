package sequencer

import (
	"context"
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/personality/reason"
)

// values reads the metrics as Prometheus does.
func values(tb testing.TB, reg *prometheus.Registry) map[string]float64 {
	tb.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	out := map[string]float64{}
	for line := range strings.Lines(w.Body.String()) {
		i := strings.LastIndexByte(line, ' ')
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64); err == nil && line[0] != '#' {
			out[strings.TrimPrefix(line[:i], metric.Prefix)] = v
		}
	}
	return out
}

func wantValues(tb testing.TB, reg *prometheus.Registry, want map[string]float64) {
	tb.Helper()
	got := values(tb, reg)
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			tb.Errorf("%s is %v (there: %v), want %v", name, g, ok, v)
		}
	}
}

// TestMetrics follows entries through all stages.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	var gate atomic.Pointer[func(context.Context) error] // before the witness; nil: open
	s := start(t, func(c *Config) {
		c.Metrics = NewMetrics(metric.New(reg))
		c.QueueMax, c.Backlog = 16, 4
		ask := c.Cosign
		c.Cosign = func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			if f := gate.Load(); f != nil {
				if err := (*f)(ctx); err != nil {
					return nil, err
				}
			}
			return ask(ctx, cp, size)
		}
	})
	// What start wrote is more than the backlog.
	if err := s.WaitPublished(t.Context(), s.SignedSize()); err != nil {
		t.Fatal(err)
	}
	a := s.attest(1)
	res := s.submit(a)[0]
	s.submit(a) // a duplicate is no entry
	s.submit(s.revoke(a))
	s.refused(s.revoke(s.attest(99)), reason.TargetUnknown)
	if err := s.WaitPublished(t.Context(), s.SignedSize()); err != nil {
		t.Fatal(err)
	}
	s.clock.add(90 * time.Second)
	size := float64(s.SignedSize())
	if res.Sealed != 6 || size != 8 {
		t.Fatalf("attestation under size %d, revocation under %v", res.Sealed, size)
	}
	wantValues(t, reg, map[string]float64{
		`queued_total{queue="entries"}`: 3, `queued_total{queue="withdrawals"}`: 2,
		`map_refused_total{code="target-unknown"}`: 1, "entries_total": 3, "batch_entries_count": 3, "batch_entries_sum": 3,
		`turn_step_seconds_count{step="map"}`: 3, `turn_step_seconds_count{step="sign"}`: 3,
		"sealed_seconds_count": 3, "published_seconds_count": 3, "tree_size": size, "signed_size": size, "published_size": size,
		`queue_entries{queue="entries"}`: 0, `queue_entries{queue="withdrawals"}`: 0, "queue_capacity": 16,
		"backlog_leaves": 0, "backlog_max_leaves": 4, "seal_age_seconds": 90, "published_age_seconds": 90,
		"published_cosigners": 1, "policy_cosigners": 1, "writer_halted": 0, "no_quorum_total": 0,
	})

	// Without a quorum: the attempt is counted, and what is sealed waits.
	quorum := make(chan struct{})
	asked := 0
	silent := func(ctx context.Context) error {
		if asked++; asked == 1 {
			return errors.New("nobody answers")
		}
		select {
		case <-quorum:
		case <-ctx.Done():
		}
		return nil
	}
	gate.Store(&silent)
	s.submit(s.attest(2))
	s.submit(s.attest(3))
	s.submit(s.attest(4))
	wantValues(t, reg, map[string]float64{"sealed_seconds_count": 6, "backlog_leaves": 6, "published_size": size})
	s.refused(s.attest(5), reason.Backlog)
	s.clock.add(10 * time.Second)
	close(quorum)
	if err := s.WaitPublished(t.Context(), s.SignedSize()); err != nil {
		t.Fatal(err)
	}
	wantValues(t, reg, map[string]float64{
		`queue_refused_total{code="no-quorum"}`: 1, "no_quorum_total": 1,
		"published_seconds_count": 6, "published_seconds_sum": 30, "published_age_seconds": 0, "seal_age_seconds": 10,
	})

	// A writer that has stopped.
	ahead := func(context.Context) error { return ErrRestored }
	gate.Store(&ahead)
	s.submit(s.attest(6))
	s.halted()
	s.refused(s.attest(7), reason.ReadOnly)
	wantValues(t, reg, map[string]float64{"writer_halted": 1, `queue_refused_total{code="read-only"}`: 1})
}

// TestMetricsAtStart: what is published is as old after a restart as before.
func TestMetricsAtStart(t *testing.T) {
	s := start(t, nil)
	s.submit(s.attest(1))
	if err := s.WaitPublished(t.Context(), s.SignedSize()); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.clock.add(time.Hour)
	reg := prometheus.NewRegistry()
	cfg := s.config(s.b)
	cfg.Metrics = NewMetrics(metric.New(reg))
	if got := values(t, reg)["published_age_seconds"]; got == got {
		t.Errorf("age %v before there is a sequencer", got)
	}
	if _, err := Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	wantValues(t, reg, map[string]float64{"published_age_seconds": 3600, "seal_age_seconds": 3600, "published_cosigners": 1, "published_size": 6})
}
