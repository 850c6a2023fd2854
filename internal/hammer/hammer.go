// Package hammer loads a log and measures what comes of it.
//
// A round makes a node in a temporary directory, serves it from a process of
// its own, enrols parties, and offers entries that were signed before the clock
// starts: attestations of 1.5 KiB, each about a version and a digest of its own.
// Then it reads bundles, verifies a sample of them offline, kills the node, and
// starts it again. With Config.Tessera, rounds alternate with rounds of Tessera's
// POSIX server, which gets the same bytes from the same workers. With
// Config.Cosigned, they alternate with rounds of a log that publishes nothing
// before two of three witnesses and an auditor have cosigned it, each a process
// of its own; the ratio is of the rates of publication. They share the cores with
// the log and with the load, which other organisations' cosigners do not: where
// Config.Standingd is a script that runs the program under taskset(1), on one core
// or another by the directory in its arguments (node; keeper, north, south, west),
// and the hammer runs on the log's, the ratio is that of a log by itself.
//
// The figures of a round, one JSON line each ([Figure]):
//
//	entry                bytes of an entry, mean
//	sealed               entries per second until the last was answered; an
//	                     answer means that the entry is under a seal (of
//	                     Tessera, acked: that it has an index)
//	sealed_p50, _p99     from when a request was due to its answer
//	published            entries per second until the last was published
//	published_p50, _p99  from when a request was due until a published
//	                     checkpoint covered it, seen to within 10 ms
//	tenth_01 … tenth_10  entries per second in each tenth of the load
//	last_to_first        tenth_10 / tenth_01; both from 100 requests on
//	grown, new           with Config.Growth: entries per second of another tenth of
//	                     the load, and of the first of a new log beside it, while
//	                     each ran: the two were stopped by turns of a second, so
//	                     that what else the machine does meets both alike.
//	                     grown_to_new is the ratio
//	grown_cpu_entry, new_cpu_entry  CPU time per entry of these
//	pushed_back          calls that the log asked to repeat later
//	server_cpu           cores, while the load lasted
//	client_cpu           cores, while the load lasted
//	server_cpu_entry     CPU time per entry
//	memory, memory_peak  resident memory of the server
//	auditor_cpu_entry    CPU time per entry of the auditor, until all was published;
//	                     witnesses_cpu_entry of all witnesses
//	auditor_memory_peak  resident memory of the auditor
//	disk, disk_stopped   bytes on disk per entry: after the load; after a clean stop
//	steady_bundles       bundles served per second right after the load, while
//	                     Config.ReadRate are asked for
//	steady_bundle_p50, _p99  from when a bundle was due to its answer
//	bundles              bundles served per second, as fast as Config.Readers get
//	                     them, each its next one when it has the last
//	bundle_p50, _p99     from request to answer: this follows from the rate, on
//	                     average Readers / bundles
//	map_keys, map_proof  keys of the status map; mean bytes of a proof
//	bundle_besides       bytes of a bundle besides entry and signature lines;
//	                     bundle_party_entry of them are the issuer's enrolment
//	verify_signatures    time to verify a bundle's signatures, and
//	verify_besides       time to verify all the rest
//	restart_killed       from exec to first answer after SIGKILL
//	restart_clean        from exec to first answer after a clean stop
//
// Invariants:
//
//   - Run fails if an entry is refused, lost, or answered wrongly, and if a
//     bundle does not verify.
//   - Nothing is left behind, and nothing runs longer than ctx.
package hammer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Config is what to do.
type Config struct {
	Entries int     // number of entries
	Batch   int     // entries per request
	Workers int     // requests in flight at most
	Rate    float64 // entries per second offered; 0: as fast as they are answered
	Rounds  int

	ReadRate float64       // bundles per second asked for
	Readers  int           // requests in flight when bundles are read as fast as they are answered
	Reads    time.Duration // for about how long each; 0: not at all

	API       string // "rest" or "grpc"
	URL       string // of a log that runs already; "": make one
	Keys      string // directory with the registrar.key and trust.policy of that
	Node      string // YAML added to standingd.yaml
	Standingd string // program
	Tessera   string // program; "": no such rounds
	Growth    bool   // load the log further, by turns with a new one
	Cosigned  bool   // alternate with rounds that need three witnesses and an auditor
	Cosigner  string // command before Standingd that runs those, in words
	Dir       string // for temporary files; "": the system's

	Figures io.Writer // JSON lines
	Text    io.Writer // the same for people

	federated bool // this round does
}

