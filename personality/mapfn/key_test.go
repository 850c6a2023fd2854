package mapfn_test

import (
	"fmt"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

func TestAddKey(t *testing.T) {
	add := func(added, by func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.AddKey(origin, s.a.ID, added(s), by(s)) }
	}
	fresh := func(s *scene) *testlog.Key { return s.key("a2") }
	recovery := func(s *scene) *testlog.Key { return s.aR }
	try(t, []rule{
		{"by the recovery key", add(fresh, recovery), "", `
5 $a2 {"v":1,"state":"active","role":"ordinary","first":4,"party":"$a","last":4}
6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":4,"recovery":"$aR","roles":["steward"],"keys":3,"count":3,"lastEvent":4,"root":"$list"} +7`},
		{"by an ordinary key", add(fresh, func(s *scene) *testlog.Key { return s.a0 }), reason.RoleNotAllowed, ""},
		{"by a registrar", add(fresh, func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by another's recovery key", add(fresh, func(s *scene) *testlog.Key { return s.bR }), reason.RoleNotAllowed, ""},
		{"by the former recovery key", add(fresh, func(s *scene) *testlog.Key {
			s.add("next", testlog.AmendWebsite(origin, s.a.ID, 1, "", s.key("aR2"), s.aR))
			return s.aR
		}), reason.KeyNotActive, ""},
		{"its own", add(func(s *scene) *testlog.Key { return s.a1 }, recovery), reason.KeySpent, ""},
		{"its recovery key", add(recovery, recovery), reason.KeySpent, ""},
		{"another's", add(func(s *scene) *testlog.Key { return s.b0 }, recovery), reason.KeySpent, ""},
		{"a root key", add(func(s *scene) *testlog.Key { return s.root2 }, recovery), reason.KeySpent, ""},
		{"a retired one", add(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a1.ID(), s.aR))
			return s.a1
		}, recovery), reason.KeySpent, ""},
		{"of nobody", func(s *scene) *entry.Entry {
			return testlog.AddKey(origin, s.att.ID, s.key("a2"), s.aR)
		}, reason.TargetUnknown, ""},
		{"of an ended party", add(fresh, func(s *scene) *testlog.Key {
			s.add("end", testlog.EndParty(origin, s.a.ID, s.aR))
			return s.aR
		}), reason.PartyEnded, ""},
	})
}

// TestKeyLimit: 32 ordinary keys a party, ever; retiring makes no room.
func TestKeyLimit(t *testing.T) {
	s := newScene(t)
	for n := 3; n <= 32; n++ {
		k := s.key(fmt.Sprint("key", n))
		s.add(fmt.Sprint("add", n), testlog.AddKey(origin, s.a.ID, k, s.aR))
		if n == 20 {
			s.add("retire", testlog.RetireKey(origin, k.ID(), s.aR))
		}
	}
	s.wantStep("the 33rd", testlog.AddKey(origin, s.a.ID, s.key("key33"), s.aR).Leaf, reason.KeyLimit)
	s.add("another party's", testlog.AddKey(origin, s.b.ID, s.key("b1"), s.bR))
}

