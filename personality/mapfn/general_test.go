package mapfn_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/statusmap"
)

func leafHash(leaf []byte) hash { return sha256.Sum256(append([]byte{0}, leaf...)) }

// forged returns e's leaf with another signature.
func forged(e *entry.Entry) []byte {
	sig := append([]byte(nil), e.Signature...)
	sig[len(sig)-1] ^= 1
	return testlog.Envelope(e.Payload, e.KeyID, sig)
}

// TestEveryEntry has the rules that are no kind's.
func TestEveryEntry(t *testing.T) {
	const other = "other.example/log"
	s := newScene(t)
	stranger := testlog.NewKey("stranger", false)
	attestation := s.attest(s.a0, "pkg:npm/lodash@1")
	for _, test := range []struct {
		what string
		leaf []byte
		code reason.Code
	}{
		{"a stray seal", []byte("standing/seal/v1\n"), ""},
		{"another version's seal", []byte("standing/seal/v9"), ""},
		{"nothing", nil, reason.EnvelopeMalformed},
		{"no envelope", []byte("{}"), reason.EnvelopeMalformed},
		{"no statement", testlog.Leaf(s.a0, []byte(`{"a":null}`)), reason.JSONNull},
		{"another predicate", resigned(s.a0, attestation, "/predicates/attestation/v1", "/predicates/attestation/v2"), reason.PredicateType},
		{"unknown member", resigned(s.a0, attestation, `"polarity":`, `"standing":1,"polarity":`), reason.MemberUnknown},
		{"another log's charter", testlog.Charter(other, index(0), "open", []*testlog.Key{s.registrar}, s.root, s.root2).Leaf, reason.WrongLog},
		{"another log's party", testlog.NewParty("c", 1).Enrol(other, s.registrar).Leaf, reason.WrongLog},
		{"another log's key", testlog.RetireKey(other, s.a1.ID(), s.aR).Leaf, reason.WrongLog},
		{"another log's attestation", testlog.Attest(s.a0, testlog.Claims(other, from, 1), testlog.Component("pkg:npm/lodash@1")).Leaf, reason.WrongLog},
		{"another log's revocation", testlog.Revoke(other, 0, s.a0, s.att.ID).Leaf, reason.WrongLog},
		{"stranger", s.attest(stranger, "pkg:npm/lodash@1").Leaf, reason.KeyUnknown},
		{"stranger as registrar", testlog.NewParty("c", 1).Enrol(origin, stranger).Leaf, reason.KeyUnknown},
		{"stranger's revocation", s.revoke(stranger, s.att).Leaf, reason.KeyUnknown},
		{"forged", forged(attestation), reason.SignatureInvalid},
		{"forged by P-256", forged(s.attest(s.a1, "pkg:npm/lodash@1")), reason.SignatureInvalid},
		{"another's signature", testlog.Envelope(attestation.Payload, s.b0.ID(), attestation.Signature), reason.SignatureInvalid},
		{"enrolment proven for another log", provenFor(s, other), reason.Possession},
		{"key proven for another party", resigned(s.aR, testlog.AddKey(origin, s.b.ID, stranger, s.aR), hexOf(s.b.ID), hexOf(s.a.ID)), reason.Possession},
		{"recovery key proven for another party", movedRecovery(s, stranger), reason.Possession},
		{"the attestation itself", attestation.Leaf, ""},
	} {
		s.wantStep(test.what, test.leaf, test.code)
	}
	// An attestation may be meant for several logs.
	a := testlog.Claims(origin, from, 1)
	a.Logs = []string{"a.example", origin, other}
	s.add("for three logs", testlog.Attest(s.a0, a, testlog.Component("pkg:npm/lodash@2")))
}

func hexOf(h hash) string { return entry.PartySubject(h).Digest }

// provenFor is an enrolment whose keys prove possession for another log.
func provenFor(s *scene, other string) []byte {
	p := testlog.NewParty("c", 1)
	e := p.Enrol(other, s.registrar)
	return resigned(s.registrar, e, `"log":"`+other, `"log":"`+origin)
}

// movedRecovery is b's change of recovery key, made a's.
func movedRecovery(s *scene, next *testlog.Key) []byte {
	e := testlog.AmendWebsite(origin, s.b.ID, 1, "", next, s.aR)
	payload := e.Payload
	for range 2 { // name and digest of the subject
		payload = replaced(payload, hexOf(s.b.ID), hexOf(s.a.ID))
	}
	return testlog.Leaf(s.aR, payload)
}

