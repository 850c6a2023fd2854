package hammer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/verify"
)

// sampled is the number of bundles that are verified.
const sampled = 500

// serveBundles measures how bundles of random attestations are served: offered
// at ReadRate, while the log still digests the load; then as fast as it answers.
func (s *standing) serveBundles(ctx context.Context, r *report) error {
	// Whoever waits for one of these workers is not forgotten: latency counts from
	// when a bundle was due.
	l := load{workers: 8 * s.cfg.Readers, rate: s.cfg.ReadRate}
	if err := s.readBundles(ctx, r, "steady_", l, int(l.rate*s.cfg.Reads.Seconds())); err != nil {
		return err
	}
	// A few first, to know how many fill the time.
	const probe = 200
	l = load{workers: s.cfg.Readers}
	first, err := l.run(ctx, probe, s.readBundle)
	if err != nil {
		return fmt.Errorf("reading bundles: %w", err)
	}
	return s.readBundles(ctx, r, "", l, int(probe*s.cfg.Reads.Seconds()/elapsed(first).Seconds()))
}

// readBundles reads n bundles and reports rate and latencies.
func (s *standing) readBundles(ctx context.Context, r *report, prefix string, l load, n int) error {
	samples, err := l.run(ctx, max(n, 100), s.readBundle)
	if err != nil {
		return fmt.Errorf("reading bundles: %w", err)
	}
	r.figure(prefix+"bundles", float64(len(samples))/elapsed(samples).Seconds(), "bundles/s")
	sorted := latencies(samples)
	r.duration(prefix+"bundle_p50", quantile(sorted, 0.50), time.Millisecond)
	r.duration(prefix+"bundle_p99", quantile(sorted, 0.99), time.Millisecond)
	return nil
}

// readBundle reads the bundle of a random attestation.
func (s *standing) readBundle(ctx context.Context, _ int) (uint64, error) {
	b, err := s.bundle(ctx, s.printed(rand.IntN(len(s.ids))))
	if err == nil && len(b) == 0 {
		err = errors.New("the bundle is empty")
	}
	return 0, err
}

// proofs are sums over verified bundles.
type proofs struct {
	n                     int
	keys                  uint64 // of the map, at most
	proof, party, besides int    // bytes
	all, signatures       time.Duration
}

// verifyBundles fetches bundles of a random sample and verifies them offline:
// each entry stands where the log said it does.
func (s *standing) verifyBundles(ctx context.Context) (*proofs, error) {
	var p proofs
	for range min(sampled, len(s.ids)) {
		i := rand.IntN(len(s.ids))
		b, err := s.bundle(ctx, s.printed(i))
		if err != nil {
			return nil, fmt.Errorf("bundle of entry %d: %w", s.indexes[i], err)
		}
		if err := p.add(s, i, b); err != nil {
			return nil, fmt.Errorf("bundle of entry %d: %w", s.indexes[i], err)
		}
	}
	return &p, nil
}

// add verifies the bundle of entry i and takes its measures.
func (p *proofs) add(s *standing, i int, data []byte) error {
	now := time.Now()
	report := verify.Bundle(data, verify.Options{Policy: s.policy, Now: now})
	p.all += time.Since(now)
	if report.Verdict != verify.Active || !report.Witnessed {
		return fmt.Errorf("verdict %s, witnessed %v: %v", report.Verdict, report.Witnessed, report.Err)
	}
	if got := report.Results[0]; got.ID != s.printed(i) || got.Index != s.indexes[i] {
		return fmt.Errorf("it shows %s at index %d, and %s was answered", got.ID, got.Index, s.printed(i))
	}
	b, err := bundle.Parse(data)
	if err != nil {
		return err
	}
	took, err := signatures(s, b, now)
	if err != nil {
		return err
	}
	sealed, err := seal.Parse([]byte(b.Seal.Leaf))
	if err != nil {
		return err
	}
	a := &b.Attestations[0]
	p.n++
	p.keys = max(p.keys, sealed.Keys)
	p.signatures += took
	p.proof += len(a.Proof)
	p.party += len(b.Parties[0].Entry)
	p.besides += len(data) - len(a.Entry) - signatureLines(b.Checkpoint)
	return nil
}

// signatures does again what verification does about signatures: those of the
// checkpoint and that of the entry.
func signatures(s *standing, b *bundle.Bundle, now time.Time) (time.Duration, error) {
	e, err := entry.Parse(b.Attestations[0].Entry)
	if err != nil {
		return 0, err
	}
	key, err := entry.ParseKey(b.Keys[0].SPKI)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := s.policy.Open([]byte(b.Checkpoint), now); err != nil {
		return 0, err
	}
	if err := e.Verify(key); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// signatureLines is the length in JSON of a checkpoint's signatures: a line
// feed takes two bytes there.
func signatureLines(checkpoint string) int {
	_, lines, _ := strings.Cut(checkpoint, "\n\n")
	return len(lines) + strings.Count(lines, "\n")
}

func (p *proofs) figures(r *report) {
	mean := func(sum int) float64 { return float64(sum) / float64(p.n) }
	n := time.Duration(p.n)
	r.figure("map_keys", float64(p.keys), "keys")
	r.figure("map_proof", mean(p.proof), "bytes")
	r.figure("bundle_besides", mean(p.besides), "bytes") // besides entry and signature lines
	r.figure("bundle_party_entry", mean(p.party), "bytes")
	r.duration("verify_signatures", p.signatures/n, time.Microsecond)
	r.duration("verify_besides", (p.all-p.signatures)/n, time.Microsecond)
}
