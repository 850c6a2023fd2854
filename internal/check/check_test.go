package check_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

const (
	origin = "log.example/check"
	day    = 24 * time.Hour
)

// scene is a log with attestations of every fate, and an SBOM of what they are
// about.
type scene struct {
	*testnode.Node
	t                testing.TB
	steward, another *testlog.Party
	names            map[string]string // by id
	doc              sbom.Document
	want             []string // per component: verdict, severity, attestations
}

func newScene(t testing.TB) *scene {
	s := &scene{Node: testnode.New(t, origin), t: t, names: map[string]string{}}
	s.doc = sbom.Document{Format: "CycloneDX 1.6 JSON", Product: "gateway@3.1", Digest: [32]byte{1}}
	s.steward, s.another = s.Enrol("steward", 3), s.Enrol("another", 1)
	return s
}

// attest logs an attestation about subjects, each a purl with version, or one
// without and a range or "all".
func (s *scene) attest(name string, by *testlog.Key, change func(*entry.Attestation), subjects ...string) *entry.Entry {
	s.t.Helper()
	s.Advance(time.Second) // each has an id of its own
	a := testlog.Claims(origin, s.Unix(), 5)
	if change != nil {
		change(a)
	}
	var list []entry.Subject
	for _, subject := range subjects {
		purl, text, scoped := strings.Cut(subject, " ")
		if !scoped {
			list = append(list, testlog.Component(purl))
			continue
		}
		scope := entry.Scope{Purl: purl, Vers: strings.TrimPrefix(text, "all")}
		a.Scopes, list = append(a.Scopes, scope), append(list, scope.Subject())
	}
	e := testlog.Attest(by, a, list...)
	s.Submit(e)
	s.names[e.IDString()] = name
	return e
}

// component adds one to the SBOM, which is to get this answer.
func (s *scene) component(c sbom.Component, want string) {
	c.Parent = -1
	s.doc.Components, s.want = append(s.doc.Components, c), append(s.want, want)
}

func purl(s string) sbom.Component { return sbom.Component{PURL: s} }

func (s *scene) ask() [][]byte {
	s.t.Helper()
	s.Refresh()
	state := s.State()
	defer state.Close()
	bundles, err := check.Ask(s.doc.Components, state)
	if err != nil {
		s.t.Fatal(err)
	}
	return bundles
}

func (s *scene) judge() *check.Result {
	s.t.Helper()
	return check.Judge(&s.doc, []check.Evidence{{Origin: origin, Bundles: s.ask()}}, s.Reader())
}

