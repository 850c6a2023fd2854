package prover_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/verify"
)

// answer asks about the subjects and judges the answers, of which there must be
// as many as given.
func answer(t *testing.T, n *testnode.Node, s *prover.State, want int, subjects ...string) (all []*verify.Report) {
	t.Helper()
	for len(subjects) > 0 {
		file, k, err := s.Answer(subjects...)
		if err != nil {
			t.Fatal(err)
		}
		r := verify.Bundle(file, n.Reader())
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		all, subjects = append(all, r), subjects[k:]
	}
	if len(all) != want {
		t.Fatalf("%d bundles, want %d", len(all), want)
	}
	return all
}

// TestAnswers asks about each component, package and digest of a generated log
// and compares with its entries.
func TestAnswers(t *testing.T) {
	g := testlog.New(origin, 9)
	n := testnode.NewWith(t, testnode.Options{Origin: origin, Charter: g.Next(0).Entry})
	about := map[mapfn.Place][]string{}
	var names []string
	n.Fill(600, func(index uint64) []byte {
		item := g.Next(index)
		if item.Want == "" && item.Entry.Attestation != nil {
			for _, p := range mapfn.Places(item.Entry.Subjects) {
				if about[p] == nil {
					names = append(names, p.Data)
				}
				about[p] = append(about[p], item.Entry.IDString())
			}
		}
		return item.Leaf
	})
	n.Advance(time.Hour)
	n.Refresh()
	s := n.State()
	defer s.Close()
	r := answer(t, n, s, 1, names...)[0]
	for p, want := range about {
		got := r.Subject(p.Data)
		if got == nil || got.Incomplete != "" || got.Place != p || len(got.Opened) != 0 || !slices.Equal(ids(r, got.Results), want) {
			t.Errorf("%s: %+v, want %v", p.Data, got, want)
		}
	}
	wider := 0
	for _, name := range names {
		p, err := purl.Parse(name)
		if err != nil || !p.HasVersion() {
			continue
		}
		r := answer(t, n, s, 1, name)[0]
		exact, wide, err := r.Component(p)
		if err != nil || len(exact) != len(about[mapfn.Place{NS: mapfn.NSComponent, Data: name}]) {
			t.Errorf("%s: %d, %v", name, len(exact), err)
		}
		wider += len(wide)
		pkg := r.Subject(p.Package())
		if len(pkg.Results)+len(pkg.Opened) != len(about[pkg.Place]) {
			t.Errorf("%s: %d of its package judged, %d opened, of %d", name, len(pkg.Results), len(pkg.Opened), len(about[pkg.Place]))
		}
	}
	if wider == 0 {
		t.Error("nothing is about a package as a whole")
	}
}

func ids(r *verify.Report, results []int) (out []string) {
	for _, i := range results {
		out = append(out, r.Results[i].ID)
	}
	return out
}

