package testlog

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// Item is one generated leaf.
type Item struct {
	Leaf []byte
	// Entry is the parsed leaf, or nil if Want says that it has no parse.
	Entry *entry.Entry
	// Want is the code for which the map function ignores the leaf, or "" if
	// it has effect.
	Want reason.Code
}

// Generator makes the entries of one log, one after the other. It is used by
// one goroutine.
type Generator struct {
	// Ignored is the share of entries that the map function ignores and that
	// an admission refuses, each for one cause.
	Ignored float64
	// Now is the Unix time of index 0; index n is n seconds later.
	Now uint64

	origin string
	seed   uint64
	index  uint64
	model
}

// New returns a Generator of the log with the given origin. The defaults: one
// entry in twenty is to be ignored; Now is in November 2026.
func New(origin string, seed uint64) *Generator {
	return &Generator{
		Ignored: 0.05, Now: 1_795_000_000, origin: origin, seed: seed,
		model: model{rng: rand.New(rand.NewPCG(seed, 0x7374616e64696e67))},
	}
}

// Next returns the leaf for index, which MUST be greater than that of the call
// before and MUST be where the leaf then stands if it has effect; the first is
// 0. Between them the caller writes seals, and whatever else has no effect.
func (g *Generator) Next(index uint64) Item {
	g.index = index
	switch {
	case index == 0:
		return g.effective(g.begin())
	case len(g.parties) < 3:
		return g.effective(g.enrol())
	case g.chance(g.Ignored):
		if item, ok := g.ignored(); ok {
			return item
		}
	}
	return g.effective(g.act())
}

func (g *Generator) effective(e *entry.Entry) Item { return Item{Leaf: e.Leaf, Entry: e} }

// now is the time at the present index.
func (g *Generator) now() uint64 { return g.Now + g.index }

// fresh returns a seed never used before.
func (g *Generator) fresh(what string) string {
	g.serial++
	return fmt.Sprintf("%s-%d-%d", what, g.seed, g.serial)
}

// act makes an entry that has effect: mostly an attestation.
func (g *Generator) act() *entry.Entry {
	// Each row is tried with its weight, of a thousand; one that finds
	// nothing to act on gives nil, and an attestation is made instead.
	for _, row := range []struct {
		weight int
		make   func() *entry.Entry
	}{
		{70, g.revoke}, {40, g.hold}, {30, g.reinstate}, {60, g.supersede},
		{8, g.enrol}, {6, g.amend}, {3, g.end},
		{14, g.addKey}, {3, g.retireKey}, {2, g.compromiseKey}, {2, g.amendCharter},
		{24, g.withdrawClaims}, {20, g.voidRange}, {30, g.operate},
		{6, g.publish}, {4, g.amendProgramme}, {2, g.closeProgramme},
	} {
		if g.rng.IntN(1000) < row.weight {
			if e := row.make(); e != nil {
				return e
			}
		}
	}
	// A log that is closed is opened again before long.
	if g.closed && g.chance(0.8) {
		if e := g.revoke(); e != nil {
			return e
		}
	}
	if g.closed {
		return g.amendCharter()
	}
	return g.attest()
}

func (g *Generator) begin() *entry.Entry {
	g.roots = []*Key{NewKey(g.fresh("root"), false), NewKey(g.fresh("root"), true)}
	g.registrars = []*Key{NewKey(g.fresh("registrar"), false)}
	return Charter(g.origin, nil, "open", g.registrars, g.roots[0], g.roots[1:]...)
}

// amendCharter closes or opens the log, or replaces a registrar or a root key.
func (g *Generator) amendCharter() *entry.Entry {
	by := g.rng.IntN(len(g.roots))
	registrars, roots := append([]*Key{}, g.registrars...), append([]*Key{}, g.roots...)
	closed := g.closed
	switch {
	case closed || g.chance(0.3):
		closed = !closed
	case g.chance(0.3):
		roots[1-by] = NewKey(g.fresh("root"), g.chance(0.5))
	case len(registrars) < 3:
		registrars = append(registrars, NewKey(g.fresh("registrar"), g.chance(0.5)))
	default:
		g.dropped = append(g.dropped, registrars[0])
		registrars = registrars[1:]
	}
	e := Charter(g.origin, &g.charterLast, issuance(closed), registrars, g.roots[by], roots[1-by])
	g.registrars, g.roots, g.closed, g.charterLast = registrars, roots, closed, g.index
	return e
}

func issuance(closed bool) string {
	if closed {
		return "closed"
	}
	return "open"
}

func (g *Generator) enrol() *entry.Entry {
	p := &member{Party: NewParty(g.fresh("party"), 1+g.rng.IntN(3)), place: len(g.parties), last: g.index}
	e := p.Enrol(g.origin, g.registrar())
	for _, k := range p.Party.Keys {
		g.adopt(p, k)
	}
	g.parties = append(g.parties, p)
	return e
}

