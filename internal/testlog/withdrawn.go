package testlog

import (
	"bytes"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func attestationFaults() []fault {
	return []fault{
		ofKey(reason.KeyNotActive, "retired", attestsWith),
		ofKey(reason.KeyNotActive, "compromised", attestsWith),
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			by := []*Key{p.Recovery, g.registrar(), g.root()}[g.rng.IntN(3)]
			return Attest(by, Claims(g.origin, g.now(), 5), g.components(p)...)
		}),
		{reason.PartyEnded, func(g *Generator) *entry.Entry {
			p := g.endedMember()
			if p == nil || g.closed {
				return nil
			}
			if k := g.keyOf(p); k != nil {
				return attestsWith(g, k)
			}
			return nil
		}},
		closedFault(),
		ofKey(reason.Programme, "active", func(g *Generator, k *memberKey) *entry.Entry {
			if g.closed {
				return nil
			}
			a, id := g.predicate(k), g.unknown()
			a.Programme = &id
			return Attest(k.Key, a, g.components(k.of)...)
		}),
		supersedes("active", func(g *Generator, old *attested, k *memberKey) (*memberKey, entry.Hash, entry.Subject) {
			return k, old.ID, g.otherPackage(old.Entry)
		}),
		supersedes("active", func(g *Generator, old *attested, k *memberKey) (*memberKey, entry.Hash, entry.Subject) {
			return g.stranger(k.of), old.ID, Component(old.Subjects[0].Purl.Package() + "@7")
		}),
		supersedes("active", func(g *Generator, old *attested, k *memberKey) (*memberKey, entry.Hash, entry.Subject) {
			return k, g.unknown(), Component(old.Subjects[0].Purl.Package() + "@7")
		}),
		supersedes("revoked", func(g *Generator, old *attested, k *memberKey) (*memberKey, entry.Hash, entry.Subject) {
			return k, old.ID, Component(old.Subjects[0].Purl.Package() + "@7")
		}),
		supersedes("superseded", func(g *Generator, old *attested, k *memberKey) (*memberKey, entry.Hash, entry.Subject) {
			return k, old.ID, Component(old.Subjects[0].Purl.Package() + "@7")
		}),
	}
}

// closedFault is an attestation that comes after the log was closed.
func closedFault() fault {
	return ofKey(reason.IssuanceClosed, "active", func(g *Generator, k *memberKey) *entry.Entry {
		if !g.closed {
			return nil
		}
		return attestsWith(g, k)
	})
}

func attestsWith(g *Generator, k *memberKey) *entry.Entry {
	return Attest(k.Key, g.predicate(k), g.components(k.of)...)
}

// supersedes is the fault of superseding what may not be. change returns who
// signs, what is to be superseded, and the subject of what supersedes it.
func supersedes(state string, change func(*Generator, *attested, *memberKey) (*memberKey, entry.Hash, entry.Subject)) fault {
	return fault{reason.Supersedes, func(g *Generator) *entry.Entry {
		old, k := g.attestation(state)
		if old == nil || g.closed {
			return nil
		}
		by, id, subject := change(g, old, k)
		if by == nil {
			return nil
		}
		a := g.predicate(by)
		a.Supersedes = &id
		return Attest(by.Key, a, subject)
	}}
}

func revocationFaults() []fault {
	return []fault{
		ofKey(reason.TargetUnknown, "active", func(g *Generator, k *memberKey) *entry.Entry {
			return Revoke(g.origin, 0, k.Key, g.unknown())
		}),
		// Someone else's withdrawal.
		withdraws(reason.NotYours, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			other := g.stranger(k.of)
			if other == nil {
				return nil
			}
			return []*entry.Entry{
				Revoke(g.origin, 10, other.Key, a.ID),
				Hold(g.origin, g.now()+day, other.Key, a.target()),
				Reinstate(g.origin, g.unknown(), other.Key, a.ID),
			}[g.rng.IntN(3)]
		}),
		withdraws(reason.RoleNotAllowed, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Revoke(g.origin, 10, []*Key{g.registrar(), k.of.Recovery}[g.rng.IntN(2)], a.ID)
		}),
		withdraws(reason.KeyNotActive, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			old := pick(&g.model, k.of.keys, func(k *memberKey) bool { return k.state != "active" })
			if old == nil {
				return nil
			}
			return Revoke(g.origin, 10, old.Key, a.ID)
		}),
		withdraws(reason.Programme, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			id := g.unknown()
			r := &entry.Revocation{Log: g.origin, Action: entry.ActionRevoke, Programme: &id}
			return Sign(k.Key, r, entry.AttestationSubject(a.ID))
		}),
		withdraws(reason.TargetState, "revoked", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Revoke(g.origin, 0, k.Key, a.ID)
		}),
		withdraws(reason.TargetState, "revoked", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Hold(g.origin, g.now()+day, k.Key, a.target())
		}),
		withdraws(reason.TargetState, "superseded", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Hold(g.origin, g.now()+day, k.Key, a.target())
		}),
		withdraws(reason.AfterStale, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Hold(g.origin, g.now()+day, k.Key, Target{a.ID, a.last - 1})
		}),
		withdraws(reason.HoldMismatch, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Reinstate(g.origin, g.unknown(), k.Key, a.ID)
		}),
		withdraws(reason.HoldMismatch, "held", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Reinstate(g.origin, g.unknown(), k.Key, a.ID)
		}),
		{reason.HoldMismatch, func(g *Generator) *entry.Entry {
			// An old reinstatement, logged again after whatever happened since.
			l := pick(&g.model, g.lifted, func(l lifted) bool { return l.attested != nil && !l.by.of.ended })
			if l.attested == nil {
				return nil
			}
			if k := g.keyOf(l.by.of); k != nil {
				return Reinstate(g.origin, l.hold, k.Key, l.ID)
			}
			return nil
		}},
		{reason.PartyEnded, func(g *Generator) *entry.Entry {
			a, k := g.endedAttestation("held")
			if a == nil {
				return nil
			}
			return Reinstate(g.origin, a.hold, k.Key, a.ID)
		}},
		withdraws(reason.NotYours, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			// Where no target can be revoked, the first one's cause counts.
			other, unknown := g.stranger(k.of), g.unknown()
			if other == nil || bytes.Compare(a.ID[:], unknown[:]) > 0 {
				return nil
			}
			return Revoke(g.origin, 10, other.Key, a.ID, unknown)
		}),
	}
}

// withdraws is a fault about an attestation in the state given; k may sign for
// its issuer.
func withdraws(code reason.Code, state string, make func(*Generator, *attested, *memberKey) *entry.Entry) fault {
	return fault{code, func(g *Generator) *entry.Entry {
		if a, k := g.attestation(state); a != nil {
			return make(g, a, k)
		}
		return nil
	}}
}
