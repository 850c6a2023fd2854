package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// cast are the log's people.
type cast struct {
	root, root2, root3    *testlog.Key
	registrar, registrar2 *testlog.Key

	issuer   *testlog.Party // three keys, the second P-256
	other    *testlog.Party // issues too
	operator *testlog.Party // of programmes
	expelled *testlog.Party // two keys
	many     *testlog.Party // has all the keys it may have
	late     *testlog.Party // enrolled when the charter has changed
}

func newCast() cast {
	c := cast{
		root: testlog.NewKey("golden root", false), root2: testlog.NewKey("golden root 2", true), root3: testlog.NewKey("golden root 3", false),
		registrar: testlog.NewKey("golden registrar", false), registrar2: testlog.NewKey("golden registrar 2", true),
		issuer: testlog.NewParty("issuer", 3), other: testlog.NewParty("other", 1), operator: testlog.NewParty("operator", 1),
		expelled: testlog.NewParty("expelled", 2), many: testlog.NewParty("many", 8), late: testlog.NewParty("late", 1),
	}
	c.operator.Roles = []string{"fiscal-host"}
	return c
}

// newKey makes a key for a name.
func newKey(name string) *testlog.Key { return testlog.NewKey("golden "+name, false) }

func ptr[T any](v T) *T { return &v }

// charter makes a charter by a root key; change may be nil.
func (b *book) charter(by *testlog.Key, after *uint64, roots, registrars []*testlog.Key, change func(*entry.Charter)) *entry.Entry {
	c := &entry.Charter{Log: origin, After: after, Admission: "golden-1", Issuance: "open", MapFn: 1}
	for _, k := range roots {
		c.Roots = append(c.Roots, k.Public())
	}
	for _, k := range registrars {
		c.Registrars = append(c.Registrars, k.Public())
	}
	if change != nil {
		change(c)
	}
	return testlog.Sign(by, c, entry.LogSubject(origin))
}

// amendment is a charter after the present one, with the keys of the first.
func (b *book) amendment(change func(*entry.Charter)) *entry.Entry {
	return b.charter(b.root, ptr(b.lastAt(mapfn.NSLog, nil)), keys(b.root, b.root2), keys(b.registrar), change)
}

func keys(k ...*testlog.Key) []*testlog.Key { return k }

// attest answers one claim about purls.
func (b *book) attest(k *testlog.Key, purls ...string) *entry.Entry {
	return b.attestAs(k, nil, purls...)
}

// attestAs is attest with something changed.
func (b *book) attestAs(k *testlog.Key, change func(*entry.Attestation), purls ...string) *entry.Entry {
	a := testlog.Claims(origin, start+b.index(), 1)
	if change != nil {
		change(a)
	}
	var subjects []entry.Subject
	for _, s := range a.Scopes {
		subjects = append(subjects, s.Subject())
	}
	for _, p := range purls {
		subjects = append(subjects, testlog.Component(p))
	}
	return testlog.Attest(k, a, subjects...)
}

// supersede is by k about purl, instead of the attestation of the step old.
func (b *book) supersede(k *testlog.Key, old, purl string) *entry.Entry {
	return b.attestAs(k, func(a *entry.Attestation) { a.Supersedes = &b.entry(old).ID }, purl)
}

// under is an attestation in the programme of the step.
func (b *book) under(k *testlog.Key, programme, purl string, change func(*entry.Attestation)) *entry.Entry {
	return b.attestAs(k, func(a *entry.Attestation) {
		a.Programme = &b.entry(programme).ID
		if change != nil {
			change(a)
		}
	}, purl)
}

