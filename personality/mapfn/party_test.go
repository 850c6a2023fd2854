package mapfn_test

import (
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

func TestEnrol(t *testing.T) {
	enrol := func(change func(*scene, *testlog.Party)) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			p := testlog.NewParty("c", 2)
			p.Keys, p.Recovery = []*testlog.Key{s.key("c0"), s.key("c1")}, s.key("cR")
			change(s, p)
			return p.Enrol(origin, s.registrar)
		}
	}
	by := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.NewParty("c", 1).Enrol(origin, k(s)) }
	}
	try(t, []rule{
		{"by a registrar", enrol(func(s *scene, p *testlog.Party) { p.Roles = []string{"maintainer", "user"} }), "", `
5 $c0 {"v":1,"state":"active","role":"ordinary","first":4,"party":"$id","last":4}
5 $c1 {"v":1,"state":"active","role":"ordinary","first":4,"party":"$id","last":4}
5 $cR {"v":1,"state":"active","role":"recovery","first":4,"party":"$id","last":4}
6 $id {"v":1,"state":"active","issued":4,"leaf":"$leaf","last":4,"recovery":"$cR","roles":["maintainer","user"],"keys":2,"count":1,"lastEvent":4,"root":"$list"} +11`},
		{"by a root key", by(func(s *scene) *testlog.Key { return s.root }), reason.RoleNotAllowed, ""},
		{"by a party", by(func(s *scene) *testlog.Key { return s.a0 }), reason.RoleNotAllowed, ""},
		{"by a former registrar", by(func(s *scene) *testlog.Key {
			s.add("next", testlog.Charter(origin, index(0), "open", []*testlog.Key{s.key("reg2")}, s.root, s.root2))
			return s.registrar
		}), reason.KeyNotActive, ""},
		{"with another's ordinary key", enrol(func(s *scene, p *testlog.Party) { p.Keys[1] = s.b0 }), reason.KeySpent, ""},
		{"with another's recovery key", enrol(func(s *scene, p *testlog.Party) { p.Recovery = s.bR }), reason.KeySpent, ""},
		{"with the registrar's key", enrol(func(s *scene, p *testlog.Party) { p.Keys[0] = s.registrar }), reason.KeySpent, ""},
		{"with a retired key", enrol(func(s *scene, p *testlog.Party) {
			s.add("retire", testlog.RetireKey(origin, s.b0.ID(), s.bR))
			p.Keys[0] = s.b0
		}), reason.KeySpent, ""},
	})
}

