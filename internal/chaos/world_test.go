package chaos

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
)

const origin = "log.example/chaos"

// options plant a fault that has to be found.
type options struct {
	witnessesFirst bool // the log does not know who is an auditor
	liar           bool // the log's disk does not sync
	forgetful      bool // a witness forgets when it starts again
	swallowed      bool // what the monitor posts is answered, and lost
}

// world is all there is.
type world struct {
	options
	t         *testing.T
	log       *machine
	auditor   *machine
	monitor   *machine
	receiver  *machine // of what the monitor tells
	witnesses []*machine
	links     []*link
	deaf      atomic.Bool  // the receiver takes nothing
	refused   atomic.Int64 // how often it was asked to, in this round
	policy    *trust.Policy
	registrar *keyfile.Key
	submitter *client.Client

	mu        sync.Mutex // guards what follows
	rng       *rand.Rand
	history   []cosignature
	published trust.Body
	wrong     []string
	acks      map[[32]byte]client.Result // by leaf hash
	open      [][]byte                   // submitted, without an answer
	entries   int
	told      map[uint64]bool // by index: what has arrived of leaves
}

// cosignature is that some cosigner has cosigned a tree.
type cosignature struct {
	by *machine
	trust.Body
}

// machine is where a node runs, at times.
type machine struct {
	name, dir string
	prefix    string // of its witness or auditor
	clock     atomic.Int64

	life sync.RWMutex // held while something goes to or from it
	node *node.Node   // nil: none runs
	disk *vfs.MemFS
	url  string
	end  func() error
}

func (m *machine) now() time.Time { return time.Now().Add(time.Duration(m.clock.Load())) }

func (w *world) chance(p float64) bool { w.mu.Lock(); defer w.mu.Unlock(); return w.rng.Float64() < p }
func (w *world) pick(n int) int        { w.mu.Lock(); defer w.mu.Unlock(); return w.rng.IntN(n) }
func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.pick(int(b-a)+1))
}

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) failures() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wrong)
}

// must is for what only a fault of this package can break.
func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

// newWorld makes the nodes and starts them.
func newWorld(t *testing.T, seed uint64, o options) *world {
	w := &world{options: o, t: t, rng: rand.New(rand.NewPCG(seed, 0)), acks: map[[32]byte]client.Result{}, told: map[uint64]bool{}}
	dir := t.TempDir()
	newMachine := func(name, prefix string) *machine {
		return &machine{name: name, dir: filepath.Join(dir, name), prefix: prefix, disk: vfs.NewCrashableMem()}
	}
	w.log, w.auditor = newMachine("log", "/witness"), newMachine("auditor", "/auditor")
	w.monitor = newMachine("monitor", "")
	w.must(node.Init(t.Context(), w.log.dir, origin, slog.New(slog.DiscardHandler)))
	for _, m := range []*machine{w.log, w.auditor, w.monitor} {
		w.must(m.disk.MkdirAll(m.dir, 0o700))
		for d := m.dir; ; d = filepath.Dir(d) {
			f, err := m.disk.OpenDir(d)
			w.must(err)
			w.must(errors.Join(f.Sync(), f.Close()))
			if d == "/" {
				break
			}
		}
	}
	_, err := vfs.Clone(vfs.Default, w.log.disk, filepath.Join(w.log.dir, "store"), filepath.Join(w.log.dir, "store"), vfs.CloneSync)
	w.must(err)
	f, err := w.log.disk.OpenDir(w.log.dir)
	w.must(err)
	w.must(errors.Join(f.Sync(), f.Close()))
	w.registrar, err = keyfile.Load(filepath.Join(w.log.dir, "registrar.key"))
	w.must(err)
	w.must(node.InitAuditor(w.auditor.dir, "auditor.example/a"))
	for _, name := range []string{"w1", "w2", "w3"} {
		m := newMachine(name, "/witness")
		w.must(node.InitWitness(m.dir, name+".example/w"))
		w.witnesses = append(w.witnesses, m)
	}
	w.configure()
	w.watch()
	t.Cleanup(w.close)
	for _, m := range w.machines() {
		w.start(m)
	}
	return w
}

func (w *world) machines() []*machine {
	return append([]*machine{w.log, w.auditor, w.monitor}, w.witnesses...)
}

