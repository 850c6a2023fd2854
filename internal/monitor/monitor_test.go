package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/monitor"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/mapfn"
)

// TestBegin: nothing begins by itself, and nothing begins twice.
func TestBegin(t *testing.T) {
	s := newScene(t)
	open := func() error { _, err := monitor.Open(s.cfg); return err }
	if err := open(); !errors.Is(err, monitor.ErrNotBegun) {
		t.Fatal(err)
	}
	s.begin(watch.BeginAll)
	if err := monitor.Begin(s.cfg, watch.BeginNow); !errors.Is(err, monitor.ErrBegun) {
		t.Error(err)
	}
	s.expect("charter-changed")
	// Another receiver begins on purpose; the first goes on.
	second := &inbox{}
	s.cfg.Receivers = append(s.cfg.Receivers, monitor.Receiver{Name: "second", Receiver: second})
	if err := open(); !errors.Is(err, monitor.ErrNotBegun) || !strings.Contains(err.Error(), "second") {
		t.Error(err)
	}
	s.begin(watch.BeginAll)
	s.expect("")
	if got := second.take(); got != "charter-changed" {
		t.Error(got)
	}
	// Of another interest.
	other := s.cfg
	var err error
	if other.Interest, err = watch.NewInterest(watch.Interests{Subjects: []string{"pkg:npm/a"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := monitor.Open(other); !errors.Is(err, monitor.ErrOtherInterest) {
		t.Error(err)
	}
	if err := monitor.Begin(other, watch.BeginAll); !errors.Is(err, monitor.ErrOtherInterest) {
		t.Error(err)
	}
	if err := monitor.Change(other); err != nil {
		t.Error(err)
	}
	if _, err := monitor.Open(other); err != nil {
		t.Error(err)
	}
	// Torn by somebody else: never replaced.
	if err := os.WriteFile(s.cfg.State, []byte(`{"version": 2, "int`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{open(), monitor.Begin(s.cfg, watch.BeginAll), monitor.Replay(s.cfg, "", 0)} {
		if !errors.Is(err, watch.ErrState) {
			t.Error(err)
		}
	}
}

// TestReceivers: one that fails keeps nothing from the others, and is told all of
// it later.
func TestReceivers(t *testing.T) {
	s := newScene(t)
	broken := &inbox{fail: errors.New("no room")}
	s.cfg.Receivers = append(s.cfg.Receivers, monitor.Receiver{Name: "broken", Receiver: broken})
	s.begin(watch.BeginAll)
	p := s.Enrol("steward", 1)
	for i := range 3 {
		if got, err := s.look(); err == nil || !strings.Contains(err.Error(), "broken was not told all: no room") || i == 0 && got != "charter-changed party-enrolled" || i > 0 && got != "issued" {
			t.Errorf("look %d: told %q; %v", i, got, err)
		}
		attest(s.Node, p, fmt.Sprintf("pkg:npm/a@1.0.%d", i))
	}
	broken.fail = nil
	s.expect("issued")
	if got := broken.take(); got != "charter-changed party-enrolled issued issued issued" {
		t.Error(got)
	}
}

// TestReplay tells again what was told, once; also if that is asked for while the
// monitor runs, and while it is telling.
func TestReplay(t *testing.T) {
	s := newScene(t)
	s.begin(watch.BeginAll)
	s.Enrol("steward", 1)
	if err := monitor.Replay(s.cfg, "", 0); !errors.Is(err, watch.ErrReplay) {
		t.Errorf("before it has begun: %v", err)
	}
	s.expect("charter-changed party-enrolled")
	for from, want := range map[uint64]string{0: "charter-changed party-enrolled", 1: "party-enrolled", 4: ""} {
		if err := monitor.Replay(s.cfg, "inbox", from); err != nil {
			t.Error(err)
		}
		s.expect(want)
		s.expect("")
	}
	for name, from := range map[string]uint64{"": 5, "nobody": 0} {
		if err := monitor.Replay(s.cfg, name, from); !errors.Is(err, watch.ErrReplay) {
			t.Errorf("%q from %d: %v", name, from, err)
		}
	}
	again := 3
	s.cfg.Receivers[0].Receiver = asking(func() {
		if again--; again > 0 {
			if err := monitor.Replay(s.cfg, "inbox", 2); err != nil {
				t.Error(err)
			}
		}
	})
	m := s.open()
	if err := monitor.Replay(s.cfg, "", 2); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if r := m.Once(t.Context()); r[0].Err() != nil {
			t.Error(r[0].Err())
		}
	}
	if again != 0 {
		t.Errorf("%d more asked for and not told", again)
	}
}

// asking is a receiver that does something while it is told.
type asking func()

func (f asking) Deliver(context.Context, *watch.Event) error { f(); return nil }
func (f asking) Flush() error                                { return nil }

// TestLogs: a log that fails, or lies from the beginning, keeps nothing from the
// other; and a log that is new in the trust file begins on purpose, while the one
// before goes on where it was.
func TestLogs(t *testing.T) {
	s := newScene(t)
	s.begin(watch.BeginNow)
	s.expect("")
	const next = "log.example/next"
	n := testnode.NewWith(t, testnode.Options{Origin: next, Witnesses: 1, Start: s.Now()})
	s.cfg.Policy = withURLs(t, s.Trust[:strings.Index(s.Trust, "group ")]+strings.ReplaceAll(n.Trust[:strings.Index(n.Trust, "group ")], "witness w1", "witness x1")+"group g any w1 w2 x1\nquorum g\n")
	s.cfg.Logs = append(s.cfg.Logs, monitor.Log{Origin: next, Source: n.Client(), Dir: "next", FS: s.cfg.Logs[0].FS})
	s.cfg.HTTP = nil
	s.witness = nil
	if _, err := monitor.Open(s.cfg); !errors.Is(err, monitor.ErrNotBegun) || !strings.Contains(err.Error(), next) {
		t.Fatal(err)
	}
	p := s.Enrol("steward", 1) // meanwhile
	s.begin(watch.BeginAll)
	s.cfg.Policy = withoutURLs(t, s.cfg.Policy)
	got, err := s.look()
	if words := strings.Fields(got); err != nil || len(words) != 2 || !slices.Contains(words, "party-enrolled") || !slices.Contains(words, "charter-changed") {
		t.Errorf("told %q; %v", got, err)
	}
	s.cfg.Logs[1].Source = failing{errors.New("no route")}
	attest(s.Node, p, "pkg:npm/a@1.0.0")
	if got, err := s.look(); got != "issued" || err == nil || !strings.Contains(err.Error(), next+": no route") {
		t.Errorf("told %q; %v", got, err)
	}
}

// TestIncidentTwoHeads is TrustAsia 2021: a log signs two trees that exclude each
// other. Both are kept, and the receivers are told, once.
func TestIncidentTwoHeads(t *testing.T) {
	s := newScene(t)
	p := s.Enrol("steward", 1)
	attest(s.Node, p, "pkg:npm/a@1.0.0")
	s.begin(watch.BeginNow)
	s.expect("")
	s.witness = nil
	s.cfg.Policy = withoutURLs(t, s.cfg.Policy)
	s.source.Source = s.fork(7).Client()
	for _, want := range []string{"split-view", ""} {
		got, err := s.look()
		e, ok := errors.AsType[*mirror.EvidenceError](err)
		if got != want || !ok || e.Kind != mirror.SplitView {
			t.Errorf("told %q, want %q; %v", got, want, err)
		}
		s.excluding()
	}
	// And when it shows the first one again.
	s.source.Source = s.Client()
	s.expect("consistent")
}

// TestIncidentCache is TrustAsia log2026: a cache before the log serves what is
// old, cut, or of something else. That is no evidence, and not said to be; it is
// not taken for quiet either.
func TestIncidentCache(t *testing.T) {
	s := newScene(t)
	p := s.Enrol("steward", 1)
	attest(s.Node, p, "pkg:npm/a@1.0.0")
	old, err := s.source.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	attest(s.Node, p, "pkg:npm/b@1.0.0")
	s.begin(watch.BeginNow)
	s.expect("")
	s.cfg.Policy, s.cfg.Daily = withoutURLs(t, s.cfg.Policy), false
	right := s.source.Source
	for _, step := range []struct {
		after  time.Duration
		source mirror.Source
		told   string
		wrong  bool
	}{
		{0, behind{right, old}, "", true},
		{time.Minute, right, "", false},
		{0, behind{right, old}, "", true},
		{59 * time.Minute, behind{right, old}, "", true},
		{time.Minute, behind{right, old}, "rollback", true},
		{time.Minute, right, "consistent", false},
		{0, behind{right, []byte("<html>")}, "", true},
		{0, behind{right, nil}, "", true},
		{24 * time.Hour, behind{right, nil}, "stale", true},
		{0, behind{right, old}, "", true},
	} {
		s.Advance(step.after)
		s.source.Source = step.source
		got, err := s.look()
		if got != step.told || (err != nil) != step.wrong {
			t.Errorf("%+v: told %q; %v", step, got, err)
		}
	}
	// Tiles of something else, of a tree that has grown.
	s.source.Source = right
	attest(s.Node, p, "pkg:npm/c@1.0.0")
	now, err := right.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.source.Source = behind{s.fork(9).Client(), now}
	if got, err := s.look(); strings.Contains(got, "split") || strings.Contains(got, "false") || !errors.Is(err, mirror.ErrTiles) {
		t.Errorf("told %q; %v", got, err)
	}
}

// TestFalseSeal shows a revoked attestation as active, for one seal: that is told
// before anything else, with the evidence, and again each day as what stands.
func TestFalseSeal(t *testing.T) {
	s := newScene(t)
	p := s.Enrol("steward", 1)
	a := testlog.Attest(p.Keys[0], testlog.Claims(origin, s.Unix(), 1), testlog.Component("pkg:npm/a@1.0.0"))
	s.Submit(a)
	record := s.record(a.ID)
	s.begin(watch.BeginNow)
	s.expect("")
	s.Submit(testlog.Revoke(origin, 0, p.Keys[0], a.ID))
	s.Tamper(mapfn.Change{NS: mapfn.NSAttestation, Data: a.ID[:], Record: record}) // k+1
	attest(s.Node, p, "pkg:npm/b@1.0.0")
	s.cfg.Policy = withoutURLs(t, s.cfg.Policy)
	got, err := s.look()
	e, ok := errors.AsType[*mirror.EvidenceError](err)
	if !ok || e.Kind != mirror.FalseSeal || !strings.HasPrefix(got, "false-seal") {
		t.Fatalf("told %q; %v", got, err)
	}
	s.confirmed(evidence.KindFalseSeal)
	s.Advance(25 * time.Hour)
	s.Refresh()
	if got, _ := s.look(); !strings.Contains(got, "not-quiet") || strings.Contains(got, "all-quiet") {
		t.Errorf("told %q", got)
	}
}

// record returns the bytes of the record of an attestation.
func (s *scene) record(id testnode.Hash) []byte {
	s.t.Helper()
	st := s.State()
	defer st.Close()
	b, err := st.Map.Record(mapfn.NSAttestation, id[:])
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.Clone(b)
}

// TestEnd: told to end while something is on its way, it ends, and tells that
// again.
func TestEnd(t *testing.T) {
	s := newScene(t)
	s.begin(watch.BeginAll)
	s.cfg.Interval = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	s.cfg.Receivers[0].Receiver = hanging(cancel)
	if err := s.open().Run(ctx); err != nil {
		t.Error(err)
	}
	s.cfg.Receivers[0].Receiver = s.got
	s.expect("charter-changed")
}

// hanging is a receiver that never answers, and calls what it is when asked.
type hanging func()

func (h hanging) Deliver(ctx context.Context, _ *watch.Event) error {
	h()
	<-ctx.Done()
	return ctx.Err()
}

func (h hanging) Flush() error { return nil }

// TestRun looks again and again; where a copy is damaged, the others go on.
func TestRun(t *testing.T) {
	s := newScene(t)
	s.begin(watch.BeginAll)
	s.cfg.Interval = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks := 0
	s.cfg.Looked = func(r monitor.Result) {
		if r.Err() != nil || r.Size != 2 {
			t.Errorf("%+v", r)
		}
		if looks++; looks == 3 {
			cancel()
		}
	}
	if err := s.open().Run(ctx); err != nil || looks != 3 {
		t.Errorf("%d looks: %v", looks, err)
	}
	if got := s.got.take(); got != "charter-changed" {
		t.Error(got)
	}
	// The copy has lost a file.
	fs := s.cfg.Logs[0].FS
	names, err := fs.List("copy")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "MANIFEST") {
			if err := fs.Remove("copy/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.cfg.Looked = nil
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.open().Run(ctx); !errors.Is(err, mirror.ErrDamaged) {
		t.Errorf("a copy without a file: %v", err)
	}
}
