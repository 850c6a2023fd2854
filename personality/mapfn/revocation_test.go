package mapfn_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

func TestRevoke(t *testing.T) {
	by := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return s.revoke(k(s), s.att) }
	}
	a0 := func(s *scene) *testlog.Key { return s.a0 }
	with := func(why uint8) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return testlog.Revoke(origin, why, s.a0, s.att.ID) }
	}
	revoked := func(why, at int) string {
		return fmt.Sprintf(`
1 $att {"v":1,"state":"revoked","reason":%d,"issued":3,"leaf":"$att.leaf","last":%d,"key":"$a0"}
w %[2]d kind 1 reason %[1]d flags 0000 $att from 0 to 0`, why, at)
	}
	try(t, []rule{
		{"active", by(a0), "", revoked(10, 4)},
		{"for reason 0", with(0), "", revoked(0, 4)},
		{"for a reason that nobody knows", with(255), "", revoked(255, 4)},
		{"by another key of the party", by(func(s *scene) *testlog.Key { return s.a1 }), "", revoked(10, 4)},
		{"held: the hold goes", by(func(s *scene) *testlog.Key {
			s.add("hold", s.hold(s.a0, s.att))
			return s.a0
		}), "", revoked(10, 5)},
		{"while the log is closed", by(func(s *scene) *testlog.Key {
			s.add("closed", s.charter(index(0), "closed", s.root2))
			return s.a0
		}), "", ""},
		{"twice", by(func(s *scene) *testlog.Key {
			s.add("revoke", testlog.Revoke(origin, 0, s.a1, s.att.ID))
			return s.a0
		}), reason.TargetState, ""},
		{"another party's", by(func(s *scene) *testlog.Key { return s.b0 }), reason.NotYours, ""},
		{"by the recovery key", by(func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"by a registrar", by(func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by a root key", by(func(s *scene) *testlog.Key { return s.root }), reason.RoleNotAllowed, ""},
		{"by a retired key", by(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a1.ID(), s.a1))
			return s.a1
		}), reason.KeyNotActive, ""},
		{"what nobody attested", func(s *scene) *entry.Entry {
			return testlog.Revoke(origin, 10, s.a0, s.a.ID)
		}, reason.TargetUnknown, ""},
		{"for a programme", func(s *scene) *entry.Entry {
			r := &entry.Revocation{Log: origin, Action: entry.ActionRevoke, Programme: &s.a.ID}
			return testlog.Sign(s.a0, r, entry.AttestationSubject(s.att.ID))
		}, reason.Programme, ""},
	})
}

func TestHold(t *testing.T) {
	after := func(last uint64) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			return testlog.Hold(origin, from+1000, s.a0, testlog.Target{ID: s.att.ID, Last: last})
		}
	}
	by := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return s.hold(k(s), s.att) }
	}
	const held = `
1 $att {"v":1,"state":"held","reason":17,"issued":3,"leaf":"$att.leaf","last":4,"key":"$a0","hold":"$id","by":"$a","until":1795001000}
w 4 kind 2 reason 17 flags 0000 $att from 0 to 1795001000`
	try(t, []rule{
		{"active", after(3), "", held},
		{"by another key of the party", by(func(s *scene) *testlog.Key { return s.a1 }), "", held},
		{"after an earlier index", after(2), reason.AfterStale, ""},
		{"after a later index", after(4), reason.AfterStale, ""},
		{"held by the party: replaced", func(s *scene) *entry.Entry {
			s.add("hold", s.hold(s.a0, s.att))
			return testlog.Hold(origin, from+9, s.a1, testlog.Target{ID: s.att.ID, Last: 4})
		}, "", `
1 $att {"v":1,"state":"held","reason":17,"issued":3,"leaf":"$att.leaf","last":5,"key":"$a0","hold":"$id","by":"$a","until":1795000009}
w 5 kind 2 reason 17 flags 0000 $att from 0 to 1795000009`},
		{"held, after what was before", func(s *scene) *entry.Entry {
			s.add("hold", s.hold(s.a0, s.att))
			return testlog.Hold(origin, from+9, s.a1, testlog.Target{ID: s.att.ID, Last: 3})
		}, reason.AfterStale, ""},
		{"after reinstatement", func(s *scene) *entry.Entry {
			h := s.add("hold", s.hold(s.a0, s.att))
			s.add("reinstate", s.reinstate(s.a0, h, s.att))
			return s.hold(s.a1, s.att)
		}, "", ""},
		{"revoked", by(func(s *scene) *testlog.Key {
			s.add("revoke", s.revoke(s.a0, s.att))
			return s.a0
		}), reason.TargetState, ""},
		{"superseded", by(func(s *scene) *testlog.Key {
			s.add("next", s.supersede(s.a0, s.att.ID, "pkg:npm/express@5"))
			return s.a0
		}), reason.TargetState, ""},
		{"another party's", by(func(s *scene) *testlog.Key { return s.b0 }), reason.NotYours, ""},
		{"by the recovery key", by(func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"by a retired key", by(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a1.ID(), s.a1))
			return s.a1
		}), reason.KeyNotActive, ""},
		{"what nobody attested", func(s *scene) *entry.Entry {
			return testlog.Hold(origin, from+1000, s.a0, testlog.Target{ID: s.a.ID, Last: 1})
		}, reason.TargetUnknown, ""},
	})
}

