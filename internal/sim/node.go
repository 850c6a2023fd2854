package sim

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

// process is one life of a node, from its start to its end.
type process struct {
	w       *World
	name    string
	disk    *Disk
	trouble int // of the disk, before it had this process
	store   *Store
	backend backend.Backend // store, perhaps wrapped
	skew    time.Duration
	admit   *admission.Admission

	ctx    context.Context
	stop   context.CancelFunc // in order
	ended  chan struct{}      // closed by a crash
	once   sync.Once
	ready  chan struct{} // closed when the sequencer is open
	done   chan struct{} // closed when nothing of the process runs any more
	asks   *node.Gatherer
	seq    *sequencer.Sequencer
	opened error // why it is not
}

// newProcess starts a process; its caller calls run or init, and exit.
func (w *World) newProcess(name string, d *Disk) *process {
	p := &process{
		w: w, name: name, disk: d, ended: make(chan struct{}), ready: make(chan struct{}), done: make(chan struct{}),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	if w.net > 0 && !w.calm() {
		p.skew = time.Duration(w.draw(name, "skew").Int64N(2*int64(maxSkew))) - maxSkew
	}
	p.store = &Store{disk: d, ended: p.ended, kill: p.crash}
	p.store.fates = func(op string) fate {
		switch op {
		case "append", "swap r", "swap c":
			return w.writeFate(p, op)
		}
		return w.readFate(p, op)
	}
	p.backend = p.store
	if w.Store != nil {
		p.backend = w.Store(w, p.store)
	}
	p.admit = admission.New(sequencer.KeyStore{Backend: p.backend}, p.now)
	w.mu.Lock()
	defer w.mu.Unlock()
	p.trouble = d.trouble
	if d.alive++; d.alive > 1 {
		d.trouble++
	}
	return p
}

func (p *process) now() time.Time { return time.Now().Add(p.skew) }

// crash ends the process. Nothing that it does from here on is seen.
func (p *process) crash(why string) {
	p.once.Do(func() {
		p.w.tell(p.name, "crash: %s", why)
		close(p.ended)
		p.stop()
	})
}

// crashed reports whether the process has ended that way.
func (p *process) crashed() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// exit waits until nothing of the process runs and looks at how it ended.
func (p *process) exit() {
	p.stop()
	<-p.done
	if p.asks != nil {
		p.asks.Wait()
	}
	must(p.backend.Close())
	p.w.mu.Lock()
	p.disk.alive--
	p.w.mu.Unlock()
	if p.seq != nil && p.opened == nil {
		p.w.says(p)
	}
	p.inquest()
}

func (p *process) config() sequencer.Config {
	var clients []*cosign.Client
	var auditors []string
	for i, c := range p.w.cosigners {
		client, err := cosign.NewClient(cosign.Config{
			URL: "http://" + c.name + ".example" + c.prefix(), Cosigners: p.w.policy.Cosigners()[i : i+1],
			HTTP: &http.Client{Transport: link{p.w, p.name, c.name, p.ended, c.serve}}, Timeout: 3 * time.Second, Now: p.now,
		})
		must(err)
		clients = append(clients, client)
		if c.audit != nil && !p.w.Unordered {
			auditors = append(auditors, c.name)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	late := make(chan []byte)
	p.asks = &node.Gatherer{Policy: p.w.believed, Clients: clients, Auditors: auditors, Store: p.backend, Now: p.now, Log: quiet, Late: late}
	ask := p.asks.Cosign
	if p.w.Cosign != nil {
		ask = p.w.Cosign(ask)
	}
	return sequencer.Config{
		Origin: origin, Backend: p.backend, Signers: []note.Signer{signer{logSigner(), p}},
		Policy: p.w.believed, Cosign: ask, Late: late,
		Interval: p.w.interval, BatchMax: 32, Backlog: p.w.backlog, Refresh: p.w.refresh, Retry: 2 * time.Second,
		Now: p.now, Log: quiet,
	}
}

// init writes a log's first leaves.
func (p *process) init(charter testlog.Item) {
	defer close(p.done)
	e := charter.Entry
	for _, root := range e.Charter.Roots {
		if root.ID() == e.KeyID {
			must(e.Verify(root))
		}
	}
	p.w.tell(p.name, "init: %v", sequencer.Init(p.ctx, p.config(), e))
}

// run opens the log and runs it.
func (p *process) run() {
	defer close(p.done)
	p.seq, p.opened = sequencer.Open(p.ctx, p.config())
	close(p.ready)
	if p.opened != nil {
		p.w.tell(p.name, "not opened: %v", p.opened)
		return
	}
	p.w.tell(p.name, "opened at size %d", p.seq.SignedSize())
	err := p.seq.Run(p.ctx)
	if p.crashed() { // who has noticed it first does not matter
		p.w.tell(p.name, "ended")
		return
	}
	p.w.tell(p.name, "ended: %v; %v", err, p.seq.Err())
}

// serve answers who reads the log at its address.
func (w *World) serve(q *http.Request, _ []byte) (*http.Response, error) {
	p := w.public.Load()
	if p == nil || !p.isOpen() {
		return nil, errDown
	}
	h := tiles.Handler{
		List:       tiles.Leaves{Backend: p.backend, Signed: p.seq.Signed},
		Checkpoint: func() ([]byte, error) { return sequencer.Published(p.backend) },
		Fail:       func(error) {}, // the answer says so
	}
	return call(q.Context(), &h, q.Method, q.URL.Path, nil).Result(), nil
}

// isOpen reports whether the process can be asked.
func (p *process) isOpen() bool {
	select {
	case <-p.ready:
		return p.opened == nil && !p.crashed()
	default:
		return false
	}
}

// signer signs for a process that runs.
type signer struct {
	note.Signer
	p *process
}

func (s signer) Sign(text []byte) ([]byte, error) {
	if s.p.crashed() {
		return nil, errCrashed
	}
	body, err := trust.ParseBody(string(text))
	must(err)
	s.p.w.signed(s.p, backend.Root{Size: body.Size, Hash: body.Root})
	return s.Signer.Sign(text)
}

// Key of the log.
func logKey() (key ed25519.PrivateKey, id uint32) {
	seed := sha256.Sum256([]byte("sim log"))
	key = ed25519.NewKeyFromSeed(seed[:])
	public := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	h := sha256.Sum256(append([]byte(origin+"\n"), public...))
	return key, binary.BigEndian.Uint32(h[:])
}

func logVkey() string {
	key, id := logKey()
	public := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", origin, id, base64.StdEncoding.EncodeToString(public))
}

func logSigner() note.Signer {
	key, id := logKey()
	s, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, id,
		base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...))))
	must(err)
	return s
}

