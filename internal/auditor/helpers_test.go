package auditor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
)

const origin = "log.example/audited"

// world is a log, and what an auditor of it keeps.
type world struct {
	*testnode.Node
	t     testing.TB
	party *testlog.Party
	next  int

	dir    string
	fs     vfs.FS
	store  *witness.MemStore
	oracle bool
	ahead  time.Duration // of the auditor's clock

	mu     sync.Mutex
	asked  int                                          // under mu
	tamper func(t tlog.Tile, data []byte) []byte        // under mu; nil data: an error
	shown  func(ctx context.Context) ([]byte, error)    // under mu; the checkpoint
	wait   func(ctx context.Context, t tlog.Tile) error // under mu; before a tile is served
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		Node: testnode.New(t, origin), t: t, dir: t.TempDir(), fs: vfs.NewMem(), store: new(witness.MemStore),
	}
	w.party = w.Enrol("steward", 1)
	return w
}

// attest submits n attestations, each with a seal of its own.
func (w *world) attest(n int) (ids []mirror.Hash) {
	w.t.Helper()
	for range n {
		a := testlog.Attest(w.party.Keys[0], testlog.Claims(origin, w.Unix(), 5), testlog.Component(fmt.Sprintf("pkg:npm/left@1.0.%d", w.next)))
		w.Submit(a)
		ids = append(ids, a.ID)
		w.next++
	}
	return ids
}

// record returns what the map has about an attestation.
func (w *world) record(id mirror.Hash) []byte {
	w.t.Helper()
	s := w.State()
	defer s.Close()
	b, err := s.Map.Record(mapfn.NSAttestation, id[:])
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// Checkpoint and Tile are the log as the auditor sees it.
func (w *world) Checkpoint(ctx context.Context) ([]byte, error) {
	w.mu.Lock()
	w.asked++
	shown := w.shown
	w.mu.Unlock()
	if shown != nil {
		return shown(ctx)
	}
	return w.Client().Checkpoint(ctx)
}

func (w *world) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	w.mu.Lock()
	w.asked++
	tamper, wait := w.tamper, w.wait
	w.mu.Unlock()
	if wait != nil {
		if err := wait(ctx, t); err != nil {
			return nil, err
		}
	}
	data, err := w.Client().Tile(ctx, t)
	if err == nil && tamper != nil {
		if data = tamper(t, data); data == nil {
			err = errors.New("404 not found")
		}
	}
	return data, err
}

// set changes what the log does; under mu.
func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) signer() witness.Signer {
	w.t.Helper()
	seed := sha256.Sum256([]byte("auditor"))
	skey, _, err := witness.GenerateKey(strings.NewReader(string(seed[:])), "auditor.example/a")
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := witness.NewSigner(skey)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// audited is an open auditor, and who asks it.
type audited struct {
	*Auditor
	w      *world
	client *cosign.Client
	set    *metric.Set
}

func (w *world) open(change ...func(*Config)) *audited {
	w.t.Helper()
	set := metric.New(nil)
	cfg := Config{
		Dir: w.dir, FS: w.fs, Store: w.store, Signers: []witness.Signer{w.signer()}, Oracle: w.oracle,
		Logs: []Log{{Origin: origin, Policy: w.Policy, Source: w}},
		Wait: time.Minute, Now: func() time.Time { return w.Now().Add(w.ahead) }, Metrics: NewMetrics(set),
	}
	for _, f := range change {
		f(&cfg)
	}
	a, err := Open(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := trust.ParseCosignerKey(a.Vkeys()[0])
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := cosign.NewClient(cosign.Config{
		URL: "http://auditor.invalid/auditor", Cosigners: []trust.Cosigner{{Name: "auditor", Key: key}}, Now: cfg.Now,
		HTTP: &http.Client{Transport: inProcess{a.Handler()}}, Timeout: time.Minute,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return &audited{a, w, c, set}
}

func (a *audited) close() {
	a.w.t.Helper()
	if err := a.Close(); err != nil {
		a.w.t.Fatal(err)
	}
}

func (a *audited) follower() *follower { return a.logs[origin] }

// signed returns the checkpoint of the first size leaves, by the log alone.
func (w *world) signed(size uint64) []byte {
	w.t.Helper()
	root, err := tlog.TreeHash(int64(size), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			level, n := tlog.SplitStoredHashIndex(x)
			h, err := w.Backend.Hashes(w.t.Context(), uint(level), uint64(n), 1)
			if err != nil {
				return nil, err
			}
			out[i] = tlog.Hash(h[0])
		}
		return out, nil
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Sign(trust.Body{Origin: origin, Size: size, Root: root}, 0, 0)
}

// ask asks the auditor to cosign the first size leaves, as the log does.
func (a *audited) ask(size uint64) error { return a.askFor(a.w.signed(size), size) }

func (a *audited) askFor(note []byte, size uint64) error {
	_, err := a.client.Cosign(a.w.t.Context(), note, func(ctx context.Context, from uint64) ([]cosign.Hash, error) {
		return a.w.Backend.ConsistencyProof(ctx, from, size)
	})
	return err
}

// refused checks that an answer has the status and says the words.
func refused(t *testing.T, err error, code int, words string) {
	t.Helper()
	s, ok := errors.AsType[*cosign.StatusError](err)
	if !ok || s.Code != code || !strings.Contains(s.Body, words) {
		t.Errorf("answered %v, want %d %q", err, code, words)
	}
}

// cosigned returns the size that the auditor has cosigned.
func (a *audited) cosigned() uint64 {
	a.w.t.Helper()
	note, err := a.witness.Latest(a.w.t.Context(), origin)
	if err != nil {
		a.w.t.Fatal(err)
	}
	if note == nil {
		return 0
	}
	text, _, _ := strings.Cut(string(note), "\n\n")
	body, err := trust.ParseBody(text + "\n")
	if err != nil {
		a.w.t.Fatal(err)
	}
	return body.Size
}

type inProcess struct{ h http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.h.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// served is a client of the copy that the auditor serves.
func (a *audited) served() *client.Client {
	a.w.t.Helper()
	c, err := client.New("http://auditor.invalid/mirror/"+origin, client.Config{HTTP: &http.Client{Transport: inProcess{a.Handler()}}, Attempts: 1})
	if err != nil {
		a.w.t.Fatal(err)
	}
	return c
}
