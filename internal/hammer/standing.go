package hammer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
)

// origin of the logs that the hammer makes.
const origin = "log.example/hammer"

// standing is a Standing log under load.
type standing struct {
	cfg       *Config
	dir       string   // of the node
	proc      *process // nil if the log is somebody else's
	listen    string   // where it is served
	cosigners federation
	reader    *client.Client
	transport
	address string
	origin  string
	policy  *trust.Policy
	issuers []*testlog.Party

	*entries
	indexes []uint64 // of entries, as answered
	pushed  atomic.Int64
}

// newStanding makes a node in dir, or takes the one there is, and enrols who
// will sign.
func newStanding(ctx context.Context, cfg *Config, dir string) (s *standing, err error) {
	s = &standing{cfg: cfg, dir: cfg.Keys, listen: "127.0.0.1:0"}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if cfg.URL != "" {
		err = s.connect(ctx, cfg.URL)
	} else {
		s.dir = filepath.Join(dir, "node")
		err = s.found(ctx)
	}
	if err != nil {
		return s, err
	}
	if s.policy, err = node.ReadPolicy(s.dir); err != nil {
		return s, err
	}
	return s, s.enrol(ctx)
}

// found makes the node and serves it.
func (s *standing) found(ctx context.Context) error {
	p, err := start(ctx, nil, []string{s.cfg.Standingd}, "init", "--dir", s.dir, "--origin", origin)
	if err != nil {
		return err
	}
	if err := p.wait(); err != nil {
		return err
	}
	if err := s.configure(s.cfg.Node); err != nil {
		return err
	}
	if s.cfg.federated {
		if err := s.join(ctx); err != nil {
			return err
		}
	}
	return s.serve(ctx)
}

// configure adds to standingd.yaml.
func (s *standing) configure(yaml string) error {
	path := filepath.Join(s.dir, "standingd.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, yaml+"\n"...), 0o644)
}

// serve starts the node and connects to it.
func (s *standing) serve(ctx context.Context) error {
	p, address, err := serveNode(ctx, []string{s.cfg.Standingd}, s.dir, s.listen)
	if err != nil {
		return err
	}
	s.proc = p
	return s.connect(ctx, address)
}

// serveNode starts the node in dir and returns where it listens.
func serveNode(ctx context.Context, standingd []string, dir, listen string) (*process, string, error) {
	p, err := start(ctx, nil, standingd, "serve", "--dir", dir, "--listen", listen)
	if err != nil {
		return nil, "", err
	}
	line, err := p.stdout.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		return nil, "", errors.Join(fmt.Errorf("standingd does not serve, but says %q: %w", line, err), p.end(syscall.SIGKILL), p.stderr.err())
	}
	return p, address, nil
}

// connect makes the clients of the log at address.
func (s *standing) connect(ctx context.Context, address string) error {
	if err := s.hangUp(); err != nil {
		return err
	}
	var err error
	if s.reader, err = client.New(address, client.Config{HTTP: pool(s.cfg.Workers), Attempts: 1}); err != nil {
		return err
	}
	s.address, s.transport = address, rest{s.reader}
	if s.cfg.API == "grpc" {
		if s.transport, err = dial(address, s.cfg.Workers); err != nil {
			return err
		}
	}
	info, err := s.reader.Info(ctx)
	if err != nil {
		return err
	}
	s.origin = info.Origin
	return nil
}

// hangUp closes what connect has opened.
func (s *standing) hangUp() error {
	if s.transport == nil {
		return nil
	}
	return s.transport.close()
}

// stop ends the node with a signal.
func (s *standing) stop(sig syscall.Signal) error {
	if s.proc == nil {
		return nil
	}
	p := s.proc
	s.proc = nil
	return p.end(sig)
}

func (s *standing) close() error {
	return errors.Join(s.stop(syscall.SIGKILL), s.cosigners.close(), s.hangUp())
}

// enrol enrols the issuers. Their keys are new: a log may be hammered twice.
func (s *standing) enrol(ctx context.Context) error {
	registrar, err := keyfile.Load(filepath.Join(s.dir, "registrar.key"))
	if err != nil {
		return err
	}
	var leaves [][]byte
	s.issuers = newIssuers(rand.Text())
	for _, p := range s.issuers {
		// Proofs of possession do not depend on who the registrar is.
		e, err := entry.Sign(p.Enrol(s.origin, testlog.NewKey("any", false)).Payload, registrar)
		if err != nil {
			return err
		}
		leaves = append(leaves, e.Leaf)
	}
	_, err = insist(ctx, s.transport, leaves, &s.pushed)
	return err
}

// take makes the entries of the load known.
func (s *standing) take(e *entries) {
	s.entries, s.indexes = e, make([]uint64, len(e.leaves))
	s.cosigners.before = s.cosigners.cpu()
}

// extend adds to the entries of the load.
func (s *standing) extend(e *entries) {
	s.leaves, s.ids = append(s.leaves, e.leaves...), append(s.ids, e.ids...)
	s.indexes = append(s.indexes, make([]uint64, len(e.leaves))...)
}

func (s *standing) add(ctx context.Context, i int) (uint64, error) {
	return s.offer(ctx, i*s.cfg.Batch)
}

// offer offers a batch of entries, and returns the size of the sealed tree that
// holds them.
func (s *standing) offer(ctx context.Context, from int) (uint64, error) {
	to := min(from+s.cfg.Batch, len(s.leaves))
	results, err := insist(ctx, s.transport, s.leaves[from:to], &s.pushed)
	if err != nil {
		return 0, err
	}
	var size uint64
	for j, r := range results {
		if want := s.printed(from + j); r.id != want {
			return 0, fmt.Errorf("entry %s was answered as %s", want, r.id)
		}
		s.indexes[from+j] = r.index
		size = max(size, r.size)
	}
	return size, nil
}

func (s *standing) printed(i int) string { return "att:" + hex.EncodeToString(s.ids[i][:]) }

// complete checks that every entry has an index of its own below size.
func (s *standing) complete(size uint64) error {
	sorted := slices.Sorted(slices.Values(s.indexes))
	for i := range sorted[1:] {
		if sorted[i] == sorted[i+1] {
			return fmt.Errorf("index %d was answered twice", sorted[i])
		}
	}
	if last := sorted[len(sorted)-1]; last >= size {
		return fmt.Errorf("entry %d is not in the published tree of %d", last, size)
	}
	return nil
}

func (s *standing) published(ctx context.Context) (uint64, error) { return size(ctx, s.reader) }

func (s *standing) process() *process { return s.proc }

func (s *standing) besides(r *report) { s.cosigners.figures(r, len(s.leaves)) }

// store is the directory that grows.
func (s *standing) store() string { return filepath.Join(s.dir, "store") }

// restart ends the node with a signal and starts it again. It returns the time
// from exec to the first answer.
func (s *standing) restart(ctx context.Context, sig syscall.Signal) (time.Duration, error) {
	if err := s.stop(sig); err != nil {
		return 0, err
	}
	began := time.Now()
	err := s.serve(ctx)
	return time.Since(began), err
}
