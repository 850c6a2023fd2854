package hammer

import (
	"context"
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
	cfg    *Config
	dir    string // of the node
	proc   *process
	reader *client.Client
	rpc    *rpc // nil over REST
	transport
	policy *trust.Policy

	*entries
	issuers []*testlog.Party
	indexes []uint64 // of entries, as answered
	pushed  atomic.Int64
}

// newStanding makes a node in dir, starts it, and enrols who will sign.
func newStanding(ctx context.Context, cfg *Config, dir string) (*standing, error) {
	s := &standing{cfg: cfg, dir: filepath.Join(dir, "node")}
	init, err := start(ctx, nil, cfg.Standingd, "init", "--dir", s.dir, "--origin", origin)
	if err != nil {
		return nil, err
	}
	if err := init.wait(); err != nil {
		return nil, err
	}
	if err := s.configure(cfg.Node); err != nil {
		return nil, err
	}
	if s.policy, err = node.ReadPolicy(s.dir); err != nil {
		return nil, err
	}
	if err := s.serve(ctx); err != nil {
		return nil, err
	}
	return s, s.enrol(ctx)
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
	p, err := start(ctx, nil, s.cfg.Standingd, "serve", "--dir", s.dir, "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.proc = p
	line, err := p.stdout.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		return fmt.Errorf("standingd does not serve: %w\n%s", p.wait(), p.stderr.b)
	}
	if s.rpc != nil {
		_ = s.rpc.close()
		s.rpc = nil
	}
	s.reader, err = client.New(address, client.Config{HTTP: pool(s.cfg.Workers), Attempts: 1})
	if err != nil {
		return err
	}
	s.transport = rest{s.reader}
	if s.cfg.API == "grpc" {
		if s.rpc, err = dial(address, s.cfg.Workers); err != nil {
			return err
		}
		s.transport = s.rpc
	}
	_, err = s.reader.Info(ctx)
	return err
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
	err := s.stop(syscall.SIGKILL)
	if s.rpc != nil {
		err = errors.Join(err, s.rpc.close())
	}
	return err
}

// enrol enrols parties whose keys nobody has had before.
func (s *standing) enrol(ctx context.Context) error {
	registrar, err := keyfile.Load(filepath.Join(s.dir, "registrar.key"))
	if err != nil {
		return err
	}
	var leaves [][]byte
	s.issuers = newIssuers()
	for _, p := range s.issuers {
		// Proofs of possession do not depend on who the registrar is.
		e, err := entry.Sign(p.Enrol(origin, testlog.NewKey("any", false)).Payload, registrar)
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
}

// add offers a batch of entries, and returns the size of the sealed tree that
// holds them.
func (s *standing) add(ctx context.Context, i int) (uint64, error) {
	from := i * s.cfg.Batch
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
