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
	// steward has four keys: the second is compromised in the end, the third
	// retired, the fourth compromised from the beginning of the log. ended has
	// ended; other is nobody special.
	steward, ended, other *testlog.Party
	att                   map[string]*entry.Entry
	// early is the bundle of what became revoked, when it was not.
	early []byte
}

// newScene makes the log. Entries come one by one, so it is the same each time.
func newScene(t testing.TB, origin string) *scene {
	s := &scene{Node: testnode.New(t, origin), t: t, att: map[string]*entry.Entry{}}
	s.steward, s.ended, s.other = s.Enrol("steward", 4), s.Enrol("ended", 1), s.Enrol("other", 1)
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
	return s
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
