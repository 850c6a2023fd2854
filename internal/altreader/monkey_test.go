package altreader

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
)

// monkey signs anything with any key: most of it has several faults at once,
// some has effect that no model foresaw. It knows ids, not rules.
type monkey struct {
	*rand.Rand
	*both
	keys         []*testlog.Key
	parties      []entry.Hash
	attestations []entry.Hash
	holds        []entry.Hash
	programmes   []entry.Hash
	n            int
}

// TestMonkey compares the implementations where nobody knows what is right.
func TestMonkey(t *testing.T) {
	for seed := range uint64(2) {
		m := &monkey{Rand: rand.New(rand.NewPCG(seed, 1)), both: newBoth(t)}
		// Which of several faults is named is not consensus.
		m.codes = false
		for i := range 3 {
			m.keys = append(m.keys, testlog.NewKey(fmt.Sprint("monkey ", i), i == 1))
		}
		m.add(testlog.Charter(testOrigin, nil, "open", m.keys[:1], m.keys[1], m.keys[2]).Leaf)
		effective := map[string]int{}
		for i := range 4000 {
			e := m.make()
			if out := m.add(e.Leaf); !out.Ignored {
				effective[kindOf(e)]++
			}
			if i%211 == 0 {
				m.seal()
			}
		}
		m.compareAll()
		for _, k := range []string{"charter", "enrol", "amend", "end", "add", "retire", "compromise", "range", "publish", "amend programme", "close",
			"attestation", "attestation of a programme", "revoke", "hold", "reinstate", "claims", "claims by the operator"} {
			if effective[k] == 0 {
				t.Errorf("seed %d: no %s had effect: %v", seed, k, effective)
			}
		}
	}
}

func kindOf(e *entry.Entry) string {
	switch {
	case e.Party != nil:
		return e.Party.Action
	case e.Programme != nil && e.Programme.Action == entry.ActionAmend:
		return "amend programme"
	case e.Programme != nil:
		return e.Programme.Action
	case e.Attestation != nil && e.Attestation.Programme != nil:
		return "attestation of a programme"
	case e.Revocation != nil && e.Revocation.Programme != nil:
		return e.Revocation.Action + " by the operator"
	case e.Key != nil:
		return e.Key.Action
	case e.Revocation != nil:
		return e.Revocation.Action
	}
	return string(e.Kind)
}

// some returns one of list, late ones more often than early ones.
func some[T any](m *monkey, list []T) T {
	i := m.IntN(len(list))
	return list[max(i, m.IntN(len(list)))]
}

func (m *monkey) key() *testlog.Key {
	if m.IntN(20) == 0 {
		return m.fresh()
	}
	return some(m, m.keys)
}

// fresh returns a key that nobody has seen, and keeps it.
func (m *monkey) fresh() *testlog.Key {
	m.n++
	k := testlog.NewKey(fmt.Sprint("fresh ", m.n), m.IntN(4) == 0)
	m.keys = append(m.keys, k)
	return k
}

// id returns one of list, or of anything else.
func (m *monkey) id(list []entry.Hash) entry.Hash {
	if len(list) == 0 || m.IntN(30) == 0 {
		return m.key().ID()
	}
	return some(m, list)
}

// log returns the testOrigin, or seldom another.
func (m *monkey) log() string {
	if m.IntN(40) == 0 {
		return "other.example/log"
	}
	return testOrigin
}

// maybe returns an index near those that matter.
func (m *monkey) maybe() uint64 { return uint64(m.IntN(int(m.alt.Size()) + 2)) }

// last returns the last of the record of an id, or something else.
func (m *monkey) last(id entry.Hash) uint64 {
	if m.IntN(6) == 0 {
		return m.maybe()
	}
	if a := m.alt.attestations[id]; a != nil {
		return a.last
	}
	if p := m.alt.parties[id]; p != nil {
		return p.last
	}
	if p := m.alt.programmes[id]; p != nil {
		return p.last
	}
	return m.alt.charter.last
}

// signerOf returns a key that may speak for the party, mostly.
func (m *monkey) signerOf(id entry.Hash, role string) *testlog.Key {
	for range 1000 {
		k := some(m, m.keys)
		r := m.alt.keys[k.ID()]
		if r != nil && r.role == role && (r.party == nil || *r.party == id) && (r.state == active || m.IntN(50) == 0) {
			return k
		}
	}
	return m.key()
}

// by returns a signer: usually one in the role, sometimes anybody.
func (m *monkey) by(id entry.Hash, role string) *testlog.Key {
	if m.IntN(5) == 0 {
		return m.key()
	}
	return m.signerOf(id, role)
}

