package testlog

import (
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func programmeFaults() []fault {
	closed := func(make func(*Generator, *programme, *memberKey) *entry.Entry) fault {
		return ofProgramme(reason.ProgClosed, func(p *programme) bool { return p.closed }, make)
	}
	open := func(code reason.Code, make func(*Generator, *programme, *memberKey) *entry.Entry) fault {
		return ofProgramme(code, func(p *programme) bool { return !p.closed }, make)
	}
	return []fault{
		{reason.NoChange, func(g *Generator) *entry.Entry {
			p, _ := g.programmeThat(func(p *programme) bool { return p.by.state == "active" })
			if p == nil {
				return nil
			}
			return p.Entry
		}},
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			return Publish([]*Key{p.Recovery, g.registrar(), g.root()}[g.rng.IntN(3)], Rules(g.origin))
		}),
		ofKey(reason.KeyNotActive, "retired", func(g *Generator, k *memberKey) *entry.Entry {
			return Publish(k.Key, g.newRules(k.of))
		}),
		ofKey(reason.WrongLog, "active", func(g *Generator, k *memberKey) *entry.Entry {
			return Publish(k.Key, Rules(otherLog))
		}),
		ofKey(reason.Programme, "active", func(g *Generator, k *memberKey) *entry.Entry {
			return CloseProgramme(g.origin, k.Key, g.unknown())
		}),
		{reason.PartyEnded, func(g *Generator) *entry.Entry {
			p := pick(&g.model, g.programmes, func(p *programme) bool { return !p.closed && p.operator().ended })
			if p == nil {
				return nil
			}
			if k := g.keyOf(p.operator()); k != nil {
				return CloseProgramme(g.origin, k.Key, p.ID)
			}
			return nil
		}},
		open(reason.AfterStale, func(g *Generator, p *programme, k *memberKey) *entry.Entry {
			return AmendProgramme(k.Key, p.ID, p.last-1, g.newRules(k.of))
		}),
		open(reason.NotYourProg, func(g *Generator, p *programme, k *memberKey) *entry.Entry {
			if other := g.stranger(k.of); other != nil {
				return CloseProgramme(g.origin, other.Key, p.ID)
			}
			return nil
		}),
		closed(func(g *Generator, p *programme, k *memberKey) *entry.Entry {
			return AmendProgramme(k.Key, p.ID, p.last, g.newRules(k.of))
		}),
		closed(func(g *Generator, p *programme, k *memberKey) *entry.Entry {
			return CloseProgramme(g.origin, k.Key, p.ID)
		}),
		closed(func(g *Generator, p *programme, k *memberKey) *entry.Entry {
			if g.closed {
				return nil
			}
			a := g.predicate(k)
			a.Programme = &p.ID
			return Attest(k.Key, a, g.components(k.of)...)
		}),
	}
}

// ofProgramme is a fault about a programme that ok accepts; k may sign for its
// operator.
func ofProgramme(code reason.Code, ok func(*programme) bool, make func(*Generator, *programme, *memberKey) *entry.Entry) fault {
	return fault{code, func(g *Generator) *entry.Entry {
		if p, k := g.programmeThat(ok); p != nil {
			return make(g, p, k)
		}
		return nil
	}}
}

// rulesFaults are attestations that the rules of their programme do not allow,
// each for one of the rules.
func rulesFaults() []fault {
	outside := func(by func(*Generator, *programme) *memberKey, change func(*entry.Attestation)) fault {
		return fault{reason.ProgRules, func(g *Generator) *entry.Entry {
			p, _ := g.openProgramme()
			if p == nil || g.closed {
				return nil
			}
			k := by(g, p)
			if k == nil {
				return nil
			}
			a := Claims(g.origin, g.now(), 5)
			a.Programme = &p.ID
			change(a)
			return Attest(k.Key, a, g.components(k.of)...)
		}}
	}
	live := func(ok func(*programme, *member) bool) func(*Generator, *programme) *memberKey {
		return func(g *Generator, p *programme) *memberKey {
			return pick(&g.model, g.keys, func(k *memberKey) bool { return k.state == "active" && !k.of.ended && ok(p, k.of) })
		}
	}
	allowed := live(func(p *programme, m *member) bool { return p.allows(m) })
	return []fault{
		outside(live(func(p *programme, m *member) bool { return !p.allows(m) }), func(*entry.Attestation) {}),
		outside(allowed, func(a *entry.Attestation) { a.ValidUntil++ }),
		outside(allowed, func(a *entry.Attestation) {
			a.Claims = &entry.Claims{Catalogue: "cra-annex-i", Version: "2024-2847", Items: []entry.Claim{{ID: "CRA-II-5", Answer: "yes"}}}
		}),
	}
}

func operatorFaults() []fault {
	// suspended is about an attestation that an operator holds.
	suspended := func(code reason.Code, make func(*Generator, *attested, *memberKey) *entry.Entry) fault {
		return withdraws(code, "suspended", make)
	}
	return []fault{
		withdraws(reason.NotYours, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			p, operator := g.openProgramme()
			if p == nil || a.under == p || operator.of == k.of {
				return nil
			}
			return InTheNameOf(p.ID, Revoke(g.origin, 4, operator.Key, a.ID), operator.Key)
		}),
		withdraws(reason.NotYourProg, "active", func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			p, operator := g.openProgramme()
			if p == nil || operator.of == k.of {
				return nil
			}
			return InTheNameOf(p.ID, Revoke(g.origin, 4, k.Key, a.ID), k.Key)
		}),
		{reason.ProgClosed, func(g *Generator) *entry.Entry {
			a := pick(&g.model, g.operable, func(a *attested) bool {
				return a.state == "active" && a.under.closed && !a.under.operator().ended
			})
			if a == nil {
				return nil
			}
			if k := g.keyOf(a.under.operator()); k != nil {
				return InTheNameOf(a.under.ID, Revoke(g.origin, 4, k.Key, a.ID), k.Key)
			}
			return nil
		}},
		suspended(reason.HoldMismatch, func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Reinstate(g.origin, a.hold, k.Key, a.ID)
		}),
		suspended(reason.TargetState, func(g *Generator, a *attested, k *memberKey) *entry.Entry {
			return Hold(g.origin, g.now()+day, k.Key, a.target())
		}),
		supersedes("suspended", func(g *Generator, old *attested, k *memberKey) (*memberKey, entry.Hash, entry.Subject) {
			return k, old.ID, Component(old.Subjects[0].Purl.Package() + "@7")
		}),
	}
}