func TestRetireKey(t *testing.T) {
	retire := func(key, by func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.RetireKey(origin, key(s).ID(), by(s)) }
	}
	a0 := func(s *scene) *testlog.Key { return s.a0 }
	recovery := func(s *scene) *testlog.Key { return s.aR }
	const retired = `
5 $a0 {"v":1,"state":"retired","role":"ordinary","first":1,"end":4,"party":"$a","last":4}
6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":4,"recovery":"$aR","roles":["steward"],"keys":2,"count":3,"lastEvent":4,"root":"$list"} +8`
	try(t, []rule{
		{"by the recovery key", retire(a0, recovery), "", retired},
		{"by itself", retire(a0, a0), "", retired},
		{"by another key of its party", retire(a0, func(s *scene) *testlog.Key { return s.a1 }), reason.RoleNotAllowed, ""},
		{"by a registrar", retire(a0, func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by another's recovery key", retire(a0, func(s *scene) *testlog.Key { return s.bR }), reason.RoleNotAllowed, ""},
		{"by the former recovery key", retire(a0, func(s *scene) *testlog.Key {
			s.add("next", testlog.AmendWebsite(origin, s.a.ID, 1, "", s.key("aR2"), s.aR))
			return s.aR
		}), reason.KeyNotActive, ""},
		{"a key that nobody has", retire(func(s *scene) *testlog.Key { return s.key("a2") }, recovery), reason.TargetUnknown, ""},
		{"a recovery key", retire(recovery, recovery), reason.RoleNotAllowed, ""},
		{"a registrar's key", retire(func(s *scene) *testlog.Key { return s.registrar }, func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"a root key", retire(func(s *scene) *testlog.Key { return s.root2 }, func(s *scene) *testlog.Key { return s.root }), reason.RoleNotAllowed, ""},
		{"a retired key", retire(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a0.ID(), s.a0))
			return s.a0
		}, recovery), reason.TargetState, ""},
		{"a compromised key", retire(func(s *scene) *testlog.Key {
			s.add("compromise", testlog.CompromiseKey(origin, s.a0.ID(), nil, s.a0))
			return s.a0
		}, recovery), reason.TargetState, ""},
		{"a compromised key, by itself", retire(func(s *scene) *testlog.Key {
			s.add("compromise", testlog.CompromiseKey(origin, s.a0.ID(), nil, s.a0))
			return s.a0
		}, a0), reason.KeyNotActive, ""},
	})
}