func TestAmendParty(t *testing.T) {
	roles := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.AmendRoles(origin, s.a.ID, 1, k(s), "user") }
	}
	website := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			return testlog.AmendWebsite(origin, s.a.ID, 1, "https://new.example/", nil, k(s))
		}
	}
	next := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.AmendWebsite(origin, s.a.ID, 1, "", k(s), s.aR) }
	}
	try(t, []rule{
		{"roles, by a registrar", roles(func(s *scene) *testlog.Key { return s.registrar }), "", `
6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":4,"recovery":"$aR","roles":["user"],"keys":2,"count":3,"lastEvent":4,"root":"$list"} +12`},
		{"roles, by the recovery key", roles(func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"roles, by a root key", roles(func(s *scene) *testlog.Key { return s.root }), reason.RoleNotAllowed, ""},
		{"roles, by a former registrar", roles(func(s *scene) *testlog.Key {
			s.add("next", testlog.Charter(origin, index(0), "open", []*testlog.Key{s.key("reg2")}, s.root, s.root2))
			return s.registrar
		}), reason.KeyNotActive, ""},
		{"website, by the recovery key", website(func(s *scene) *testlog.Key { return s.aR }), "", `
6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":4,"recovery":"$aR","roles":["steward"],"keys":2,"count":3,"lastEvent":4,"root":"$list"} +12`},
		{"website, by a registrar", website(func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"website, by an ordinary key", website(func(s *scene) *testlog.Key { return s.a0 }), reason.RoleNotAllowed, ""},
		{"website, by another's recovery key", website(func(s *scene) *testlog.Key { return s.bR }), reason.RoleNotAllowed, ""},
		{"recovery", next(func(s *scene) *testlog.Key { return s.key("aR2") }), "", `
5 $aR {"v":1,"state":"retired","role":"recovery","first":1,"end":4,"party":"$a","last":4}
5 $aR2 {"v":1,"state":"active","role":"recovery","first":4,"party":"$a","last":4}
6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":4,"recovery":"$aR2","roles":["steward"],"keys":2,"count":3,"lastEvent":4,"root":"$list"} +12`},
		{"recovery and website", func(s *scene) *entry.Entry {
			return testlog.AmendWebsite(origin, s.a.ID, 1, "https://new.example/", s.key("aR2"), s.aR)
		}, "", ""},
		{"recovery: a key of its own", next(func(s *scene) *testlog.Key { return s.a0 }), reason.KeySpent, ""},
		{"recovery: the present one", next(func(s *scene) *testlog.Key { return s.aR }), reason.KeySpent, ""},
		{"by the former recovery key", func(s *scene) *entry.Entry {
			s.add("next", testlog.AmendWebsite(origin, s.a.ID, 1, "", s.key("aR2"), s.aR))
			return testlog.AmendWebsite(origin, s.a.ID, 4, "https://new.example/", nil, s.aR)
		}, reason.KeyNotActive, ""},
		{"by the new recovery key", func(s *scene) *entry.Entry {
			k := s.key("aR2")
			s.add("next", testlog.AmendWebsite(origin, s.a.ID, 1, "", k, s.aR))
			return testlog.AmendWebsite(origin, s.a.ID, 4, "https://new.example/", nil, k)
		}, "", ""},
		{"after the index of its last attestation", func(s *scene) *entry.Entry {
			return testlog.AmendRoles(origin, s.a.ID, 3, s.registrar, "user")
		}, reason.AfterStale, ""},
		{"after an earlier change", func(s *scene) *entry.Entry {
			s.add("roles", testlog.AmendRoles(origin, s.a.ID, 1, s.registrar, "user"))
			return testlog.AmendRoles(origin, s.a.ID, 1, s.registrar, "steward")
		}, reason.AfterStale, ""},
		{"after the last change", func(s *scene) *entry.Entry {
			s.add("roles", testlog.AmendRoles(origin, s.a.ID, 1, s.registrar, "user"))
			return testlog.AmendRoles(origin, s.a.ID, 4, s.registrar, "steward")
		}, "", ""},
		{"of nobody", func(s *scene) *entry.Entry {
			return testlog.AmendRoles(origin, s.att.ID, 1, s.registrar, "user")
		}, reason.TargetUnknown, ""},
		{"of an ended party", func(s *scene) *entry.Entry {
			s.add("end", testlog.EndParty(origin, s.a.ID, s.aR))
			return testlog.AmendRoles(origin, s.a.ID, 4, s.registrar, "user")
		}, reason.PartyEnded, ""},
	})
}

func TestEndParty(t *testing.T) {
	end := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.EndParty(origin, s.a.ID, k(s)) }
	}
	const ended = `
6 $a {"v":1,"state":"ended","issued":1,"leaf":"$a.leaf","last":4,"end":4,"recovery":"$aR","roles":["steward"],"keys":2,"count":3,"lastEvent":4,"root":"$list"} +13
w 4 kind 8 reason 0 flags 0000 $a from 0 to 0`
	try(t, []rule{
		{"by a registrar", end(func(s *scene) *testlog.Key { return s.registrar }), "", ended},
		{"by its recovery key", end(func(s *scene) *testlog.Key { return s.aR }), "", ended},
		{"by an ordinary key", end(func(s *scene) *testlog.Key { return s.a0 }), reason.RoleNotAllowed, ""},
		{"by a root key", end(func(s *scene) *testlog.Key { return s.root }), reason.RoleNotAllowed, ""},
		{"by another's recovery key", end(func(s *scene) *testlog.Key { return s.bR }), reason.RoleNotAllowed, ""},
		{"by its former recovery key", end(func(s *scene) *testlog.Key {
			s.add("next", testlog.AmendWebsite(origin, s.a.ID, 1, "", s.key("aR2"), s.aR))
			return s.aR
		}), reason.KeyNotActive, ""},
		{"by a former registrar", end(func(s *scene) *testlog.Key {
			s.add("next", testlog.Charter(origin, index(0), "open", []*testlog.Key{s.key("reg2")}, s.root, s.root2))
			return s.registrar
		}), reason.KeyNotActive, ""},
		{"of nobody", func(s *scene) *entry.Entry { return testlog.EndParty(origin, s.att.ID, s.registrar) }, reason.TargetUnknown, ""},
		{"of an ended party", end(func(s *scene) *testlog.Key {
			s.add("end", testlog.EndParty(origin, s.a.ID, s.registrar))
			return s.aR
		}), reason.PartyEnded, ""},
	})
}