// issuer returns the party that issued an attestation.
func (m *monkey) issuer(id entry.Hash) entry.Hash {
	if a := m.alt.attestations[id]; a != nil {
		return *m.alt.keys[a.key].party
	}
	return m.id(m.parties)
}

func (m *monkey) make() *entry.Entry {
	if len(m.parties) < 3 {
		return m.party()
	}
	switch n := m.IntN(100); {
	case n < 2:
		return m.charter()
	case n < 8:
		return m.party()
	case n < 18:
		return m.keyEvent()
	case n < 24:
		return m.programme()
	case n < 60:
		return m.attest()
	}
	return m.withdrawal()
}

func (m *monkey) charter() *entry.Entry {
	roots := []*testlog.Key{m.signerOf(entry.Hash{}, root), m.fresh()}
	registrars := []*testlog.Key{m.signerOf(entry.Hash{}, registrar)}
	if m.IntN(3) == 0 {
		registrars[0] = m.key()
	}
	if m.IntN(3) == 0 {
		roots[1] = m.key()
	}
	if roots[0] == roots[1] || roots[0] == registrars[0] || roots[1] == registrars[0] {
		return m.charter()
	}
	after := m.last(entry.Hash{})
	return testlog.Charter(m.log(), &after, []string{"closed", "open", "open", "open", "open"}[m.IntN(5)], registrars, roots[0], roots[1])
}

func (m *monkey) party() *entry.Entry {
	id := m.id(m.parties)
	switch n := m.IntN(20); {
	case n < 8 || len(m.parties) < 3:
		m.n++
		p := testlog.NewParty(fmt.Sprint("party ", m.n), 1+m.IntN(3))
		if m.IntN(6) == 0 && len(m.keys) > 3 {
			p.Recovery = m.key()
		}
		e := p.Enrol(m.log(), m.by(id, registrar))
		m.keys = append(append(m.keys, p.Keys...), p.Recovery)
		m.parties = append(m.parties, e.ID)
		return e
	case n < 12:
		return testlog.AmendRoles(m.log(), id, m.last(id), m.by(id, registrar), "steward", "user")
	case n < 15:
		return testlog.AmendWebsite(m.log(), id, m.last(id), "https://new.example/", nil, m.by(id, recovery))
	case n < 19:
		return testlog.AmendWebsite(m.log(), id, m.last(id), "", m.key(), m.by(id, recovery))
	}
	return testlog.EndParty(m.log(), id, m.by(id, []string{registrar, recovery}[m.IntN(2)]))
}

func (m *monkey) keyEvent() *entry.Entry {
	id := m.id(m.parties)
	target := m.by(id, ordinary)
	by := m.by(id, recovery)
	if m.IntN(3) == 0 {
		by = target
	}
	cutoff := m.maybe()
	switch m.IntN(8) {
	case 6, 7:
		return m.voids(target, by)
	case 0:
		return testlog.RetireKey(m.log(), target.ID(), by)
	case 1:
		return testlog.CompromiseKey(m.log(), target.ID(), nil, by)
	case 2:
		return testlog.CompromiseKey(m.log(), target.ID(), &cutoff, by)
	case 3:
		return testlog.AddKey(m.log(), id, m.key(), by)
	}
	return testlog.AddKey(m.log(), id, m.fresh(), by)
}

func (m *monkey) attest() *entry.Entry {
	id := m.id(m.parties)
	a := testlog.Claims(m.log(), 1_795_000_000+m.maybe(), 5)
	var subjects []entry.Subject
	switch m.IntN(3) {
	case 0:
		s := entry.Scope{Purl: testlog.Package(m.IntN(6))}
		a.Scopes = []entry.Scope{s}
		subjects = append(subjects, s.Subject())
	case 1:
		// Two subjects of one component, and one more of its package.
		purl := testlog.Package(m.IntN(6))
		subjects = append(subjects, testlog.Component(purl+"@1"), testlog.Component(purl+"@1?a=b"), testlog.Component(purl+"@2"))
	default:
		subjects = append(subjects, testlog.Component(fmt.Sprintf("%s@%d", testlog.Package(m.IntN(6)), m.IntN(4))))
	}
	if m.IntN(3) == 0 {
		old := m.id(m.attestations)
		a.Supersedes = &old
		id = m.issuer(old)
	}
	if m.IntN(3) == 0 {
		programme := m.id(m.programmes)
		a.Programme = &programme
	}
	e := testlog.Attest(m.by(id, ordinary), a, subjects...)
	m.attestations = append(m.attestations, e.ID)
	return e
}

