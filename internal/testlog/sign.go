package testlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/entry"
)

// Sign returns the entry that says p about subjects, signed by k. It is parsed
// but not verified, which would cost more than all the rest.
func Sign(k *Key, p entry.Predicate, subjects ...entry.Subject) *entry.Entry {
	e, err := entry.Parse(Leaf(k, entry.Payload(p, subjects...)))
	must(err)
	return e
}

// Leaf returns payload in the canonical envelope, signed by k, whether or not
// it is a statement.
func Leaf(k *Key, payload []byte) []byte {
	sig, err := k.Sign(entry.PAE(payload))
	must(err)
	return Envelope(payload, k.id, sig)
}

// Envelope returns the canonical envelope of its parts.
func Envelope(payload []byte, keyID entry.Hash, sig []byte) []byte {
	b := make([]byte, 0, 4*len(payload)/3+4*len(sig)/3+256)
	b = append(b, `{"payload":"`...)
	b = base64.StdEncoding.AppendEncode(b, payload)
	b = append(b, `","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"`...)
	b = hex.AppendEncode(b, keyID[:])
	b = append(b, `","sig":"`...)
	b = base64.StdEncoding.AppendEncode(b, sig)
	return append(b, `"}]}`...)
}

// Charter returns a charter. after is nil for leaf 0; issuance is "open" or
// "closed"; by signs and is a root key beside further ones.
func Charter(origin string, after *uint64, issuance string, registrars []*Key, by *Key, further ...*Key) *entry.Entry {
	return Sign(by, charter(origin, after, issuance, registrars, append(further, by)), entry.LogSubject(origin))
}

func charter(origin string, after *uint64, issuance string, registrars, roots []*Key) *entry.Charter {
	return &entry.Charter{
		Log: origin, After: after, Admission: "testlog-1", Issuance: issuance, MapFn: 1,
		Registrars: publics(registrars), Roots: publics(roots),
	}
}

// Party is a party with its private keys. Name and Website are fictional.
type Party struct {
	Name, Website string
	Roles         []string
	Keys          []*Key
	Recovery      *Key
	ID            entry.Hash // set by Enrol
}

// NewParty returns the party of seed with n ordinary keys, the second of which
// is P-256, as every fourth after it.
func NewParty(seed string, n int) *Party {
	p := &Party{
		Name: partyName(seed), Website: "https://" + slug(seed) + ".example/",
		Roles: []string{"steward"}, Recovery: NewKey(seed+" recovery", false),
	}
	for i := range n {
		p.Keys = append(p.Keys, NewKey(fmt.Sprintf("%s %d", seed, i), i%4 == 1))
	}
	return p
}

// Enrol returns the enrolment of p in the log, signed by registrar, and sets
// the party's id.
func (p *Party) Enrol(origin string, registrar *Key) *entry.Entry {
	pred, subjects := p.enrolment(origin, origin)
	e := Sign(registrar, pred, subjects...)
	p.ID = e.ID
	return e
}

// enrolment is for origin; its proofs of possession are for provedFor.
func (p *Party) enrolment(origin, provedFor string) (*entry.Party, []entry.Subject) {
	ids := make([]entry.Hash, len(p.Keys))
	subjects := []entry.Subject{entry.KeySubject(p.Recovery.id)}
	for i, k := range p.Keys {
		ids[i] = k.id
		subjects = append(subjects, entry.KeySubject(k.id))
	}
	prove := func(k *Key) entry.KeyProof {
		return k.proof(entry.EnrolText(provedFor, p.Name, p.Recovery.id, ids, k.id))
	}
	recovery := prove(p.Recovery)
	pred := &entry.Party{
		Log: origin, Action: entry.ActionEnrol, Name: p.Name, Website: p.Website, Roles: p.Roles, Recovery: &recovery,
	}
	for _, k := range p.Keys {
		pred.Keys = append(pred.Keys, prove(k))
	}
	return pred, subjects
}

// AmendRoles returns an amendment of a party's roles, which registrars sign.
func AmendRoles(origin string, party entry.Hash, after uint64, registrar *Key, roles ...string) *entry.Entry {
	p := &entry.Party{Log: origin, Action: entry.ActionAmend, After: &after, Roles: roles}
	return Sign(registrar, p, entry.PartySubject(party))
}

// AmendWebsite returns an amendment of a party's website, and of its recovery
// key unless next is nil.
func AmendWebsite(origin string, party entry.Hash, after uint64, website string, next, recovery *Key) *entry.Entry {
	p := &entry.Party{Log: origin, Action: entry.ActionAmend, After: &after, Website: website}
	if next != nil {
		proof := next.proof(entry.RecoveryText(origin, party, next.id))
		p.Recovery = &proof
	}
	return Sign(recovery, p, entry.PartySubject(party))
}

// EndParty returns the end of a party.
func EndParty(origin string, party entry.Hash, by *Key) *entry.Entry {
	return Sign(by, &entry.Party{Log: origin, Action: entry.ActionEnd}, entry.PartySubject(party))
}

// AddKey returns the addition of an ordinary key to a party.
func AddKey(origin string, party entry.Hash, added, recovery *Key) *entry.Entry {
	proof := added.proof(entry.AddText(origin, party, added.id))
	return Sign(recovery, &entry.Key{Log: origin, Action: entry.ActionAdd, Party: party, Add: &proof}, entry.KeySubject(added.id))
}

