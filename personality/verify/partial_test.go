package verify_test

import (
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/verify"
)

// TestClaims: what is partial is good for who relies on claims that are there
// and not withdrawn, if nothing else speaks against it.
func TestClaims(t *testing.T) {
	s := newScene(t, origin)
	statement := s.make("statement", s.steward.Keys[0], func(a *entry.Attestation) {
		a.Claims, a.Statement = nil, &entry.Statement{MediaType: "application/pdf", Size: 1}
	})
	s.Submit(statement)
	s.att["statement"] = statement
	for _, tt := range []struct {
		names  []string
		claims []string
		after  time.Duration
		want   verify.Verdict
		code   int
	}{
		{[]string{"partial"}, nil, 0, verify.Partial, 1},
		{[]string{"partial"}, []string{"BR.02"}, 0, verify.Partial, 0},
		{[]string{"partial"}, []string{"BR.02", "BR.02"}, 0, verify.Partial, 0},
		{[]string{"partial"}, []string{"BR.01"}, 0, verify.Partial, 1},
		{[]string{"partial"}, []string{"BR.01", "BR.02"}, 0, verify.Partial, 1},
		{[]string{"partial"}, []string{"XX.99"}, 0, verify.Partial, 1},
		{[]string{"partial"}, []string{"BR.02", "XX.99"}, 0, verify.Partial, 1},
		{[]string{"partial"}, []string{"br.02"}, 0, verify.Partial, 1},
		{[]string{"partial"}, []string{""}, 0, verify.Partial, 1},
		{[]string{"partial"}, []string{"BR.02"}, day + time.Second, verify.Partial, 3},
		{[]string{"partial"}, []string{"BR.02"}, 500 * day, verify.Partial, 1},
		{[]string{"partial and held"}, []string{"BR.01"}, 0, verify.Suspended, 1},
		{[]string{"partial and superseded"}, []string{"BR.02"}, 0, verify.Superseded, 1},
		{[]string{"partial", "active"}, []string{"BR.02"}, 0, verify.Partial, 0},
		{[]string{"partial", "revoked"}, []string{"BR.02"}, 0, verify.Revoked, 1},
		{[]string{"partial", "partial and reinstated"}, []string{"BR.02"}, 0, verify.Partial, 0},
		{[]string{"partial", "statement"}, []string{"BR.02"}, 0, verify.Partial, 0},
		{[]string{"active"}, []string{"XX.99"}, 0, verify.Active, 0},
	} {
		o := s.Reader()
		o.Claims, o.Now = tt.claims, o.Now.Add(tt.after)
		r := verify.Bundle(s.bundle(tt.names...), o)
		if r.Verdict != tt.want || r.ExitCode(false) != tt.code {
			t.Errorf("%v, relying on %v, after %s: %v, exit code %d (%v); want %v, %d", tt.names, tt.claims, tt.after,
				r.Verdict, r.ExitCode(false), r.Err, tt.want, tt.code)
		}
	}
	// Without witnesses nothing is good enough.
	o := s.Reader()
	o.Policy, o.Claims = s.policy("quorum none\n"), []string{"BR.02"}
	if r := verify.Bundle(s.bundle("partial"), o); r.ExitCode(false) != 3 || r.ExitCode(true) != 0 {
		t.Errorf("unwitnessed: exit codes %d, %d", r.ExitCode(false), r.ExitCode(true))
	}
}

// TestRanges tries the edges of ranges.
func TestRanges(t *testing.T) {
	k := testlog.NewKey("ranges", false)
	attest := func(names ...string) *entry.Entry {
		var subjects []entry.Subject
		for _, n := range names {
			subjects = append(subjects, testlog.Component(n))
		}
		return testlog.Attest(k, testlog.Claims(origin, 1000, 2), subjects...)
	}
	one := attest("pkg:npm/%40scope/a@1")
	for _, tt := range []struct {
		name  string
		of    *entry.Entry
		voids []mapfn.Void
		want  bool
	}{
		{"none", one, nil, false},
		{"from its index", one, []mapfn.Void{{From: 50, To: 51}}, true},
		{"from behind", one, []mapfn.Void{{From: 51, To: 60}}, false},
		{"to its index", one, []mapfn.Void{{From: 40, To: 50}}, false},
		{"all", one, []mapfn.Void{{From: 0, To: 1 << 52}}, true},
		{"the second", one, []mapfn.Void{{From: 0, To: 1}, {From: 50, To: 52}}, true},
		{"its package", one, []mapfn.Void{{From: 0, To: 99, Package: "pkg:npm/%40scope/a"}}, true},
		{"another package", one, []mapfn.Void{{From: 0, To: 99, Package: "pkg:npm/a"}}, false},
		{"a package that its begins with", one, []mapfn.Void{{From: 0, To: 99, Package: "pkg:npm/%40scope"}}, false},
		{"its package, another time", one, []mapfn.Void{{From: 0, To: 9, Package: "pkg:npm/%40scope/a"}}, false},
		{"the package of one of two", attest("pkg:npm/a@1", "pkg:npm/b@2"), []mapfn.Void{{From: 0, To: 99, Package: "pkg:npm/b"}}, true},
		{"with qualifiers", attest("pkg:deb/debian/x@1?arch=i386"), []mapfn.Void{{From: 0, To: 99, Package: "pkg:deb/debian/x"}}, true},
	} {
		a := mapfn.AttestationRecord{V: 1, State: mapfn.StateActive, Issued: 50, Last: 50}
		causes := verify.Judge(tt.of, a, mapfn.KeyRecord{Voids: tt.voids}, time.Unix(2000, 0))
		if got := len(causes) == 1 && causes[0].Verdict == verify.Revoked; got != tt.want || len(causes) > 1 {
			t.Errorf("%s: %v", tt.name, causes)
		}
	}
}

// TestProgramme checks what is shown about programmes.
func TestProgramme(t *testing.T) {
	s := newScene(t, origin)
	r := judge(t, s.bundle("under a programme"), s.Reader())
	p := r.Programme
	if p == nil || p.ID != "prog:"+hexOf(s.programme) || !p.Open || p.Rules.Link != "https://rules.example/2" ||
		p.Party != "party:"+hexOf(s.other.ID) || p.PartyName != "" {
		t.Fatalf("programme %+v", p)
	}
	all := verify.Bundle(s.bundle("under a programme", "of another"), s.Reader())
	if p := all.Results[0].Programme; p == nil || p.PartyName != s.other.Name {
		t.Errorf("beside an attestation of its operator: %+v", p)
	}
	if all.Results[1].Programme != nil || judge(t, s.bundle("active"), s.Reader()).Programme != nil {
		t.Error("a programme that is not named")
	}
	// Once it is closed, what was issued under it stands.
	s.Submit(testlog.Sign(s.other.Keys[0], &entry.Programme{Log: origin, Action: entry.ActionClose}, entry.ProgrammeSubject(s.programme)))
	r = judge(t, s.bundle("under a programme"), s.Reader())
	if r.Verdict != verify.Active || r.Programme.Open || r.Programme.Rules.Link != "https://rules.example/2" {
		t.Errorf("closed: %v, %+v", r.Verdict, r.Programme)
	}
}

func hexOf(h testnode.Hash) string { return entry.ProgrammeSubject(h).Digest }