// TestCompromiseKey begins at index 4.
func TestCompromiseKey(t *testing.T) {
	compromise := func(cutoff *uint64, by func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.CompromiseKey(origin, s.a0.ID(), cutoff, by(s)) }
	}
	// again is by the recovery key, after one with cutoff 2 at index 4.
	again := func(cutoff *uint64) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			s.add("compromise", testlog.CompromiseKey(origin, s.a0.ID(), index(2), s.aR))
			return testlog.CompromiseKey(origin, s.a0.ID(), cutoff, s.aR)
		}
	}
	a0 := func(s *scene) *testlog.Key { return s.a0 }
	recovery := func(s *scene) *testlog.Key { return s.aR }
	party := func(n, count int) string {
		return fmt.Sprintf(`6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":%d,"recovery":"$aR",`+
			`"roles":["steward"],"keys":2,"count":%d,"lastEvent":%[1]d,"root":"$list"} +9`, n, count)
	}
	const end = ` from %d to 18446744073709551615`
	now := `
5 $a0 {"v":1,"state":"compromised","role":"ordinary","first":1,"end":4,"cutoff":4,"party":"$a","last":4}
` + party(4, 3) + `
w 4 kind 6 reason 0 flags 0000 $a0` + fmt.Sprintf(end, 4)
	try(t, []rule{
		{"by itself: from its own index on", compromise(nil, a0), "", now},
		{"by the recovery key, without cutoff", compromise(nil, recovery), "", now},
		{"by the recovery key, at its own index", compromise(index(4), recovery), "", now},
		{"by the recovery key, earlier", compromise(index(0), recovery), "", `
5 $a0 {"v":1,"state":"compromised","role":"ordinary","first":1,"end":4,"cutoff":0,"party":"$a","last":4}
` + party(4, 3) + `
w 4 kind 6 reason 0 flags 0000 $a0` + fmt.Sprintf(end, 0)},
		{"by the recovery key, beyond its own index", compromise(index(5), recovery), reason.Cutoff, ""},
		{"by itself, with a cutoff", compromise(index(3), a0), reason.Cutoff, ""},
		{"by itself, with its own index", compromise(index(4), a0), reason.Cutoff, ""},
		{"by another key of its party", compromise(nil, func(s *scene) *testlog.Key { return s.a1 }), reason.RoleNotAllowed, ""},
		{"by a registrar", compromise(nil, func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by another's recovery key", compromise(nil, func(s *scene) *testlog.Key { return s.bR }), reason.RoleNotAllowed, ""},
		{"again, lower", again(index(1)), "", `
5 $a0 {"v":1,"state":"compromised","role":"ordinary","first":1,"end":4,"cutoff":1,"party":"$a","last":5}
` + party(5, 4) + `
w 5 kind 6 reason 0 flags 0000 $a0` + fmt.Sprintf(end, 1)},
		{"again, equal", again(index(2)), reason.Cutoff, ""},
		{"again, higher", again(index(3)), reason.Cutoff, ""},
		{"again, without cutoff", again(nil), reason.Cutoff, ""},
		{"again and again, lower", func(s *scene) *entry.Entry {
			s.add("second", again(index(1))(s))
			return testlog.CompromiseKey(origin, s.a0.ID(), index(0), s.aR)
		}, "", ""},
		{"again, by itself", func(s *scene) *entry.Entry {
			s.add("compromise", testlog.CompromiseKey(origin, s.a0.ID(), nil, s.aR))
			return testlog.CompromiseKey(origin, s.a0.ID(), nil, s.a0)
		}, reason.KeyNotActive, ""},
		{"a retired key, by itself: end stays", func(s *scene) *entry.Entry {
			s.add("retire", testlog.RetireKey(origin, s.a0.ID(), s.aR))
			return testlog.CompromiseKey(origin, s.a0.ID(), nil, s.a0)
		}, "", `
5 $a0 {"v":1,"state":"compromised","role":"ordinary","first":1,"end":4,"cutoff":5,"party":"$a","last":5}
` + party(5, 4) + `
w 5 kind 6 reason 0 flags 0000 $a0` + fmt.Sprintf(end, 5)},
		{"a retired key, by the recovery key", func(s *scene) *entry.Entry {
			s.add("retire", testlog.RetireKey(origin, s.a0.ID(), s.a0))
			return testlog.CompromiseKey(origin, s.a0.ID(), index(3), s.aR)
		}, "", ""},
		{"a recovery key", func(s *scene) *entry.Entry {
			return testlog.CompromiseKey(origin, s.aR.ID(), nil, s.aR)
		}, reason.RoleNotAllowed, ""},
		{"a registrar's key", func(s *scene) *entry.Entry {
			return testlog.CompromiseKey(origin, s.registrar.ID(), nil, s.root)
		}, reason.RoleNotAllowed, ""},
		{"a key that nobody has", func(s *scene) *entry.Entry {
			return testlog.CompromiseKey(origin, s.key("a2").ID(), nil, s.aR)
		}, reason.TargetUnknown, ""},
	})
}

// TestEndedKey: a key that is not active signs nothing but its own end, and
// what it signed before stands in the map.
func TestEndedKey(t *testing.T) {
	for name, end := range map[string]func(*scene) *entry.Entry{
		"retired":     func(s *scene) *entry.Entry { return testlog.RetireKey(origin, s.a0.ID(), s.aR) },
		"compromised": func(s *scene) *entry.Entry { return testlog.CompromiseKey(origin, s.a0.ID(), index(0), s.aR) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			held := s.add("held", s.attest(s.a0, "pkg:npm/lodash@1"))
			h := s.add("hold", s.hold(s.a0, held))
			before := s.record(mapfn.NSAttestation, s.att.ID[:])
			s.add("ended", end(s))
			for what, e := range map[string]*entry.Entry{
				"attests":    s.attest(s.a0, "pkg:npm/lodash@2"),
				"supersedes": s.supersede(s.a0, s.att.ID, "pkg:npm/express@5"),
				"revokes":    s.revoke(s.a0, s.att),
				"holds":      s.hold(s.a0, s.att),
				"reinstates": s.reinstate(s.a0, h, held),
			} {
				s.wantStep(what, e.Leaf, reason.KeyNotActive)
			}
			if got := s.record(mapfn.NSAttestation, s.att.ID[:]); got != before {
				t.Errorf("record %s, before %s", got, before)
			}
			// Its party acts for it.
			s.add("reinstated", s.reinstate(s.a1, h, held))
			s.add("revoked", s.revoke(s.a1, s.att, held))
		})
	}
}
