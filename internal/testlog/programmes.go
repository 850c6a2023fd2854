package testlog

import (
	"crypto/sha256"
	"slices"

	"github.com/standing-log/standing/personality/entry"
)

// programme is a programme of the log.
type programme struct {
	*entry.Entry // its publication
	by           *memberKey
	rules        *entry.Programme // the newest
	last         uint64
	closed       bool
}

func (p *programme) operator() *member { return p.by.of }

// allows reports whether m may issue under p. Every party is a steward, and
// what predicate makes is within the other rules.
func (p *programme) allows(m *member) bool {
	member := p.rules.Members == nil || slices.Contains(p.rules.Members, m.ID)
	return !p.closed && member && slices.Contains(p.rules.Roles, "steward")
}

// openProgramme returns an open programme whose operator has not ended, and a
// key of his.
func (m *model) openProgramme() (*programme, *memberKey) {
	return m.programmeThat(func(p *programme) bool { return !p.closed })
}

func (m *model) programmeThat(ok func(*programme) bool) (*programme, *memberKey) {
	p := pick(m, m.programmes, func(p *programme) bool { return !p.operator().ended && ok(p) })
	if p == nil {
		return nil, nil
	}
	k := m.keyOf(p.operator())
	if k == nil {
		return nil, nil
	}
	return p, k
}

// newRules are rules like no others: for anybody, for some, or for nobody that
// is in this log.
func (g *Generator) newRules(operator *member) *entry.Programme {
	r := Rules(g.origin)
	r.Rules = sha256.Sum256([]byte(g.fresh("rules")))
	switch n := g.rng.IntN(10); {
	case n < 4:
		r.Members = []entry.Hash{operator.ID}
		for range 3 {
			if p := g.liveMember(); p != nil && !slices.Contains(r.Members, p.ID) {
				r.Members = append(r.Members, p.ID)
			}
		}
	case n < 5:
		r.Roles = []string{"assessor", "public-body"}
	case n < 6:
		r.Catalogues = append(r.Catalogues, "osps-baseline")
		r.Roles = append(r.Roles, "user")
	}
	return r
}

func (g *Generator) publish() *entry.Entry {
	k := g.signer()
	if k == nil {
		return nil
	}
	rules := g.newRules(k.of)
	e := Publish(k.Key, rules)
	g.programmes = append(g.programmes, &programme{Entry: e, by: k, rules: rules, last: g.index})
	k.of.last = g.index
	return e
}

func (g *Generator) amendProgramme() *entry.Entry {
	p, k := g.openProgramme()
	if p == nil {
		return nil
	}
	after := p.last
	p.rules, p.last, k.of.last = g.newRules(k.of), g.index, g.index
	return AmendProgramme(k.Key, p.ID, after, p.rules)
}

func (g *Generator) closeProgramme() *entry.Entry {
	p, k := g.openProgramme()
	if p == nil {
		return nil
	}
	p.closed, p.last, k.of.last = true, g.index, g.index
	return CloseProgramme(g.origin, k.Key, p.ID)
}

// under puts a, by p, under a programme, if there is one that allows it.
func (g *Generator) under(a *entry.Attestation, p *member) *programme {
	found := pick(&g.model, g.programmes, func(x *programme) bool { return x.allows(p) })
	if found != nil {
		a.Programme = &found.ID
	}
	return found
}

// operated returns another party's attestation under an open programme, in one
// of the states, and a key of the operator.
func (g *Generator) operated(states ...string) (*attested, *memberKey) {
	a := pick(&g.model, g.operable, func(a *attested) bool {
		return !a.under.closed && !a.under.operator().ended && slices.Contains(states, a.state)
	})
	if a == nil {
		return nil, nil
	}
	k := g.keyOf(a.under.operator())
	if k == nil {
		return nil, nil
	}
	return a, k
}

// operate withdraws, holds or lifts a hold, in the name of a programme.
func (g *Generator) operate() *entry.Entry {
	states := []string{"active", "held", "suspended", "superseded"}
	act := g.rng.IntN(8)
	switch {
	case act > 4:
		states = []string{"active", "suspended"}
	case act > 2:
		states = []string{"suspended"}
	}
	a, k := g.operated(states...)
	if a == nil {
		return nil
	}
	var e *entry.Entry
	switch {
	case act > 4:
		e, a.state = Hold(g.origin, g.now()+30*day, k.Key, a.target()), "suspended"
	case act > 2:
		e, a.state = Reinstate(g.origin, a.hold, k.Key, a.ID), "active"
	case act > 0:
		e = g.withdrawSome(a, k)
	default:
		e, a.state = Revoke(g.origin, 4, k.Key, a.ID), "revoked"
	}
	if e == nil {
		return nil
	}
	e = InTheNameOf(a.under.ID, e, k.Key)
	if a.last = g.index; act > 4 {
		a.hold = e.ID
	}
	return e
}