// TestEndedParty: the keys of an ended party may revoke, hold, retire and
// compromise, and nothing else.
func TestEndedParty(t *testing.T) {
	ended := func(make func(*scene) *entry.Entry) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			s.add("end", testlog.EndParty(origin, s.a.ID, s.registrar)) // 4
			return make(s)
		}
	}
	try(t, []rule{
		{"revokes", ended(func(s *scene) *entry.Entry { return s.revoke(s.a1, s.att) }), "", ""},
		{"holds", ended(func(s *scene) *entry.Entry { return s.hold(s.a1, s.att) }), "", ""},
		{"retires a key", ended(func(s *scene) *entry.Entry { return testlog.RetireKey(origin, s.a0.ID(), s.a0) }), "", `
5 $a0 {"v":1,"state":"retired","role":"ordinary","first":1,"end":5,"party":"$a","last":5}
6 $a {"v":1,"state":"ended","issued":1,"leaf":"$a.leaf","last":5,"end":4,"recovery":"$aR","roles":["steward"],"keys":2,"count":4,"lastEvent":5,"root":"$list"} +8`},
		{"retires a key by recovery key", ended(func(s *scene) *entry.Entry { return testlog.RetireKey(origin, s.a0.ID(), s.aR) }), "", ""},
		{"compromises", ended(func(s *scene) *entry.Entry { return testlog.CompromiseKey(origin, s.a0.ID(), nil, s.a0) }), "", ""},
		{"compromises with cutoff", ended(func(s *scene) *entry.Entry {
			return testlog.CompromiseKey(origin, s.a0.ID(), index(2), s.aR)
		}), "", ""},
		{"attests", ended(func(s *scene) *entry.Entry { return s.attest(s.a0, "pkg:npm/lodash@4.17.21") }), reason.PartyEnded, ""},
		{"supersedes", ended(func(s *scene) *entry.Entry { return s.supersede(s.a0, s.att.ID, "pkg:npm/express@5") }), reason.PartyEnded, ""},
		{"reinstates", func(s *scene) *entry.Entry {
			h := s.add("hold", s.hold(s.a0, s.att))
			s.add("end", testlog.EndParty(origin, s.a.ID, s.registrar))
			return s.reinstate(s.a0, h, s.att)
		}, reason.PartyEnded, ""},
		{"adds a key", ended(func(s *scene) *entry.Entry {
			return testlog.AddKey(origin, s.a.ID, s.key("a2"), s.aR)
		}), reason.PartyEnded, ""},
		{"amends itself", ended(func(s *scene) *entry.Entry {
			return testlog.AmendWebsite(origin, s.a.ID, 4, "https://new.example/", nil, s.aR)
		}), reason.PartyEnded, ""},
		{"the other attests", ended(func(s *scene) *entry.Entry { return s.attest(s.b0, "pkg:npm/lodash@4.17.21") }), "", ""},
	})
}

// TestPartyLast: last is moved by events of kind 7 to 13, lastEvent by all.
func TestPartyLast(t *testing.T) {
	s := newScene(t)
	want := func(what string, last, count, lastEvent uint64) {
		t.Helper()
		b, err := s.log.Record(mapfn.NSParty, s.a.ID[:])
		if err != nil {
			t.Fatal(err)
		}
		p, err := mapfn.ParseParty(b)
		if err != nil || p.Last != last || p.Count != count || p.LastEvent != lastEvent {
			t.Errorf("%s: last %d, %d events, lastEvent %d; want %d, %d, %d (%v)", what, p.Last, p.Count, p.LastEvent, last, count, lastEvent, err)
		}
	}
	want("an attestation", 1, 2, 3)
	k := s.key("a2")
	for i, step := range []struct {
		what            string
		entry           func() *entry.Entry
		last, lastEvent uint64
	}{
		{"key add", func() *entry.Entry { return testlog.AddKey(origin, s.a.ID, k, s.aR) }, 4, 4},
		{"attestation by that key", func() *entry.Entry { return s.attest(k, "pkg:npm/lodash@1", "pkg:npm/lodash@2") }, 4, 5},
		{"retire", func() *entry.Entry { return testlog.RetireKey(origin, k.ID(), s.aR) }, 6, 6},
		{"compromise", func() *entry.Entry { return testlog.CompromiseKey(origin, k.ID(), index(0), s.aR) }, 7, 7},
		{"amend", func() *entry.Entry { return testlog.AmendRoles(origin, s.a.ID, 7, s.registrar, "user") }, 8, 8},
		{"end", func() *entry.Entry { return testlog.EndParty(origin, s.a.ID, s.aR) }, 9, 9},
	} {
		s.add(step.what, step.entry())
		want(step.what, step.last, uint64(3+i), step.lastEvent)
	}
	// Withdrawals are in no list, and move neither.
	s.add("hold", s.hold(s.a0, s.att))
	s.add("revoke", s.revoke(s.a0, s.att))
	want("revocation", 9, 8, 9)
}
