// Package testnode is a whole log in memory, for tests: the embedded store on
// a file system that does not exist, the sequencer, witnesses in this process,
// and the prover. Its clock stands still until it is set.
//
//	n := testnode.New(t, "log.example/test")
//	p := n.Enrol("steward", 1)
//	a := testlog.Attest(p.Keys[0], testlog.Claims(n.Origin, n.Unix(), 5), testlog.Component("pkg:npm/x@1.0.0"))
//	n.Submit(a)
//	report := verify.Bundle(n.Bundle(a.ID), n.Reader())
//
// Invariants:
//
//   - The same calls give the same bytes, as long as Submit is given one entry
//     at a time: a batch has a seal, and how many entries come into a batch is
//     a matter of time.
//   - What Submit does is what a real node does, but for package lint, which
//     is not asked. Force and Fill write past the sequencer, as an operator
//     who lies could; the sequencer then starts again on what it finds.
package testnode

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Options of NewWith.
type Options struct {
	Origin string
	// Start is the time until SetTime is called; zero means November 2026.
	Start time.Time
	// Witnesses is their number, at least 1; 0 means 1. All are needed.
	Witnesses int
	// Charter is leaf 0; nil means one by Root which names Registrar.
	Charter *entry.Entry
}

// Node is a running log. Its methods are for one goroutine, that of the test:
// they end the test when they fail.
type Node struct {
	Origin string
	// Root and Registrar are those of the charter, unless Options had one.
	Root, Registrar *testlog.Key
	// LogKey signs checkpoints.
	LogKey note.Signer
	// Trust is the trust file that readers need; Policy is what it says.
	Trust  string
	Policy *trust.Policy
	// Backend is the store, and Witnesses are those of the policy, in order.
	Backend   *Backend
	Witnesses []*witness.Witness
	// Sequencer and Prover are replaced whenever the sequencer starts again.
	Sequencer *sequencer.Sequencer
	Prover    *prover.Prover

	tb        testing.TB
	cosigners []witness.Signer
	clients   []*cosign.Client
	keys      map[Hash]entry.PublicKey // that entries have brought
	stop      func()

	mu  sync.Mutex
	now time.Time // under mu
}

// New returns a log with one witness, sealed at size 2.
func New(tb testing.TB, origin string) *Node {
	tb.Helper()
	return NewWith(tb, Options{Origin: origin})
}

// NewWith returns a log, sealed at size 2. It ends with the test.
func NewWith(tb testing.TB, o Options) *Node {
	tb.Helper()
	if o.Start.IsZero() {
		o.Start = time.Unix(1_795_000_000, 0).UTC()
	}
	n := &Node{
		Origin: o.Origin, tb: tb, now: o.Start, keys: map[Hash]entry.PublicKey{}, stop: func() {},
		Root: testlog.NewKey("root "+o.Origin, false), Registrar: testlog.NewKey("registrar "+o.Origin, false),
	}
	n.makeTrust(max(o.Witnesses, 1))
	store, err := embedded.Open(tb.Context(), embedded.Options{Dir: "store", FS: vfs.NewMem(), MemTableSize: 1 << 20, CacheSize: 8 << 20})
	n.check(err)
	n.Backend = &Backend{Backend: store, published: make(chan struct{}, 1)}
	tb.Cleanup(func() {
		n.stop()
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	if o.Charter == nil {
		o.Charter = testlog.Charter(o.Origin, nil, "open", []*testlog.Key{n.Registrar}, n.Root)
	}
	n.check(sequencer.Init(tb.Context(), n.config(), n.admit(o.Charter)))
	n.run()
	return n
}

// seed derives the bytes of a key from names.
func seed(names ...string) []byte {
	h := sha256.Sum256([]byte("testnode " + strings.Join(names, " ")))
	return h[:]
}

// makeTrust makes the keys of log and witnesses, and the trust file.
func (n *Node) makeTrust(witnesses int) {
	n.tb.Helper()
	skey, vkey, err := note.GenerateKey(strings.NewReader(string(seed("log", n.Origin))), n.Origin)
	n.check(err)
	n.LogKey, err = note.NewSigner(skey)
	n.check(err)
	var names []string
	lines := "log " + vkey + "\n"
	for i := range witnesses {
		name := fmt.Sprintf("w%d", i+1)
		keyName := name + ".example/" + n.Origin
		signer, err := witness.NewEd25519Signer(keyName, ed25519.NewKeyFromSeed(seed(keyName)))
		n.check(err)
		w, err := witness.New(witness.Config{
			Signers: []witness.Signer{signer}, Store: new(witness.MemStore), Now: n.Now,
			Logs: []witness.Log{{Origin: n.Origin, Vkeys: []string{vkey}}},
		})
		n.check(err)
		n.cosigners = append(n.cosigners, signer)
		n.Witnesses, names = append(n.Witnesses, w), append(names, name)
		lines += "witness " + name + " " + w.Vkeys()[0] + "\n"
	}
	n.Trust = lines + "group witnesses all " + strings.Join(names, " ") + "\nquorum witnesses\n"
	n.Policy, err = trust.Parse([]byte(n.Trust))
	n.check(err)
	for i, c := range n.Policy.Cosigners() {
		client, err := cosign.NewClient(cosign.Config{
			URL: "http://witness.invalid", Cosigners: []trust.Cosigner{c}, HTTP: inProcess(n.Witnesses[i]), Now: n.Now,
		})
		n.check(err)
		n.clients = append(n.clients, client)
	}
}

func (n *Node) check(err error) {
	n.tb.Helper()
	if err != nil {
		n.tb.Fatal(err)
	}
}

// Now returns the time of log and witnesses. It is safe for concurrent use.
func (n *Node) Now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// Unix is Now in seconds.
func (n *Node) Unix() uint64 { return uint64(n.Now().Unix()) }

// Advance sets the clock forward. Nothing else happens: see Refresh.
func (n *Node) Advance(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = n.now.Add(d)
}

func (n *Node) config() sequencer.Config {
	return sequencer.Config{
		Origin: n.Origin, Backend: n.Backend, Signers: []note.Signer{n.LogKey}, Policy: n.Policy, Cosign: n.cosign,
		Interval: time.Millisecond, FirstInterval: time.Millisecond, Backlog: 1 << 40, QueueMax: 1 << 15,
		Refresh: time.Hour, Now: n.Now, Log: slog.New(slog.DiscardHandler),
	}
}

// cosign asks all witnesses.
func (n *Node) cosign(ctx context.Context, checkpoint []byte, size uint64) ([]byte, error) {
	r, err := cosign.Gather(ctx, cosign.Request{
		Policy: n.Policy, Clients: n.clients, Checkpoint: checkpoint, Now: n.Now(), Grace: -1,
		Consistency: func(ctx context.Context, from uint64) ([]cosign.Hash, error) {
			return n.Backend.ConsistencyProof(ctx, from, size)
		},
	})
	if err != nil {
		return nil, err
	}
	return r.Checkpoint, r.Quorum
}

// run starts the sequencer and waits until its checkpoint is published.
func (n *Node) run() {
	n.tb.Helper()
	select {
	case <-n.Backend.published: // of the run before
	default:
	}
	s, err := sequencer.Open(n.tb.Context(), n.config())
	n.check(err)
	n.Sequencer, n.Prover = s, prover.New(n.Backend, n.Policy, s.Cache())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) }) // it returns nil
	n.stop = func() {
		cancel()
		running.Wait()
	}
	select {
	case <-n.Backend.published:
	case <-time.After(time.Minute):
		n.tb.Fatalf("nothing was published: %v", s.Err())
	}
}