// target is a log under load.
type target interface {
	take(*entries)
	// add offers the entries of request i. It returns the size of the smallest
	// checkpoint that covers them.
	add(ctx context.Context, i int) (uint64, error)
	// published is the size of the newest checkpoint.
	published(ctx context.Context) (uint64, error)
	// complete checks the answers, now that size is published.
	complete(size uint64) error
	process() *process
	// besides reports what other processes take, since take.
	besides(*report)
	store() string
	close() error
}

// Run runs all rounds.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	r := &report{json: cfg.Figures, text: cfg.Text, kept: map[string][]float64{}}
	for round := range cfg.Rounds {
		r.is = Figure{Load: cfg.load(), Entries: cfg.Entries, Round: round + 1}
		if err := cfg.round(ctx, r, "standing", cfg.standing); err != nil {
			return fmt.Errorf("standing: %w", err)
		}
		if cfg.Cosigned {
			federated := cfg
			federated.federated = true
			if err := cfg.round(ctx, r, "cosigned", federated.standing); err != nil {
				return fmt.Errorf("cosigned: %w", err)
			}
		}
		if cfg.Tessera == "" {
			continue
		}
		if err := cfg.round(ctx, r, "tessera", cfg.tessera); err != nil {
			return fmt.Errorf("tessera: %w", err)
		}
	}
	r.is.Log, r.is.Round = "ratio", 0
	if cfg.Cosigned {
		r.figure("cosigned", median(r.kept["cosigned published"])/median(r.kept["standing published"]), "")
	}
	if cfg.Tessera != "" {
		r.figure("sealed_to_acked", median(r.kept["standing sealed"])/median(r.kept["tessera acked"]), "")
		r.figure("published", median(r.kept["standing published"])/median(r.kept["tessera published"]), "")
	}
	return nil
}

// check refuses numbers that mean nothing.
func (c *Config) check() error {
	if c.Entries < 1 || c.Batch < 1 || c.Workers < 1 || c.Rounds < 1 || c.Readers < 1 || c.Rate < 0 || c.ReadRate <= 0 {
		return errors.New("needs at least one of entries, batch, workers, rounds and readers, and a read rate")
	}
	if c.API != "rest" && c.API != "grpc" {
		return fmt.Errorf("api %.20q is neither rest nor grpc", c.API)
	}
	if (c.URL == "") != (c.Keys == "") {
		return errors.New("a log that runs already needs both its URL and the directory of its keys")
	}
	if c.Cosigned && c.URL != "" {
		return errors.New("a log that runs already has its own cosigners")
	}
	if c.Growth && c.URL != "" {
		return errors.New("a log that runs already is not ours to stop for a turn")
	}
	if c.Tessera != "" && c.Batch > 1 {
		return errors.New("tessera takes single entries only")
	}
	return nil
}

// load names the load in figures.
func (c *Config) load() string {
	switch {
	case c.Rate > 0:
		return fmt.Sprintf("%g/s", c.Rate)
	case c.Batch > 1:
		return fmt.Sprintf("batch %d", c.Batch)
	}
	return "single"
}

