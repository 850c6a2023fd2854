package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/auditor"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/trust"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// Node is an open node. Close it when Serve has returned.
type Node struct {
	cfg       *Config
	log       *slog.Logger
	store     *embedded.Store
	witness   *witness.Witness
	witnesses http.Handler // witness, measured
	state     *witness.DirStore
	auditor   *auditor.Auditor  // nil: none
	audited   *witness.DirStore // what it has cosigned
	monitor   *monitor.Monitor  // nil: none
	gatherer  *Gatherer
	sequencer *sequencer.Sequencer
	trustFile []byte
	handler   http.Handler
	grpc      *grpc.Server

	now func() time.Time // nil: time.Now

	// The disk; replaced in tests.
	fs     vfs.FS
	statfs func(dir string) (free, total uint64, err error)
}

// World is what a node stands on: the disk that holds its store and copies, and
// its clock. The zero value is the machine's.
type World struct {
	FS  vfs.FS
	Now func() time.Time
}

// Open opens the node in dir and checks its store.
func Open(ctx context.Context, dir string, log *slog.Logger) (*Node, error) {
	return OpenIn(ctx, World{}, dir, log)
}

// OpenIn is Open in another world. Configuration, keys and what the witness has
// cosigned are in dir all the same.
func OpenIn(ctx context.Context, w World, dir string, log *slog.Logger) (*Node, error) {
	cfg, err := ReadConfig(dir)
	if err != nil {
		return nil, &SetupError{err}
	}
	n := &Node{cfg: cfg, log: log, fs: w.FS, now: w.Now, statfs: statfs}
	if err := n.open(ctx, dir); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// SetupError is a fault of standingd.yaml, trust.policy or a key: to start again
// changes nothing.
type SetupError struct{ Err error }

func (e *SetupError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *SetupError) Unwrap() error { return e.Err }

// Close releases the directory.
func (n *Node) Close() error {
	var errs []error
	if n.auditor != nil {
		errs = append(errs, n.auditor.Close())
	}
	if n.audited != nil {
		errs = append(errs, n.audited.Close())
	}
	if n.state != nil {
		errs = append(errs, n.state.Close())
	}
	if n.gatherer != nil {
		n.gatherer.Wait() // a call may still read the store
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

func (n *Node) open(ctx context.Context, dir string) error {
	if n.now == nil {
		n.now = time.Now
	}
	reg := newRegistry()
	set := metric.New(reg)
	if err := n.openAuditor(ctx, dir, set); err != nil {
		return err
	}
	if err := n.openMonitor(dir, set); err != nil {
		return err
	}
	if n.cfg.Origin == "" {
		if err := n.openWitness(dir, nil, set); err != nil {
			return err
		}
		n.handler = n.common(reg)
		return nil
	}
	signers, vkeys, err := readSigners(dir)
	if err != nil {
		return &SetupError{err}
	}
	policy, file, err := fullPolicy(dir, n.cfg.Origin, vkeys)
	if err != nil {
		return &SetupError{err}
	}
	n.trustFile = file
	if err := checkSigners(signers, n.cfg.Origin, policy); err != nil {
		return &SetupError{err}
	}
	// The witness first: the log asks it before it signs anything new.
	if err := n.openWitness(dir, vkeys, set); err != nil {
		return err
	}
	clients, err := n.cosigners(policy)
	if err != nil {
		return &SetupError{err}
	}
	if err := checkDamaged(dir); err != nil {
		return err
	}
	if err := checkStore(dir); err != nil {
		return err
	}
	store, err := embedded.Open(ctx, embedded.Options{Dir: filepath.Join(dir, storeDir), FS: n.fs, Logger: n.log})
	if err != nil {
		return nextStep(dir, err)
	}
	n.store = store
	d := &disk{dir: filepath.Join(dir, storeDir), reserve: uint64(n.cfg.Disk.Reserve), log: n.log, statfs: n.statfs}
	metrics := newLogMetrics(set, store.Usage, d.kept)
	metrics.cosign.Expect(clients)
	late := make(chan []byte)
	n.gatherer = &Gatherer{
		Policy: policy, Clients: clients, Auditors: n.cfg.Cosign.Auditors, Store: store,
		Grace: n.cfg.Cosign.Grace, Now: n.now, Log: n.log, Metrics: metrics.cosign, Late: late,
	}
	n.sequencer, err = sequencer.Open(ctx, sequencer.Config{
		Origin: n.cfg.Origin, Backend: store, Signers: signers, Policy: policy, Cosign: n.gatherer.Cosign, Late: late,
		Interval: n.cfg.Batch.Interval, FirstInterval: n.cfg.Batch.First, BatchMax: n.cfg.Batch.Max,
		Backlog: n.cfg.Cosign.Backlog, Refresh: n.cfg.Cosign.Refresh,
		Now: n.now, Room: d.room, Halted: func(err error) { n.stopped(dir, err) },
		Log: n.log, Metrics: metrics.sequencer,
	})
	if err != nil {
		return nextStep(dir, err)
	}
	return n.routes(ctx, policy, signers[0], vkeys, n.common(reg), metrics)
}

// fullPolicy reads trust.policy and adds the log's second key, which readers of
// the file need not know. It returns the file, too.
func fullPolicy(dir, origin string, vkeys []string) (*trust.Policy, []byte, error) {
	file, err := os.ReadFile(filepath.Join(dir, policyFile))
	if err != nil {
		return nil, nil, err
	}
	p, err := trust.Parse(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", policyFile, err)
	}
	log, ok := p.Log(origin)
	if !ok {
		return nil, nil, fmt.Errorf("%s: does not list %s", policyFile, origin)
	}
	b := bytes.Clone(file)
	for _, vkey := range vkeys {
		if !slices.ContainsFunc(log.Keys, func(k trust.LogKey) bool { return k.Vkey == vkey }) {
			b = append(b, "log "+vkey+"\n"...)
		}
	}
	p, err = trust.Parse(b)
	return p, file, err
}

func (n *Node) openWitness(dir string, vkeys []string, set *metric.Set) error {
	measured := newNodeMetrics(set)
	skey, err := readSecret(dir, witnessFile)
	if errors.Is(err, fs.ErrNotExist) && n.cfg.Origin == "" && (n.auditor != nil || n.monitor != nil) && len(n.cfg.Witness.Logs) == 0 {
		return nil // an auditor or a monitor alone
	}
	if err != nil {
		return &SetupError{err}
	}
	signer, err := witness.NewSigner(skey)
	if err != nil {
		return &SetupError{fmt.Errorf("%s: %w", witnessFile, err)}
	}
	if n.state, err = witness.OpenDir(filepath.Join(dir, witnessDir)); err != nil {
		return err
	}
	var logs []witness.Log
	if n.cfg.Origin != "" {
		logs = append(logs, witness.Log{Origin: n.cfg.Origin, Vkeys: vkeys})
	}
	for _, vkey := range n.cfg.Witness.Logs {
		origin, _, _ := strings.Cut(vkey, "+")
		logs = append(logs, witness.Log{Origin: origin, Vkeys: []string{vkey}})
	}
	n.witness, err = witness.New(witness.Config{Signers: []witness.Signer{signer}, Logs: logs, Store: n.state, Now: n.now, Logger: n.log})
	if err != nil {
		return &SetupError{err}
	}
	n.witnesses = measured.witness(n.witness)
	return nil
}

// cosigners returns a client for each cosigner of the policy that can be
// reached: by its URL, or because it is the local witness.
func (n *Node) cosigners(policy *trust.Policy) ([]*cosign.Client, error) {
	timeout := n.cfg.Cosign.Timeout
	for _, name := range n.cfg.Cosign.Auditors {
		if !slices.ContainsFunc(policy.Cosigners(), func(c trust.Cosigner) bool { return c.Name == name }) {
			return nil, fmt.Errorf("%s: cosign.auditors: %s has no cosigner %.80q", configFile, policyFile, name)
		}
	}
	clients, err := cosign.NewClients(policy, nil, timeout)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", policyFile, err)
	}
	local := n.witness.Vkeys()[0]
	for _, c := range policy.Cosigners() {
		if c.Key.Vkey != local || c.URL != "" {
			continue
		}
		client, err := cosign.NewClient(cosign.Config{
			URL: "http://witness.invalid", Cosigners: []trust.Cosigner{c},
			HTTP: &http.Client{Transport: inProcess{n.witnesses}}, Timeout: timeout,
		})
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
	}
	return clients, nil
}

// common returns what every node serves: the witness, the auditor, metrics and
// health.
func (n *Node) common(reg *prometheus.Registry) *http.ServeMux {
	mux := http.NewServeMux()
	if n.witness != nil {
		mux.Handle("/witness/", http.StripPrefix("/witness", n.witnesses))
	}
	if n.auditor != nil {
		mux.Handle("/auditor/", n.auditor.Handler())
		mux.Handle("/mirror/", n.auditor.Handler())
	}
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", n.health)
	return mux
}

// streamWorkers is the number of goroutines that answer calls one after the other: a
// new one for each would grow its stack each time, a tenth of what a bundle costs, and
// submissions keep theirs until they are sealed. Calls for which none is free have their
// own.
const streamWorkers = 1024

// routes adds the log to mux, and puts gRPC on the same address.
func (n *Node) routes(ctx context.Context, policy *trust.Policy, promiser note.Signer, vkeys []string, mux *http.ServeMux, metrics *logMetrics) error {
	admits := admission.New(sequencer.KeyStore{Backend: n.store, Cache: n.sequencer.Cache()}, n.now)
	admits.Metrics = metrics.admission
	log := &api.Service{
		Origin: n.cfg.Origin, Vkeys: vkeys, Backend: n.store,
		Admission: admits,
		Sequencer: n.sequencer, Prover: prover.New(n.store, policy, n.sequencer.Cache()),
		Policy: policy, Cosigners: n.cosignerStatuses, Promiser: api.NewPromiser(promiser), Now: n.now, Log: n.log,
	}
	service := metrics.api.Measured(log)
	rest, err := api.NewHandler(ctx, service)
	if err != nil {
		return err
	}
	n.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(api.MaxMessageBytes), grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(4096), grpc.NumStreamWorkers(streamWorkers), grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 2 * time.Minute}))
	standingv1.RegisterLogServer(n.grpc, service)
	mux.Handle("/", metrics.tiles.Measured(&tiles.Handler{
		List: tiles.Leaves{Backend: n.store, Signed: n.sequencer.Signed}, Checkpoint: log.Prover.Checkpoint, Fail: log.Fail,
	}))
	mux.Handle("/withdrawals/", http.StripPrefix("/withdrawals", metrics.tiles.Measured(&tiles.Handler{
		List: prover.Withdrawals{Prover: log.Prover}, Fail: log.Fail,
	})))
	mux.Handle("/v1/", rest)
	// What "standing trust add URL" shows and stores. It is only as good as
	// the fingerprints that people compare.
	mux.HandleFunc("GET /trust.policy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(n.trustFile)
	})
	n.handler = mux
	return nil
}