func TestReinstate(t *testing.T) {
	// held is the reinstatement by k of att, held by a0 at 4.
	held := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry {
			h := s.add("hold", s.hold(s.a0, s.att))
			return s.reinstate(k(s), h, s.att)
		}
	}
	const active = `
1 $att {"v":1,"state":"active","issued":3,"leaf":"$att.leaf","last":5,"key":"$a0"}
w 5 kind 3 reason 18 flags 0000 $att from 0 to 0`
	try(t, []rule{
		{"held", held(func(s *scene) *testlog.Key { return s.a0 }), "", active},
		{"by another key of the party", held(func(s *scene) *testlog.Key { return s.a1 }), "", active},
		{"by another party", held(func(s *scene) *testlog.Key { return s.b0 }), reason.NotYours, ""},
		{"by the recovery key", held(func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"under a hold that nobody placed", func(s *scene) *entry.Entry {
			s.add("hold", s.hold(s.a0, s.att))
			return s.reinstate(s.a0, s.att, s.att)
		}, reason.HoldMismatch, ""},
		{"under a hold that was replaced", func(s *scene) *entry.Entry {
			first := s.add("first", s.hold(s.a0, s.att))
			s.add("second", s.hold(s.a0, s.att))
			return s.reinstate(s.a0, first, s.att)
		}, reason.HoldMismatch, ""},
		{"under another attestation's hold", func(s *scene) *entry.Entry {
			other := s.add("other", s.attest(s.a0, "pkg:npm/lodash@1"))
			h := s.add("hold of the other", s.hold(s.a0, other))
			s.add("hold", s.hold(s.a0, s.att))
			return s.reinstate(s.a0, h, s.att)
		}, reason.HoldMismatch, ""},
		{"active", func(s *scene) *entry.Entry { return s.reinstate(s.a0, s.att, s.att) }, reason.HoldMismatch, ""},
		{"revoked", func(s *scene) *entry.Entry {
			h := s.add("hold", s.hold(s.a0, s.att))
			s.add("revoke", s.revoke(s.a0, s.att))
			return s.reinstate(s.a0, h, s.att)
		}, reason.HoldMismatch, ""},
		{"superseded", func(s *scene) *entry.Entry {
			h := s.add("hold", s.hold(s.a0, s.att))
			s.add("next", s.supersede(s.a0, s.att.ID, "pkg:npm/express@5"))
			return s.reinstate(s.a0, h, s.att)
		}, reason.HoldMismatch, ""},
		{"what nobody attested", func(s *scene) *entry.Entry {
			return testlog.Reinstate(origin, s.att.ID, s.a0, s.a.ID)
		}, reason.TargetUnknown, ""},
	})
}

// TestReplayedReinstatement: an old reinstatement lifts no newer hold.
func TestReplayedReinstatement(t *testing.T) {
	s := newScene(t)
	h := s.add("hold", s.hold(s.a0, s.att))
	r := s.add("reinstate", s.reinstate(s.a0, h, s.att))
	s.wantStep("the hold replayed", h.Leaf, reason.AfterStale)
	s.add("second hold", s.hold(s.a0, s.att))
	s.wantStep("the reinstatement replayed", r.Leaf, reason.HoldMismatch)
	s.add("revoke", s.revoke(s.a0, s.att))
	s.wantStep("the reinstatement replayed again", r.Leaf, reason.HoldMismatch)
}

// TestTargets: each target is judged by itself, and an entry that changes none
// is ignored for the first one's cause.
func TestTargets(t *testing.T) {
	// Of a's attestations one stands, one is held and one is revoked; then
	// there are b's, and one that nobody has.
	s := newScene(t)
	held, gone := s.add("held", s.attest(s.a0, "pkg:npm/lodash@1")), s.add("gone", s.attest(s.a0, "pkg:npm/semver@1"))
	alien := s.add("alien", s.attest(s.b0, "pkg:npm/debug@1"))
	s.add("hold", s.hold(s.a0, held))
	s.add("revoke", s.revoke(s.a0, gone))
	unknown := s.attest(s.a1, "pkg:npm/undici@1")
	all := []*entry.Entry{s.att, held, gone, alien, unknown}
	s.last[unknown.ID] = 1

	w := s.effective("hold of all", s.hold(s.a1, all...))
	s.wantTargets("hold of all", w, mapfn.WithdrawalHeld, s.att, held)

	// after is judged per target, too.
	w = s.effective("half stale", testlog.Hold(origin, from+5, s.a1,
		testlog.Target{ID: s.att.ID, Last: s.last[s.att.ID]}, testlog.Target{ID: held.ID, Last: 4}))
	s.wantTargets("half stale", w, mapfn.WithdrawalHeld, s.att)

	// One hold was replaced by the second; the first is still on the other.
	first := &entry.Entry{ID: s.heldBy(held)}
	w = s.effective("reinstate", s.reinstate(s.a0, first, all...))
	s.wantTargets("reinstate", w, mapfn.WithdrawalReinstated, held)

	w = s.effective("revoke all", s.revoke(s.a0, all...))
	s.wantTargets("revoke all", w, mapfn.WithdrawalRevoked, s.att, held)

	codes := map[hash]reason.Code{
		s.att.ID: reason.TargetState, held.ID: reason.TargetState, gone.ID: reason.TargetState,
		alien.ID: reason.NotYours, unknown.ID: reason.TargetUnknown,
	}
	for n := range all {
		list := slices.Clone(all[n:])
		e := s.revoke(s.a1, list...)
		s.wantStep("nothing left to revoke", e.Leaf, codes[e.Subjects[0].ID])
	}
}

