package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/mirror"
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
	by     *watch.Watcher
}

// told is a Receiver.
type told func(watch.Event) error

func (f told) Deliver(_ context.Context, e *watch.Event) error { return f(*e) }
func (f told) Flush() error                                    { return nil }

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
	doc := &sbom.Document{Components: components}
	return &scene{Node: n, t: t, copy: m, by: watcher(t, watch.Interests{SBOMs: []*sbom.Document{doc}}),
		cursor: watch.Cursor{Begin: watch.BeginNow}}
}

func watcher(t *testing.T, of watch.Interests) *watch.Watcher {
	t.Helper()
	interest, err := watch.NewInterest(of)
	if err != nil {
		t.Fatal(err)
	}
	return &watch.Watcher{Interest: interest, MaxAge: 24 * time.Hour}
}

// look syncs and returns the copy as it is then.
func (s *scene) look(conditions ...watch.Condition) *watch.Look {
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
	k, err := s.by.Look(s.t.Context(), &watch.Log{Copy: s.copy, Origin: origin, State: st, AsOf: cp.Time, Conditions: conditions}, s.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func forget(watch.Cursor) error { return nil }

// round returns what is told, as "kind severity number-of-attestations".
func (s *scene) round(conditions ...watch.Condition) string {
	s.t.Helper()
	var out []string
	err := s.look(conditions...).Tell(s.t.Context(), &s.cursor, told(func(e watch.Event) error {
		s.all = append(s.all, e)
		out = append(out, fmt.Sprintf("%s %s %d", e.Kind, e.Severity, len(e.Attestations)))
		return nil
	}), forget)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(out, "; ")
}

// later lets time pass, with a checkpoint cosigned anew.
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
	s.round()
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
		if got := s.round(); got != step.want {
			t.Fatalf("step %d: %q, want %q", n, got, step.want)
		}
	}
	if again := s.round(); again != "" {
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
	c := watch.Cursor{Begin: watch.BeginAll}
	failed, got := map[string]bool{}, []string{}
	rounds := 0
	for ; rounds < 3*len(s.all); rounds++ {
		before := c
		var kept watch.Cursor
		err := s.look().Tell(t.Context(), &c, told(func(e watch.Event) error {
			if !failed[e.ID] {
				failed[e.ID] = true
				return errDeliver
			}
			if e.Index != nil && !slices.Contains(got, e.ID) {
				got = append(got, e.ID)
			}
			return nil
		}), func(at watch.Cursor) error { kept = at; return nil })
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
		data, err := json.Marshal(kept)
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

// TestConditions tells once when something begins, when it has become something
// else, and when it has ended; and nothing of what is not known.
func TestConditions(t *testing.T) {
	s := newScene(t)
	trouble := func(kind watch.Kind) watch.Condition {
		return watch.Condition{Key: "log", Holds: kind != "", Begins: watch.Event{Kind: kind, Severity: "act", Text: "text"},
			Ends: watch.Event{Kind: watch.Consistent, Severity: "none"}}
	}
	silent := func(holds bool) watch.Condition {
		return watch.Condition{Key: "w1", Holds: holds, Patience: time.Hour, Begins: watch.Event{Kind: watch.WitnessSilent, Severity: "caution"},
			Ends: watch.Event{Kind: watch.WitnessHeard, Severity: "none"}}
	}
	for n, step := range []struct {
		after      time.Duration
		conditions []watch.Condition
		want       string
	}{
		{0, nil, ""},
		{0, []watch.Condition{trouble(watch.Rollback)}, "rollback act 0"},
		{0, []watch.Condition{trouble(watch.Rollback)}, ""},
		{0, nil, ""},
		{0, []watch.Condition{trouble(watch.SplitView)}, "split-view act 0"},
		{0, []watch.Condition{trouble(watch.FalseSeal), silent(true)}, "false-seal act 0"},
		{0, []watch.Condition{trouble("")}, "consistent none 0"},
		{0, []watch.Condition{trouble("")}, ""},
		{59 * time.Minute, []watch.Condition{silent(true)}, ""},
		{time.Minute, []watch.Condition{silent(true)}, "witness-silent caution 0"},
		{time.Hour, nil, ""},
		{0, []watch.Condition{silent(false)}, "witness-heard none 0"},
		{0, []watch.Condition{silent(true)}, ""},
		{0, []watch.Condition{silent(false)}, ""},
	} {
		s.Advance(step.after)
		if got := s.round(step.conditions...); got != step.want {
			t.Errorf("step %d: %q, want %q", n, got, step.want)
		}
	}
	ids := map[string]bool{}
	for _, e := range s.all {
		if ids[e.ID] || e.Time.IsZero() {
			t.Errorf("%+v", e)
		}
		ids[e.ID] = true
	}
}

// TestForked: a cursor of another history, or of more leaves, is noticed, and
// not moved.
func TestForked(t *testing.T) {
	s := newScene(t)
	s.round()
	var kinds []watch.Kind
	for _, c := range []watch.Cursor{
		{Size: 2, Root: strings.Repeat("0", 64)}, {Size: 1, Root: s.cursor.Root}, {Size: 99, Root: s.cursor.Root},
	} {
		before := c
		err := s.look().Tell(t.Context(), &c, told(func(e watch.Event) error { kinds = append(kinds, e.Kind); return nil }), forget)
		if !errors.Is(err, watch.ErrForked) || c.Size != before.Size || c.Root != before.Root {
			t.Errorf("%+v: %v", before, err)
		}
	}
	if !slices.Equal(kinds, []watch.Kind{watch.SplitView, watch.SplitView, watch.SplitView}) {
		t.Errorf("told %v", kinds)
	}
}

// TestNothingYet: of a log that lies before anything of it could be held, the
// lie is told, and nothing begins.
func TestNothingYet(t *testing.T) {
	s := newScene(t)
	k, err := s.by.Look(t.Context(), &watch.Log{Origin: origin, Conditions: []watch.Condition{
		{Key: "log", Holds: true, Begins: watch.Event{Kind: watch.FalseSeal}}}}, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got []watch.Kind
	for range 2 {
		err = k.Tell(t.Context(), &s.cursor, told(func(e watch.Event) error { got = append(got, e.Kind); return nil }), forget)
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, []watch.Kind{watch.FalseSeal}) || s.cursor.Begin != watch.BeginNow {
		t.Errorf("%v, %+v", got, s.cursor)
	}
	if got := s.round(); got != "" || len(s.cursor.Conditions) != 1 {
		t.Errorf("%q, %+v", got, s.cursor)
	}
}

func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if _, err := watch.ReadState(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	want := watch.NewState(watcher(t, watch.Interests{All: true}).Interest)
	want.Set("soc", origin, watch.Cursor{Size: 7, Root: "00", Checked: 8, CheckedSize: 6, Day: "2026-11-26",
		Conditions: map[string]watch.Told{"stale": {Since: 5, Kind: watch.Stale, ID: "id"}}})
	want.Set("feed", origin, watch.Cursor{Begin: watch.BeginNow})
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := watch.ReadState(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "no JSON": "{", "more": string(data) + "{}", "version": strings.Replace(string(data), ": 2,", ": 3,", 1),
		"unknown member": strings.Replace(string(data), `"interest"`, `"x": 1, "interest"`, 1), "no interest": `{"version": 2, "interest": "", "receivers": {}}`,
		"no receivers": `{"version": 2, "interest": "` + want.Interest + `"}`, "large": string(data) + strings.Repeat(" ", 1<<20),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := watch.ReadState(path); !errors.Is(err, watch.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
