package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/entry"
)

const origin = "log.example/watched"

// scene is a log, its copy, and a watcher of two components.
type scene struct {
	*testnode.Node
	t      *testing.T
	copy   *mirror.Mirror
	cursor watch.Cursor
	all    []watch.Event // delivered
}

var components = []sbom.Component{
	{PURL: "pkg:npm/left@1.0.0"},
	{PURL: "pkg:npm/right@2.0.0"},
	{Name: "only a name"},
}

func newScene(t *testing.T) *scene {
	n := testnode.New(t, origin)
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: "copy", FS: vfs.NewMem(), Origin: origin, Policy: n.Policy, Now: n.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return &scene{Node: n, t: t, copy: m}
}

// log syncs and returns the copy as it is then.
func (s *scene) log(evidence error) *watch.Log {
	s.t.Helper()
	if err := s.copy.Sync(s.t.Context(), s.Client(), nil); err != nil {
		s.t.Fatal(err)
	}
	st, err := s.copy.State(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(st.Close)
	cp, err := s.Policy.Open(st.Checkpoint, s.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return &watch.Log{Copy: s.copy, State: st, AsOf: cp.Time, Evidence: evidence}
}

func (s *scene) watcher() *watch.Watcher {
	return &watch.Watcher{Interest: check.NewInterest(components), Now: s.Now(), MaxAge: 24 * time.Hour}
}

// round returns what is told, as "kind severity number-of-attestations".
func (s *scene) round(evidence error) (out []string) {
	s.t.Helper()
	err := s.watcher().Round(s.t.Context(), s.log(evidence), &s.cursor, func(e watch.Event) error {
		s.all = append(s.all, e)
		out = append(out, fmt.Sprintf("%s %s %d", e.Kind, e.Severity, len(e.Attestations)))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// quiet lets time pass, with a checkpoint cosigned anew.
func (s *scene) later(d time.Duration) {
	s.Advance(d)
	s.Refresh()
}

func ptr(n uint64) *uint64 { return &n }

// TestRounds tells of each thing that happens, once, and of nothing that
// happens to others. Then everything is told again, to somebody who fails now
// and then: nothing is missing.
func TestRounds(t *testing.T) {
	s := newScene(t)
	p, q := s.Enrol("steward", 3), s.Enrol("other", 2)
	s.cursor = watch.Begin(s.log(nil), s.Now(), false)
	attest := func(by *testlog.Key, purl string, change func(*entry.Attestation)) *entry.Entry {
		a := testlog.Claims(origin, s.Unix(), 5)
		if change != nil {
			change(a)
		}
		return testlog.Attest(by, a, testlog.Component(purl))
	}
	rules := testlog.Publish(p.Keys[0], testlog.Rules(origin))
	left := attest(p.Keys[0], "pkg:npm/left@1.0.0?a=b", nil)
	right := attest(p.Keys[1], "pkg:npm/right@2.0.0", nil)
	var ranged, next, third *entry.Entry
	hold := func(e *entry.Entry, days uint64) *entry.Entry {
		return testlog.Hold(origin, s.Unix()+days*86400, p.Keys[0], testlog.Target{ID: e.ID, Last: s.Record(e.ID).Last})
	}
	var held *entry.Entry
	for n, step := range []struct {
		act  func() *entry.Entry
		want string
	}{
		{func() *entry.Entry { return left }, "issued none 1"},
		{func() *entry.Entry { return attest(q.Keys[0], "pkg:npm/left@1.0.1", nil) }, ""},
		{func() *entry.Entry { return attest(q.Keys[0], "pkg:npm/else@1.0.0", nil) }, ""},
		{func() *entry.Entry { return right }, "issued none 1"},
		{func() *entry.Entry {
			a := testlog.Claims(origin, s.Unix(), 5)
			a.Polarity = "negative"
			a.Scopes = []entry.Scope{{Purl: "pkg:npm/right", Vers: "vers:npm/>=1.0.0|<3.0.0"}}
			ranged = testlog.Attest(p.Keys[2], a, a.Scopes[0].Subject())
			return ranged
		}, "issued reassess 1"},
		{func() *entry.Entry { held = hold(left, 3); return held }, "suspended caution 1"},
		{func() *entry.Entry { return testlog.Reinstate(origin, held.ID, p.Keys[0], left.ID) }, "reinstated none 1"},
		{func() *entry.Entry {
			return testlog.WithdrawClaims(origin, 8, p.Keys[0], []string{left.Attestation.Claims.Items[1].ID}, left.ID)
		}, "claims-withdrawn reassess 1"},
		{func() *entry.Entry {
			next = attest(p.Keys[0], "pkg:npm/left@1.0.0", func(a *entry.Attestation) { a.Supersedes = &left.ID; a.ValidUntil = a.ValidFrom + 50*86400 })
			return next
		}, "issued none 1; superseded update 1"},
		{func() *entry.Entry { return testlog.Revoke(origin, 10, p.Keys[0], right.ID) }, "withdrawn act 1"},
		{func() *entry.Entry { return testlog.Revoke(origin, 10, p.Keys[0], left.ID, ranged.ID) }, "withdrawn act 1; withdrawn act 1"},
		// Keys and parties.
		{func() *entry.Entry {
			return testlog.AddKey(origin, p.ID, testlog.NewKey("added", false), p.Recovery)
		}, "key-added none 0"},
		{func() *entry.Entry { return testlog.RetireKey(origin, p.Keys[2].ID(), p.Recovery) }, "key-retired none 0"},
		{func() *entry.Entry { return testlog.RetireKey(origin, q.Keys[1].ID(), q.Recovery) }, ""},
		{func() *entry.Entry {
			return testlog.VoidRange(origin, p.Keys[0].ID(), entry.KeyRange{From: 1, To: 3, Reason: 12}, p.Recovery)
		}, "range-withdrawn caution 0"},
		{func() *entry.Entry {
			return testlog.VoidRange(origin, p.Keys[0].ID(), entry.KeyRange{From: 1, To: s.Record(next.ID).Issued + 1, Reason: 12, Package: "pkg:npm/left"}, p.Recovery)
		}, "range-withdrawn act 2"},
		{func() *entry.Entry { return testlog.CompromiseKey(origin, p.Keys[1].ID(), ptr(0), p.Recovery) }, "key-compromised act 1"},
		{func() *entry.Entry { return testlog.CompromiseKey(origin, q.Keys[0].ID(), nil, q.Recovery) }, ""},
		{func() *entry.Entry {
			return testlog.AmendRoles(origin, p.ID, s.party(p.ID), s.Registrar, "assessor", "steward")
		}, "party-changed none 0"},
		// Programmes.
		{func() *entry.Entry { return rules }, ""},
		{func() *entry.Entry {
			third = attest(p.Keys[0], "pkg:npm/right@2.0.0", func(a *entry.Attestation) { a.Programme = &rules.ID })
			return third
		}, "issued none 1"},
		{func() *entry.Entry { return testlog.CloseProgramme(origin, p.Keys[0], rules.ID) }, "programme-changed plan 1"},
		{func() *entry.Entry { return hold(third, 2) }, "suspended caution 1"},
		// What time does.
		{nil, ""},
		{func() *entry.Entry { s.later(3 * 24 * time.Hour); return nil }, "lapsed reassess 1"},
		{func() *entry.Entry { s.later(18 * 24 * time.Hour); return nil }, "expiring plan 1"},
		{func() *entry.Entry { s.later(30 * 24 * time.Hour); return nil }, "expired reassess 1"},
		{func() *entry.Entry { s.Advance(25 * time.Hour); return nil }, "stale caution 0"},
		{func() *entry.Entry { s.Advance(25 * time.Hour); return nil }, ""},
		{func() *entry.Entry { s.Refresh(); return nil }, "fresh none 0"},
		// The log, and the end of a party.
		{func() *entry.Entry {
			return testlog.Charter(origin, ptr(0), "open", []*testlog.Key{s.Registrar}, s.Root)
		}, "charter-changed caution 0"},
		{func() *entry.Entry { return testlog.EndParty(origin, q.ID, s.Registrar) }, ""},
		{func() *entry.Entry { return testlog.EndParty(origin, p.ID, s.Registrar) }, "party-ended plan 0"},
	} {
		if step.act != nil {
			if e := step.act(); e != nil {
				s.Submit(e)
			}
		}
		if got := strings.Join(s.round(nil), "; "); got != step.want {
			t.Fatalf("step %d: %q, want %q", n, got, step.want)
		}
	}
	if again := s.round(nil); len(again) > 0 {
		t.Errorf("told again: %q", again)
	}
	s.replayed(t)
	for _, e := range s.all {
		if e.Text == "" || strings.Contains(e.Text, "%!") || e.ID == "" || e.Time.IsZero() || e.Log != origin {
			t.Errorf("event %+v", e)
		}
	}
}

// party returns the last of a party.
func (s *scene) party(id watch.Hash) uint64 {
	st := s.State()
	defer st.Close()
	for _, e := range s.all {
		if e.Party == fmt.Sprintf("party:%x", id) && len(e.Attestations) > 0 {
			found, _, err := st.Status(e.Attestations[0])
			if err != nil {
				s.t.Fatal(err)
			}
			return found[0].Party.Last
		}
	}
	s.t.Fatal("no attestation of the party")
	return 0
}

var errDeliver = errors.New("cannot deliver")

// replayed begins at the start, and fails at every delivery once.
func (s *scene) replayed(t *testing.T) {
	t.Helper()
	want := map[string]bool{}
	for _, e := range s.all {
		if e.Index != nil {
			want[e.ID] = true
		}
	}
	var c watch.Cursor
	failed, got := map[string]bool{}, []string{}
	rounds := 0
	for ; rounds < 3*len(s.all); rounds++ {
		before := c
		err := s.watcher().Round(t.Context(), s.log(nil), &c, func(e watch.Event) error {
			if !failed[e.ID] {
				failed[e.ID] = true
				return errDeliver
			}
			if e.Index != nil && !slices.Contains(got, e.ID) {
				got = append(got, e.ID)
			}
			return nil
		})
		if c.Size < before.Size {
			t.Fatalf("cursor went from %d to %d", before.Size, c.Size)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errDeliver) {
			t.Fatal(err)
		}
		// What is remembered is what a file holds.
		data, err := json.Marshal(c)
		if err == nil {
			c = watch.Cursor{}
			err = json.Unmarshal(data, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != len(want) || rounds < len(want) {
		t.Errorf("%d events in %d rounds, want %d", len(got), rounds, len(want))
	}
	for _, id := range got {
		if !want[id] {
			t.Errorf("%s was not told before", id)
		}
	}
}

// TestTrouble tells once when a log begins to contradict itself.
func TestTrouble(t *testing.T) {
	s := newScene(t)
	for n, step := range []struct {
		evidence error
		want     string
	}{
		{nil, ""},
		{fmt.Errorf("syncing: %w", &mirror.ConflictError{Rollback: true, What: "less"}), "rollback act 0"},
		{&mirror.ConflictError{Rollback: true, What: "less"}, ""},
		{&mirror.ConflictError{What: "another"}, "split-view act 0"},
		{&replay.FalseSealError{Index: 9, Line: 8, What: "wrong"}, "false-seal act 0"},
		{nil, "consistent none 0"},
		{nil, ""},
	} {
		if got := strings.Join(s.round(step.evidence), "; "); got != step.want {
			t.Errorf("step %d: %q, want %q", n, got, step.want)
		}
	}
}

// TestForked: a cursor of another history, or of more leaves, is noticed, and
// not moved.
func TestForked(t *testing.T) {
	s := newScene(t)
	s.round(nil)
	for _, c := range []watch.Cursor{
		{Size: 2, Root: strings.Repeat("0", 64)}, {Size: 1, Root: s.cursor.Root}, {Size: 99, Root: s.cursor.Root},
	} {
		before := c
		err := s.watcher().Round(t.Context(), s.log(nil), &c, func(watch.Event) error { return nil })
		if !errors.Is(err, watch.ErrForked) || c != before {
			t.Errorf("%+v: %v", before, err)
		}
	}
}

func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if _, err := watch.ReadState(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	want := &watch.State{Version: 1, SBOM: strings.Repeat("a", 64), Logs: map[string]watch.Cursor{
		origin: {Size: 7, Root: "00", Checked: 8, CheckedSize: 6, Stale: true, Trouble: watch.Rollback},
	}}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := watch.ReadState(path)
	if err != nil || got.SBOM != want.SBOM || got.Logs[origin] != want.Logs[origin] {
		t.Errorf("%+v, %v", got, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "no JSON": "{", "more": string(data) + "{}", "version": strings.Replace(string(data), ": 1,", ": 2,", 1),
		"unknown member": strings.Replace(string(data), `"sbom"`, `"x": 1, "sbom"`, 1), "no SBOM": `{"version": 1, "sbom": "", "logs": {}}`,
		"no logs": `{"version": 1, "sbom": "` + want.SBOM + `"}`, "large": string(data) + strings.Repeat(" ", 1<<20),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := watch.ReadState(path); !errors.Is(err, watch.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPost posts CloudEvents, again where it must, and nowhere else.
func TestPost(t *testing.T) {
	var bodies []string
	answers := []int{500, 429, 204, 307, 404, 503, 200}
	var elsewhere bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/hook" {
			elsewhere = true
			return
		}
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Header.Get("Content-Type")+" "+string(b))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answers[0])
		answers = answers[1:]
	}))
	defer srv.Close()
	p, err := watch.NewPoster(srv.URL + "/hook")
	if err != nil {
		t.Fatal(err)
	}
	p.SetPause(time.Nanosecond)
	e := &watch.Event{ID: origin + "/7/0", Log: origin, Kind: watch.Withdrawn, Time: time.Unix(1_795_000_000, 0).UTC(), Index: ptr(7), Text: "text"}
	if err := p.Deliver(t.Context(), e); err != nil || len(bodies) != 3 {
		t.Errorf("%v after %d attempts", err, len(bodies))
	}
	if err := p.Deliver(t.Context(), e); err == nil || elsewhere {
		t.Errorf("three refusals: %v; elsewhere: %t", err, elsewhere)
	}
	if err := p.Deliver(t.Context(), e); err != nil {
		t.Error(err)
	}
	kind, body, _ := strings.Cut(bodies[0], "8 ")
	var got watch.CloudEvent
	if err := json.Unmarshal([]byte(body), &got); err != nil || kind != "application/cloudevents+json; charset=utf-" {
		t.Fatal(kind, err)
	}
	if got.SpecVersion != "1.0" || got.ID != e.ID || got.Source != origin || got.Type != "standing.withdrawn" || got.Data.Text != "text" || *got.Data.Index != 7 {
		t.Errorf("%s", body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Deliver(ctx, e); err == nil {
		t.Error("delivered after its time")
	}
	for _, bad := range []string{"", "ftp://x/", "http:///x", "://"} {
		if _, err := watch.NewPoster(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
