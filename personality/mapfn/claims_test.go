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

// claiming is an attestation by a0 whose claims have these ids.
func (s *scene) claiming(ids ...string) *entry.Entry {
	a := testlog.Claims(origin, from, 0)
	for _, id := range ids {
		a.Claims.Items = append(a.Claims.Items, entry.Claim{ID: id, Answer: "yes"})
	}
	return testlog.Attest(s.a0, a, testlog.Component("pkg:npm/widget@1.0.0"))
}

// numbered returns the claim ids from up to, but not including, to.
func numbered(from, to int) []string {
	var ids []string
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("C.%03d", i))
	}
	return ids
}

// withdrawal is by k, of claims of att.
func (s *scene) withdrawal(k *testlog.Key, claims ...string) *entry.Entry {
	return testlog.WithdrawClaims(origin, 12, k, claims, s.att.ID)
}

func TestWithdrawClaims(t *testing.T) {
	// after withdraws claims of att, which has A.1, A.2 and A.3 and is at 4,
	// by k, which may add leaves before.
	after := func(k func(*scene) *testlog.Key, claims ...string) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			s.att = s.add("att", s.claiming("A.1", "A.2", "A.3"))
			return s.withdrawal(k(s), claims...)
		}
	}
	a0 := func(s *scene) *testlog.Key { return s.a0 }
	gone := func(claims ...string) func(s *scene) *testlog.Key {
		return func(s *scene) *testlog.Key {
			s.add("gone", s.withdrawal(s.a0, claims...))
			return s.a1
		}
	}
	state := func(state, claims, rest string, at int) string {
		return fmt.Sprintf(`
1 $att {"v":1,"state":%s,"issued":4,"leaf":"$att.leaf","last":%d,"key":"$a0","withdrawn":[%s]%s}
w %[2]d kind 4 reason 12 flags 0001 $att from 0 to 0`, state, at, claims, rest)
	}
	try(t, []rule{
		{"one", after(a0, "A.2"), "", state(`"active"`, `"A.2"`, "", 5)},
		{"all: the attestation stays active", after(a0, "A.1", "A.2", "A.3"), "", state(`"active"`, `"A.1","A.2","A.3"`, "", 5)},
		{"another", after(gone("A.2"), "A.1"), "", state(`"active"`, `"A.1","A.2"`, "", 6)},
		{"one that is withdrawn, and another", after(gone("A.2"), "A.2", "A.3"), "", state(`"active"`, `"A.2","A.3"`, "", 6)},
		{"one that is withdrawn", after(gone("A.1", "A.2"), "A.2"), reason.NoChange, ""},
		{"all that are withdrawn", after(gone("A.1", "A.2"), "A.1", "A.2"), reason.NoChange, ""},
		{"one that it has not", after(a0, "A.4"), reason.ClaimUnknown, ""},
		{"one in other case", after(a0, "a.1"), reason.ClaimUnknown, ""},
		{"one that it has, and one that it has not", after(a0, "A.1", "A.4"), reason.ClaimUnknown, ""},
		{"by another party", after(func(s *scene) *testlog.Key { return s.b0 }, "A.1"), reason.NotYours, ""},
		{"by the recovery key", after(func(s *scene) *testlog.Key { return s.aR }, "A.1"), reason.RoleNotAllowed, ""},
		{"by a retired key", after(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a1.ID(), s.a1))
			return s.a1
		}, "A.1"), reason.KeyNotActive, ""},
		{"by an ended party", after(func(s *scene) *testlog.Key { s.ended(s.a); return s.a0 }, "A.2"), "", state(`"active"`, `"A.2"`, "", 6)},
		{"held: the hold stays", after(func(s *scene) *testlog.Key {
			s.add("hold", s.hold(s.a0, s.att))
			return s.a0
		}, "A.2"), "", state(`"held","reason":17`, `"A.2"`, `,"hold":"$hold","by":"$a","until":1795001000`, 6)},
		{"superseded", after(func(s *scene) *testlog.Key {
			s.add("next", s.supersede(s.a0, s.att.ID, "pkg:npm/widget@2"))
			return s.a0
		}, "A.2"), "", ""},
		{"revoked", after(func(s *scene) *testlog.Key {
			s.add("revoke", s.revoke(s.a0, s.att))
			return s.a0
		}, "A.2"), reason.TargetState, ""},
		{"of what has none", func(s *scene) *entry.Entry {
			e := s.add("document", testlog.Attest(s.a0, testlog.Statement(origin, from, []byte("document")), testlog.Component("pkg:npm/widget@1.0.0")))
			return testlog.WithdrawClaims(origin, 12, s.a0, []string{"A.1"}, e.ID)
		}, reason.ClaimUnknown, ""},
		{"of what nobody attested", func(s *scene) *entry.Entry {
			return testlog.WithdrawClaims(origin, 12, s.a0, []string{"A.1"}, s.a.ID)
		}, reason.TargetUnknown, ""},
	})
}

