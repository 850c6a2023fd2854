package sequencer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

const testOrigin = "log.example/sequencer"

// rig is a log in memory, and the world around it: a witness that outlives the
// log's store, and every checkpoint that the log has ever signed.
type rig struct {
	testing.TB
	fs     *vfs.MemFS
	signer note.Signer
	vkey   string
	policy *trust.Policy
	client *cosign.Client
	clock  *clock

	registrar *testlog.Key
	party     *testlog.Party

	mu     sync.Mutex
	signed map[uint64]backend.Hash // by size: what the log has signed
}

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newRig returns a log of two leaves on a store that no one has open.
func newRig(tb testing.TB) *rig {
	tb.Helper()
	r := &rig{
		TB: tb, fs: vfs.NewCrashableMem(), signed: map[uint64]backend.Hash{},
		clock: &clock{now: time.Unix(1_795_000_000, 0)}, registrar: testlog.NewKey("registrar", false),
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, testOrigin)
	r.must(err)
	inner, err := note.NewSigner(skey)
	r.must(err)
	r.signer, r.vkey = recorder{inner, r}, vkey
	r.meetWitness(new(witness.MemStore))
	b := r.store(r.fs)
	r.found(b)
	r.must(b.Close())
	return r
}

// found writes the charter and its seal into an empty store.
func (r *rig) found(b backend.Backend) {
	r.Helper()
	root := testlog.NewKey("root", false)
	charter := r.verified(testlog.Charter(testOrigin, nil, "open", []*testlog.Key{r.registrar}, root), root)
	r.must(Init(r.Context(), r.config(b), charter))
}

// meetWitness makes the witness that keeps its memory in store the log's only
// one.
func (r *rig) meetWitness(store witness.Store) {
	r.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	ws, err := witness.NewEd25519Signer("witness.example/w", key)
	r.must(err)
	w, err := witness.New(witness.Config{
		Signers: []witness.Signer{ws}, Store: store, Now: r.clock.Now,
		Logs: []witness.Log{{Origin: testOrigin, Vkeys: []string{r.vkey}}},
	})
	r.must(err)
	r.policy, err = trust.Parse(fmt.Appendf(nil, "log %s\nwitness w %s\nquorum w\n", r.vkey, w.Vkeys()[0]))
	r.must(err)
	r.client, err = cosign.NewClient(cosign.Config{
		URL: "http://witness.invalid", Cosigners: r.policy.Cosigners(), Now: r.clock.Now,
		HTTP: &http.Client{Transport: roundTripper(func(q *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, q)
			return rec.Result(), nil
		})},
	})
	r.must(err)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// recorder writes down what is signed, and fails the test if two roots are
// signed at one size.
type recorder struct {
	note.Signer
	r *rig
}

func (s recorder) Sign(text []byte) ([]byte, error) {
	body, err := trust.ParseBody(string(text))
	if err != nil {
		return nil, err
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if old, ok := s.r.signed[body.Size]; ok && old != body.Root {
		s.r.Errorf("two roots signed at size %d: %x and %x", body.Size, old, body.Root)
	}
	s.r.signed[body.Size] = body.Root
	return s.Signer.Sign(text)
}

// largest returns the largest size signed.
func (r *rig) largest() (size uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range r.signed {
		size = max(size, n)
	}
	return size
}

func (r *rig) must(err error) {
	if err != nil {
		r.Helper()
		r.Fatal(err)
	}
}

// store opens the store on fs; whoever opens it closes it.
func (r *rig) store(fs vfs.FS) *embedded.Store {
	r.Helper()
	b, err := embedded.Open(r.Context(), embedded.Options{Dir: "store", FS: fs, MemTableSize: 64 << 10, CacheSize: 1 << 20})
	r.must(err)
	return b
}

func (r *rig) config(b backend.Backend) Config {
	return Config{
		Origin: testOrigin, Backend: b, Signers: []note.Signer{r.signer}, Policy: r.policy,
		Cosign:   func(ctx context.Context, cp []byte, size uint64) ([]byte, error) { return r.cosign(ctx, b, cp, size) },
		Interval: time.Millisecond, FirstInterval: time.Millisecond, Retry: time.Millisecond, Refresh: time.Hour,
		Now: r.clock.Now, Log: slog.New(slog.DiscardHandler),
	}
}

// cosign asks the witness, and says what a node does if it is ahead.
func (r *rig) cosign(ctx context.Context, b backend.Backend, cp []byte, size uint64) ([]byte, error) {
	got, err := cosign.Gather(ctx, cosign.Request{
		Policy: r.policy, Clients: []*cosign.Client{r.client}, Checkpoint: cp, Now: r.clock.Now(), Grace: -1,
		Consistency: func(ctx context.Context, from uint64) ([]cosign.Hash, error) {
			return b.ConsistencyProof(ctx, from, size)
		},
	})
	if err != nil {
		return nil, err
	}
	for _, f := range got.Failures {
		if _, ahead := errors.AsType[*cosign.AheadError](f.Err); ahead || errors.Is(f.Err, cosign.ErrConflict) {
			return nil, fmt.Errorf("%w: %w", ErrRestored, f.Err)
		}
	}
	return got.Checkpoint, got.Quorum
}

// running is a sequencer that runs.
type running struct {
	*Sequencer
	*rig
	b      backend.Backend
	cancel func()
	stop   func() // cancel and wait; may be called twice
}

// run opens a sequencer on b and runs it until the test, or stop, ends it.
// change, unless nil, changes its configuration.
func (r *rig) run(b backend.Backend, change func(*Config)) *running {
	r.Helper()
	cfg := r.config(b)
	if change != nil {
		change(&cfg)
	}
	s, err := Open(r.Context(), cfg)
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) }) // it returns nil
	out := &running{Sequencer: s, rig: r, b: b, cancel: cancel, stop: func() { cancel(); wg.Wait() }}
	r.Cleanup(out.stop)
	return out
}