// fill makes everything happen.
func (s *scene) fill() {
	key, other := s.steward.Keys[0], s.another.Keys[0]
	supersede := func(e *entry.Entry) func(*entry.Attestation) {
		return func(a *entry.Attestation) { a.Supersedes = &e.ID }
	}
	s.attest("active", key, nil, "pkg:npm/active@1.0.0")
	s.component(purl("pkg:npm/active@1.0.0"), "ACTIVE: exact active ACTIVE")
	s.component(purl("pkg:npm/active@1.0.0?arch=any#part"), "ACTIVE: no-qualifiers active ACTIVE")
	s.component(sbom.Component{PURL: "pkg:npm/active", Version: "1.0.0"}, "ACTIVE: exact active ACTIVE")
	s.component(purl("pkg:npm/active@1.0.1"), "NONE:")
	s.component(purl("pkg:npm/active"), "UNDECIDED: perhaps active")
	digest := testlog.Component("pkg:npm/active@1.0.0").Digest
	s.component(sbom.Component{Name: "by digest", Digests: []sbom.Digest{{Algorithm: "sha256", Hex: digest}}}, "ACTIVE: digest active ACTIVE")
	s.component(sbom.Component{PURL: "pkg:npm/active@1.0.0", Digests: []sbom.Digest{{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}}}, "ACTIVE: exact active ACTIVE differs")

	s.Submit(testlog.Revoke(origin, 10, key, s.attest("revoked", key, nil, "pkg:npm/revoked@1.0.0").ID))
	s.attest("other's", other, nil, "pkg:npm/revoked@1.0.0")
	s.component(purl("pkg:npm/revoked@1.0.0"), "REVOKED act: exact revoked REVOKED, exact other's ACTIVE")

	renewed := s.attest("renewed", key, nil, "pkg:npm/renewed@1.0.0")
	s.attest("renewal", key, supersede(renewed), "pkg:npm/renewed vers:npm/>=1.0.0")
	s.component(purl("pkg:npm/renewed@1.0.0"), "ACTIVE: exact renewed SUPERSEDED by renewal, range renewal ACTIVE")
	s.component(purl("pkg:npm/renewed@0.9.0"), "NONE:")
	replaced := s.attest("replaced", key, nil, "pkg:npm/replaced@1.0.0")
	s.attest("replacement", key, supersede(replaced), "pkg:npm/replaced@2.0.0")
	s.component(purl("pkg:npm/replaced@1.0.0"), "SUPERSEDED update: exact replaced SUPERSEDED")

	s.Submit(testlog.Revoke(origin, 8, key, s.attest("lapsed practice", key, nil, "pkg:npm/reissued@1.0.0").ID))
	s.attest("reissued", s.steward.Keys[1], nil, "pkg:npm/reissued@1.0.0")
	s.component(purl("pkg:npm/reissued@1.0.0"), "ACTIVE: exact lapsed practice REVOKED by reissued, exact reissued ACTIVE")
	first := s.attest("first", key, nil, "pkg:npm/both@1.0.0")
	s.attest("second", key, nil, "pkg:npm/both@1.0.0")
	s.Submit(testlog.Revoke(origin, 0, key, first.ID))
	s.component(purl("pkg:npm/both@1.0.0"), "REVOKED reassess: exact first REVOKED, exact second ACTIVE")

	s.attest("range", key, nil, "pkg:gem/ranged vers:gem/>=1.0.0", "pkg:npm/ranged vers:npm/>=1.0.0|<2.0.0", "pkg:npm/whole all")
	s.component(purl("pkg:npm/ranged@1.5.0"), "ACTIVE: range range ACTIVE")
	s.component(purl("pkg:npm/ranged@2.0.0"), "NONE:")
	s.component(purl("pkg:npm/whole@7"), "ACTIVE: package range ACTIVE")
	s.component(purl("pkg:npm/whole"), "ACTIVE: package range ACTIVE")
	s.component(purl("pkg:gem/ranged@1.5.0"), "UNDECIDED: perhaps range")

	s.attest("qualified", key, nil, "pkg:deb/debian/ranged?arch=amd64 vers:deb/>=1.0")
	s.component(purl("pkg:deb/debian/ranged@1.2-3"), "ACTIVE: range qualified ACTIVE")

	held := s.attest("held", key, nil, "pkg:npm/held@1.0.0")
	s.Submit(testlog.Hold(origin, s.Unix()+1_000_000, key, testlog.Target{ID: held.ID, Last: s.Record(held.ID).Last}))
	s.component(purl("pkg:npm/held@1.0.0"), "SUSPENDED caution: exact held SUSPENDED")
	partial := s.attest("partial", key, nil, "pkg:npm/partial@1.0.0")
	s.Submit(testlog.WithdrawClaims(origin, 9, key, []string{partial.Attestation.Claims.Items[0].ID}, partial.ID))
	s.component(purl("pkg:npm/partial@1.0.0"), "PARTIAL reassess: exact partial PARTIAL")
	old := func(a *entry.Attestation) { a.ValidFrom, a.ValidUntil = a.ValidFrom-1000, a.ValidFrom-10 }
	s.attest("expired", key, old, "pkg:npm/expired@1.0.0", "pkg:npm/expired@2.0.0")
	s.attest("not expired", other, nil, "pkg:npm/expired@2.0.0")
	s.component(purl("pkg:npm/expired@1.0.0"), "EXPIRED reassess: exact expired EXPIRED")
	s.component(purl("pkg:npm/expired@2.0.0"), "ACTIVE: exact expired EXPIRED, exact not expired ACTIVE")
	void := s.attest("void", s.steward.Keys[2], nil, "pkg:npm/void@1.0.0")
	cutoff := s.Record(void.ID).Issued
	s.Submit(testlog.CompromiseKey(origin, s.steward.Keys[2].ID(), &cutoff, s.steward.Recovery))
	s.component(purl("pkg:npm/void@1.0.0"), "KEY_VOID act: exact void KEY_VOID")

	s.attest("yes", key, nil, "pkg:npm/disputed@1.0.0")
	s.attest("no", other, func(a *entry.Attestation) { a.Claims.Items[0].Answer = "no" }, "pkg:npm/disputed@1.0.0")
	s.component(purl("pkg:npm/disputed@1.0.0"), "ACTIVE caution: exact yes ACTIVE, exact no ACTIVE, 1 conflicts")
	s.attest("negative", other, func(a *entry.Attestation) { a.Polarity = "negative" }, "pkg:npm/negative@1.0.0")
	s.component(purl("pkg:npm/negative@1.0.0"), "ACTIVE reassess: exact negative ACTIVE")
	s.attest("unsupported", key, func(a *entry.Attestation) {
		past := a.ValidFrom - 1
		a.SupportUntil = &past
		a.Support = &entry.Support{Asks: "funding", URL: "https://steward.example/support"}
	}, "pkg:npm/unsupported@1.0.0")
	s.component(purl("pkg:npm/unsupported@1.0.0"), "ACTIVE plan: exact unsupported ACTIVE")

	s.component(purl("pkg:npm/none@1.0.0"), "NONE:")
	s.component(sbom.Component{Name: "only a name", Version: "1.0.0"}, "UNNAMED:")
	s.component(sbom.Component{PURL: "npm:none@1.0.0\n"}, "UNNAMED:")
	s.component(sbom.Component{}, "UNNAMED:")
	s.component(purl("pkg:npm/active@1.0.0"), "ACTIVE: exact active ACTIVE")
}