func (m *monkey) withdrawal() *entry.Entry {
	id := m.id(m.attestations)
	party := m.issuer(id)
	list := []entry.Hash{id}
	targets := []testlog.Target{{ID: id, Last: m.last(id)}}
	for m.IntN(3) == 0 {
		if more := m.id(m.attestations); !slices.Contains(list, more) {
			list = append(list, more)
			targets = append(targets, testlog.Target{ID: more, Last: m.last(more)})
		}
	}
	by := m.by(party, ordinary)
	if m.IntN(3) == 0 {
		return m.byOperator(id, by, m.subjects(list))
	}
	switch n := m.IntN(10); {
	case n < 2:
		return testlog.Revoke(m.log(), uint8(m.IntN(256)), by, list...)
	case n < 6:
		e := testlog.Hold(m.log(), 1_796_000_000, by, targets...)
		m.holds = append(m.holds, e.ID)
		return e
	}
	hold := m.id(m.holds)
	if a := m.alt.attestations[id]; a != nil && a.hold != nil && m.IntN(4) > 0 {
		hold = *a.hold
	}
	return testlog.Reinstate(m.log(), hold, by, list...)
}

// subjects are attestations, in order.
func (m *monkey) subjects(ids []entry.Hash) (out []entry.Subject) {
	for _, id := range ids {
		out = append(out, entry.AttestationSubject(id))
	}
	return out
}

// claimIDs are some that testlog.Claims makes, and one that it does not.
func (m *monkey) claimIDs() (out []string) {
	for _, id := range []string{"BR.01", "BR.02", "BR.03", "BR.04", "EL.01", "none"} {
		if m.IntN(4) == 0 {
			out = append(out, id)
		}
	}
	if out == nil {
		return []string{"BR.01"}
	}
	return out
}

// byOperator withdraws, mostly claims, and often in the name of a programme.
func (m *monkey) byOperator(id entry.Hash, by *testlog.Key, subjects []entry.Subject) *entry.Entry {
	r := &entry.Revocation{Log: m.log(), Action: entry.ActionClaims, Reason: 10, Claims: m.claimIDs()}
	if m.IntN(5) == 0 {
		r.Action, r.Claims = entry.ActionRevoke, nil
	}
	if m.IntN(2) == 0 {
		programme := m.id(m.programmes)
		if a := m.alt.attestations[id]; a != nil && a.programme != nil && m.IntN(4) > 0 {
			programme = *a.programme
		}
		r.Programme = &programme
		if p := m.alt.programmes[programme]; p != nil {
			by = m.by(p.party, ordinary)
		}
	}
	return testlog.Sign(by, r, subjects...)
}

// voids declares a range of indices of target void.
func (m *monkey) voids(target, by *testlog.Key) *entry.Entry {
	r := &entry.KeyRange{From: m.maybe(), Reason: byte(m.IntN(3))}
	r.To = r.From + 1 + uint64(m.IntN(20))
	if m.IntN(2) == 0 {
		r.Package = testlog.Package(m.IntN(6))
	}
	return testlog.Sign(by, &entry.Key{Log: m.log(), Action: entry.ActionRange, Range: r}, entry.KeySubject(target.ID()))
}

func (m *monkey) programme() *entry.Entry {
	id := m.id(m.programmes)
	p := &entry.Programme{Log: m.log(), Action: entry.ActionPublish}
	operator := m.id(m.parties)
	if len(m.programmes) > 3 && m.IntN(4) > 0 {
		if q := m.alt.programmes[id]; q != nil {
			operator = q.party
		}
		p.Action = []string{entry.ActionAmend, entry.ActionAmend, entry.ActionAmend, entry.ActionClose}[m.IntN(4)]
	}
	subject := entry.ProgrammeSubject(id)
	if p.Action != entry.ActionClose {
		m.rules(p)
	}
	if p.Action == entry.ActionAmend {
		after := m.last(id)
		p.After = &after
	}
	if p.Action == entry.ActionPublish {
		subject = entry.RulesSubject(p.Rules)
	}
	e := testlog.Sign(m.by(operator, ordinary), p, subject)
	if p.Action == entry.ActionPublish {
		m.programmes = append(m.programmes, e.ID)
	}
	return e
}

// rules are such that most attestations of the monkey are allowed.
func (m *monkey) rules(p *entry.Programme) {
	m.n++
	p.Rules, p.Link = entry.Hash{byte(m.n), byte(m.n >> 8)}, "https://rules.example/1"
	p.Catalogues, p.Roles, p.MaxValidity = []string{"orc-template-lite"}, []string{"steward", "user"}, 400*24*3600
	switch m.IntN(6) {
	case 0:
		p.Members = []entry.Hash{m.id(m.parties)}
	case 1:
		p.Catalogues = []string{"another"}
	case 2:
		p.Roles = []string{"user"}
	case 3:
		p.MaxValidity = 3600
	}
}