// adopt makes k an ordinary key of p.
func (g *Generator) adopt(p *member, k *Key) {
	key := &memberKey{Key: k, of: p, state: "active"}
	p.keys, g.keys = append(p.keys, key), append(g.keys, key)
	p.ever++
}

func (g *Generator) amend() *entry.Entry {
	p := g.liveMember()
	if p == nil {
		return nil
	}
	after := p.last
	p.last = g.index
	switch g.rng.IntN(3) {
	case 0:
		return AmendRoles(g.origin, p.ID, after, g.registrar(), "maintainer", "steward")
	case 1:
		next, old := NewKey(g.fresh("recovery"), g.chance(0.5)), p.Recovery
		p.Recovery = next
		return AmendWebsite(g.origin, p.ID, after, "", next, old)
	}
	return AmendWebsite(g.origin, p.ID, after, p.Website+"new", nil, p.Recovery)
}

func (g *Generator) end() *entry.Entry {
	p := g.liveMember()
	if p == nil || len(g.parties) < 5 || p.place == 0 {
		return nil
	}
	p.ended, p.last = true, g.index
	if g.chance(0.5) {
		return EndParty(g.origin, p.ID, p.Recovery)
	}
	return EndParty(g.origin, p.ID, g.registrar())
}

func (g *Generator) addKey() *entry.Entry {
	p := g.liveMember()
	if g.chance(0.8) {
		p = g.parties[0] // reaches the limit of 32 before long
	}
	if p == nil || p.ended || p.ever == 32 {
		return nil
	}
	k := NewKey(g.fresh("key"), g.chance(0.3))
	g.adopt(p, k)
	p.last = g.index
	return AddKey(g.origin, p.ID, k, p.Recovery)
}

// signs returns who ends the key: itself, or its party's recovery key.
func (g *Generator) signs(k *memberKey) *Key {
	if k.state == "active" && g.chance(0.4) {
		return k.Key
	}
	return k.of.Recovery
}

func (g *Generator) retireKey() *entry.Entry {
	k := g.key("active")
	if k == nil {
		return nil
	}
	by := g.signs(k)
	k.state, k.of.last = "retired", g.index
	return RetireKey(g.origin, k.id, by)
}

func (g *Generator) compromiseKey() *entry.Entry {
	k := pick(&g.model, g.keys, func(k *memberKey) bool { return k.state != "compromised" || k.cutoff > 0 })
	if k == nil {
		return nil
	}
	by, limit := g.signs(k), g.index+1
	if k.state == "compromised" {
		limit = k.cutoff
	}
	cutoff := g.rng.Uint64N(limit)
	var named *uint64
	if by != k.Key && (k.state == "compromised" || g.chance(0.7)) {
		named = &cutoff
	} else {
		cutoff = g.index
	}
	k.state, k.cutoff, k.of.last = "compromised", cutoff, g.index
	return CompromiseKey(g.origin, k.id, named, by)
}

func (g *Generator) attest() *entry.Entry {
	k := g.signer()
	if k == nil {
		return g.enrol()
	}
	if g.chance(0.01) {
		e := g.issue(k, broad(g.origin, g.now()), nil, g.components(k.of))
		g.broad = append(g.broad, g.attestations[len(g.attestations)-1])
		return e
	}
	a, subjects := g.predicate(k), g.components(k.of)
	if g.chance(0.06) {
		subjects = g.scoped(a, k.of, subjects)
	}
	var under *programme
	if g.chance(0.15) {
		under = g.under(a, k.of)
	}
	return g.issue(k, a, under, subjects)
}

func (g *Generator) issue(k *memberKey, a *entry.Attestation, under *programme, subjects []entry.Subject) *entry.Entry {
	e := Attest(k.Key, a, subjects...)
	made := &attested{Entry: e, by: k, under: under, state: "active", last: g.index}
	g.attestations = append(g.attestations, made)
	if under != nil && under.operator() != k.of {
		g.operable = append(g.operable, made)
	}
	return e
}

// predicate returns what k attests, without subjects.
func (g *Generator) predicate(k *memberKey) *entry.Attestation {
	body := fmt.Appendf(nil, "document %d", g.index)
	switch n := g.rng.IntN(100); {
	case n < 8:
		return Statement(g.origin, g.now(), body)
	case n < 12:
		return Private(g.origin, g.now(), k.id, sha256.Sum256(body), body)
	case n < 14:
		a := Claims(g.origin, g.now(), 5)
		a.Logs = append(a.Logs, "zz.mirror.example/log")
		a.Initiator, a.Financer = "maintainer", "steward"
		a.Support = &entry.Support{Asks: "sponsorship", URL: "https://support.example/"}
		return a
	}
	a := Claims(g.origin, g.now(), 5+g.rng.IntN(6))
	until := a.ValidUntil + year
	a.SupportUntil = &until
	return a
}