// configure connects the nodes, and writes their configuration.
func (w *world) configure() {
	vkey := func(m *machine, file string) string { return w.read(m, file) }
	logKey := vkey(w.log, "log.vkey")
	policy := fmt.Sprintf("log %s\nwitness auditor %s %s/auditor\n", logKey, vkey(w.auditor, "auditor.vkey"),
		w.newLink("log-auditor", w.log, w.auditor).server.URL)
	for _, m := range w.witnesses {
		policy += fmt.Sprintf("witness %s %s %s/witness\n", m.name, vkey(m, "witness.vkey"), w.newLink("log-"+m.name, w.log, m).server.URL)
		w.write(m, "standingd.yaml", fmt.Sprintf("witness: {logs: [%q]}\n", logKey))
	}
	policy += "group two 2 w1 w2 w3\ngroup all all two auditor\nquorum all\n"
	w.write(w.log, "trust.policy", policy)
	w.write(w.auditor, "log.policy", policy)
	w.write(w.auditor, "standingd.yaml", fmt.Sprintf("audit: {logs: [{url: %q, trust: log.policy}]}\n", w.newLink("auditor-log", w.auditor, w.log).server.URL))
	auditors := ", auditors: [auditor]"
	if w.witnessesFirst {
		auditors = ""
	}
	w.write(w.log, "standingd.yaml", "origin: "+origin+"\nbatch: {interval: 20ms, first: 5ms}\ncosign: {timeout: 1s, grace: 50ms, refresh: 1s"+auditors+"}\n")
	var err error
	w.policy, err = trust.Parse([]byte(policy))
	w.must(err)
	known, _ := w.policy.Log(origin)
	w.submitter, err = client.New(w.newLink("people-log", nil, w.log).server.URL, client.Config{Attempts: 1, Timeout: 2 * time.Second, Log: known})
	w.must(err)
}

func (w *world) read(m *machine, file string) string {
	b, err := os.ReadFile(filepath.Join(m.dir, file))
	w.must(err)
	return strings.TrimSpace(string(b))
}

func (w *world) write(m *machine, file, text string) {
	w.must(os.WriteFile(filepath.Join(m.dir, file), []byte(text), 0o644))
}

// start starts the node of a machine. What does not start is a violation.
func (w *world) start(m *machine) {
	var disk vfs.FS = m.disk
	if w.liar && m == w.log {
		disk = liar{disk}
	}
	if w.forgetful && m == w.witnesses[0] {
		w.must(os.RemoveAll(filepath.Join(m.dir, "witness")))
	}
	n, err := node.OpenIn(context.Background(), node.World{FS: disk, Now: m.now}, m.dir, slog.New(slog.DiscardHandler))
	if err != nil {
		w.violate("%s does not start: %v", m.name, err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	m.life.Lock()
	defer m.life.Unlock()
	m.node, m.url = n, "http://"+l.Addr().String()
	m.end = func() error { cancel(); return errors.Join(<-done, n.Close()) }
}

// stop ends the node in order, or as a power failure does: then of what was not
// synced any part is lost. Its last words reach nobody.
func (w *world) stop(m *machine, killed bool) {
	m.life.Lock()
	n := m.node
	m.node, m.url = nil, ""
	disk := m.disk
	if killed {
		// What is still under way in the old process does not reach this disk.
		w.mu.Lock()
		disk = m.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 10 * w.rng.IntN(11), RNG: rand.New(rand.NewPCG(w.rng.Uint64(), 0))})
		w.mu.Unlock()
	}
	m.life.Unlock()
	if n == nil {
		return
	}
	if err := m.end(); err != nil && !killed {
		w.violate("%s ended with %v", m.name, err)
	}
	m.disk = disk
}

func (w *world) close() {
	for _, l := range w.links {
		l.set(cut)
	}
	for _, m := range w.machines() {
		w.stop(m, false)
	}
	for _, l := range w.links {
		l.server.CloseClientConnections()
		l.server.Close()
		l.client.CloseIdleConnections()
	}
}