// machine is where one process after the other runs.
type machine struct {
	w    *World
	name string

	mu    sync.Mutex
	disk  *Disk    // under mu
	now   *process // under mu; nil between two
	lives atomic.Int64
}

// newMachine adds a machine to the world, on which nothing runs yet.
func (w *World) newMachine(name string, d *Disk) *machine {
	m := &machine{w: w, name: name, disk: d}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines = append(w.machines, m)
	return m
}

// on returns the disk of the machine.
func (m *machine) on() *Disk {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.disk
}

// move puts another disk into the machine, which ends what runs there.
func (m *machine) move(d *Disk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disk = d
	if m.now != nil {
		m.now.crash("its disk is gone")
	}
}

// running returns the process that can be submitted to, or nil.
func (m *machine) running() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now == nil {
		return nil
	}
	select {
	case <-m.now.ready:
	default:
		return nil
	}
	if m.now.opened != nil {
		return nil
	}
	return m.now
}

// live lets processes come and go.
func (m *machine) live(ctx context.Context) {
	for m.life(ctx) {
		sleep(ctx, between(m.w.draw(m.name, "pause"), time.Millisecond, 5*time.Second))
	}
}

// life is that of one process. It returns false if ctx has ended.
func (m *machine) life(ctx context.Context) bool {
	name := fmt.Sprintf("%s/%d", m.name, m.lives.Add(1))
	m.mu.Lock()
	p := m.w.newProcess(name, m.disk)
	m.now = p
	if m == m.w.main {
		m.w.public.Store(p)
	}
	m.mu.Unlock()
	m.w.goes(p.run)
	r := m.w.draw(name, "life")
	t := time.NewTimer(between(r, 20*time.Millisecond, time.Minute))
	defer t.Stop()
	select {
	case <-t.C:
	// The two may come in one instant.
	case <-p.halts():
		sleep(ctx, between(r, 10*time.Millisecond, 5*time.Second)) // until somebody looks
	case <-p.done:
		sleep(ctx, between(r, 10*time.Millisecond, 5*time.Second))
	case <-ctx.Done():
	}
	if r.IntN(2) == 0 && !m.w.calm() {
		p.crash("power failure")
	}
	p.exit()
	m.mu.Lock()
	m.now = nil
	m.mu.Unlock()
	return ctx.Err() == nil
}

// halts returns a channel that is closed when the writer has stopped.
func (p *process) halts() <-chan struct{} {
	c := make(chan struct{})
	p.w.goes(func() {
		<-p.ready
		if p.opened == nil && reason.CodeOf(p.seq.WaitPublished(p.ctx, math.MaxUint64)) == reason.ReadOnly {
			close(c)
		}
	})
	return c
}

// inquest looks for the cause of a writer that has stopped.
func (p *process) inquest() {
	err := p.opened
	if p.seq != nil && err == nil {
		err = p.seq.Err()
	}
	w := p.w
	switch {
	case err == nil, errors.Is(err, errCrashed), errors.Is(err, context.Canceled), p.crashed():
		return
	case errors.Is(err, sequencer.ErrRestored):
		w.happened("stopped: restored")
		if len(w.contradict(p.disk)) > 0 {
			return
		}
	default:
		w.happened("stopped: store")
	}
	w.mu.Lock()
	caused := p.store.faults.Load() > 0 || p.disk.trouble > p.trouble
	w.mu.Unlock()
	if !caused {
		w.violate(p.name, "stopped without a cause: %v", err)
	}
}
