package testlog

import (
	"fmt"
	"slices"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// Limits of the map function.
const (
	maxWithdrawn = 64
	maxVoids     = 16
)

// broad returns an attestation of more claims than can be withdrawn.
func broad(origin string, from uint64) *entry.Attestation {
	a := Claims(origin, from, 0)
	a.Claims.Catalogue, a.Claims.Version = "osps-baseline", "2026-02-19"
	for i := range maxWithdrawn + 8 {
		a.Claims.Items = append(a.Claims.Items, entry.Claim{ID: fmt.Sprintf("OSPS-AC-%02d", i), Answer: "yes"})
	}
	return a
}

// standing returns the claims of a that are not withdrawn.
func (a *attested) standing() []string {
	var ids []string
	if c := a.Attestation.Claims; c != nil {
		for _, item := range c.Items {
			if !slices.Contains(a.withdrawn, item.ID) {
				ids = append(ids, item.ID)
			}
		}
	}
	return ids
}

// withdrawClaims withdraws claims of an own attestation.
func (g *Generator) withdrawClaims() *entry.Entry {
	a, k := g.attestation([]string{"active", "active", "held", "superseded", "suspended"}[g.rng.IntN(5)])
	switch {
	case g.chance(0.05):
		a, k = g.endedAttestation("active")
	case g.chance(0.2):
		a, k = g.attestationOf(g.broad, func(a *attested) bool { return a.state == "active" })
	}
	if a == nil {
		return nil
	}
	return g.withdrawSome(a, k)
}

// withdrawSome withdraws some claims of a, signed by k; a few of them may have
// been withdrawn before.
func (g *Generator) withdrawSome(a *attested, k *memberKey) *entry.Entry {
	left := a.standing()
	most := min(len(left), maxWithdrawn-len(a.withdrawn))
	if most == 0 {
		return nil
	}
	claims := left[:1+g.rng.IntN(most)]
	a.withdrawn, a.last = append(a.withdrawn, claims...), g.index
	if n := len(a.withdrawn) - len(claims); n > 0 && len(claims) < maxWithdrawn && g.chance(0.3) {
		claims = append(claims, a.withdrawn[g.rng.IntN(n)])
	}
	return WithdrawClaims(g.origin, []uint8{0, 8, 12}[g.rng.IntN(3)], k.Key, claims, a.ID)
}

// voidRange declares void what a key attested for a while.
func (g *Generator) voidRange() *entry.Entry {
	k := pick(&g.model, g.keys, func(k *memberKey) bool { return len(k.voids) < maxVoids })
	if g.chance(0.8) {
		k = g.keys[0] // reaches the limit of 16 before long
	}
	if k == nil || len(k.voids) == maxVoids {
		return nil
	}
	r := g.someRange(k)
	if slices.Contains(k.voids, r) {
		return nil
	}
	k.voids, k.of.last = append(k.voids, r), g.index
	return VoidRange(g.origin, k.id, r, k.of.Recovery)
}

func (g *Generator) someRange(k *memberKey) entry.KeyRange {
	from := g.rng.Uint64N(g.index)
	r := entry.KeyRange{From: from, To: from + 1 + g.rng.Uint64N(min(g.index-from, 20)), Reason: []uint8{0, 12, 14}[g.rng.IntN(3)]}
	if g.chance(0.5) {
		r.Package = Package(k.of.place*3 + g.rng.IntN(12))
	}
	return r
}

func claimsFaults() []fault {
	claims := func(g *Generator, k *Key, a *attested, ids ...string) *entry.Entry {
		return WithdrawClaims(g.origin, 12, k, ids, a.ID)
	}
	// first is about the first claim of an attestation, if it stands.
	first := func(code reason.Code, state string, by func(*Generator, *memberKey) *Key) fault {
		return withdraws(code, state, func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			signer := by(g, k)
			if signer == nil || len(a.standing()) == 0 || len(a.withdrawn) > 0 {
				return nil
			}
			return claims(g, signer, a, a.standing()[0])
		})
	}
	return []fault{
		withdraws(reason.ClaimUnknown, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return claims(g, k.Key, a, "XX.01")
		}),
		withdraws(reason.ClaimUnknown, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			if left := a.standing(); len(left) > 0 && len(left) < maxWithdrawn {
				return claims(g, k.Key, a, append(left, "XX.01")...)
			}
			return nil
		}),
		withdraws(reason.NoChange, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			if len(a.withdrawn) == 0 {
				return nil
			}
			return claims(g, k.Key, a, a.withdrawn...)
		}),
		{reason.ClaimsLimit, func(g *Generator) *entry.Entry {
			a, k := g.attestationOf(g.broad, func(a *attested) bool {
				return a.state == "active" && len(a.standing()) <= maxWithdrawn
			})
			if a == nil {
				return nil
			}
			return claims(g, k.Key, a, a.standing()...)
		}},
		first(reason.TargetState, "revoked", func(_ *Generator, k *memberKey) *Key { return k.Key }),
		first(reason.RoleNotAllowed, "active", func(_ *Generator, k *memberKey) *Key { return k.of.Recovery }),
		first(reason.NotYours, "active", func(g *Generator, k *memberKey) *Key {
			if other := g.stranger(k.of); other != nil {
				return other.Key
			}
			return nil
		}),
	}
}

func rangeFaults() []fault {
	room := func(code reason.Code, make func(*Generator, *memberKey) *entry.Entry) fault {
		return ofKey(code, "active", func(g *Generator, k *memberKey) *entry.Entry {
			if len(k.voids) == maxVoids {
				return nil
			}
			return make(g, k)
		})
	}
	return []fault{
		room(reason.RoleNotAllowed, func(g *Generator, k *memberKey) *entry.Entry {
			// A reason of its own makes it another range than any before.
			r := g.someRange(k)
			r.Reason = 13
			return VoidRange(g.origin, k.id, r, []*Key{k.Key, g.registrar()}[g.rng.IntN(2)])
		}),
		room(reason.Cutoff, func(g *Generator, k *memberKey) *entry.Entry {
			r := g.someRange(k)
			r.To = g.index + 1
			return VoidRange(g.origin, k.id, r, k.of.Recovery)
		}),
		room(reason.NoChange, func(g *Generator, k *memberKey) *entry.Entry {
			if len(k.voids) == 0 {
				return nil
			}
			return VoidRange(g.origin, k.id, k.voids[g.rng.IntN(len(k.voids))], k.of.Recovery)
		}),
		{reason.KeyLimit, func(g *Generator) *entry.Entry {
			k := g.keys[0]
			if len(k.voids) < maxVoids {
				return nil
			}
			r := g.someRange(k)
			r.Reason = 13
			return VoidRange(g.origin, k.id, r, k.of.Recovery)
		}},
		ofMember(reason.TargetUnknown, func(g *Generator, p *member) *entry.Entry {
			return VoidRange(g.origin, g.unknown(), entry.KeyRange{To: 1}, p.Recovery)
		}),
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			return VoidRange(g.origin, p.Recovery.id, entry.KeyRange{To: 1}, p.Recovery)
		}),
	}
}
