package verify_test

import (
	"slices"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

const day = 24 * time.Hour

// scene is a log in which an attestation met each fate there is.
type scene struct {
	*testnode.Node
	t testing.TB
	// steward has five keys: the second is compromised in the end, the third
	// retired, the fourth compromised from the beginning of the log; of what the
	// fifth attested, ranges are void. ended has ended; other is nobody special,
	// and operates a programme.
	steward, ended, other *testlog.Party
	programme             testnode.Hash
	published             *entry.Entry // the programme's first rules
	att                   map[string]*entry.Entry
	// early is the bundle of what became revoked, when it was not.
	early []byte
}

// newScene makes the log. Entries come one by one, so it is the same each time.
func newScene(t testing.TB, origin string) *scene {
	s := &scene{Node: testnode.New(t, origin), t: t, att: map[string]*entry.Entry{}}
	s.steward, s.ended, s.other = s.Enrol("steward", 5), s.Enrol("ended", 1), s.Enrol("other", 1)
	keys := s.steward.Keys
	s.attest("active", keys[0], func(a *entry.Attestation) { a.ValidFrom -= 86400 })
	for _, name := range []string{"revoked", "held", "lapsed", "superseded", "reinstated", "several"} {
		s.attest(name, keys[0], nil)
	}
	s.attest("expired", keys[0], func(a *entry.Attestation) { a.ValidUntil = s.Unix() + 3600 })
	s.attest("early", keys[0], func(a *entry.Attestation) { a.ValidFrom += 10 * 86400 })
	s.attest("before cutoff", keys[1], nil)
	cutoff := s.attest("void", keys[1], func(a *entry.Attestation) { a.ValidFrom -= 300 * 86400 }).Index
	s.attest("by retired key", keys[2], nil)
	s.attest("void and revoked", keys[3], nil)
	s.attest("of ended party", s.ended.Keys[0], nil)
	s.attest("of another", s.other.Keys[0], nil)
	s.early = s.bundle("revoked")

	s.Submit(testlog.Revoke(origin, 3, keys[0], s.att["revoked"].ID))
	s.hold("held", 30*day)
	s.hold("lapsed", time.Hour)
	s.attest("successor", keys[0], func(a *entry.Attestation) { a.Supersedes = &s.att["superseded"].ID }, "superseded")
	hold := s.hold("reinstated", 30*day)
	s.Submit(testlog.Reinstate(origin, hold.ID, keys[0], s.att["reinstated"].ID))
	s.Submit(testlog.CompromiseKey(origin, keys[1].ID(), &cutoff, s.steward.Recovery))
	s.Submit(testlog.RetireKey(origin, keys[2].ID(), keys[2]))
	s.Submit(testlog.Revoke(origin, 0, keys[0], s.att["void and revoked"].ID))
	s.Submit(testlog.CompromiseKey(origin, keys[3].ID(), new(uint64), s.steward.Recovery))
	s.Submit(testlog.EndParty(origin, s.ended.ID, s.Registrar))
	s.partial()
	s.ranges()
	s.programmes()
	return s
}

// partial withdraws single claims.
func (s *scene) partial() {
	key := s.steward.Keys[0]
	for _, name := range []string{"partial", "partial and reinstated", "partial and superseded"} {
		s.attest(name, key, nil)
		s.withdraw(key, "BR.01", name)
	}
	hold := s.hold("partial and reinstated", 30*day)
	s.Submit(testlog.Reinstate(s.Origin, hold.ID, key, s.att["partial and reinstated"].ID))
	s.attest("its successor", key, func(a *entry.Attestation) { a.Supersedes = &s.att["partial and superseded"].ID }, "partial and superseded")
	s.attest("partial and held", key, nil)
	s.hold("partial and held", 30*day)
	s.withdraw(key, "BR.02", "partial and held")
}

// withdraw withdraws a claim.
func (s *scene) withdraw(by *testlog.Key, claim string, name string) {
	s.t.Helper()
	s.Submit(testlog.Sign(by, &entry.Revocation{Log: s.Origin, Action: entry.ActionClaims, Reason: 3, Claims: []string{claim}},
		entry.AttestationSubject(s.att[name].ID)))
}

// ranges declares void what the fifth key attested: all of a while, and then
// what is about one package.
func (s *scene) ranges() {
	key := s.steward.Keys[4]
	from := s.attest("in range", key, nil).Index
	to := s.attest("behind the range", key, nil).Index
	s.void(from, to, "")
	from = s.attest("in range of its package", key, nil).Index
	to = s.attest("of another package", key, nil).Index + 1
	s.void(from, to, "pkg:generic/in-range-of-its-package")
}

func (s *scene) void(from, to uint64, pkg string) {
	s.t.Helper()
	s.Submit(testlog.Sign(s.steward.Recovery, &entry.Key{Log: s.Origin, Action: entry.ActionRange,
		Range: &entry.KeyRange{From: from, To: to, Reason: 2, Package: pkg}}, entry.KeySubject(s.steward.Keys[4].ID())))
}

// programmes issues under a programme, the rules of which were amended, and has
// its operator withdraw.
func (s *scene) programmes() {
	operator := s.other.Keys[0]
	rules := func(action, link string, after *uint64) *entry.Programme {
		return &entry.Programme{Log: s.Origin, Action: action, After: after, Rules: testnode.Hash{1}, Link: link,
			Catalogues: []string{"orc-template-lite"}, Roles: []string{"steward"}, MaxValidity: 400 * 86400}
	}
	published := testlog.Sign(operator, rules(entry.ActionPublish, "https://rules.example/1", nil), entry.RulesSubject(testnode.Hash{1}))
	after := s.Submit(published)[0].Index
	s.programme, s.published = published.ID, published
	s.Submit(testlog.Sign(operator, rules(entry.ActionAmend, "https://rules.example/2", &after), entry.ProgrammeSubject(s.programme)))
	for _, name := range []string{"under a programme", "withdrawn by the operator"} {
		s.attest(name, s.steward.Keys[0], func(a *entry.Attestation) { a.Programme = &s.programme })
	}
	s.Submit(testlog.Sign(operator, &entry.Revocation{Log: s.Origin, Action: entry.ActionRevoke, Reason: 3, Programme: &s.programme},
		entry.AttestationSubject(s.att["withdrawn by the operator"].ID)))
}

// attest submits an attestation about a component of its own, or the one of
// another attestation, and returns where it stands.
func (s *scene) attest(name string, by *testlog.Key, change func(*entry.Attestation), of ...string) struct{ Index uint64 } {
	s.t.Helper()
	e := s.make(name, by, change, of...)
	s.att[name] = e
	return struct{ Index uint64 }{s.Submit(e)[0].Index}
}

// make makes an attestation.
func (s *scene) make(name string, by *testlog.Key, change func(*entry.Attestation), of ...string) *entry.Entry {
	a := testlog.Claims(s.Origin, s.Unix(), 2)
	if change != nil {
		change(a)
	}
	component := "pkg:generic/" + slug(slices.Concat(of, []string{name})[0]) + "@1." + string(rune('0'+len(of)))
	return testlog.Attest(by, a, testlog.Component(component))
}

func slug(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] == ' ' {
			b[i] = '-'
		}
	}
	return string(b)
}