// TestSameEvent: what has effect has it once. Nothing but the attestation is
// looked up by its id; every other kind runs into its own rule.
func TestSameEvent(t *testing.T) {
	s := newScene(t)
	hold := s.hold(s.a0, s.att)
	k := s.key("a2")
	for _, e := range []struct {
		name  string
		entry func() *entry.Entry
		again reason.Code
	}{
		{"enrolment", func() *entry.Entry { return testlog.NewParty("c", 1).Enrol(origin, s.registrar) }, reason.KeySpent},
		{"roles", func() *entry.Entry { return testlog.AmendRoles(origin, s.a.ID, 1, s.registrar, "user") }, reason.AfterStale},
		{"key add", func() *entry.Entry { return testlog.AddKey(origin, s.a.ID, k, s.aR) }, reason.KeySpent},
		{"retire", func() *entry.Entry { return testlog.RetireKey(origin, k.ID(), s.aR) }, reason.TargetState},
		{"compromise", func() *entry.Entry { return testlog.CompromiseKey(origin, k.ID(), nil, s.aR) }, reason.Cutoff},
		{"cutoff", func() *entry.Entry { return testlog.CompromiseKey(origin, k.ID(), index(1), s.aR) }, reason.Cutoff},
		{"attestation", func() *entry.Entry { return s.attest(s.a0, "pkg:npm/lodash@1") }, reason.NoChange},
		{"hold", func() *entry.Entry { return hold }, reason.AfterStale},
		{"reinstatement", func() *entry.Entry { return s.reinstate(s.a0, hold, s.att) }, reason.HoldMismatch},
		{"hold, again", func() *entry.Entry { return s.hold(s.a0, s.att) }, reason.AfterStale},
		{"superseding", func() *entry.Entry { return s.supersede(s.a0, s.att.ID, "pkg:npm/express@5") }, reason.NoChange},
		{"revocation", func() *entry.Entry { return s.revoke(s.a0, s.att) }, reason.TargetState},
		{"charter", func() *entry.Entry { return s.charter(index(0), "open") }, reason.AfterStale},
		{"end", func() *entry.Entry { return testlog.EndParty(origin, s.b.ID, s.bR) }, reason.PartyEnded},
	} {
		e0 := s.add(e.name, e.entry())
		s.wantStep(e.name+" again", e0.Leaf, e.again)
	}
	s.wantStep("the first charter again", s.leaves[0], reason.AfterStale)
	s.wantStep("the reinstatement, after another hold", s.reinstate(s.a0, hold, s.att).Leaf, reason.HoldMismatch)
}

// TestOtherSignature: another valid signature of the same statement makes
// another leaf and the same event.
func TestOtherSignature(t *testing.T) {
	s := newScene(t)
	e := s.add("first", s.attest(s.a1, "pkg:npm/lodash@1")) // P-256
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(e.Signature, &sig); err != nil {
		t.Fatal(err)
	}
	sig.S.Sub(elliptic.P256().Params().N, sig.S)
	der, err := asn1.Marshal(sig)
	if err != nil {
		t.Fatal(err)
	}
	leaf := testlog.Envelope(e.Payload, e.KeyID, der)
	if leafHash(leaf) == leafHash(e.Leaf) {
		t.Fatal("the leaf is the same")
	}
	s.wantStep("another signature", leaf, reason.NoChange)
}

func TestApplyUnverified(t *testing.T) {
	s := newScene(t)
	if _, err := mapfn.Apply(origin, s.attest(s.a0, "pkg:npm/lodash@1"), s.index(), s.log); !errors.Is(err, mapfn.ErrUnverified) {
		t.Errorf("Apply = %v", err)
	}
	e := s.attest(s.a0, "pkg:npm/lodash@1")
	if err := e.Verify(s.a0.Public()); err != nil {
		t.Fatal(err)
	}
	if _, err := mapfn.Apply(origin, e, s.index(), s.log); err != nil {
		t.Errorf("Apply = %v", err)
	}
	// A bare Entry of no kind is nobody's to make, and has no effect.
	if _, err := mapfn.Apply(origin, &entry.Entry{}, 0, s.log); err == nil {
		t.Error("Apply takes an entry that was never parsed")
	}
}

