package watch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/seal"
)

// TestAll tells of everything: each act of the registrar, leaves that have no
// effect, seals that are none, and what time does to attestations that nobody
// holds in memory.
func TestAll(t *testing.T) {
	s := newScene(t)
	s.by, s.cursor = watcher(t, watch.Interests{All: true}), watch.Cursor{Begin: watch.BeginAll}
	var p *testlog.Party
	attest := func(purl string, days uint64) *entry.Entry {
		a := testlog.Claims(origin, s.Unix(), 5)
		a.ValidUntil = a.ValidFrom + days*86400
		return testlog.Attest(p.Keys[0], a, testlog.Component(purl))
	}
	var first, long *entry.Entry
	submit := func(make func() *entry.Entry) func() { return func() { s.Submit(make()) } }
	for n, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "charter-changed caution 0"},
		{func() { p = s.Enrol("steward", 2) }, "party-enrolled none 0"},
		{func() { s.Enrol("other", 1) }, "party-enrolled none 0"},
		{submit(func() *entry.Entry { first = attest("pkg:npm/left@1.0.0", 40); return first }), "issued none 1"},
		{submit(func() *entry.Entry { long = attest("pkg:npm/right@1.0.0", 400); return long }), "issued none 1"},
		{submit(func() *entry.Entry {
			return testlog.AmendRoles(origin, p.ID, s.party(p.ID), s.Registrar, "assessor")
		}), "party-changed none 0"},
		{submit(func() *entry.Entry { return testlog.Publish(p.Keys[0], testlog.Rules(origin)) }), "programme-changed none 0"},
		// What an operator who lies could put there.
		{func() {
			stranger := testlog.NewParty("stranger", 1)
			s.Force([]byte("no entry"), []byte(seal.Prefix+"v1\n"), testlog.Revoke(origin, 0, stranger.Keys[0], first.ID).Leaf, first.Leaf)
		}, "unreadable-leaf caution 0; stray-seal caution 0; unreadable-leaf caution 0; unreadable-leaf caution 0"},
		{submit(func() *entry.Entry {
			return testlog.Hold(origin, s.Unix()+86400, p.Keys[0], testlog.Target{ID: long.ID, Last: s.Record(long.ID).Last})
		}), "suspended caution 1"},
		{func() { s.later(12 * time.Hour) }, ""},
		{func() { s.later(13 * time.Hour) }, "lapsed reassess 1"},
		{func() { s.later(9 * 24 * time.Hour) }, "expiring plan 1"},
		{func() { s.later(31 * 24 * time.Hour) }, "expired reassess 1"},
		{submit(func() *entry.Entry { return testlog.CompromiseKey(origin, p.Keys[1].ID(), ptr(0), p.Recovery) }), "key-compromised act 0"},
		{submit(func() *entry.Entry { return testlog.EndParty(origin, p.ID, s.Registrar) }), "party-ended plan 0"},
	} {
		step.do()
		if got := s.round(); got != step.want {
			t.Errorf("step %d: %q, want %q", n, got, step.want)
		}
	}
	s.replayed(t)
	// Whoever begins later is told of no date that has passed before.
	s.cursor = watch.Cursor{Begin: watch.BeginNow}
	if got := s.round(); got != "" {
		t.Error(got)
	}
	// A process of its own, from the same cursor.
	s.by = watcher(t, watch.Interests{All: true})
	if got := s.round(); got != "" {
		t.Error(got)
	}
}

// TestParties tells of what parties do, and of nobody else.
func TestParties(t *testing.T) {
	s := newScene(t)
	p := testlog.NewParty("steward", 1)
	enrol := p.Enrol(origin, s.Registrar)
	s.by = watcher(t, watch.Interests{Parties: []string{fmt.Sprintf("party:%x", enrol.ID)}})
	s.round()
	for n, step := range []struct {
		do   func()
		want string
	}{
		{func() { s.Submit(enrol) }, "party-enrolled none 0"},
		{func() {
			q := s.Enrol("other", 1)
			s.Submit(testlog.Attest(q.Keys[0], testlog.Claims(origin, s.Unix(), 1), testlog.Component("pkg:npm/left@1.0.0")))
		}, ""},
		{func() {
			s.Submit(testlog.Attest(p.Keys[0], testlog.Claims(origin, s.Unix(), 1), testlog.Component("pkg:npm/left@1.0.0")))
		}, "issued none 1"},
		{func() { s.Submit(testlog.AddKey(origin, enrol.ID, testlog.NewKey("added", false), p.Recovery)) }, "key-added none 0"},
		{func() { s.Submit(testlog.EndParty(origin, enrol.ID, s.Registrar)) }, "party-ended plan 0"},
	} {
		step.do()
		if got := s.round(); got != step.want {
			t.Errorf("step %d: %q, want %q", n, got, step.want)
		}
	}
}

