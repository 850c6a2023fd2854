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

// void is signed by k, of what a0 attested.
func (s *scene) void(k *testlog.Key, r entry.KeyRange) *entry.Entry {
	return testlog.VoidRange(origin, s.a0.ID(), r, k)
}

// TestVoidRange begins at index 4.
func TestVoidRange(t *testing.T) {
	by := func(k func(*scene) *testlog.Key, r entry.KeyRange) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return s.void(k(s), r) }
	}
	recovery := func(s *scene) *testlog.Key { return s.aR }
	some := entry.KeyRange{From: 1, To: 4, Reason: 12}
	of := func(r entry.KeyRange, pkg string) entry.KeyRange { r.Package = pkg; return r }
	// before declares a range void, and then by the recovery key.
	before := func(r entry.KeyRange) func(*scene) *testlog.Key {
		return func(s *scene) *testlog.Key {
			s.add("void", s.void(s.aR, r))
			return s.aR
		}
	}
	voids := func(state, voids, flags string, at, n int) string {
		return fmt.Sprintf(`
5 $a0 {"v":1,%s,"party":"$a","last":%d,"voids":[%s]}
`, state, at, voids) + partyA(at, n, mapfn.EventRange) + fmt.Sprintf(`
w %d kind 7 reason 12 flags %s $a0 from 1 to 4`, at, flags)
	}
	const active = `"state":"active","role":"ordinary","first":1`
	try(t, []rule{
		{"by the recovery key", by(recovery, some), "", voids(active, `{"from":1,"to":4,"reason":12}`, "0000", 4, 3)},
		{"of one package", by(recovery, of(some, "pkg:npm/express")), "",
			voids(active, `{"from":1,"to":4,"reason":12,"package":"pkg:npm/express"}`, "0001", 4, 3)},
		{"beyond its own index", by(recovery, entry.KeyRange{From: 1, To: 5}), reason.Cutoff, ""},
		{"of an index", by(recovery, entry.KeyRange{From: 3, To: 4}), "", ""},
		{"from before the key was there", by(recovery, entry.KeyRange{From: 0, To: 1}), "", ""},
		{"again", by(before(some), some), reason.NoChange, ""},
		{"again, for one package", by(before(some), of(some, "pkg:npm/express")), "",
			voids(active, `{"from":1,"to":4,"reason":12},{"from":1,"to":4,"reason":12,"package":"pkg:npm/express"}`, "0001", 5, 4)},
		{"again, for another package", by(before(of(some, "pkg:npm/express")), of(some, "pkg:npm/lodash")), "", ""},
		{"again, for the same package", by(before(of(some, "pkg:npm/express")), of(some, "pkg:npm/express")), reason.NoChange, ""},
		{"again, for another reason", by(before(entry.KeyRange{From: 1, To: 4, Reason: 13}), some), "",
			voids(active, `{"from":1,"to":4,"reason":13},{"from":1,"to":4,"reason":12}`, "0000", 5, 4)},
		{"a part of what is void", by(before(some), entry.KeyRange{From: 2, To: 3, Reason: 12}), "", ""},
		{"by the key itself", by(func(s *scene) *testlog.Key { return s.a0 }, some), reason.RoleNotAllowed, ""},
		{"by another key of its party", by(func(s *scene) *testlog.Key { return s.a1 }, some), reason.RoleNotAllowed, ""},
		{"by a registrar", by(func(s *scene) *testlog.Key { return s.registrar }, some), reason.RoleNotAllowed, ""},
		{"by another's recovery key", by(func(s *scene) *testlog.Key { return s.bR }, some), reason.RoleNotAllowed, ""},
		{"by the former recovery key", by(func(s *scene) *testlog.Key {
			s.add("next", testlog.AmendWebsite(origin, s.a.ID, 1, "", s.key("aR2"), s.aR))
			return s.aR
		}, some), reason.KeyNotActive, ""},
		{"of an ended party", by(func(s *scene) *testlog.Key { s.ended(s.a); return s.aR }, some), "", ""},
		{"a retired key", by(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a0.ID(), s.a0))
			return s.aR
		}, some), "", voids(`"state":"retired","role":"ordinary","first":1,"end":4`, `{"from":1,"to":4,"reason":12}`, "0000", 5, 4)},
		{"a compromised key", by(func(s *scene) *testlog.Key {
			s.add("compromise", testlog.CompromiseKey(origin, s.a0.ID(), index(2), s.aR))
			return s.aR
		}, some), "", voids(`"state":"compromised","role":"ordinary","first":1,"end":4,"cutoff":2`, `{"from":1,"to":4,"reason":12}`, "0000", 5, 4)},
		{"a recovery key", func(s *scene) *entry.Entry {
			return testlog.VoidRange(origin, s.aR.ID(), some, s.aR)
		}, reason.RoleNotAllowed, ""},
		{"a registrar's key", func(s *scene) *entry.Entry {
			return testlog.VoidRange(origin, s.registrar.ID(), some, s.root)
		}, reason.RoleNotAllowed, ""},
		{"a key that nobody has", func(s *scene) *entry.Entry {
			return testlog.VoidRange(origin, s.key("a2").ID(), some, s.aR)
		}, reason.TargetUnknown, ""},
	})
}

// TestRangeLimit: 16 ranges a key, and other keys have their own.
func TestRangeLimit(t *testing.T) {
	s := newScene(t)
	for n := range uint64(16) {
		s.add(fmt.Sprint("void", n), s.void(s.aR, entry.KeyRange{From: n % 4, To: 4, Reason: uint8(n)}))
	}
	s.wantStep("the 17th", s.void(s.aR, entry.KeyRange{From: 0, To: 4, Reason: 16}).Leaf, reason.KeyLimit)
	s.wantStep("one of the 16", s.void(s.aR, entry.KeyRange{From: 3, To: 4, Reason: 3}).Leaf, reason.NoChange)
	s.add("another key's", testlog.VoidRange(origin, s.a1.ID(), entry.KeyRange{To: 4}, s.aR))
	id := s.a0.ID()
	if got := strings.Count(s.record(mapfn.NSKey, id[:]), `"from"`); got != 16 {
		t.Errorf("%d ranges", got)
	}
	s.add("compromise", testlog.CompromiseKey(origin, id, nil, s.aR))
	if got := strings.Count(s.record(mapfn.NSKey, id[:]), `"from"`); got != 16 {
		t.Errorf("%d ranges after compromise", got)
	}
}
