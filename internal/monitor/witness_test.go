package monitor_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/trust"
)

// static answers with a checkpoint, as a witness that holds it.
func static(note []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != fmt.Sprintf("/prefix/%x/checkpoint", sha256.Sum256([]byte(origin))) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(note)
	})
}

// TestWitnesses: what honest witnesses hold, behind the log or ahead of it, is no
// event.
func TestWitnesses(t *testing.T) {
	s := newScene(t)
	old := s.latest(0)
	p := s.Enrol("steward", 1)
	attest(s.Node, p, "pkg:npm/a@1.0.0")
	s.begin(watch.BeginNow)
	s.expect("")
	s.witness["w1.invalid"] = static(old)
	s.expect("")
	// The log that is read is behind, and shows tiles of the larger tree.
	published, err := s.source.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	attest(s.Node, p, "pkg:npm/b@1.0.0")
	s.source.Source = behind{s.source.Source, published}
	s.expect("")
	s.Advance(2 * time.Hour)
	s.expect("")
}

// latest is what a witness holds.
func (s *scene) latest(i int) []byte {
	s.t.Helper()
	note, err := s.Witnesses[i].Latest(s.t.Context(), origin)
	if err != nil || note == nil {
		s.t.Fatal(err)
	}
	return note
}

// behind is a log that serves an old checkpoint.
type behind struct {
	mirror.Source
	note []byte
}

func (b behind) Checkpoint(context.Context) ([]byte, error) { return b.note, nil }

// TestSilent: a witness that is away for a while is nobody's matter; one that
// stays away, or shows what is none of its checkpoints, is told of once, and when
// it is back.
func TestSilent(t *testing.T) {
	s := newScene(t)
	s.begin(watch.BeginNow)
	s.expect("")
	w1 := s.witness["w1.invalid"]
	other := testnode.New(t, "log.example/other")
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	body := func() trust.Body { st := s.State(); defer st.Close(); return st.Body }()
	for name, h := range map[string]http.Handler{
		"away": nil, "not found": status(404), "elsewhere": http.RedirectHandler("http://w2.invalid/prefix/", http.StatusFound),
		"nothing": static(nil), "text": static([]byte("hello\n")), "another log": static(other.Sign(trust.Body{Origin: "log.example/other", Size: 2}, 1, 1)),
		"large": static([]byte(strings.Repeat("x", trust.MaxCheckpoint+1))), "of the log alone": static(s.Sign(body, 0, 0)),
		"cosigned long ago": static(s.Sign(body, 1, s.Now().Unix()-86401)),
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.witness["w1.invalid"] = h
			s.expect("")
			s.Advance(59 * time.Minute)
			s.expect("")
			s.Advance(time.Minute)
			s.expect("witness-silent")
			s.expect("")
			s.witness["w1.invalid"] = w1
			s.Refresh() // what it shows is new
			s.expect("witness-heard")
			s.cfg.Daily = false
		})
	}
}

// fork returns a log of the same name and keys, with another history, behind the
// same seal of index 1.
func (s *scene) fork(entries int) *testnode.Node {
	s.t.Helper()
	n := testnode.NewWith(s.t, testnode.Options{Origin: origin, Witnesses: 2, Start: s.Now()})
	p := n.Enrol("another", 1)
	for i := range entries {
		attest(n, p, fmt.Sprintf("pkg:npm/fork@1.0.%d", i))
	}
	return n
}

// TestSplitView: log and witnesses show one history here and another one there,
// with a quorum each. The monitor finds it at one of the witnesses, and keeps both
// checkpoints: they are signed by the log, and exclude each other.
func TestSplitView(t *testing.T) {
	for name, entries := range map[string]int{"smaller": 0, "same size": 1, "larger": 5} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			p := s.Enrol("steward", 1)
			attest(s.Node, p, "pkg:npm/a@1.0.0")
			s.begin(watch.BeginNow)
			s.expect("")
			other := s.fork(entries)
			s.witness["w2.invalid"] = http.StripPrefix("/prefix", other.Witnesses[1])
			if name == "larger" {
				// The log keeps from us what would prove it, for a while.
				s.expect("")
				s.Advance(time.Hour)
				s.expect("witness-unproven")
				for i := range 5 {
					attest(s.Node, p, fmt.Sprintf("pkg:npm/a@1.1.%d", i))
				}
			}
			got, err := s.look()
			if !strings.Contains(got, "split-view") {
				t.Fatalf("told %q; %v", got, err)
			}
			e, ok := errors.AsType[*mirror.EvidenceError](err)
			if !ok || e.Kind != mirror.SplitView {
				t.Errorf("error %v", err)
			}
			s.excluding()
			// Told once, kept once; the rest of the log is told on.
			attest(s.Node, p, "pkg:npm/b@1.0.0")
			if got, _ := s.look(); got != "issued" {
				t.Errorf("then told %q", got)
			}
		})
	}
}

// excluding checks that what was kept are two checkpoints that the log has
// signed, and the file that proves that they exclude each other.
func (s *scene) excluding() {
	s.t.Helper()
	if n := len(s.keptCheckpoints()); n != 2 || len(s.kept()) != 3 {
		s.t.Fatalf("kept %v", s.kept())
	}
	s.confirmed(evidence.KindSplitView)
}

// confirmed checks that a file was kept that proves what the log did.
func (s *scene) confirmed(want evidence.Kind) {
	s.t.Helper()
	for _, name := range s.kept() {
		if !strings.HasSuffix(name, ".evidence.json") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(monitor.EvidenceDir(s.cfg.State), name))
		if err != nil {
			s.t.Fatal(err)
		}
		e, err := evidence.Parse(data)
		if err != nil {
			s.t.Fatal(err)
		}
		if finding, err := e.Verify(s.cfg.Policy, s.Now()); err != nil || finding.Kind != want {
			s.t.Errorf("%s: %+v, %v", name, finding, err)
		}
		return
	}
	s.t.Errorf("no evidence file of %s in %v", want, s.kept())
}