// start is a new rig that runs, with a party enrolled.
func start(tb testing.TB, change func(*Config)) *running {
	tb.Helper()
	r := newRig(tb)
	b := r.store(r.fs)
	tb.Cleanup(func() { r.must(b.Close()) })
	s := r.run(b, change)
	s.enrol()
	return s
}

// enrol enrols the party that signs what tests submit.
func (s *running) enrol() {
	s.Helper()
	s.party = testlog.NewParty("steward", 2)
	s.submit(s.verified(s.party.Enrol(testOrigin, s.registrar), s.registrar))
}

// verified is what admission makes of an entry by the key.
func (r *rig) verified(e *entry.Entry, by *testlog.Key) *entry.Entry {
	r.Helper()
	r.must(e.Verify(by.Public()))
	return e
}

// attest returns the n-th attestation of the party.
func (r *rig) attest(n int) *entry.Entry {
	r.Helper()
	k := r.party.Keys[0]
	a := testlog.Claims(testOrigin, uint64(r.clock.Now().Unix()), 5)
	return r.verified(testlog.Attest(k, a, testlog.Component(fmt.Sprintf("pkg:npm/left@1.0.%d", n))), k)
}

// revoke returns the revocation of targets by the party.
func (r *rig) revoke(targets ...*entry.Entry) *entry.Entry {
	r.Helper()
	k := r.party.Keys[0]
	ids := make([]Hash, len(targets))
	for i, e := range targets {
		ids[i] = e.ID
	}
	return r.verified(testlog.Revoke(testOrigin, 0, k, ids...), k)
}

// submit submits entries that must be accepted.
func (s *running) submit(entries ...*entry.Entry) []Result {
	s.Helper()
	results, errs := s.SubmitAll(s.Context(), entries)
	for i, err := range errs {
		if err != nil {
			s.Fatalf("entry %d: %v", i, err)
		}
	}
	return results
}

// refused submits one entry that must be refused with code.
func (s *running) refused(e *entry.Entry, code reason.Code) error {
	s.Helper()
	_, err := s.Submit(s.Context(), e)
	if got := reason.CodeOf(err); got != code {
		s.Fatalf("refused with %q (%v), should be with %q", got, err, code)
	}
	return err
}

// leaves reads every leaf of b.
func leaves(tb testing.TB, b backend.Backend) (out [][]byte) {
	tb.Helper()
	root, err := b.Root(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	for uint64(len(out)) < root.Size {
		got, err := b.Leaves(tb.Context(), uint64(len(out)), root.Size)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, got...)
	}
	return out
}

// halted waits until the writer has stopped and returns why.
func (s *running) halted() error {
	s.Helper()
	for {
		if err := s.Err(); err != nil {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-s.Context().Done():
			s.Fatal("the writer goes on")
		}
	}
}

// open opens a sequencer whose turns the test takes.
func (r *rig) open(b backend.Backend) *Sequencer {
	r.Helper()
	s, err := Open(r.Context(), r.config(b))
	r.must(err)
	return s
}

// takes takes one turn with entries that must all be accepted.
func (r *rig) takes(s *Sequencer, entries ...*entry.Entry) []Result {
	r.Helper()
	batch := itemsOf(entries)
	r.must(s.turn(r.Context(), batch))
	results := make([]Result, len(batch))
	for n, i := range batch {
		r.must(i.err)
		results[n] = i.res
	}
	return results
}

func itemsOf(entries []*entry.Entry) []*item {
	batch := make([]*item, len(entries))
	for n, e := range entries {
		batch[n] = &item{Entry: e, done: make(chan struct{})}
	}
	return batch
}

// replay gives the leaves to altreader, which computes every seal again.
func (s *running) replay() { s.Helper(); replay(s, s.b) }

func replay(tb testing.TB, b backend.Backend) {
	tb.Helper()
	o := altreader.New(testOrigin)
	sealed := false
	for n, leaf := range leaves(tb, b) {
		out, err := o.Add(leaf)
		if err != nil || out.Ignored || out.Stray {
			tb.Fatalf("leaf %d: %+v, %v: %.300q", n, out, err, leaf)
		}
		sealed = out.Live
	}
	if !sealed {
		tb.Fatal("the last leaf is not a seal")
	}
}

// faulty is a backend with faults. Its functions may be nil.
type faulty struct {
	backend.Backend
	swap func(key []byte) error
	// append changes what is appended; its error comes instead of it.
	append func(leaves [][]byte, side []backend.Write) error
	// appended changes the answer, once it is there.
	appended func(root *backend.Root) error
	leaves   func(leaves [][]byte)
}

func (f *faulty) Swap(ctx context.Context, key, old, new []byte) error {
	if f.swap != nil {
		if err := f.swap(key); err != nil {
			return err
		}
	}
	return f.Backend.Swap(ctx, key, old, new)
}

func (f *faulty) Append(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
	own := make([][]byte, len(leaves))
	for i := range leaves {
		own[i] = bytes.Clone(leaves[i])
	}
	side = slices.Clone(side)
	if f.append != nil {
		if err := f.append(own, side); err != nil {
			return backend.Root{}, err
		}
	}
	root, err := f.Backend.Append(ctx, first, own, side)
	if err == nil && f.appended != nil {
		err = f.appended(&root)
	}
	return root, err
}

func (f *faulty) Leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	got, err := f.Backend.Leaves(ctx, first, n)
	if err == nil && f.leaves != nil {
		f.leaves(got)
	}
	return got, err
}
