package api_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

const days = 24 * 3600

// rules returns a statement about a programme's rules, for a publication.
func rules(change func(*entry.Programme)) *entry.Programme {
	p := &entry.Programme{Log: origin, Action: entry.ActionPublish, Rules: sha256.Sum256([]byte("rules")), Link: "https://rules.example/1",
		Catalogues: []string{"orc-template-lite"}, Roles: []string{"maintainer", "steward"}, MaxValidity: 366 * days}
	if change != nil {
		change(p)
	}
	return p
}

func publish(k *testlog.Key, p *entry.Programme) *entry.Entry {
	return testlog.Sign(k, p, entry.RulesSubject(p.Rules))
}

func amend(k *testlog.Key, id entry.Hash, after uint64, change func(*entry.Programme)) *entry.Entry {
	p := rules(change)
	p.Action, p.After = entry.ActionAmend, &after
	return testlog.Sign(k, p, entry.ProgrammeSubject(id))
}

func closing(k *testlog.Key, id entry.Hash) *entry.Entry {
	return testlog.Sign(k, &entry.Programme{Log: origin, Action: entry.ActionClose}, entry.ProgrammeSubject(id))
}

// claims withdraws claims, as the operator of a programme unless that is nil.
func claims(k *testlog.Key, id entry.Hash, programme *entry.Hash, ids ...string) *entry.Entry {
	return testlog.Sign(k, &entry.Revocation{Log: origin, Action: entry.ActionClaims, Claims: ids, Programme: programme}, entry.AttestationSubject(id))
}

// voiding revokes what a key attested in a range.
func voiding(by *testlog.Key, key entry.Hash, r entry.KeyRange) *entry.Entry {
	return testlog.Sign(by, &entry.Key{Log: origin, Action: entry.ActionRange, Range: &r}, entry.KeySubject(key))
}

// under returns an attestation under a programme.
func (w *world) under(k *testlog.Key, programme entry.Hash, name string) *entry.Entry {
	a := testlog.Claims(origin, w.Unix(), 3)
	a.Programme = &programme
	return testlog.Attest(k, a, testlog.Component(name))
}

// programmes adds to the world an open programme of party whose only member is
// other, a closed one, and an attestation of which as many claims are withdrawn
// as may be.
func (w *world) programmes() {
	w.Helper()
	key := w.party.Keys[0]
	open := publish(key, rules(func(p *entry.Programme) { p.Members = []entry.Hash{w.other.ID} }))
	closed := publish(key, rules(func(p *entry.Programme) { p.Link = "https://rules.example/2" }))
	w.open, w.closed = open.ID, closed.ID
	w.member = w.under(w.other.Keys[0], open.ID, "pkg:npm/member@1.0.0")
	w.submit(open, closed, closing(key, closed.ID), w.member)
	a := testlog.Claims(origin, w.Unix(), 0)
	var ids []string
	for i := range 65 {
		ids = append(ids, fmt.Sprintf("C%02d", i))
		a.Claims.Items = append(a.Claims.Items, entry.Claim{ID: ids[i], Answer: "yes"})
	}
	w.wide = testlog.Attest(key, a, testlog.Component("pkg:npm/wide@1.0.0"))
	w.Submit(w.wide) // package lint knows no catalogue with so many
	w.submit(claims(key, w.wide.ID, nil, ids[:64]...))
}

// badProgrammes are the cases about programmes, claims and ranges.
func (w *world) badProgrammes() []bad {
	key, other := w.party.Keys[0], w.other.Keys[0]
	opened := w.status(fmt.Sprintf("prog:%x", w.open)).GetProgramme().GetLastIndex()
	some := entry.KeyRange{From: 0, To: 2, Reason: 12}
	return []bad{
		{"programme", "by the registrar", reason.RoleNotAllowed, publish(w.Registrar, rules(nil)).Leaf},
		{"programme", "by an ended party", reason.PartyEnded, publish(w.ended.Keys[0], rules(nil)).Leaf},
		{"programme", "for another log", reason.WrongLog, publish(key, rules(func(p *entry.Programme) { p.Log = "log.example/another" })).Leaf},
		{"programme", "with other rules as its subject", reason.SubjectInvalid,
			testlog.Leaf(key, entry.Payload(rules(nil), entry.RulesSubject(w.nothing)))},
		{"programme", "with a role that is none", reason.MemberInvalid,
			testlog.Leaf(key, entry.Payload(rules(func(p *entry.Programme) { p.Roles = []string{"king"} }), entry.RulesSubject(rules(nil).Rules)))},
		{"programme", "amended by another", reason.NotYourProg, amend(other, w.open, opened, nil).Leaf},
		{"programme", "closed by another", reason.NotYourProg, closing(other, w.open).Leaf},
		{"programme", "amended from what it was", reason.AfterStale, amend(key, w.open, opened-1, nil).Leaf},
		{"programme", "amended once closed", reason.ProgClosed, amend(key, w.closed, opened, nil).Leaf},
		{"programme", "closed twice", reason.ProgClosed, testlog.Sign(w.party.Keys[1],
			&entry.Programme{Log: origin, Action: entry.ActionClose}, entry.ProgrammeSubject(w.closed)).Leaf},
		{"programme", "unknown", reason.Programme, closing(key, w.nothing).Leaf},
		{"attestation", "under a closed programme", reason.ProgClosed, w.under(key, w.closed, "pkg:npm/x@1.0.0").Leaf},
		{"attestation", "by no member", reason.ProgRules, w.under(key, w.open, "pkg:npm/x@1.0.0").Leaf},
		{"revocation", "as the operator of another's programme", reason.NotYourProg, claims(other, w.member.ID, &w.open, "BR.01").Leaf},
		{"revocation", "as operator of what is not under it", reason.NotYours, claims(key, w.endedOwn.ID, &w.open, "BR.01").Leaf},
		{"revocation", "under a closed programme", reason.ProgClosed, claims(key, w.member.ID, &w.closed, "BR.01").Leaf},
		{"claims", "not of the attestation", reason.ClaimUnknown, claims(key, w.standing.ID, nil, "XX.99").Leaf},
		{"claims", "of what was revoked", reason.TargetState, claims(key, w.withdrawn.ID, nil, "BR.01").Leaf},
		{"claims", "the 65th", reason.ClaimsLimit, claims(key, w.wide.ID, nil, "C64").Leaf},
		{"claims", "again", reason.NoChange, claims(w.party.Keys[1], w.wide.ID, nil, "C07").Leaf},
		{"claims", "of another party", reason.NotYours, claims(other, w.standing.ID, nil, "BR.01").Leaf},
		{"range", "by the key itself", reason.RoleNotAllowed, voiding(key, key.ID(), some).Leaf},
		{"range", "by another's recovery key", reason.RoleNotAllowed, voiding(w.other.Recovery, key.ID(), some).Leaf},
		{"range", "beyond its own index", reason.Cutoff, voiding(w.party.Recovery, key.ID(), entry.KeyRange{To: 1 << 40}).Leaf},
		{"range", "of an unknown key", reason.TargetUnknown, voiding(w.party.Recovery, w.nothing, some).Leaf},
		{"range", "of a recovery key", reason.RoleNotAllowed, voiding(w.party.Recovery, w.party.Recovery.ID(), some).Leaf},
	}
}

