package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/trust"
)

const origin = "log.example/monitored"

// scene is a log with two witnesses, and a monitor of all of it.
type scene struct {
	*testnode.Node
	t   *testing.T
	cfg monitor.Config
	// source is where the log is read; witness answers for w1, w2.
	source  *source
	witness map[string]http.Handler
	got     *inbox
}

// source is a log that can be exchanged.
type source struct{ mirror.Source }

// inbox is a receiver.
type inbox struct {
	mu     sync.Mutex
	events []watch.Event
	fail   error
}

func (i *inbox) Deliver(_ context.Context, e *watch.Event) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail != nil {
		return i.fail
	}
	i.events = append(i.events, *e)
	return nil
}

func (i *inbox) Flush() error { return nil }

// take returns the kinds of what came since it was called last.
func (i *inbox) take() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []string
	for _, e := range i.events {
		out = append(out, string(e.Kind))
	}
	i.events = nil
	return strings.Join(out, " ")
}

func newScene(t *testing.T) *scene {
	n := testnode.NewWith(t, testnode.Options{Origin: origin, Witnesses: 2})
	s := &scene{Node: n, t: t, source: &source{n.Client()}, got: &inbox{}, witness: map[string]http.Handler{}}
	for i, w := range n.Witnesses {
		s.witness[fmt.Sprintf("w%d.invalid", i+1)] = http.StripPrefix("/prefix", w)
	}
	interest, err := watch.NewInterest(watch.Interests{All: true})
	if err != nil {
		t.Fatal(err)
	}
	s.cfg = monitor.Config{
		Policy: withURLs(t, n.Trust), Interest: interest, Receivers: []monitor.Receiver{{Name: "inbox", Receiver: s.got}},
		Logs:  []monitor.Log{{Origin: origin, Source: s.source, Dir: "copy", FS: vfs.NewMem()}},
		State: filepath.Join(t.TempDir(), "state"), MaxAge: 24 * time.Hour, Daily: true, Now: n.Now,
		HTTP: &http.Client{Transport: s},
	}
	return s
}

// withURLs gives each witness of a trust file an address.
func withURLs(t *testing.T, text string) *trust.Policy {
	t.Helper()
	text = regexp.MustCompile(`(?m)^(witness (\w+) .*)$`).ReplaceAllString(text, "$1 http://$2.invalid/prefix/")
	p, err := trust.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// RoundTrip answers for the witnesses.
func (s *scene) RoundTrip(r *http.Request) (*http.Response, error) {
	h := s.witness[r.URL.Host]
	if h == nil {
		return nil, errors.New("no route to " + r.URL.Host)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func (s *scene) begin(where string) {
	s.t.Helper()
	if err := monitor.Begin(s.cfg, where); err != nil {
		s.t.Fatal(err)
	}
}

// open opens the monitor as a new process does.
func (s *scene) open() *monitor.Monitor {
	s.t.Helper()
	m, err := monitor.Open(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// look looks once, as a new process, and returns what came and what went wrong.
func (s *scene) look() (string, error) {
	s.t.Helper()
	var errs []error
	for _, r := range s.open().Once(s.t.Context()) {
		errs = append(errs, r.Err())
	}
	return s.got.take(), errors.Join(errs...)
}

// expect looks, and wants these kinds.
func (s *scene) expect(want string) {
	s.t.Helper()
	if got, err := s.look(); got != want || err != nil {
		s.t.Errorf("told %q, want %q; %v", got, want, err)
	}
}

// attest adds an attestation about a component to a log.
func attest(n *testnode.Node, p *testlog.Party, purl string) {
	n.Submit(testlog.Attest(p.Keys[0], testlog.Claims(origin, n.Unix(), 1), testlog.Component(purl)))
}

// kept returns the files of evidence.
func (s *scene) kept() (names []string) {
	s.t.Helper()
	list, err := os.ReadDir(monitor.EvidenceDir(s.cfg.State))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// keptCheckpoints returns the checkpoints that were kept, each signed by the log.
func (s *scene) keptCheckpoints() (out []*trust.Checkpoint) {
	s.t.Helper()
	for _, name := range s.kept() {
		if !strings.HasSuffix(name, ".checkpoint") {
			continue
		}
		note, err := os.ReadFile(filepath.Join(monitor.EvidenceDir(s.cfg.State), name))
		if err != nil {
			s.t.Fatal(err)
		}
		cp, err := s.cfg.Policy.OpenLogSigned(note)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, cp)
	}
	slices.SortFunc(out, func(a, b *trust.Checkpoint) int { return int(a.Size) - int(b.Size) })
	return out
}

// failing is a log that fails.
type failing struct{ err error }

func (f failing) Checkpoint(context.Context) ([]byte, error)      { return nil, f.err }
func (f failing) Tile(context.Context, tlog.Tile) ([]byte, error) { return nil, f.err }

// withoutURLs is a policy whose witnesses are not asked.
func withoutURLs(t *testing.T, p *trust.Policy) *trust.Policy {
	t.Helper()
	p, err := trust.Parse([]byte(regexp.MustCompile(`(?m) http://\S+$`).ReplaceAllString(p.String(), "")))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