// maxHeader is the size in bytes of the largest header of a request.
const maxHeader = 16 << 10

// Serve serves the node on l until ctx ends: HTTP/1 and gRPC on one address. TLS
// belongs to a proxy in front.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: n.handler, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxHeader,
	}
	g, gctx := errgroup.WithContext(ctx)
	if n.grpc != nil {
		http1, http2, end := split(l)
		defer end()
		l = http1
		g.Go(func() error { return unlessDone(gctx, n.grpc.Serve(http2)) })
	}
	if n.sequencer != nil {
		g.Go(func() error { return n.sequencer.Run(gctx) })
		g.Go(func() error { return n.watch(gctx) })
	}
	if n.auditor != nil {
		g.Go(func() error { return n.auditor.Run(gctx) })
	}
	if n.monitor != nil {
		g.Go(func() error {
			// A copy that is damaged ends the watch of its log, and was logged; it
			// is no reason to stop a log, or another one's.
			_ = n.monitor.Run(gctx)
			return nil
		})
	}
	g.Go(func() error { return unlessDone(gctx, srv.Serve(l)) })
	g.Go(func() error {
		<-gctx.Done()
		// Whoever waits for a turn is told that the node stops; then the
		// connections end.
		sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if n.grpc != nil {
			defer context.AfterFunc(sctx, n.grpc.Stop)()
			n.grpc.GracefulStop()
		}
		if err := srv.Shutdown(sctx); err != nil {
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}

// unlessDone returns err, with which a server has ended, unless it was told to.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// watch ends when the store fails: nothing can be read any more, and only a new
// process can open it again.
func (n *Node) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-n.store.Failed():
	}
	_, err := n.store.Root(context.WithoutCancel(ctx))
	n.sequencer.Halt(err)
	next := "start the node again"
	if errors.Is(err, syscall.ENOSPC) {
		next = "the disk is full; make room, then " + next + ": what was acknowledged is there"
	}
	return fmt.Errorf("%s: %w", next, err)
}

// WaitPublished waits until a checkpoint of at least size is published. A
// witness alone publishes nothing.
func (n *Node) WaitPublished(ctx context.Context, size uint64) error {
	if n.sequencer == nil {
		return errors.New("this node has no log")
	}
	return n.sequencer.WaitPublished(ctx, size)
}
