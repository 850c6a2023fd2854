package mapfn_test

import (
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// TestOperator: in the name of an open programme, and of no other, its operator
// withdraws what was issued under it.
func TestOperator(t *testing.T) {
	acts := map[string]func(*scene, *testlog.Key, *entry.Entry) *entry.Entry{
		"revoke": func(s *scene, k *testlog.Key, e *entry.Entry) *entry.Entry { return s.revoke(k, e) },
		"hold":   func(s *scene, k *testlog.Key, e *entry.Entry) *entry.Entry { return s.hold(k, e) },
		"claims": func(_ *scene, k *testlog.Key, e *entry.Entry) *entry.Entry {
			return testlog.WithdrawClaims(origin, 12, k, []string{"BR.01"}, e.ID)
		},
	}
	for name, act := range acts {
		// by signs the act on b's attestation under a's programme.
		by := func(k func(*scene) *testlog.Key, programme func(*scene, *entry.Entry) *entry.Entry) func(*scene) *entry.Entry {
			return func(s *scene) *entry.Entry {
				p := s.published()
				under := s.add("under", s.under(s.b0, p, nil)) // 5
				signer, named := k(s), programme(s, p)
				e := act(s, signer, under)
				if named == nil {
					return e
				}
				return testlog.InTheNameOf(named.ID, e, signer)
			}
		}
		a0 := func(s *scene) *testlog.Key { return s.a0 }
		itself := func(_ *scene, p *entry.Entry) *entry.Entry { return p }
		another := func(k func(*scene) *testlog.Key) func(*scene, *entry.Entry) *entry.Entry {
			return func(s *scene, _ *entry.Entry) *entry.Entry {
				r := s.rules()
				r.Link = "https://rules.example/2"
				return s.add("prog2", testlog.Publish(k(s), r))
			}
		}
		t.Run(name, func(t *testing.T) {
			try(t, []rule{
				{"by the operator", by(a0, itself), "", ""},
				{"by another key of the operator", by(func(s *scene) *testlog.Key { return s.a1 }, itself), "", ""},
				{"by the operator, having ended", by(func(s *scene) *testlog.Key { s.ended(s.a); return s.a0 }, itself), "", ""},
				{"by the operator, who names no programme", by(a0, func(*scene, *entry.Entry) *entry.Entry { return nil }), reason.NotYours, ""},
				{"by the operator, naming another of his", by(a0, another(a0)), reason.NotYours, ""},
				{"by the operator, naming another's", by(a0, another(func(s *scene) *testlog.Key { return s.b0 })), reason.NotYourProg, ""},
				{"by the operator's recovery key", by(func(s *scene) *testlog.Key { return s.aR }, itself), reason.RoleNotAllowed, ""},
				{"by the issuer, in a name not his", by(func(s *scene) *testlog.Key { return s.b0 }, itself), reason.NotYourProg, ""},
				{"closed", by(a0, func(s *scene, p *entry.Entry) *entry.Entry {
					s.add("closing", testlog.CloseProgramme(origin, s.a0, p.ID))
					return p
				}), reason.ProgClosed, ""},
				{"what nobody published", by(a0, func(s *scene, _ *entry.Entry) *entry.Entry { return s.att }), reason.Programme, ""},
			})
		})
	}
}

// TestOperatorsHold: of two who may hold, each lifts and replaces his own hold,
// and neither the other's; a revocation goes over both.
func TestOperatorsHold(t *testing.T) {
	s := newScene(t)
	p := s.published()
	under := s.add("under", s.under(s.b0, p, nil))
	operator := func(e *entry.Entry) *entry.Entry { return testlog.InTheNameOf(p.ID, e, s.a0) }

	h := s.add("operator's", operator(s.hold(s.a0, under)))
	s.wantStep("the issuer holds what the operator holds", s.hold(s.b0, under).Leaf, reason.TargetState)
	s.wantStep("the issuer lifts the operator's hold", s.reinstate(s.b0, h, under).Leaf, reason.HoldMismatch)
	s.wantStep("the issuer supersedes what the operator holds",
		s.supersede(s.b0, under.ID, "pkg:npm/widget@2").Leaf, reason.Supersedes)
	s.add("operator's lifted", operator(s.reinstate(s.a0, h, under)))

	h = s.add("issuer's", s.hold(s.b0, under))
	s.wantStep("the operator holds what the issuer holds", operator(s.hold(s.a0, under)).Leaf, reason.TargetState)
	s.wantStep("the operator lifts the issuer's hold", operator(s.reinstate(s.a0, h, under)).Leaf, reason.HoldMismatch)
	s.add("operator's revocation", operator(s.revoke(s.a0, under)))
	s.wantStep("the issuer lifts his hold of what was revoked", s.reinstate(s.b0, h, under).Leaf, reason.HoldMismatch)
}

// TestOperatorsTargets: of several targets an operator changes those that are
// under the programme he names, and his own.
func TestOperatorsTargets(t *testing.T) {
	s := newScene(t)
	p := s.published()
	under, free := s.add("under", s.under(s.b0, p, nil)), s.add("free", s.attest(s.b0, "pkg:npm/debug@1"))
	all := []*entry.Entry{s.att, under, free}
	w := s.effective("revocation", testlog.InTheNameOf(p.ID, s.revoke(s.a0, all...), s.a0))
	s.wantTargets("revocation", w, mapfn.WithdrawalRevoked, s.att, under)
}