// status asks about one subject.
func (w *world) status(subject string) *standingv1.SubjectStatus {
	w.Helper()
	resp, err := w.grpc.CheckStatus(w.Context(), &standingv1.CheckStatusRequest{Subjects: []string{subject}})
	w.check(err)
	return resp.GetResults()[0]
}

// TestProgramme submits a good entry of each of these kinds, and reads what
// became of it, over gRPC and by the client over REST.
func TestProgramme(t *testing.T) {
	w := newWorld(t)
	key := w.party.Keys[0]
	printed := fmt.Sprintf("prog:%x", w.open)
	p := w.status(printed).GetProgramme()
	if p.GetId() != printed || p.GetState() != "open" || p.GetOperatorId() != fmt.Sprintf("party:%x", w.party.ID) ||
		p.GetOperatorName() != w.party.Name || p.GetIssuedIndex() != p.GetLastIndex() || p.GetRulesIndex() != p.GetLastIndex() ||
		p.GetRules() != fmt.Sprintf("%x", rules(nil).Rules) || p.GetLink() != "https://rules.example/1" ||
		!slices.Equal(p.GetMembers(), []string{fmt.Sprintf("party:%x", w.other.ID)}) || p.GetMaxValidity() != 366*days {
		t.Errorf("%v", p)
	}
	w.submit(amend(key, w.open, p.GetLastIndex(), func(p *entry.Programme) { p.Roles = []string{"steward"} }))
	st, err := w.client.Status(t.Context(), printed, fmt.Sprintf("prog:%x", w.nothing), "prog:0", fmt.Sprintf("prog:%x", w.closed))
	w.check(err)
	now := st.Results[0].Programme
	if now == nil || now.IssuedIndex != p.GetIssuedIndex() || now.LastIndex <= p.GetLastIndex() || now.RulesIndex != now.LastIndex ||
		!slices.Equal(now.Roles, []string{"steward"}) || len(now.Members) != 0 || !slices.Equal(now.Catalogues, []string{"orc-template-lite"}) {
		t.Errorf("amended: %+v", now)
	}
	if r := st.Results[1]; r.Programme != nil || r.Refused != nil {
		t.Errorf("unknown: %+v", r)
	}
	if r := st.Results[2]; r.Refused == nil || r.Refused.Reason.Code != reason.SubjectUnknown {
		t.Errorf("malformed: %+v", r)
	}
	if c := st.Results[3].Programme; c == nil || c.State != "closed" || c.LastIndex <= c.RulesIndex {
		t.Errorf("closed: %+v", c)
	}

	w.submit(claims(key, w.member.ID, &w.open, "BR.02"), claims(key, w.member.ID, &w.open, "BR.01"))
	a := w.status(w.member.IDString()).GetAttestations()[0]
	if a.GetProgrammeId() != printed || a.GetProgrammeState() != "open" || a.GetState() != "active" ||
		!slices.Equal(a.GetWithdrawnClaims(), []string{"BR.01", "BR.02"}) {
		t.Errorf("%v", a)
	}
	w.submit(closing(key, w.open))
	st, err = w.client.Status(t.Context(), w.member.IDString(), w.standing.IDString())
	w.check(err)
	if a := st.Results[0].Attestations[0]; a.ProgrammeID != printed || a.ProgrammeState != "closed" || !slices.Equal(a.WithdrawnClaims, []string{"BR.01", "BR.02"}) {
		t.Errorf("client: %+v", a)
	}
	if a := st.Results[1].Attestations[0]; a.ProgrammeID != "" || a.WithdrawnClaims != nil {
		t.Errorf("under no programme: %+v", a)
	}

	issued := w.status(w.standing.IDString()).GetAttestations()[0].GetIssuedIndex()
	w.submit(voiding(w.party.Recovery, w.standing.KeyID, entry.KeyRange{From: issued, To: issued + 1, Reason: 12}))
	if a := w.status(w.standing.IDString()).GetAttestations()[0]; a.GetVerdict() != "REVOKED" || a.GetState() != "active" {
		t.Errorf("in a range: %v", a)
	}
}
