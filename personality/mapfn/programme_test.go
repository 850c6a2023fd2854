package mapfn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// published adds a programme of a, at 4 in a new scene. Without members,
// anybody is one.
func (s *scene) published(members ...*testlog.Party) *entry.Entry {
	s.Helper()
	return s.add("prog", testlog.Publish(s.a0, s.rules(members...)))
}

func (s *scene) rules(members ...*testlog.Party) *entry.Programme {
	var ids []hash
	for _, p := range members {
		ids = append(ids, p.ID)
	}
	return testlog.Rules(origin, ids...)
}

// closed adds a programme of a and its end, at 4 and 5.
func (s *scene) closed() *entry.Entry {
	s.Helper()
	p := s.published()
	s.add("closing", testlog.CloseProgramme(origin, s.a1, p.ID))
	return p
}

// ended ends a party.
func (s *scene) ended(p *testlog.Party) {
	s.Helper()
	s.add("end", testlog.EndParty(origin, p.ID, s.registrar))
}

// partyA is a's record whose last event, the n-th, is of a kind and at index.
func partyA(index, n int, kind mapfn.EventKind) string {
	return fmt.Sprintf(`6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":%d,"recovery":"$aR",`+
		`"roles":["steward"],"keys":2,"count":%d,"lastEvent":%[1]d,"root":"$list"} +%[3]d`, index, n, kind)
}

func TestPublish(t *testing.T) {
	by := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.Publish(k(s), s.rules()) }
	}
	try(t, []rule{
		{"by an ordinary key", by(func(s *scene) *testlog.Key { return s.a0 }), "", partyA(4, 3, mapfn.EventPublish) + `
8 $id {"v":1,"state":"open","issued":4,"at":4,"leaf":"$leaf","last":4,"party":"$a"}`},
		{"while the log is closed", by(func(s *scene) *testlog.Key {
			s.add("closed", s.charter(index(0), "closed", s.root2))
			return s.a0
		}), "", ""},
		{"by the recovery key", by(func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"by a registrar", by(func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by a retired key", by(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a1.ID(), s.a1))
			return s.a1
		}), reason.KeyNotActive, ""},
		{"by an ended party", by(func(s *scene) *testlog.Key { s.ended(s.a); return s.a0 }), reason.PartyEnded, ""},
		{"again", func(s *scene) *entry.Entry { return s.published() }, reason.NoChange, ""},
		{"the same rules, by another party", func(s *scene) *entry.Entry {
			s.published()
			return testlog.Publish(s.b0, s.rules())
		}, "", ""},
		{"for another log", func(s *scene) *entry.Entry {
			return testlog.Publish(s.a0, testlog.Rules("log.example/another"))
		}, reason.WrongLog, ""},
	})
}

func TestAmendProgramme(t *testing.T) {
	amend := func(after uint64, by func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			p := s.published()
			return testlog.AmendProgramme(by(s), p.ID, after, s.rules(s.a))
		}
	}
	a0 := func(s *scene) *testlog.Key { return s.a0 }
	try(t, []rule{
		{"after its last", amend(4, a0), "", partyA(5, 4, mapfn.EventRules) + `
8 $prog {"v":1,"state":"open","issued":4,"at":5,"leaf":"$leaf","last":5,"party":"$a"}`},
		{"by another key of the party", amend(4, func(s *scene) *testlog.Key { return s.a1 }), "", ""},
		{"after an earlier index", amend(3, a0), reason.AfterStale, ""},
		{"after a later index", amend(5, a0), reason.AfterStale, ""},
		{"by another party", amend(4, func(s *scene) *testlog.Key { return s.b0 }), reason.NotYourProg, ""},
		{"by the recovery key", amend(4, func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"by an ended party", amend(4, func(s *scene) *testlog.Key { s.ended(s.a); return s.a0 }), reason.PartyEnded, ""},
		{"the former rules, replayed", func(s *scene) *entry.Entry {
			p := s.published()
			first := s.add("first", testlog.AmendProgramme(s.a0, p.ID, 4, s.rules(s.a)))
			s.add("second", testlog.AmendProgramme(s.a0, p.ID, 5, s.rules(s.b)))
			return first
		}, reason.AfterStale, ""},
		{"closed", func(s *scene) *entry.Entry {
			return testlog.AmendProgramme(s.a0, s.closed().ID, 5, s.rules())
		}, reason.ProgClosed, ""},
		{"what nobody published", func(s *scene) *entry.Entry {
			return testlog.AmendProgramme(s.a0, s.att.ID, 3, s.rules())
		}, reason.Programme, ""},
	})
}