// effective adds an entry and returns what it wrote.
func (s *scene) effective(what string, e *entry.Entry) *mapfn.Writes {
	s.Helper()
	code, w := s.step(e.Leaf)
	if code != "" {
		s.Fatalf("%s is ignored for %s", what, code)
	}
	return w
}

// wantTargets checks that w changed these attestations and nothing else, with
// a withdrawal for each in subject order.
func (s *scene) wantTargets(what string, w *mapfn.Writes, kind mapfn.WithdrawalKind, want ...*entry.Entry) {
	s.Helper()
	order := ids(want)
	slices.SortFunc(order, func(a, b hash) int { return bytes.Compare(a[:], b[:]) })
	var changed, withdrawn []hash
	for _, c := range w.Changes {
		if c.NS != mapfn.NSAttestation || c.Event != nil {
			s.Errorf("%s: writes %d %x", what, c.NS, c.Data)
		}
		changed = append(changed, hash(c.Data))
	}
	for _, x := range w.Withdrawals {
		if x.Kind != kind {
			s.Errorf("%s: withdrawal %+v", what, x)
		}
		withdrawn = append(withdrawn, x.ID)
	}
	slices.SortFunc(changed, func(a, b hash) int { return bytes.Compare(a[:], b[:]) })
	if !slices.Equal(changed, order) || !slices.Equal(withdrawn, order) {
		s.Errorf("%s: changes %x, withdraws %x; want %x", what, changed, withdrawn, order)
	}
}

// heldBy returns the hold that is on e.
func (s *scene) heldBy(e *entry.Entry) hash {
	s.Helper()
	b, err := s.log.Record(mapfn.NSAttestation, e.ID[:])
	if err != nil {
		s.Fatal(err)
	}
	r, err := mapfn.ParseAttestation(b)
	if err != nil || r.Hold == nil {
		s.Fatalf("record %s, %v", b, err)
	}
	return hash(*r.Hold)
}

// TestWithdrawalBytes has one record of each kind, byte for byte.
func TestWithdrawalBytes(t *testing.T) {
	id := strings.Repeat("ab", 32)
	var h hash
	if _, err := hex.Decode(h[:], []byte(id)); err != nil {
		t.Fatal(err)
	}
	const none = "0000000000000000"
	for want, w := range map[string]mapfn.Withdrawal{
		"0000000000000102" + "01" + "0a" + "0000" + id + none + none: {Index: 258, Kind: mapfn.WithdrawalRevoked, Reason: 10, ID: h},
		"0000000000000102" + "02" + "11" + "0000" + id + none + "000000006afd1fc0": {
			Index: 258, Kind: mapfn.WithdrawalHeld, Reason: 17, ID: h, To: 0x6afd1fc0},
		"0000000000000102" + "03" + "12" + "0000" + id + none + none: {Index: 258, Kind: mapfn.WithdrawalReinstated, Reason: 18, ID: h},
		"0000000000000102" + "04" + "0c" + "0001" + id + none + none: {
			Index: 258, Kind: mapfn.WithdrawalClaims, Reason: 12, Flags: mapfn.FlagReadLeaf, ID: h},
		"0000000000000102" + "07" + "0c" + "0001" + id + "0000000000000007" + "0000000000000102": {
			Index: 258, Kind: mapfn.WithdrawalKeyRange, Reason: 12, Flags: mapfn.FlagReadLeaf, ID: h, From: 7, To: 258},
		"0000000000000102" + "05" + "00" + "0000" + id + "0000000000000102" + none: {Index: 258, Kind: mapfn.WithdrawalSuperseded, ID: h, From: 258},
		"0000000000000102" + "06" + "00" + "0000" + id + "0000000000000007" + "ffffffffffffffff": {
			Index: 258, Kind: mapfn.WithdrawalKeyCutoff, ID: h, From: 7, To: 1<<64 - 1},
		"0000000000000102" + "08" + "00" + "0000" + id + none + none: {Index: 258, Kind: mapfn.WithdrawalPartyEnded, ID: h},
	} {
		if got := hex.EncodeToString(w.Append(nil)); got != want {
			t.Errorf("%+v is %s, want %s", w, got, want)
		}
	}
}