// round runs one log in a directory of its own.
func (c *Config) round(ctx context.Context, r *report, log string, run func(context.Context, *report, string) error) error {
	dir, err := os.MkdirTemp(c.Dir, "standing-hammer-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r.is.Log = log
	r.say("%s, %d workers, load average %s", log, c.Workers, loadAverage())
	return run(ctx, r, dir)
}

func (c *Config) standing(ctx context.Context, r *report, dir string) (err error) {
	s, err := newStanding(ctx, c, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := c.hammer(ctx, r, s, sign(s.origin, s.issuers, 0, c.Entries), "sealed"); err != nil {
		return err
	}
	r.figure("pushed_back", float64(s.pushed.Load()), "calls")
	if c.Growth && !c.federated {
		if err := s.growth(ctx, r); err != nil {
			return err
		}
	}
	if c.Reads > 0 {
		if err := s.serveBundles(ctx, r); err != nil {
			return err
		}
	}
	// Proofs are taken after a crash, if the log may be crashed.
	var killed time.Duration
	if s.proc != nil {
		if killed, err = s.restart(ctx, syscall.SIGKILL); err != nil {
			return err
		}
	}
	p, err := s.verifyBundles(ctx)
	if err != nil {
		return err
	}
	p.figures(r)
	if s.proc == nil {
		return nil
	}
	r.duration("restart_killed", killed, time.Second)
	return s.rest(ctx, r)
}

// rest measures what a node is after a clean stop.
func (s *standing) rest(ctx context.Context, r *report) error {
	took, err := s.restart(ctx, syscall.SIGTERM)
	if err != nil {
		return err
	}
	r.duration("restart_clean", took, time.Second)
	if err := s.stop(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cfg.disk(r, "disk_stopped", s.store(), len(s.leaves))
}

func (c *Config) tessera(ctx context.Context, r *report, dir string) (err error) {
	t, err := newTessera(ctx, c, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	return c.hammer(ctx, r, t, sign(origin, newIssuers("hammer"), 0, c.Entries), "acked")
}

// hammer loads t with e and reports.
func (c *Config) hammer(ctx context.Context, r *report, t target, e *entries, answer string) error {
	t.take(e)
	sum := 0
	for _, leaf := range e.leaves {
		sum += len(leaf)
	}
	r.figure("entry", float64(sum)/float64(len(e.leaves)), "bytes")
	server, client := t.process().cpu(), ownCPU()
	samples, seen, err := c.offer(ctx, t)
	if err != nil {
		return err
	}
	last := elapsed(samples)
	server, client = t.process().cpu()-server, ownCPU()-client
	if err := t.complete(seen[len(seen)-1].size); err != nil {
		return err
	}
	c.speed(r, answer, samples)
	c.speed(r, "published", publication(samples, seen))
	t.besides(r)
	c.growth(r, samples)
	r.figure("client_cpu", client.Seconds()/last.Seconds(), "cores")
	if t.process() == nil {
		return nil
	}
	r.figure("server_cpu", server.Seconds()/last.Seconds(), "cores")
	r.duration("server_cpu_entry", server/time.Duration(c.Entries), time.Microsecond)
	r.figure("memory", float64(t.process().memory("VmRSS"))/1e6, "MB")
	r.figure("memory_peak", float64(t.process().memory("VmHWM"))/1e6, "MB")
	return c.disk(r, "disk", t.store(), c.Entries)
}

// offer offers all entries, and watches until all are published.
func (c *Config) offer(ctx context.Context, t target) ([]sample, []sight, error) {
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sights := make(chan []sight, 1)
	began := time.Now()
	go func() { sights <- watch(wctx, began, 5*time.Millisecond, t.published) }()
	l := load{workers: c.Workers, rate: c.Rate / float64(c.Batch)}
	samples, err := l.run(ctx, (c.Entries+c.Batch-1)/c.Batch, t.add)
	if err != nil {
		return nil, nil, err
	}
	want := largest(samples)
	for patience := time.Now().Add(30 * time.Second); ; {
		got, err := t.published(ctx)
		if err == nil && got >= want {
			break
		}
		if time.Now().After(patience) || sleep(ctx, 5*time.Millisecond) != nil {
			return nil, nil, fmt.Errorf("size %d is not published, but %d: %w", want, got, err)
		}
	}
	// The watcher sees it too, at its next look.
	_ = sleep(ctx, 50*time.Millisecond)
	cancel()
	return samples, <-sights, ctx.Err()
}

// speed reports the rate and latencies of samples.
func (c *Config) speed(r *report, name string, samples []sample) {
	r.figure(name, float64(c.Entries)/elapsed(samples).Seconds(), "entries/s")
	sorted := latencies(samples)
	r.duration(name+"_p50", quantile(sorted, 0.50), time.Millisecond)
	r.duration(name+"_p99", quantile(sorted, 0.99), time.Millisecond)
}

// growth reports whether the log slows down as it grows.
func (c *Config) growth(r *report, samples []sample) {
	if len(samples) < 100 {
		return // batches are answered together: tenths would mean nothing
	}
	rates := tenths(samples)
	for i, rate := range rates {
		r.figure(fmt.Sprintf("tenth_%02d", i+1), rate*float64(c.Batch), "entries/s")
	}
	r.figure("last_to_first", rates[9]/rates[0], "")
}

// disk reports what dir takes for each of so many entries.
func (c *Config) disk(r *report, name, dir string, entries int) error {
	sum, err := diskUsage(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("measuring %s: %w", dir, err)
	}
	r.figure(name, float64(sum)/float64(entries), "bytes/entry")
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
