package testlog

import (
	"bytes"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// fault makes an entry with one fault, which is code; nil if the model has
// nothing to do it with.
type fault struct {
	code reason.Code
	make func(*Generator) *entry.Entry
}

// ignored makes an entry that has no effect, or reports that the log is too
// young for the fault that it chose.
func (g *Generator) ignored() (Item, bool) {
	if g.chance(0.05) {
		return g.malformed(), true
	}
	all := faults()
	for range tries {
		f := all[g.rng.IntN(len(all))]
		if g.closed && g.chance(0.5) {
			f = closedFault()
		}
		if e := f.make(g); e != nil {
			return Item{Leaf: e.Leaf, Entry: e, Want: f.code}, true
		}
	}
	return Item{}, false
}

// malformed makes a leaf that is no entry at all.
func (g *Generator) malformed() Item {
	k := NewKey("malformed", false)
	switch g.rng.IntN(4) {
	case 0:
		return Item{Leaf: Leaf(k, []byte(`{"_type":null}`)), Want: reason.JSONNull}
	case 1:
		return Item{Leaf: []byte("{}"), Want: reason.EnvelopeMalformed}
	case 2:
		return Item{Leaf: Leaf(k, []byte(`{"a":1,"\u0061":1}`)), Want: reason.JSONDuplicate}
	}
	leaf := Leaf(k, []byte(`{"n":1.5}`))
	return Item{Leaf: leaf[:len(leaf)-1], Want: reason.EnvelopeMalformed}
}

// faults lists every way to be ignored that the generator knows.
func faults() []fault {
	var all []fault
	for _, list := range [][]fault{
		envelopeFaults(), authorityFaults(), partyFaults(), keyFaults(), attestationFaults(), revocationFaults(),
		rangeFaults(), claimsFaults(), programmeFaults(), rulesFaults(), operatorFaults(),
	} {
		all = append(all, list...)
	}
	return all
}

// unknown is an id that nothing has.
func (g *Generator) unknown() entry.Hash { return NewKey(g.fresh("unknown"), false).id }

const otherLog = "other.example/log"

func envelopeFaults() []fault {
	return []fault{
		{reason.NoChange, func(g *Generator) *entry.Entry {
			a := pick(&g.model, g.attestations, func(a *attested) bool { return a.by.state == "active" && !a.by.of.ended })
			if a == nil || g.closed {
				return nil
			}
			return a.Entry
		}},
		{reason.SignatureInvalid, func(g *Generator) *entry.Entry {
			k := g.signer()
			if k == nil || g.closed {
				return nil
			}
			e := Attest(k.Key, g.predicate(k), g.components(k.of)...)
			sig := bytes.Clone(e.Signature)
			sig[len(sig)-1] ^= 1
			return parsed(Envelope(e.Payload, e.KeyID, sig))
		}},
		{reason.KeyUnknown, func(g *Generator) *entry.Entry {
			return Attest(NewKey(g.fresh("stranger"), false), Claims(g.origin, g.now(), 5), Component("pkg:npm/express@4.22.2"))
		}},
		{reason.WrongLog, func(g *Generator) *entry.Entry {
			if k := g.signer(); k != nil {
				return Attest(k.Key, Claims(otherLog, g.now(), 5), Component("pkg:npm/express@4.22.2"))
			}
			return nil
		}},
		{reason.WrongLog, func(g *Generator) *entry.Entry {
			if k := g.key("active"); k != nil {
				return RetireKey(otherLog, k.id, k.of.Recovery)
			}
			return nil
		}},
		{reason.WrongLog, func(g *Generator) *entry.Entry {
			if a, k := g.attestation("active"); a != nil {
				return Revoke(otherLog, 0, k.Key, a.ID)
			}
			return nil
		}},
		{reason.WrongLog, func(g *Generator) *entry.Entry {
			return Charter(otherLog, &g.charterLast, "open", g.registrars, g.roots[0], g.roots[1:]...)
		}},
	}
}

func parsed(leaf []byte) *entry.Entry {
	e, err := entry.Parse(leaf)
	must(err)
	return e
}

// authorityFaults are the charter's.
func authorityFaults() []fault {
	amend := func(g *Generator, after *uint64, registrars []*Key, by *Key) *entry.Entry {
		c := charter(g.origin, after, issuance(g.closed), registrars, g.roots)
		return Sign(by, c, entry.LogSubject(g.origin))
	}
	return []fault{
		{reason.AfterStale, func(g *Generator) *entry.Entry { return amend(g, nil, g.registrars, g.root()) }},
		{reason.AfterStale, func(g *Generator) *entry.Entry {
			stale := g.charterLast + 1
			return amend(g, &stale, g.registrars, g.root())
		}},
		{reason.RoleNotAllowed, func(g *Generator) *entry.Entry {
			return amend(g, &g.charterLast, g.registrars, g.registrar())
		}},
		{reason.CharterKeys, func(g *Generator) *entry.Entry {
			// A key that was dropped never returns.
			if len(g.dropped) == 0 {
				return nil
			}
			return amend(g, &g.charterLast, []*Key{g.dropped[0]}, g.root())
		}},
		{reason.CharterKeys, func(g *Generator) *entry.Entry {
			// Nor does a party's key become the log's.
			return amend(g, &g.charterLast, []*Key{g.parties[0].Recovery}, g.root())
		}},
		{reason.MapFunction, func(g *Generator) *entry.Entry {
			c := charter(g.origin, &g.charterLast, issuance(g.closed), g.registrars, g.roots)
			c.MapFn = 3
			return Sign(g.root(), c, entry.LogSubject(g.origin))
		}},
	}
}

func partyFaults() []fault {
	return []fault{
		{reason.Possession, func(g *Generator) *entry.Entry {
			p := NewParty(g.fresh("party"), 2)
			pred, subjects := p.enrolment(g.origin, otherLog)
			return Sign(g.registrar(), pred, subjects...)
		}},
		{reason.RoleNotAllowed, func(g *Generator) *entry.Entry {
			if k := g.signer(); k != nil {
				return NewParty(g.fresh("party"), 1).Enrol(g.origin, k.Key)
			}
			return nil
		}},
		{reason.KeyNotActive, func(g *Generator) *entry.Entry {
			if len(g.dropped) == 0 {
				return nil
			}
			return NewParty(g.fresh("party"), 1).Enrol(g.origin, g.dropped[0])
		}},
		{reason.KeySpent, func(g *Generator) *entry.Entry {
			p := NewParty(g.fresh("party"), 2)
			p.Keys[0] = g.keys[g.rng.IntN(len(g.keys))].Key
			return p.Enrol(g.origin, g.registrar())
		}},
		{reason.KeySpent, func(g *Generator) *entry.Entry {
			p := NewParty(g.fresh("party"), 1)
			p.Recovery = g.registrars[0]
			return p.Enrol(g.origin, g.registrar())
		}},
		ofMember(reason.AfterStale, func(g *Generator, p *member) *entry.Entry {
			return AmendRoles(g.origin, p.ID, p.last-1, g.registrar(), "user")
		}),
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			// A registrar speaking for a party.
			return AmendWebsite(g.origin, p.ID, p.last, "https://attacker.example/", nil, g.registrar())
		}),
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			return AmendRoles(g.origin, p.ID, p.last, p.Recovery, "authority")
		}),
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			if other := g.liveMember(); other != nil && other != p {
				return EndParty(g.origin, p.ID, other.Recovery)
			}
			return nil
		}),
		ofMember(reason.KeySpent, func(g *Generator, p *member) *entry.Entry {
			return AmendWebsite(g.origin, p.ID, p.last, "", p.keys[0].Key, p.Recovery)
		}),
		{reason.TargetUnknown, func(g *Generator) *entry.Entry { return EndParty(g.origin, g.unknown(), g.registrar()) }},
		{reason.PartyEnded, func(g *Generator) *entry.Entry {
			p := g.endedMember()
			if p == nil {
				return nil
			}
			return []*entry.Entry{
				EndParty(g.origin, p.ID, g.registrar()),
				AmendRoles(g.origin, p.ID, p.last, g.registrar(), "user"),
				AddKey(g.origin, p.ID, NewKey(g.fresh("key"), false), p.Recovery),
			}[g.rng.IntN(3)]
		}},
	}
}