// keysOf gives the same answer for every key.
type keysOf []byte

func (k keysOf) SPKI(hash) ([]byte, error) { return k, nil }

// TestKeysAreChecked: a store that gives another key does not make a leaf
// ignored.
func TestKeysAreChecked(t *testing.T) {
	s := newScene(t)
	e := s.attest(s.a0, "pkg:npm/lodash@1")
	for name, k := range map[string]keysOf{"another key": s.b0.Public().SPKI(), "no key": []byte("key")} {
		if _, err := mapfn.Step(origin, e.Leaf, s.index(), s.log, k); err == nil || reason.CodeOf(err) != "" {
			t.Errorf("%s: Step = %v", name, err)
		}
	}
	if _, err := mapfn.Step(origin, e.Leaf, s.index(), s.log, keysOf(nil)); reason.CodeOf(err) != reason.KeyUnknown {
		t.Errorf("a key that is not there: Step = %v", err)
	}
}

// badReader gives other records than the log's.
type badReader struct {
	mapfn.Reader
	records map[hash]string
	leaf    []byte
}

func (r badReader) Record(ns mapfn.NS, data []byte) ([]byte, error) {
	if b, ok := r.records[statusmap.Key(byte(ns), data)]; ok {
		return []byte(b), nil
	}
	return r.Reader.Record(ns, data)
}

func (r badReader) Leaf(i uint64, h hash) ([]byte, error) {
	if r.leaf != nil {
		return r.leaf, nil
	}
	return r.Reader.Leaf(i, h)
}

// TestBadState: a state that contradicts itself is the store's fault; no leaf
// is ignored for it.
func TestBadState(t *testing.T) {
	s := newScene(t)
	id := func(ns mapfn.NS, id hash) hash { return statusmap.Key(byte(ns), id[:]) }
	key, party := id(mapfn.NSKey, s.a0.ID()), id(mapfn.NSParty, s.a.ID)
	get := func(ns mapfn.NS, data hash) string {
		b, err := s.log.Record(ns, data[:])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	orphan := `{"v":1,"state":"active","role":"ordinary","first":1,"party":"` + hexOf(s.att.ID) + `","last":1}`
	rootKey := `{"v":1,"state":"active","role":"root","first":1,"last":1}`
	for name, test := range map[string]struct {
		entry *entry.Entry
		r     badReader
	}{
		"key record":      {s.attest(s.a0, "pkg:npm/lodash@1"), badReader{records: map[hash]string{key: "{}"}}},
		"party record":    {s.attest(s.a0, "pkg:npm/lodash@1"), badReader{records: map[hash]string{party: " "}}},
		"no such party":   {s.attest(s.a0, "pkg:npm/lodash@1"), badReader{records: map[hash]string{key: orphan}}},
		"log record":      {s.attest(s.a0, "pkg:npm/lodash@1"), badReader{records: map[hash]string{statusmap.Key(7, nil): "{}"}}},
		"own record":      {s.revoke(s.a0, s.att), badReader{records: map[hash]string{id(mapfn.NSAttestation, s.att.ID): get(mapfn.NSKey, s.a0.ID())}}},
		"list record":     {s.attest(s.a0, "pkg:npm/lodash@1"), badReader{records: map[hash]string{statusmap.Key(2, []byte("pkg:npm/lodash@1")): `{"v":1,"count":0,"last":0,"root":""}`}}},
		"list too long":   {s.attest(s.a0, "pkg:npm/lodash@1"), badReader{records: map[hash]string{statusmap.Key(2, []byte("pkg:npm/lodash@1")): `{"v":1,"count":3,"last":0,"root":"` + hexOf(s.a.ID) + `"}`}}},
		"not party's key": {s.revoke(s.a1, s.att), badReader{records: map[hash]string{key: rootKey}}},
		"other leaf":      {s.supersede(s.a0, s.att.ID, "pkg:npm/express@5"), badReader{leaf: []byte("{}")}},
		"lost root key":   {s.charter(index(0), "open"), badReader{records: map[hash]string{id(mapfn.NSKey, s.root2.ID()): ""}}},
	} {
		test.r.Reader = s.log
		_, err := mapfn.Step(origin, test.entry.Leaf, s.index(), test.r, s.log)
		if err == nil || reason.CodeOf(err) != "" {
			t.Errorf("%s: Step = %v, code %q", name, err, reason.CodeOf(err))
		}
	}
}