// TestAnswer follows what one package went through.
func TestAnswer(t *testing.T) {
	n := testnode.New(t, origin)
	key := n.Enrol("steward", 1).Keys[0]
	attest := func(old *entry.Entry, purls ...string) *entry.Entry {
		a := testlog.Claims(origin, n.Unix(), 2)
		if old != nil {
			a.Supersedes = &old.ID
		}
		var subjects []entry.Subject
		for _, p := range purls {
			subjects = append(subjects, testlog.Component(p))
		}
		e := testlog.Attest(key, a, subjects...)
		n.Submit(e)
		n.Advance(time.Second) // the next one has another id
		return e
	}
	one := attest(nil, "pkg:npm/widget@1.0.0")
	two := attest(nil, "pkg:npm/widget@2.0.0")
	renewed := attest(two, "pkg:npm/widget@2.1.0")
	again := attest(renewed, "pkg:npm/gadget@1.0.0", "pkg:npm/widget@2.2.0")
	s := n.State()
	defer s.Close()
	for _, tt := range []struct {
		name              string
		subjects          []string
		results           []*entry.Entry
		opened, bySubject []int
		want              verify.Verdict
	}{
		{"nothing", []string{"pkg:npm/none@1.0.0"}, nil, []int{0, 0}, []int{0, 0}, verify.None},
		{"another version", []string{"pkg:npm/widget@3.0.0?arch=any#a"}, nil, []int{0, 4}, []int{0, 0}, verify.None},
		{"a version", []string{"pkg:npm/widget@1.0.0"}, []*entry.Entry{one}, []int{0, 3}, []int{1, 1}, verify.Active},
		{"a version twice", []string{"pkg:npm/widget@1.0.0", "pkg:npm/widget@1.0.0"}, []*entry.Entry{one}, []int{0, 3}, []int{1, 1}, verify.Active},
		{"superseded twice", []string{"pkg:npm/widget@2.0.0"}, []*entry.Entry{two, renewed, again}, []int{0, 1}, []int{1, 3}, verify.Superseded},
		{"two versions", []string{"pkg:npm/widget@1.0.0", "pkg:npm/widget@2.2.0"}, []*entry.Entry{one, again}, []int{0, 2, 0}, []int{1, 2, 1}, verify.Active},
		{"two packages", []string{"pkg:npm/widget@1.0.0", "pkg:npm/gadget@1.0.0"}, []*entry.Entry{one, again}, []int{0, 2, 0, 0}, []int{1, 2, 1, 1}, verify.Active},
		{"the package", []string{"pkg:npm/widget"}, []*entry.Entry{one, two, renewed, again}, []int{0}, []int{4}, verify.Superseded},
		{"a version and the package", []string{"pkg:npm/widget@1.0.0", "pkg:npm/widget"}, []*entry.Entry{one, two, renewed, again}, []int{0, 0}, []int{1, 4}, verify.Superseded},
		{"the package and a version", []string{"pkg:npm/widget", "pkg:npm/widget@1.0.0"}, []*entry.Entry{one, two, renewed, again}, []int{0, 0}, []int{4, 1}, verify.Superseded},
		{"a digest", []string{"sha256:" + one.Subjects[0].Digest}, []*entry.Entry{one}, []int{0}, []int{1}, verify.Active},
		{"no such digest", []string{"gitCommit:0123456789012345678901234567890123456789"}, nil, []int{0}, []int{0}, verify.None},
	} {
		r := answer(t, n, s, 1, tt.subjects...)[0]
		ok := r.Verdict == tt.want && len(r.Results) == len(tt.results) && len(r.Subjects) == len(tt.opened)
		for i := range tt.results {
			ok = ok && r.Results[i].Entry.ID == tt.results[i].ID
		}
		for i, s := range r.Subjects {
			ok = ok && s.Incomplete == "" && len(s.Opened) == tt.opened[i] && len(s.Results) == tt.bySubject[i] && int(s.Count) == tt.opened[i]+tt.bySubject[i]
		}
		if !ok {
			t.Errorf("%s: %v, %d results, %+v", tt.name, r.Verdict, len(r.Results), r.Subjects)
		}
	}
	for subject, want := range map[string]reason.Code{"": reason.SubjectUnknown, "att:00": reason.SubjectUnknown, "pkg:npm/Wid get@1.0": reason.Purl} {
		if _, _, err := s.Answer("pkg:npm/widget@1.0.0", subject); reason.CodeOf(err) != want {
			t.Errorf("%q: %v, want %s", subject, err, want)
		}
	}
	if _, _, err := s.Answer(); reason.CodeOf(err) != reason.RequestMalformed {
		t.Errorf("no subject: %v", err)
	}
}

// TestAnswerTooLong: what does not fit into one bundle goes into the next, and
// what does not fit into any is said not to be shown, while the rest is.
func TestAnswerTooLong(t *testing.T) {
	const most = 100 << 10
	n := testnode.New(t, origin)
	key := n.Enrol("steward", 1).Keys[0]
	// A package of 90 versions, which are too much for a bundle to open, and
	// three components of 10 attestations each, of which two fit.
	i := 0
	n.Fill(126, func(uint64) []byte {
		n.Advance(time.Second) // the next one has another id
		i++
		name := fmt.Sprintf("pkg:npm/widget@%d.0.0", i)
		if i > 90 {
			name = fmt.Sprintf("pkg:npm/gadget-%d@1.0.0", i%3)
		}
		return testlog.Attest(key, testlog.Claims(origin, n.Unix(), 19), testlog.Component(name)).Leaf
	})
	s := n.State()
	defer s.Close()
	answer := func(want int, subjects ...string) *verify.Report {
		t.Helper()
		file, k, err := s.AnswerWithin(most, subjects...)
		if err != nil || k != want || len(file) > most {
			t.Fatalf("%d bytes about %d subjects, want %d: %v", len(file), k, want, err)
		}
		r := verify.Bundle(file, n.Reader())
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		return r
	}
	gadgets := []string{"pkg:npm/gadget-0@1.0.0", "pkg:npm/gadget-1@1.0.0", "pkg:npm/gadget-2@1.0.0"}
	for at, k := range map[int]int{0: 2, 2: 1} {
		r := answer(k, gadgets[at:]...)
		if len(r.Subjects) != 2*k || r.Subjects[0].Data != gadgets[at] || r.Verdict != verify.Active {
			t.Errorf("%s: %v, %+v", gadgets[at], r.Verdict, r.Subjects)
		}
	}
	r := answer(3, "pkg:npm/widget@7.0.0", "pkg:npm/widget@8.0.0", "pkg:npm/gadget-1@1.0.0")
	if len(r.Subjects) != 5 || r.Verdict != verify.NoEvidence || len(r.Subject("pkg:npm/widget@8.0.0").Results) != 1 || r.Subject("pkg:npm/gadget-1").Incomplete != "" {
		t.Errorf("%v, %d results, %+v", r.Verdict, len(r.Results), r.Subjects)
	}
	if s := r.Subject("pkg:npm/widget"); s == nil || s.Incomplete == "" || s.Count != 90 || s.Events != nil || len(s.Opened) > 0 {
		t.Errorf("a list that is too long: %+v", s)
	}
	if s := answer(1, "pkg:npm/widget").Subject("pkg:npm/widget"); s.Incomplete == "" || s.Count != 90 {
		t.Errorf("a package that is too large: %+v", s)
	}
}