// ofMember is a fault about a party that has not ended.
func ofMember(code reason.Code, make func(*Generator, *member) *entry.Entry) fault {
	return fault{code, func(g *Generator) *entry.Entry {
		if p := g.liveMember(); p != nil {
			return make(g, p)
		}
		return nil
	}}
}

func keyFaults() []fault {
	return []fault{
		ofMember(reason.KeySpent, func(g *Generator, p *member) *entry.Entry {
			if p.ever == 32 {
				return nil
			}
			return AddKey(g.origin, p.ID, g.keys[g.rng.IntN(len(g.keys))].Key, p.Recovery)
		}),
		{reason.KeyLimit, func(g *Generator) *entry.Entry {
			p := g.parties[0]
			if p.ever < 32 {
				return nil
			}
			return AddKey(g.origin, p.ID, NewKey(g.fresh("key"), false), p.Recovery)
		}},
		ofMember(reason.Possession, func(g *Generator, p *member) *entry.Entry {
			k := NewKey(g.fresh("key"), false)
			proof := k.proof(entry.AddText(g.origin, g.unknown(), k.id))
			return Sign(p.Recovery, &entry.Key{Log: g.origin, Action: entry.ActionAdd, Party: p.ID, Add: &proof}, entry.KeySubject(k.id))
		}),
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			return AddKey(g.origin, p.ID, NewKey(g.fresh("key"), false), g.registrar())
		}),
		ofMember(reason.RoleNotAllowed, func(g *Generator, p *member) *entry.Entry {
			return RetireKey(g.origin, p.Recovery.id, p.Recovery)
		}),
		ofMember(reason.TargetUnknown, func(g *Generator, p *member) *entry.Entry {
			return RetireKey(g.origin, g.unknown(), p.Recovery)
		}),
		ofKey(reason.RoleNotAllowed, "active", func(g *Generator, k *memberKey) *entry.Entry {
			return CompromiseKey(g.origin, k.id, nil, g.registrar())
		}),
		ofKey(reason.RoleNotAllowed, "active", func(g *Generator, k *memberKey) *entry.Entry {
			if other := g.stranger(k.of); other != nil {
				return RetireKey(g.origin, k.id, other.of.Recovery)
			}
			return nil
		}),
		ofKey(reason.Cutoff, "active", func(g *Generator, k *memberKey) *entry.Entry {
			var cutoff uint64
			return CompromiseKey(g.origin, k.id, &cutoff, k.Key)
		}),
		ofKey(reason.Cutoff, "active", func(g *Generator, k *memberKey) *entry.Entry {
			cutoff := g.index + 1
			return CompromiseKey(g.origin, k.id, &cutoff, k.of.Recovery)
		}),
		ofKey(reason.Cutoff, "compromised", func(g *Generator, k *memberKey) *entry.Entry {
			return CompromiseKey(g.origin, k.id, &k.cutoff, k.of.Recovery)
		}),
		ofKey(reason.TargetState, "retired", func(g *Generator, k *memberKey) *entry.Entry {
			return RetireKey(g.origin, k.id, k.of.Recovery)
		}),
		ofKey(reason.TargetState, "compromised", func(g *Generator, k *memberKey) *entry.Entry {
			return RetireKey(g.origin, k.id, k.of.Recovery)
		}),
	}
}

// ofKey is a fault about an ordinary key in the state given.
func ofKey(code reason.Code, state string, make func(*Generator, *memberKey) *entry.Entry) fault {
	return fault{code, func(g *Generator) *entry.Entry {
		if k := g.key(state); k != nil {
			return make(g, k)
		}
		return nil
	}}
}