// RetireKey returns the retirement of a key.
func RetireKey(origin string, key entry.Hash, by *Key) *entry.Entry {
	return Sign(by, &entry.Key{Log: origin, Action: entry.ActionRetire}, entry.KeySubject(key))
}

// CompromiseKey returns the declaration that a key was in foreign hands from
// index cutoff on; nil means the index of the entry itself.
func CompromiseKey(origin string, key entry.Hash, cutoff *uint64, by *Key) *entry.Entry {
	return Sign(by, &entry.Key{Log: origin, Action: entry.ActionCompromise, Cutoff: cutoff}, entry.KeySubject(key))
}

// Attest returns the attestation a about subjects.
func Attest(k *Key, a *entry.Attestation, subjects ...entry.Subject) *entry.Entry {
	return Sign(k, a, subjects...)
}

// year is about one.
const year = 366 * 24 * 3600

// Claims returns an attestation of answers to the light template, valid for a
// year from the Unix time given. Of its points, n are answered, at most
// len(points).
func Claims(origin string, from uint64, n int) *entry.Attestation {
	a := attestation(origin, from)
	a.Claims = &entry.Claims{Catalogue: "orc-template-lite", Version: "0.1"}
	for i, id := range points[:min(n, len(points))] {
		c := entry.Claim{ID: id, Answer: "yes", CheckedAt: &a.ValidFrom}
		if i%3 == 0 {
			c.Link = "https://evidence.example/" + id
		}
		a.Claims.Items = append(a.Claims.Items, c)
	}
	return a
}

// points are claims of the light template that name no person.
var points = []string{
	"BR.01", "BR.02", "BR.03", "BR.04", "EL.01", "GV.01", "GV.02", "GV.03", "LE.01", "LE.02",
	"QA.01", "QA.02", "QA.03", "QA.04", "QA.05", "QA.06", "QA.07", "VM.01", "VM.02",
}

// Statement returns an attestation that refers to a document.
func Statement(origin string, from uint64, document []byte) *entry.Attestation {
	a := attestation(origin, from)
	a.Statement = &entry.Statement{
		PredicateType: "https://slsa.dev/provenance/v1", MediaType: "application/vnd.in-toto+json",
		SHA256: sha256.Sum256(document), Size: uint64(len(document)),
	}
	return a
}

// Private returns an attestation that commits to body for the signer.
func Private(origin string, from uint64, signer entry.Hash, salt entry.Hash, body []byte) *entry.Attestation {
	a := attestation(origin, from)
	preimage := slices.Concat([]byte("standing/private/v1"), signer[:], salt[:], body)
	a.Private = &entry.Private{Commitment: sha256.Sum256(preimage), Size: uint64(len(body)), Audience: "members"}
	return a
}

func attestation(origin string, from uint64) *entry.Attestation {
	return &entry.Attestation{
		Logs: []string{origin}, Relation: "steward", Polarity: "positive", LegalBasis: "none",
		ValidFrom: from, ValidUntil: from + year,
	}
}

// Revoke returns the revocation of attestations.
func Revoke(origin string, reason uint8, by *Key, ids ...entry.Hash) *entry.Entry {
	r := &entry.Revocation{Log: origin, Action: entry.ActionRevoke, Reason: reason}
	r.Refs, r.Link, r.Since = detail(reason)
	return Sign(by, r, attestationSubjects(ids)...)
}

// detail gives the accompaniment that some reason wants: more than any needs.
func detail(reason uint8) (refs []string, link string, since *uint64) {
	if reason == 0 {
		return nil, "", nil
	}
	t := uint64(1_700_000_000)
	return []string{"CVE-2099-0001"}, "https://advisories.example/1", &t
}

// Target is an attestation to be held: last is its record's.
type Target struct {
	ID   entry.Hash
	Last uint64
}

// Hold returns a hold of targets until the Unix time given.
func Hold(origin string, until uint64, by *Key, targets ...Target) *entry.Entry {
	targets = slices.SortedFunc(slices.Values(targets), func(a, b Target) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	r := &entry.Revocation{Log: origin, Action: entry.ActionHold, Reason: reasonHold, Until: until}
	var ids []entry.Hash
	for _, t := range targets {
		r.After = append(r.After, t.Last)
		ids = append(ids, t.ID)
	}
	r.Refs, r.Link, r.Since = detail(reasonHold)
	return Sign(by, r, attestationSubjects(ids)...)
}

// Reinstate returns the lifting of the hold event given.
func Reinstate(origin string, hold entry.Hash, by *Key, ids ...entry.Hash) *entry.Entry {
	r := &entry.Revocation{Log: origin, Action: entry.ActionReinstate, Reason: reasonReleased, Hold: hold}
	r.Refs, r.Link, r.Since = detail(reasonReleased)
	return Sign(by, r, attestationSubjects(ids)...)
}

// Reasons of the lifecycle catalogue.
const (
	reasonHold     = 17
	reasonReleased = 18
)

func attestationSubjects(ids []entry.Hash) []entry.Subject {
	out := make([]entry.Subject, len(ids))
	for i, id := range ids {
		out[i] = entry.AttestationSubject(id)
	}
	return out
}