// components returns the versions that an attestation of p is about.
func (g *Generator) components(p *member) []entry.Subject {
	n := 1
	if g.chance(0.1) {
		n += g.rng.IntN(4)
	}
	subjects := make([]entry.Subject, 0, n)
	for i := range n {
		algorithm := 0
		if g.chance(0.1) {
			algorithm = 1 + g.rng.IntN(2)
		}
		subjects = append(subjects, component(g.version(p, i), algorithm))
	}
	return subjects
}

// version returns a purl of p's field of work. Different n give different
// packages, so that no two subjects are equal.
func (g *Generator) version(p *member, n int) string {
	s := fmt.Sprintf("%s@%d.%d.%d", Package(p.place*3+n*40+g.rng.IntN(12)), n+1, g.rng.IntN(10), g.rng.IntN(30))
	if g.chance(0.03) {
		s += "?arch=riscv64"
	}
	return s
}

// scoped adds a scope document to a, and its subject to subjects.
func (g *Generator) scoped(a *entry.Attestation, p *member, subjects []entry.Subject) []entry.Subject {
	s := entry.Scope{Purl: Package(p.place*3 + g.rng.IntN(12))}
	if g.chance(0.6) {
		s.Vers = fmt.Sprintf("vers:npm/>=%d.0.0|<%d.0.0", g.rng.IntN(3), 4+g.rng.IntN(3))
	}
	if g.chance(0.3) {
		s.From, s.To = &a.ValidFrom, &a.ValidUntil
	}
	a.Scopes = []entry.Scope{s}
	if g.chance(0.7) {
		return []entry.Subject{s.Subject()}
	}
	return append(subjects, s.Subject())
}

// supersede replaces an own attestation by one of the same package.
func (g *Generator) supersede() *entry.Entry {
	old, k := g.attestation([]string{"active", "active", "held"}[g.rng.IntN(3)])
	if old == nil || g.closed {
		return nil
	}
	a := g.predicate(k)
	a.Supersedes = &old.ID
	name := old.Subjects[g.rng.IntN(len(old.Subjects))].Purl.Package()
	e := g.issue(k, a, nil, []entry.Subject{Component(fmt.Sprintf("%s@9.%d", name, g.index))})
	old.state, old.last = "superseded", g.index
	return e
}

func (g *Generator) revoke() *entry.Entry {
	states := []string{"active", "active", "active", "held", "superseded", "suspended"}
	a, k := g.attestation(states[g.rng.IntN(len(states))])
	if g.chance(0.05) {
		a, k = g.endedAttestation("active")
	}
	if a == nil {
		return nil
	}
	ids := []entry.Hash{a.ID}
	// Some take more of the same party along, some wrongly another party's:
	// each target is judged by itself.
	if g.chance(0.1) {
		b := pick(&g.model, g.attestations, func(b *attested) bool { return b != a })
		if b != nil {
			ids = append(ids, b.ID)
			if b.by.of == a.by.of && b.state != "revoked" {
				b.state, b.last = "revoked", g.index
			}
		}
	}
	a.state, a.last = "revoked", g.index
	return Revoke(g.origin, []uint8{0, 3, 8, 10, 12}[g.rng.IntN(5)], k.Key, ids...)
}

// day in seconds.
const day = 24 * 3600

func (g *Generator) hold() *entry.Entry {
	a, k := g.attestation([]string{"active", "active", "held"}[g.rng.IntN(3)])
	if a == nil {
		return nil
	}
	e := Hold(g.origin, g.now()+30*day, k.Key, a.target())
	a.state, a.last, a.hold = "held", g.index, e.ID
	return e
}

func (g *Generator) reinstate() *entry.Entry {
	a, k := g.attestation("held")
	if a == nil {
		return nil
	}
	g.lifted = append(g.lifted, lifted{a, a.hold})
	a.state, a.last = "active", g.index
	return Reinstate(g.origin, a.hold, k.Key, a.ID)
}

// otherPackage returns a subject that shares no package with e.
func (g *Generator) otherPackage(e *entry.Entry) entry.Subject {
	for n := 0; ; n++ {
		name := Package(n)
		if !shares(e, name) {
			return Component(fmt.Sprintf("%s@1.%d", name, g.index))
		}
	}
}

func shares(e *entry.Entry, name string) bool {
	for _, s := range e.Subjects {
		if s.Purl.Package() == name {
			return true
		}
	}
	return false
}