// answer writes the answer about a component as scenes want it.
func (s *scene) answer(c check.Component) string {
	var parts []string
	for _, a := range c.Attestations {
		part := fmt.Sprintf("%s %s %s", a.Rule, s.names[a.ID], a.Verdict)
		if a.FollowedBy != "" {
			part += " by " + s.names[a.FollowedBy]
		}
		if a.Digest == "differs" {
			part += " differs"
		}
		parts = append(parts, part)
	}
	for _, o := range c.Undecided {
		parts = append(parts, "perhaps "+s.names[o.ID])
	}
	if n := len(c.Conflicts); n > 0 {
		parts = append(parts, fmt.Sprintf("%d conflicts", n))
	}
	head := c.Verdict
	if c.Severity != "" {
		head += " " + string(c.Severity)
	}
	return strings.TrimSpace(head + ": " + strings.Join(parts, ", "))
}

func TestJudge(t *testing.T) {
	s := newScene(t)
	s.fill()
	r := s.judge()
	if len(r.Components) != len(s.doc.Components) {
		t.Fatalf("%d components", len(r.Components))
	}
	sum := 0
	for _, n := range r.Totals.Verdicts {
		sum += n
	}
	if sum != len(s.want) || r.Totals.Components != sum || r.Totals.Conflicts != 1 {
		t.Errorf("totals %+v of %d", r.Totals, len(s.want))
	}
	for i, c := range r.Components {
		if got := s.answer(c); got != s.want[i] || c.Index != i || c.PURL != s.doc.Components[i].PURL {
			t.Errorf("%s: %s\nnot %s", c.PURL, got, s.want[i])
		}
		if c.Next == "" && (c.Needs() || c.Verdict == "NONE") {
			t.Errorf("%s: %s, and no next step", c.PURL, c.Verdict)
		}
		if !slices.Contains(check.Verdicts(), c.Verdict) {
			t.Errorf("%s is not listed", c.Verdict)
		}
	}
	if l := r.Logs[0]; l.Verdict != check.Fresh || !l.Witnessed || l.Size == 0 || l.Origin != origin || !l.AsOf.Equal(s.Now()) {
		t.Errorf("%+v", l)
	}
}