// cosigned takes down what was cosigned, and looks at who had cosigned it before.
func (w *world) cosigned(m *machine, note []byte) {
	cp, err := w.policy.OpenLogSigned(note)
	if err != nil {
		w.violate("%s cosigned what the log has not signed: %v", m.name, err)
		return
	}
	w.mu.Lock()
	held := m == w.auditor
	for _, c := range w.history {
		held = held || c.by == w.auditor && c.Size >= cp.Size
	}
	w.history = append(w.history, cosignature{m, cp.Body})
	w.mu.Unlock()
	if !held {
		w.violate("%s cosigned size %d before the auditor has", m.name, cp.Size)
	}
}

// get asks a node without the network.
func (m *machine) get(path string) (int, []byte, error) {
	m.life.RLock()
	defer m.life.RUnlock()
	if m.node == nil {
		return 0, nil, errors.New("it does not run")
	}
	resp, err := http.Get(m.url + path)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// holds returns what a cosigner has cosigned last, which never shrinks.
func (w *world) holds(m *machine) trust.Body {
	h := sha256.Sum256([]byte(origin))
	var now trust.Body
	code, b, err := m.get(fmt.Sprintf("%s/%x/checkpoint", m.prefix, h))
	if err != nil {
		return now
	}
	if cp, err := w.policy.OpenLogSigned(b); err == nil && code == 200 {
		now = cp.Body
	}
	w.mu.Lock()
	before := uint64(0)
	for _, c := range w.history {
		if c.by == m {
			before = max(before, c.Size)
		}
	}
	w.mu.Unlock()
	// Asked after the answer: what was cosigned meanwhile may be larger.
	if now.Size < before {
		if code, b, err := m.get(fmt.Sprintf("%s/%x/checkpoint", m.prefix, h)); err == nil {
			cp, err := w.policy.OpenLogSigned(b)
			if err != nil || cp.Size < before {
				w.violate("%s has cosigned size %d and holds %d (%d)", m.name, before, now.Size, code)
			}
		}
	}
	return now
}

// look looks at what is published, which never shrinks.
func (w *world) look() (*trust.Checkpoint, error) {
	code, b, err := w.log.get("/checkpoint")
	if err == nil && code != 200 {
		err = fmt.Errorf("%d %s", code, b)
	}
	if err != nil {
		return nil, err
	}
	// The clocks of cosigners may be ahead.
	cp, err := w.policy.Open(b, time.Now().Add(2*maxStep))
	if err != nil {
		w.violate("published without a quorum: %v", err)
		return nil, err
	}
	w.mu.Lock()
	before := w.published
	w.published = cp.Body
	w.mu.Unlock()
	if cp.Size < before.Size || cp.Size == before.Size && cp.Root != before.Root {
		w.violate("published size %d, root %x, after size %d, root %x", cp.Size, cp.Root, before.Size, before.Root)
	}
	return cp, nil
}

// next writes an entry.
func (w *world) next() []byte {
	w.mu.Lock()
	w.entries++
	name := fmt.Sprintf("party %d", w.entries)
	w.mu.Unlock()
	e, err := entry.Sign(testlog.NewParty(name, 1).Enrol(origin, testlog.NewKey("any", false)).Payload, w.registrar)
	w.must(err)
	return e.Leaf
}

// submit submits everything that has no answer, one after the other.
func (w *world) submit(ctx context.Context) (unanswered int, last error) {
	w.mu.Lock()
	open := w.open
	w.open = nil
	w.mu.Unlock()
	for _, leaf := range open {
		res, err := w.submitter.Submit(ctx, leaf, false)
		w.mu.Lock()
		if err != nil {
			w.open, last = append(w.open, leaf), err
			unanswered++
		} else {
			w.acks[[32]byte(tlog.RecordHash(leaf))] = *res
		}
		w.mu.Unlock()
	}
	return unanswered, last
}

// liar is a disk that says that it has synced what it has not.
type liar struct{ vfs.FS }

func (l liar) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.Create(name, c)
	return lying{f}, err
}

func (l liar) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.ReuseForWrite(old, name, c)
	return lying{f}, err
}

type lying struct{ vfs.File }

func (lying) Sync() error                         { return nil }
func (lying) SyncData() error                     { return nil }
func (lying) SyncTo(int64) (full bool, err error) { return true, nil }