func TestCloseProgramme(t *testing.T) {
	end := func(by func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			p := s.published()
			return testlog.CloseProgramme(origin, by(s), p.ID)
		}
	}
	try(t, []rule{
		{"open", end(func(s *scene) *testlog.Key { return s.a1 }), "", partyA(5, 4, mapfn.EventClose) + `
8 $prog {"v":1,"state":"closed","issued":4,"at":4,"leaf":"$prog.leaf","last":5,"party":"$a"}`},
		{"amended", func(s *scene) *entry.Entry {
			p := s.published()
			s.add("rules", testlog.AmendProgramme(s.a0, p.ID, 4, s.rules(s.a)))
			return testlog.CloseProgramme(origin, s.a0, p.ID)
		}, "", partyA(6, 5, mapfn.EventClose) + `
8 $prog {"v":1,"state":"closed","issued":4,"at":5,"leaf":"$rules.leaf","last":6,"party":"$a"}`},
		{"by another party", end(func(s *scene) *testlog.Key { return s.b0 }), reason.NotYourProg, ""},
		{"by a registrar", end(func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by an ended party", end(func(s *scene) *testlog.Key { s.ended(s.a); return s.a0 }), reason.PartyEnded, ""},
		{"twice", func(s *scene) *entry.Entry {
			return testlog.CloseProgramme(origin, s.a0, s.closed().ID)
		}, reason.ProgClosed, ""},
		{"what nobody published", func(s *scene) *entry.Entry {
			return testlog.CloseProgramme(origin, s.a0, s.att.ID)
		}, reason.Programme, ""},
	})
}

// TestClosedStaysClosed: the publication, logged again, opens nothing; and what
// was issued under the programme stands.
func TestClosedStaysClosed(t *testing.T) {
	s := newScene(t)
	p := s.published()
	under := s.add("under", s.under(s.b0, p, nil))
	before := s.record(mapfn.NSAttestation, under.ID[:])
	end := s.add("closing", testlog.CloseProgramme(origin, s.a0, p.ID))
	closed := s.record(mapfn.NSProgramme, p.ID[:])
	s.wantStep("the publication again", p.Leaf, reason.NoChange)
	s.wantStep("the end again", end.Leaf, reason.ProgClosed)
	if got := s.record(mapfn.NSProgramme, p.ID[:]); got != closed || !strings.Contains(got, `"state":"closed"`) {
		t.Errorf("record %s, was %s", got, closed)
	}
	if got := s.record(mapfn.NSAttestation, under.ID[:]); got != before {
		t.Errorf("record %s, before %s", got, before)
	}
}

// under is an attestation by k under a programme, with one change.
func (s *scene) under(k *testlog.Key, programme *entry.Entry, change func(*entry.Attestation)) *entry.Entry {
	a := testlog.Claims(origin, from+s.index(), 2)
	a.Programme = &programme.ID
	if change != nil {
		change(a)
	}
	return testlog.Attest(k, a, testlog.Component("pkg:npm/widget@1.0.0"))
}

// TestUnderProgramme: nobody puts himself under a programme's name.
func TestUnderProgramme(t *testing.T) {
	// by is under a programme of a with the rules changed as given.
	by := func(k func(*scene) *testlog.Key, rules func(*scene, *entry.Programme), change func(*entry.Attestation)) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			r := s.rules()
			if rules != nil {
				rules(s, r)
			}
			return s.under(k(s), s.add("prog", testlog.Publish(s.a0, r)), change)
		}
	}
	b0 := func(s *scene) *testlog.Key { return s.b0 }
	members := func(of ...func(*scene) hash) func(*scene, *entry.Programme) {
		return func(s *scene, r *entry.Programme) {
			for _, m := range of {
				r.Members = append(r.Members, m(s))
			}
		}
	}
	a, b := func(s *scene) hash { return s.a.ID }, func(s *scene) hash { return s.b.ID }
	roles := func(roles ...string) func(*scene, *entry.Programme) {
		return func(_ *scene, r *entry.Programme) { r.Roles = roles }
	}
	const validity = 366 * 24 * 3600 // of the attestations, and at most by the rules
	try(t, []rule{
		{"by anybody", by(b0, nil, nil), "", ""},
		{"by the operator", by(func(s *scene) *testlog.Key { return s.a0 }, nil, nil), "", ""},
		{"by a member", by(b0, members(a, b), nil), "", ""},
		{"by no member", by(b0, members(a), nil), reason.ProgRules, ""},
		{"by the operator, who is no member", by(func(s *scene) *testlog.Key { return s.a0 }, members(b), nil), reason.ProgRules, ""},
		{"in one of the roles", by(b0, roles("assessor", "steward"), nil), "", ""},
		{"in another role", by(b0, roles("assessor"), nil), reason.ProgRules, ""},
		{"in a role it had", by(func(s *scene) *testlog.Key {
			s.add("roles", testlog.AmendRoles(origin, s.b.ID, 2, s.registrar, "assessor"))
			return s.b0
		}, nil, nil), reason.ProgRules, ""},
		{"in a role it came to have", by(func(s *scene) *testlog.Key {
			s.add("roles", testlog.AmendRoles(origin, s.b.ID, 2, s.registrar, "assessor"))
			return s.b0
		}, roles("assessor"), nil), "", ""},
		{"a second too long", by(b0, nil, func(a *entry.Attestation) { a.ValidUntil++ }), reason.ProgRules, ""},
		{"longer than the rules", by(b0, func(_ *scene, r *entry.Programme) { r.MaxValidity = validity - 1 }, nil), reason.ProgRules, ""},
		{"of another catalogue", by(b0, func(_ *scene, r *entry.Programme) { r.Catalogues = []string{"cra-annex-i"} }, nil), reason.ProgRules, ""},
		{"of one of the catalogues", by(b0, func(_ *scene, r *entry.Programme) {
			r.Catalogues = append(r.Catalogues, "cra-annex-i")
		}, nil), "", ""},
		{"without claims", by(b0, nil, func(a *entry.Attestation) {
			a.Claims, a.Statement = nil, testlog.Statement(origin, from, []byte("document")).Statement
		}), "", ""},
		{"closed", func(s *scene) *entry.Entry { return s.under(s.b0, s.closed(), nil) }, reason.ProgClosed, ""},
		{"what nobody published", func(s *scene) *entry.Entry { return s.under(s.b0, s.att, nil) }, reason.Programme, ""},
		{"of a party that has ended", func(s *scene) *entry.Entry {
			p := s.published()
			s.ended(s.a)
			return s.under(s.b0, p, nil)
		}, "", ""},
	})
}

// TestNewestRules: an amendment holds for what comes after it.
func TestNewestRules(t *testing.T) {
	s := newScene(t)
	p := s.published(s.a)
	s.wantStep("before", s.under(s.b0, p, nil).Leaf, reason.ProgRules)
	s.add("rules", testlog.AmendProgramme(s.a0, p.ID, 4, s.rules(s.b)))
	under := s.add("after", s.under(s.b0, p, nil))
	s.wantStep("the former member", s.under(s.a0, p, nil).Leaf, reason.ProgRules)
	s.add("rules again", testlog.AmendProgramme(s.a0, p.ID, 6, s.rules(s.a)))
	if got := s.record(mapfn.NSAttestation, under.ID[:]); !strings.Contains(got, `"state":"active"`) {
		t.Errorf("record %s", got)
	}
}
