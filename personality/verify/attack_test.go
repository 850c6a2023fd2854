package verify_test

import (
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// expect fails unless the bundle gets the verdict.
func expect(t *testing.T, name string, file []byte, o verify.Options, want verify.Verdict) {
	t.Helper()
	if r := verify.Bundle(file, o); r.Verdict != want {
		t.Errorf("%s: %v (%v), want %v", name, r.Verdict, r.Err, want)
	}
}

// TestIndexAndSize plays with the two numbers that RFC 6962 proofs do not hold
// fast: a log that signs another size over the same root, with a seal that
// names another index. Only the true pair is accepted.
func TestIndexAndSize(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	o := s.Reader()
	o.Policy = s.policy("quorum none\n")
	r := verify.Bundle(file, o)
	honest, err := seal.Parse([]byte(parse(t, file).Seal.Leaf))
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	for size := uint64(1); size <= 64; size += every {
		for index := range size + 1 {
			b := parse(t, file)
			l := *honest
			l.Index = index
			s.sign(b, string(l.Marshal()), size, 0)
			got := verify.Bundle(write(t, b), o)
			want := verify.Invalid
			if size == r.Size && index == size-1 {
				want = verify.Active
			}
			if got.Verdict != want {
				t.Fatalf("index %d, size %d: %v, %v", index, size, got.Verdict, got.Err)
			}
		}
	}
}

// TestUnsealed signs trees that do not end in a live seal of this log.
func TestUnsealed(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	live := parse(t, file).Seal.Leaf
	good, err := seal.Parse([]byte(live))
	if err != nil {
		t.Fatal(err)
	}
	with := func(f func(*seal.Seal)) string {
		l := *good
		f(&l)
		return string(l.Marshal())
	}
	for name, leaf := range map[string]string{
		"an entry":               string(s.att["active"].Leaf),
		"nothing":                "",
		"another log's seal":     with(func(l *seal.Seal) { l.Origin = "log.example/other" }),
		"another index":          with(func(l *seal.Seal) { l.Index-- }),
		"another prefix":         with(func(l *seal.Seal) { l.PrefixRoot[0] ^= 1 }),
		"the map root of before": with(func(l *seal.Seal) { l.MapRoot[0] ^= 1 }),
		"another version":        strings.Replace(live, "standing/seal/v1", "standing/seal/v2", 1),
		"a line more":            live + "\n",
		"without the last LF":    strings.TrimSuffix(live, "\n"),
	} {
		b := parse(t, file)
		s.reseal(b, leaf, 1)
		expect(t, name, write(t, b), s.Reader(), verify.Invalid)
	}
}

// TestBackdated: a thief's attestation that claims an older date is void by the
// index at which the log took it.
func TestBackdated(t *testing.T) {
	s := newScene(t, origin)
	a := s.att["void"].Attestation
	if a.ValidFrom >= s.Unix()-200*86400 {
		t.Fatal("it is not backdated")
	}
	expect(t, "backdated", s.bundle("void"), s.Reader(), verify.KeyVoid)
	// A cutoff voids nothing but what it should, and is never raised.
	later := s.Record(s.att["void"].ID).Issued + 1
	_, codes := s.Force(testlog.CompromiseKey(origin, s.steward.Keys[1].ID(), &later, s.steward.Recovery).Leaf)
	if codes[0] != reason.Cutoff {
		t.Errorf("a higher cutoff: %q", codes[0])
	}
	expect(t, "after a higher cutoff", s.bundle("void"), s.Reader(), verify.KeyVoid)
}

// TestResurrection: nothing leads out of revoked, however it is spelt.
func TestResurrection(t *testing.T) {
	s := newScene(t, origin)
	revoked := s.att["revoked"]
	hold := s.Record(s.att["held"].ID).Hold
	_, codes := s.Force(
		revoked.Leaf,
		testlog.Reinstate(origin, testnode.Hash(*hold), s.steward.Keys[0], revoked.ID).Leaf,
		testlog.Hold(origin, s.Unix()+1000, s.steward.Keys[0], testlog.Target{ID: revoked.ID, Last: s.Record(revoked.ID).Last}).Leaf,
		s.make("again", s.steward.Keys[0], func(a *entry.Attestation) { a.Supersedes = &revoked.ID }, "revoked").Leaf,
	)
	for i, c := range codes {
		if c == "" {
			t.Errorf("leaf %d of those that would resurrect has effect", i)
		}
	}
	expect(t, "after all that", s.bundle("revoked"), s.Reader(), verify.Revoked)
	// The bundle of before is as old as it is: see TestReplay.
	expect(t, "the second submission's path", change(t, s.bundle("revoked"), func(b *bundle.Bundle) {
		b.Attestations[0].Path = s.path(s.State().Size - 5)
	}), s.Reader(), verify.Invalid)
}

// TestMalleated: (r, n - s) is as good an ECDSA signature as (r, s). It gives
// the same id, so no second attestation, and not the leaf that the log holds.
func TestMalleated(t *testing.T) {
	s := newScene(t, origin)
	e := s.att["void"] // by a P-256 key
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(e.Signature, &sig); err != nil {
		t.Fatal(err)
	}
	sig.S.Sub(elliptic.P256().Params().N, sig.S)
	raw, err := asn1.Marshal(sig)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := entry.Parse(testlog.Envelope(e.Payload, e.KeyID, raw))
	if err != nil || twin.Verify(s.steward.Keys[1].Public()) != nil || twin.ID != e.ID {
		t.Fatalf("the twin has id %x, want %x: %v", twin.ID, e.ID, err)
	}
	if _, codes := s.Force(twin.Leaf); codes[0] == "" {
		t.Error("the twin has effect")
	}
	expect(t, "the twin instead", change(t, s.bundle("void"), func(b *bundle.Bundle) { b.Attestations[0].Entry = twin.Leaf }), s.Reader(), verify.Invalid)
}

// TestReplay: an old good bundle is stale after a while, and refused at once by
// who has seen more.
func TestReplay(t *testing.T) {
	s := newScene(t, origin)
	o := s.Reader()
	expect(t, "within a day", s.early, o, verify.Active)
	o.Now = o.Now.Add(day + time.Second)
	expect(t, "after a day", s.early, o, verify.Stale)
	now := verify.Bundle(s.bundle("active"), s.Reader())
	o = s.Reader()
	o.Seen = map[string]trust.Body{origin: {Origin: origin, Size: now.Size, Root: now.Root}}
	expect(t, "by who has seen more", s.early, o, verify.Rollback)
	// A newer cosignature on the old tree is the log's to answer for; one that
	// was made for the new tree does not fit it.
	expect(t, "with the checkpoint of today", change(t, s.early, func(b *bundle.Bundle) {
		b.Checkpoint = parse(t, s.bundle("active")).Checkpoint
	}), s.Reader(), verify.Invalid)
}

// TestCrossProtocol: what one tree hashes is never taken for the other's, and a
// receipt is no status.
func TestCrossProtocol(t *testing.T) {
	s := newScene(t, origin)
	id := s.att["active"].ID
	b := parse(t, s.bundle("active"))
	a := b.Attestations[0]
	key := statusmap.Key(byte(mapfn.NSAttestation), id[:])
	vh := statusmap.ValueHash(byte(mapfn.NSAttestation), a.Record)
	// A log entry, and an RFC 6962 node, over the bytes of a map leaf.
	mapLeaf := append(append([]byte{2}, key[:]...), vh[:]...)
	l := *parseSeal(t, b.Seal.Leaf)
	for name, root := range map[string][]byte{
		"log entry of a map leaf":  rfc6962.DefaultHasher.HashLeaf(mapLeaf),
		"log entry of key and vh":  rfc6962.DefaultHasher.HashLeaf(mapLeaf[1:]),
		"log node over key and vh": rfc6962.DefaultHasher.HashChildren(key[:], vh[:]),
	} {
		forged := l
		forged.MapRoot = testnode.Hash(root)
		c := parse(t, s.bundle("active"))
		c.Attestations[0].Proof = statusmap.Proof{Terminal: statusmap.TerminalKey}.Marshal()
		s.reseal(c, string(forged.Marshal()), 1)
		expect(t, name, write(t, c), s.Reader(), verify.Invalid)
	}
	for name, f := range map[string]func(*bundle.Attestation){
		"receipt":                     func(a *bundle.Attestation) { a.Record, a.Proof = nil, nil },
		"audit path as map proof":     func(a *bundle.Attestation) { a.Proof = pathBytes(a.Path) },
		"map proof of the key's":      func(a *bundle.Attestation) { a.Record, a.Proof = b.Keys[0].Record, b.Keys[0].Proof },
		"map proof of the party's":    func(a *bundle.Attestation) { a.Record, a.Proof = b.Parties[0].Record, b.Parties[0].Proof },
		"record without its proof":    func(a *bundle.Attestation) { a.Proof = nil },
		"proof without its record":    func(a *bundle.Attestation) { a.Record = nil },
		"event as attestation":        func(a *bundle.Attestation) { a.Entry = parse(t, s.bundle("revoked")).Causes[0].Entry },
		"enrolment as an attestation": func(a *bundle.Attestation) { a.Entry = b.Parties[0].Entry },
	} {
		expect(t, name, change(t, s.bundle("active"), func(b *bundle.Bundle) { f(&b.Attestations[0]) }), s.Reader(), verify.Invalid)
	}
}

func parseSeal(t *testing.T, leaf string) *seal.Seal {
	t.Helper()
	l, err := seal.Parse([]byte(leaf))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func pathBytes(p bundle.Path) (b []byte) {
	for i := range p {
		b = append(b, p[i][:]...)
	}
	return b
}

// TestCopied: whoever copies a statement under another key has another
// attestation, and cannot touch the first.
func TestCopied(t *testing.T) {
	s := newScene(t, origin)
	victim := s.att["active"]
	thief := s.other.Keys[0]
	copied, err := entry.Parse(testlog.Leaf(thief, victim.Payload))
	if err != nil || copied.ID == victim.ID {
		t.Fatalf("the copy has id %x: %v", copied.ID, err)
	}
	s.Submit(copied)
	s.att["copied"] = copied
	zero := uint64(0)
	_, codes := s.Force(
		testlog.Revoke(origin, 0, thief, victim.ID).Leaf,
		testlog.CompromiseKey(origin, s.steward.Keys[0].ID(), &zero, thief).Leaf,
		testlog.CompromiseKey(origin, s.steward.Keys[0].ID(), &zero, s.steward.Keys[0]).Leaf,
		testlog.Envelope(testlog.Revoke(origin, 0, s.steward.Keys[0], victim.ID).Payload, s.steward.Keys[0].ID(), make([]byte, 64)),
	)
	for i, want := range []reason.Code{reason.NotYours, reason.RoleNotAllowed, reason.Cutoff, reason.SignatureInvalid} {
		if codes[i] != want {
			t.Errorf("leaf %d: %q, want %q", i, codes[i], want)
		}
	}
	expect(t, "the victim's", s.bundle("active"), s.Reader(), verify.Active)
	s.Submit(testlog.Revoke(origin, 0, thief, copied.ID))
	expect(t, "the copy, revoked", s.bundle("copied"), s.Reader(), verify.Revoked)
	expect(t, "the victim's then", s.bundle("active"), s.Reader(), verify.Active)
	expect(t, "the copy in place of it", change(t, s.bundle("active"), func(b *bundle.Bundle) { b.Attestations[0].Entry = copied.Leaf }), s.Reader(), verify.Invalid)
}

// TestForeignKey: a statement in another's name is one by another key.
func TestForeignKey(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	outsider := testlog.NewKey("outsider", false)
	e := s.make("active", outsider, nil)
	for name, f := range map[string]func(*bundle.Bundle){
		"signed by an outsider": func(b *bundle.Bundle) { b.Attestations[0].Entry = e.Leaf },
		"and its key":           func(b *bundle.Bundle) { b.Attestations[0].Entry, b.Keys[0].SPKI = e.Leaf, outsider.Public().SPKI() },
		"with the keyid": func(b *bundle.Bundle) {
			b.Attestations[0].Entry = testlog.Envelope(e.Payload, s.steward.Keys[0].ID(), e.Signature)
		},
		"signed by the recovery key": func(b *bundle.Bundle) {
			b.Attestations[0].Entry = s.make("active", s.steward.Recovery, nil).Leaf
			b.Keys[0].SPKI = s.steward.Recovery.Public().SPKI()
		},
	} {
		expect(t, name, change(t, file, f), s.Reader(), verify.Invalid)
	}
	// With its own, perfect record the recovery key may still not attest: the
	// map ignored it.
	e = s.make("by recovery", s.steward.Recovery, nil)
	if _, codes := s.Force(e.Leaf); codes[0] != reason.RoleNotAllowed {
		t.Fatalf("code %q", codes[0])
	}
	expect(t, "ignored for its role", change(t, s.absent(e, "active"), func(b *bundle.Bundle) {
		b.Keys = bundle.List[bundle.Key]{s.key(s.steward.Recovery)}
	}), s.Reader(), verify.NotLogged)
}

// key returns a key with the proof of its record.
func (s *scene) key(k *testlog.Key) bundle.Key {
	s.t.Helper()
	state := s.State()
	defer state.Close()
	id := k.ID()
	record, p, err := state.Map.Prove(mapfn.NSKey, id[:])
	if err != nil {
		s.t.Fatal(err)
	}
	return bundle.Key{SPKI: k.Public().SPKI(), Record: record, Proof: p.Marshal()}
}

// TestEnrolment: the name beside a verdict is the one that the registrar
// enrolled, with this party's keys.
func TestEnrolment(t *testing.T) {
	s := newScene(t, origin)
	file := s.bundle("active")
	impostor := testlog.NewParty("steward", 4)
	impostor.Name = "Another Name Foundation"
	other := parse(t, s.bundle("of another"))
	for name, f := range map[string]func(*bundle.Bundle){
		"another name":         func(b *bundle.Bundle) { b.Parties[0].Entry = impostor.Enrol(origin, s.Registrar).Leaf },
		"another party":        func(b *bundle.Bundle) { b.Parties = other.Parties },
		"another party's leaf": func(b *bundle.Bundle) { b.Parties[0].Entry = other.Parties[0].Entry },
		"both parties":         func(b *bundle.Bundle) { b.Parties = append(b.Parties, other.Parties[0]) },
		"another signature": func(b *bundle.Bundle) {
			e, err := entry.Parse(b.Parties[0].Entry)
			if err != nil {
				t.Fatal(err)
			}
			b.Parties[0].Entry = testlog.Envelope(e.Payload, e.KeyID, make([]byte, 64))
		},
		"base64 of the id": func(b *bundle.Bundle) {
			b.Parties[0].Proof = fmt.Appendf(nil, "%s", base64.StdEncoding.EncodeToString(b.Parties[0].Proof))
		},
	} {
		expect(t, name, change(t, file, f), s.Reader(), verify.Invalid)
	}
}