// TestClaimsLimit: 64 claims of an attestation are withdrawn one by one, or
// together; more are not.
func TestClaimsLimit(t *testing.T) {
	s := newScene(t)
	s.att = s.add("att", s.claiming(numbered(0, 70)...))
	s.add("two", s.withdrawal(s.a0, numbered(0, 2)...))
	s.wantStep("65 in all", s.withdrawal(s.a0, numbered(2, 65)...).Leaf, reason.ClaimsLimit)
	s.wantStep("65 in all, some of them withdrawn", s.withdrawal(s.a0, numbered(1, 65)...).Leaf, reason.ClaimsLimit)
	s.add("64 in all", s.withdrawal(s.a0, numbered(0, 64)...))
	s.wantStep("the 65th", s.withdrawal(s.a0, numbered(64, 65)...).Leaf, reason.ClaimsLimit)
	s.wantStep("one of the 64", s.withdrawal(s.a0, numbered(3, 4)...).Leaf, reason.NoChange)
	s.add("revoke instead", s.revoke(s.a0, s.att))
}

// TestWithdrawnStays: no later state brings a claim back.
func TestWithdrawnStays(t *testing.T) {
	s := newScene(t)
	s.att = s.add("att", s.claiming("A.1", "A.2"))
	w := s.add("withdrawal", s.withdrawal(s.a0, "A.1"))
	h := s.add("hold", s.hold(s.a0, s.att))
	s.wantStep("the withdrawal again", w.Leaf, reason.NoChange)
	s.add("reinstate", s.reinstate(s.a0, h, s.att))
	next := s.add("next", s.supersede(s.a0, s.att.ID, "pkg:npm/widget@2"))
	s.add("revoke", s.revoke(s.a0, s.att))
	s.wantStep("the withdrawal at last", w.Leaf, reason.TargetState)
	if got := s.record(mapfn.NSAttestation, s.att.ID[:]); !strings.Contains(got, `"state":"revoked"`) || !strings.Contains(got, `"withdrawn":["A.1"]`) {
		t.Errorf("record %s", got)
	}
	// The successor is another attestation: its claims are its own.
	if got := s.record(mapfn.NSAttestation, next.ID[:]); strings.Contains(got, "withdrawn") {
		t.Errorf("record %s", got)
	}
}

// TestClaimsTargets: each target is judged by itself.
func TestClaimsTargets(t *testing.T) {
	s := newScene(t)
	has, other, revoked := s.add("has", s.claiming("A.1", "A.2")), s.add("other", s.claiming("A.1", "B.1")), s.add("revoked", s.claiming("A.2"))
	s.add("revoke", s.revoke(s.a0, revoked))
	claims := func(claims ...string) *entry.Entry {
		return testlog.WithdrawClaims(origin, 12, s.a0, claims, ids([]*entry.Entry{has, other, revoked})...)
	}
	s.wantTargets("of both", s.effective("of both", claims("A.1")), mapfn.WithdrawalClaims, has, other)
	s.wantTargets("of one", s.effective("of one", claims("A.2")), mapfn.WithdrawalClaims, has)
	s.wantTargets("of the other", s.effective("of the other", claims("B.1")), mapfn.WithdrawalClaims, other)
	if code, _ := s.step(claims("A.2").Leaf); code == "" {
		t.Error("nothing is left, and it has effect")
	}
}