// withdraw is a revocation of whatever action about the attestations of steps;
// a hold has the right after unless change gives another.
func (b *book) withdraw(k *testlog.Key, action string, change func(*entry.Revocation), targets ...string) *entry.Entry {
	r := &entry.Revocation{Log: origin, Action: action, Reason: 10}
	var subjects []entry.Subject
	for _, t := range targets {
		subjects = append(subjects, entry.AttestationSubject(b.entry(t).ID))
	}
	slices.SortFunc(subjects, func(a, b entry.Subject) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	if action == entry.ActionHold {
		r.Reason, r.Until = 17, start+1_000_000
		for _, s := range subjects {
			if _, ok := b.records[placeOf(mapfn.NSAttestation, s.ID[:])]; ok {
				r.After = append(r.After, b.lastAt(mapfn.NSAttestation, s.ID[:]))
			} else {
				r.After = append(r.After, 0)
			}
		}
	}
	if change != nil {
		change(r)
	}
	return testlog.Sign(k, r, subjects...)
}

func (b *book) revoke(k *testlog.Key, targets ...string) *entry.Entry {
	return b.withdraw(k, entry.ActionRevoke, nil, targets...)
}

func (b *book) hold(k *testlog.Key, targets ...string) *entry.Entry {
	return b.withdraw(k, entry.ActionHold, nil, targets...)
}

// reinstate lifts the hold of the step given.
func (b *book) reinstate(k *testlog.Key, hold string, targets ...string) *entry.Entry {
	return b.withdraw(k, entry.ActionReinstate, func(r *entry.Revocation) {
		r.Hold, r.Reason = b.entry(hold).ID, 18
	}, targets...)
}

// claims withdraws single claims.
func (b *book) claims(k *testlog.Key, target string, ids ...string) *entry.Entry {
	return b.withdraw(k, entry.ActionClaims, func(r *entry.Revocation) { r.Claims = ids }, target)
}

// asOperator names the programme of the step.
func (b *book) asOperator(k *testlog.Key, programme, action string, change func(*entry.Revocation), targets ...string) *entry.Entry {
	return b.withdraw(k, action, func(r *entry.Revocation) {
		r.Programme = &b.entry(programme).ID
		if change != nil {
			change(r)
		}
	}, targets...)
}

// programme publishes rules; change may be nil.
func (b *book) programme(k *testlog.Key, title string, change func(*entry.Programme)) *entry.Entry {
	p := rules(title)
	p.Action = entry.ActionPublish
	if change != nil {
		change(p)
	}
	return testlog.Sign(k, p, entry.RulesSubject(p.Rules))
}

func rules(title string) *entry.Programme {
	return &entry.Programme{
		Log: origin, Rules: sha256.Sum256([]byte(title)), Link: "https://rules.example/" + title,
		Catalogues: []string{"orc-template-lite"}, Roles: []string{"steward"}, MaxValidity: 400 * 24 * 3600,
	}
}

// amendProgramme repeats the rules of title, as changed.
func (b *book) amendProgramme(k *testlog.Key, programme string, after uint64, title string, change func(*entry.Programme)) *entry.Entry {
	p := rules(title)
	p.Action, p.After = entry.ActionAmend, &after
	if change != nil {
		change(p)
	}
	return testlog.Sign(k, p, entry.ProgrammeSubject(b.entry(programme).ID))
}

func (b *book) closeProgramme(k *testlog.Key, programme string) *entry.Entry {
	return testlog.Sign(k, &entry.Programme{Log: origin, Action: entry.ActionClose}, entry.ProgrammeSubject(b.entry(programme).ID))
}

// voidRange declares void what the key attested in [from, to).
func voidRange(key, by *testlog.Key, from, to uint64, pkg string) *entry.Entry {
	k := &entry.Key{Log: origin, Action: entry.ActionRange, Range: &entry.KeyRange{From: from, To: to, Reason: 3, Package: pkg}}
	return testlog.Sign(by, k, entry.KeySubject(key.ID()))
}

func retire(key, by *testlog.Key) *entry.Entry { return testlog.RetireKey(origin, key.ID(), by) }

func compromise(key *testlog.Key, cutoff *uint64, by *testlog.Key) *entry.Entry {
	return testlog.CompromiseKey(origin, key.ID(), cutoff, by)
}

// partyLast is the after of an amendment of p.
func (b *book) partyLast(p *testlog.Party) uint64 { return b.lastAt(mapfn.NSParty, p.ID[:]) }

// edited signs e's payload again with old, which is there, replaced by new.
func edited(k *testlog.Key, e *entry.Entry, pairs ...string) []byte {
	return testlog.Leaf(k, replaced(e.Payload, pairs...))
}

// replaced replaces the first old by new, pair after pair.
func replaced(b []byte, pairs ...string) []byte {
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(b, []byte(pairs[i])) {
			panic(fmt.Sprintf("nothing to replace: %q in %s", pairs[i], b))
		}
		b = bytes.Replace(b, []byte(pairs[i]), []byte(pairs[i+1]), 1)
	}
	return b
}

func hexOf(h entry.Hash) string { return hex.EncodeToString(h[:]) }

func spki(k *testlog.Key) string { return base64.StdEncoding.EncodeToString(k.Public().SPKI()) }