func (s *scene) hold(name string, d time.Duration) *entry.Entry {
	s.t.Helper()
	id := s.att[name].ID
	e := testlog.Hold(s.Origin, s.Unix()+uint64(d/time.Second), s.steward.Keys[0], testlog.Target{ID: id, Last: s.Record(id).Last})
	s.Submit(e)
	return e
}

// bundle returns the bundle of the attestations with the names.
func (s *scene) bundle(names ...string) []byte {
	s.t.Helper()
	ids := make([]testnode.Hash, len(names))
	for i, name := range names {
		ids[i] = s.att[name].ID
	}
	return s.Bundle(ids...)
}

// parse parses a bundle that must parse, to be changed.
func parse(t testing.TB, file []byte) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, b *bundle.Bundle) []byte {
	t.Helper()
	file, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// change returns file with something changed.
func change(t testing.TB, file []byte, f func(*bundle.Bundle)) []byte {
	t.Helper()
	b := parse(t, file)
	f(b)
	return write(t, b)
}

// absent returns the bundle which shows that e, signed by a key of the party
// that signed the attestation named like, is not in the map.
func (s *scene) absent(e *entry.Entry, like string) []byte {
	s.t.Helper()
	state := s.State()
	defer state.Close()
	record, p, err := state.Map.Prove(mapfn.NSAttestation, e.ID[:])
	if err != nil || record != nil {
		s.t.Fatalf("the map has %x: %s, %v", e.ID, record, err)
	}
	return change(s.t, s.bundle(like), func(b *bundle.Bundle) {
		b.Attestations = bundle.List[bundle.Attestation]{{Entry: e.Leaf, Proof: p.Marshal()}}
		b.Causes = nil
	})
}

// policy returns the node's trust file with other lines for the quorum.
func (s *scene) policy(lines string) *trust.Policy {
	s.t.Helper()
	p, err := trust.Parse([]byte(s.Trust[:len(s.Trust)-len("quorum witnesses\n")] + lines))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// judge verifies a bundle of one attestation.
func judge(t testing.TB, file []byte, o verify.Options) verify.Result {
	t.Helper()
	r := verify.Bundle(file, o)
	if r.Err != nil || len(r.Results) != 1 {
		t.Fatalf("%d results, %v", len(r.Results), r.Err)
	}
	return r.Results[0]
}