// TestSubjects: a package is of interest in every version, a digest under every
// name, and a purl in whatever spelling.
func TestSubjects(t *testing.T) {
	s := newScene(t)
	p := s.Enrol("steward", 1)
	digest := testlog.Component("pkg:npm/somewhere@1.0.0")
	s.by = watcher(t, watch.Interests{Subjects: []string{"pkg:npm/left", "pkg:pypi/Django_Rest@3.0", digest.Algorithm + ":" + digest.Digest}})
	s.round()
	for purl, want := range map[string]string{
		"pkg:npm/left@1.0.0":          "issued none 1",
		"pkg:npm/left@7.0.0":          "issued none 1",
		"pkg:npm/leftover@1.0.0":      "",
		"pkg:pypi/django-rest@3.0":    "issued none 1",
		"pkg:pypi/django-rest@3.1":    "",
		"pkg:npm/somewhere@1.0.0":     "issued none 1",
		"pkg:npm/somewhere-else@1.00": "",
	} {
		s.Submit(testlog.Attest(p.Keys[0], testlog.Claims(origin, s.Unix(), 1), testlog.Component(purl)))
		if got := s.round(); got != want {
			t.Errorf("%s: %q, want %q", purl, got, want)
		}
	}
}

func TestInterestRefuses(t *testing.T) {
	for name, of := range map[string]watch.Interests{
		"nothing":        {},
		"no purl":        {Subjects: []string{"lodash"}},
		"no digest":      {Subjects: []string{"sha256:00"}},
		"no party":       {Parties: []string{"att:" + strings.Repeat("0", 64)}},
		"half a party":   {Parties: []string{"party:00"}},
		"among good one": {All: true, Subjects: []string{"pkg:npm/left", "pkg:npm"}},
	} {
		if _, err := watch.NewInterest(of); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	a := watcher(t, watch.Interests{Subjects: []string{"pkg:npm/a", "pkg:npm/b@1.0.0"}}).Interest.Digest()
	b := watcher(t, watch.Interests{Subjects: []string{"pkg:npm/b@1.0.0", "pkg:npm/a", "pkg:npm/a"}}).Interest.Digest()
	if c := watcher(t, watch.Interests{Subjects: []string{"pkg:npm/a"}}).Interest.Digest(); a != b || a == c {
		t.Errorf("digests %s, %s, %s", a, b, c)
	}
}

// TestDaily gives a sign of life once a day, and does not call quiet what is
// not.
func TestDaily(t *testing.T) {
	s := newScene(t)
	s.by.Daily = true
	for n, step := range []struct {
		after      time.Duration
		conditions []watch.Condition
		want       string
	}{
		{0, nil, ""},
		{time.Hour, nil, ""},
		{24 * time.Hour, nil, "all-quiet none 0"},
		{time.Minute, nil, ""},
		{24 * time.Hour, []watch.Condition{{Key: "x", Holds: true, Begins: watch.Event{Kind: watch.SplitView, Severity: "act"}}}, "split-view act 0; not-quiet caution 0"},
		{24 * time.Hour, nil, "not-quiet caution 0"},
		{5 * 24 * time.Hour, []watch.Condition{{Key: "x"}}, "all-quiet none 0"},
	} {
		s.later(step.after)
		if got := s.round(step.conditions...); got != step.want {
			t.Errorf("step %d: %q, want %q", n, got, step.want)
		}
	}
	last := s.all[len(s.all)-1]
	if last.Size != 2 || last.AsOf.IsZero() || last.Read != 0 || s.all[0].ID == last.ID {
		t.Errorf("%+v", last)
	}
}

// TestReplay tells again from a leaf on, with the same ids, and leaves nothing
// out.
func TestReplay(t *testing.T) {
	s := newScene(t)
	s.by, s.cursor = watcher(t, watch.Interests{All: true}), watch.Cursor{Begin: watch.BeginAll}
	p := s.Enrol("steward", 1)
	for range 2 {
		s.Submit(testlog.Attest(p.Keys[0], testlog.Claims(origin, s.Unix(), 1), testlog.Component("pkg:npm/left@1.0.0")))
		s.Advance(time.Second)
	}
	s.round()
	before := s.all
	for from, want := range map[uint64]int{0: 4, 1: 3, 4: 2, 8: 0} {
		s.all, s.cursor.Replay = nil, &from
		s.round()
		if len(s.all) != want {
			t.Errorf("%d events from %d, want %d", len(s.all), from, want)
		}
		for i, e := range s.all {
			if was := before[len(before)-want+i]; e.ID != was.ID || e.Text != was.Text || e.Time != was.Time {
				t.Errorf("from %d: %+v, was %+v", from, e, was)
			}
		}
	}
	size := s.cursor.Size
	s.cursor.Replay = ptr(99)
	err := s.look().Tell(t.Context(), &s.cursor, told(func(watch.Event) error { return nil }), forget)
	if err == nil || s.cursor.Size != size {
		t.Errorf("from 99: %v", err)
	}
}
