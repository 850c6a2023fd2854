package testlog

import (
	"math/rand/v2"

	"github.com/standing-log/standing/personality/entry"
)

// model is what the generator remembers of the log it makes: enough to know
// what the next entry will do, and no more.
type model struct {
	rng *rand.Rand

	roots, registrars []*Key
	dropped           []*Key // former registrars
	charterLast       uint64
	closed            bool

	parties      []*member
	keys         []*memberKey // ordinary keys of all parties
	attestations []*attested
	operable     []*attested // those under another party's programme
	broad        []*attested // those of more claims than can be withdrawn
	programmes   []*programme
	lifted       []lifted // reinstatements that were

	serial int // of seeds
}

// member is a party of the log.
type member struct {
	*Party
	place int // in model.parties
	last  uint64
	ever  int // ordinary keys it ever had
	keys  []*memberKey
	ended bool
}

// memberKey is an ordinary key of a party.
type memberKey struct {
	*Key
	of     *member
	state  string // "active", "retired" or "compromised"
	cutoff uint64 // if compromised
	voids  []entry.KeyRange
}

// attested is an attestation of the log.
type attested struct {
	*entry.Entry
	by        *memberKey
	under     *programme
	state     string // "active", "held", "suspended" (held by an operator), "superseded" or "revoked"
	last      uint64
	hold      entry.Hash // if held or suspended
	withdrawn []string   // claims
}

func (a *attested) target() Target { return Target{a.ID, a.last} }

// lifted is a hold that was lifted.
type lifted struct {
	*attested
	hold entry.Hash
}

// chance is true with probability p.
func (m *model) chance(p float64) bool { return m.rng.Float64() < p }

// tries is how often pick looks before it gives up.
const tries = 40

// pick returns a random item that ok accepts, or the zero value if it finds
// none in a few tries. Late items are preferred, as life does.
func pick[T any](m *model, items []T, ok func(T) bool) (found T) {
	for range tries {
		if len(items) == 0 {
			break
		}
		i := m.rng.IntN(len(items))
		if m.chance(0.5) {
			i = len(items) - 1 - i/4
		}
		if ok(items[i]) {
			return items[i]
		}
	}
	return found
}

func (m *model) root() *Key      { return m.roots[m.rng.IntN(len(m.roots))] }
func (m *model) registrar() *Key { return m.registrars[m.rng.IntN(len(m.registrars))] }

func (m *model) liveMember() *member {
	return pick(m, m.parties, func(p *member) bool { return !p.ended })
}

func (m *model) endedMember() *member {
	return pick(m, m.parties, func(p *member) bool { return p.ended })
}

// signer returns an active key of a party that has not ended.
func (m *model) signer() *memberKey {
	return pick(m, m.keys, func(k *memberKey) bool { return k.state == "active" && !k.of.ended })
}

// keyOf returns an active key of p.
func (m *model) keyOf(p *member) *memberKey {
	return pick(m, p.keys, func(k *memberKey) bool { return k.state == "active" })
}

// key returns a key in the state given, of a party that has not ended.
func (m *model) key(state string) *memberKey {
	return pick(m, m.keys, func(k *memberKey) bool { return k.state == state && !k.of.ended })
}

// attestation returns one in the state given, of a party that has not ended
// and has an active key left, and such a key.
func (m *model) attestation(state string) (*attested, *memberKey) {
	return m.attestationOf(m.attestations, func(a *attested) bool { return a.state == state && !a.by.of.ended })
}

// endedAttestation is attestation for parties that have ended.
func (m *model) endedAttestation(state string) (*attested, *memberKey) {
	return m.attestationOf(m.attestations, func(a *attested) bool { return a.state == state && a.by.of.ended })
}

// attestationOf returns one of list that ok accepts, and an active key of its
// party.
func (m *model) attestationOf(list []*attested, ok func(*attested) bool) (*attested, *memberKey) {
	a := pick(m, list, ok)
	if a == nil {
		return nil, nil
	}
	k := m.keyOf(a.by.of)
	if k == nil {
		return nil, nil
	}
	return a, k
}

// stranger returns a signer of a party other than p.
func (m *model) stranger(p *member) *memberKey {
	return pick(m, m.keys, func(k *memberKey) bool { return k.state == "active" && !k.of.ended && k.of != p })
}
