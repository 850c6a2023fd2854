package mirror_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/verify"
)

const origin = "log.example/mirrored"

// log is a running log, served as tiles.
type log struct {
	*testnode.Node
	tb    testing.TB
	party *testlog.Party
	next  int // attestation

	mu       sync.Mutex
	requests []string                           // paths; under mu
	change   func(path string, b []byte) []byte // of answers; under mu
}

func newLog(tb testing.TB) *log {
	tb.Helper()
	l := &log{Node: testnode.New(tb, origin), tb: tb}
	l.party = l.Enrol("steward", 1)
	return l
}

// attest submits n attestations, each with a seal of its own.
func (l *log) attest(n int) (ids []mirror.Hash) {
	l.tb.Helper()
	for range n {
		a := testlog.Attest(l.party.Keys[0], testlog.Claims(origin, l.Unix(), 5), testlog.Component(fmt.Sprintf("pkg:npm/left@1.0.%d", l.next)))
		l.Submit(a)
		ids = append(ids, a.ID)
		l.next++
	}
	return ids
}

// rawRecord returns what the map has about an attestation.
func (l *log) rawRecord(id mirror.Hash) []byte {
	l.tb.Helper()
	s := l.State()
	defer s.Close()
	b, err := s.Map.Record(mapfn.NSAttestation, id[:])
	if err != nil {
		l.tb.Fatal(err)
	}
	return b
}

// ServeHTTP serves the tiles and writes down what is asked for.
func (l *log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := tiles.Handler{
		List: tiles.Leaves{Backend: l.Backend, Signed: l.Sequencer.Signed}, Checkpoint: l.Prover.Checkpoint,
		Fail: func(err error) { l.tb.Error(err) },
	}
	l.mu.Lock()
	l.requests = append(l.requests, r.URL.Path)
	change := l.change
	l.mu.Unlock()
	if change == nil {
		h.ServeHTTP(w, r)
		return
	}
	r.Header.Del("Accept-Encoding")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	b := change(r.URL.Path, rec.Body.Bytes())
	if b == nil {
		panic(http.ErrAbortHandler) // cuts the connection
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(b)
}

// asked returns the requests since it was called last.
func (l *log) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.requests
	l.requests = nil
	return r
}

// lie sets what becomes of answers.
func (l *log) lie(f func(path string, b []byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change = f
}

// dial returns a client that gives up soon.
func dial(tb testing.TB, h http.Handler) *client.Client {
	tb.Helper()
	srv := httptest.NewServer(h)
	tb.Cleanup(srv.Close)
	c, err := client.New(srv.URL, client.Config{Attempts: 2, Backoff: time.Nanosecond})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// open opens a copy on fs.
func (l *log) open(fs vfs.FS) *mirror.Mirror {
	l.tb.Helper()
	m, err := mirror.Open(l.tb.Context(), l.config(fs))
	if err != nil {
		l.tb.Fatal(err)
	}
	return m
}

func (l *log) config(fs vfs.FS) mirror.Config {
	return mirror.Config{Dir: "copy", FS: fs, Origin: origin, Policy: l.Policy, Now: l.Now}
}

// standing checks that m proves the attestations as of the log's checkpoint.
func (l *log) standing(m *mirror.Mirror, ids ...mirror.Hash) {
	l.tb.Helper()
	s, err := m.State(l.tb.Context())
	if err != nil {
		l.tb.Fatal(err)
	}
	defer s.Close()
	if want := l.Sequencer.PublishedSize(); s.Size != want {
		l.tb.Errorf("the copy is at size %d, the log at %d", s.Size, want)
	}
	b, err := s.Bundle(ids)
	if err != nil {
		l.tb.Fatal(err)
	}
	r := verify.Bundle(b, l.Reader())
	if r.Err != nil || r.Verdict != verify.Active || len(r.Results) != len(ids) {
		l.tb.Errorf("verdict %v, %v", r.Verdict, r.Err)
	}
}

func close_(tb testing.TB, m *mirror.Mirror) {
	tb.Helper()
	if err := m.Close(); err != nil {
		tb.Fatal(err)
	}
}

var _ mirror.Source = (*client.Client)(nil)

var errCut = errors.New("cut")