// TestFlaws: evidence that is wrong, missing or old takes good news away, and
// no bad news.
func TestFlaws(t *testing.T) {
	s := newScene(t)
	s.fill()
	active := s.attest("alone", s.steward.Keys[0], nil, "pkg:npm/alone@1.0.0")
	bundles := s.ask()
	good := check.Evidence{Origin: origin, Bundles: bundles}
	// What was shown a while ago, at another checkpoint.
	s.Advance(time.Minute)
	s.attest("later", s.steward.Keys[0], nil, "pkg:npm/later@1.0.0")
	later := s.ask()
	stale := s.Reader()
	stale.Now = stale.Now.Add(2 * day)
	broken := []byte(strings.Replace(string(bundles[0]), `"sig":"`, `"sig":"AA`, 1))
	for _, tt := range []struct {
		name     string
		evidence []check.Evidence
		o        verify.Options
		log      string
		verdicts map[string]string // what becomes of those before; others stay
		exit     int
	}{
		{"good", []check.Evidence{good}, s.Reader(), check.Fresh, nil, 1},
		{"missing", []check.Evidence{{Origin: origin, Err: errors.New("never synced")}}, s.Reader(), "NO_EVIDENCE", map[string]string{"": "NO_EVIDENCE"}, 3},
		{"one of two missing", []check.Evidence{good, {Origin: "log.example/other", Err: errors.New("never synced")}}, s.Reader(), check.Fresh,
			map[string]string{"NONE": "NO_EVIDENCE", "UNDECIDED": "NO_EVIDENCE", "SUPERSEDED": "NO_EVIDENCE", "EXPIRED": "NO_EVIDENCE"}, 1},
		{"contradicting itself", []check.Evidence{{Origin: origin, Err: errors.New("two trees"), Contradicts: true}}, s.Reader(), "ROLLBACK", map[string]string{"": "ROLLBACK"}, 4},
		{"broken", []check.Evidence{{Origin: origin, Bundles: [][]byte{broken}}}, s.Reader(), "INVALID", map[string]string{"": "INVALID"}, 4},
		{"of another log", []check.Evidence{{Origin: "log.example/other", Bundles: bundles}}, s.Reader(), "INVALID", map[string]string{"": "INVALID"}, 4},
		{"of two checkpoints", []check.Evidence{{Origin: origin, Bundles: [][]byte{bundles[0], later[0]}}}, s.Reader(), "INVALID", map[string]string{"": "INVALID"}, 4},
		{"nothing shown", []check.Evidence{{Origin: origin, Bundles: [][]byte{s.Bundle(active.ID)}}}, s.Reader(), check.Fresh, map[string]string{"": "NO_EVIDENCE"}, 3},
		{"stale", []check.Evidence{good}, stale, "STALE", map[string]string{"ACTIVE": "STALE", "NONE": "STALE", "UNDECIDED": "STALE", "SUPERSEDED": "SUPERSEDED"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := check.Judge(&s.doc, tt.evidence, tt.o)
			if r.Logs[0].Verdict != tt.log || (r.Logs[0].Error == "") != (tt.log == check.Fresh) {
				t.Errorf("%+v", r.Logs[0])
			}
			for i, c := range r.Components {
				want, _, _ := strings.Cut(strings.TrimSuffix(s.want[i], ":"), " ")
				want = strings.TrimSuffix(want, ":")
				all, changed := tt.verdicts[""], tt.verdicts[want]
				switch {
				case want == check.Unnamed:
				case all != "":
					want = all
				case changed != "":
					want = changed
				}
				if c.Verdict != want {
					t.Errorf("%s: %s, not %s", c.PURL, c.Verdict, want)
				}
			}
			if code := r.ExitCode(nil, false); code != tt.exit {
				t.Errorf("exit code %d, not %d", code, tt.exit)
			}
		})
	}
}

// TestTwoLogs: each log answers for itself, and bad news from one counts,
// whatever the other says.
func TestTwoLogs(t *testing.T) {
	const otherOrigin = "log.example/other"
	s := newScene(t)
	other := testnode.New(t, otherOrigin)
	other.Submit(s.steward.Enrol(otherOrigin, other.Registrar))
	in := func(a *entry.Attestation) { a.Logs = []string{origin, otherOrigin} }
	key := s.steward.Keys[0]
	both := s.attest("both", key, in, "pkg:npm/both@1.0.0")
	other.Submit(both)
	revoked := s.attest("revoked in one", key, in, "pkg:npm/revoked@1.0.0")
	other.Submit(revoked)
	other.Submit(testlog.Revoke(otherOrigin, 12, key, revoked.ID))
	s.attest("in one", key, nil, "pkg:npm/one@1.0.0")
	s.component(purl("pkg:npm/both@1.0.0"), "ACTIVE: exact both ACTIVE, exact both ACTIVE")
	s.component(purl("pkg:npm/revoked@1.0.0"), "REVOKED act: exact revoked in one ACTIVE, exact revoked in one REVOKED")
	s.component(purl("pkg:npm/one@1.0.0"), "ACTIVE: exact in one ACTIVE")
	s.component(purl("pkg:npm/none@1.0.0"), "NONE:")

	logs := strings.SplitAfter(s.Trust, "\n")[:2]
	more := strings.SplitAfter(strings.Replace(other.Trust, "witness w1", "witness v1", 1), "\n")[:2]
	policy, err := trust.Parse([]byte(strings.Join(append(logs, more...), "") + "group any any w1 v1\nquorum any\n"))
	if err != nil {
		t.Fatal(err)
	}
	other.Refresh()
	state := other.State()
	defer state.Close()
	bundles, err := check.Ask(s.doc.Components, state)
	if err != nil {
		t.Fatal(err)
	}
	r := check.Judge(&s.doc, []check.Evidence{{Origin: origin, Bundles: s.ask()}, {Origin: otherOrigin, Bundles: bundles}},
		verify.Options{Policy: policy, Now: s.Now()})
	for i, c := range r.Components {
		if got := s.answer(c); got != s.want[i] {
			t.Errorf("%s: %s\nnot %s", c.PURL, got, s.want[i])
		}
	}
	if r.Totals.Attestations != 5 || len(r.Logs) != 2 || r.Logs[0].Verdict != check.Fresh || r.Logs[1].Verdict != check.Fresh {
		t.Errorf("%+v, %+v", r.Totals, r.Logs)
	}
}