// Refresh starts the sequencer again: the newest checkpoint is cosigned anew,
// at the present time.
func (n *Node) Refresh() {
	n.tb.Helper()
	n.stop()
	n.run()
}

// Reader returns the options of a reader who has the trust file and the node's
// clock.
func (n *Node) Reader() verify.Options { return verify.Options{Policy: n.Policy, Now: n.Now()} }

// admit verifies an entry under a key that an earlier one has brought.
func (n *Node) admit(e *entry.Entry) *entry.Entry {
	n.tb.Helper()
	a, err := n.tryAdmit(e)
	n.check(err)
	return a
}

func (n *Node) tryAdmit(e *entry.Entry) (*entry.Entry, error) {
	n.learn(e)
	key, ok := n.keys[e.KeyID]
	if !ok {
		return nil, fmt.Errorf("no entry has brought key %x", e.KeyID)
	}
	own := *e // Verify writes to it
	if err := own.Verify(key); err != nil {
		return nil, err
	}
	return &own, nil
}

// learn keeps the keys that an entry brings, whether it is accepted or not.
func (n *Node) learn(e *entry.Entry) {
	for _, k := range e.NewKeys() {
		n.keys[k.ID()] = k
	}
}

// Submit gives entries to the sequencer, all at once, and waits until they are
// published. It fails the test if one is refused.
func (n *Node) Submit(entries ...*entry.Entry) []sequencer.Result {
	n.tb.Helper()
	results, errs := n.Offer(entries...)
	for i, err := range errs {
		if err != nil {
			n.tb.Fatalf("entry %d of %d: %v", i, len(entries), err)
		}
	}
	return results
}

// Offer is Submit for entries that may be refused.
func (n *Node) Offer(entries ...*entry.Entry) ([]sequencer.Result, []error) {
	n.tb.Helper()
	admitted := make([]*entry.Entry, len(entries))
	for i, e := range entries {
		admitted[i] = n.admit(e)
	}
	results, errs := n.Sequencer.SubmitAll(n.tb.Context(), admitted)
	for _, r := range results {
		n.check(n.Sequencer.WaitPublished(n.tb.Context(), r.Sealed))
	}
	return results, errs
}

// Enrol enrols the party of seed with ordinary keys.
func (n *Node) Enrol(seed string, keys int) *testlog.Party {
	n.tb.Helper()
	p := testlog.NewParty(seed, keys)
	n.Submit(p.Enrol(n.Origin, n.Registrar))
	return p
}

// State opens the log at its published checkpoint, until the test ends.
func (n *Node) State() *prover.State {
	n.tb.Helper()
	s, err := n.Prover.Open(n.tb.Context())
	n.check(err)
	return s
}

// Bundle returns the bundle of attestations at the published checkpoint.
func (n *Node) Bundle(ids ...Hash) []byte {
	n.tb.Helper()
	s := n.State()
	defer s.Close()
	b, err := s.Bundle(ids)
	n.check(err)
	return b
}

// Record returns the record of an attestation.
func (n *Node) Record(id Hash) mapfn.AttestationRecord {
	n.tb.Helper()
	s := n.State()
	defer s.Close()
	b, err := s.Map.Record(mapfn.NSAttestation, id[:])
	n.check(err)
	r, err := mapfn.ParseAttestation(b)
	n.check(err)
	return r
}
