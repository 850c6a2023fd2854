package api_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
)

// world is a log with a history in which everything can go wrong.
type world struct {
	*server
	party, other, ended *testlog.Party
	standing, held      *entry.Entry // attestations of party
	withdrawn           *entry.Entry
	endedOwn            *entry.Entry // attestation of ended
	firstHold           entry.Hash   // of held; lifted since
	lifting             *entry.Entry // what lifted it
	secondHold          *entry.Entry // in force
	retired             *testlog.Key // of party
	nothing             entry.Hash   // id of nothing
	open, closed        entry.Hash   // programmes of party
	member              *entry.Entry // attestation of other under open
	wide                *entry.Entry // attestation of party with 64 claims withdrawn
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{server: serve(t), nothing: entry.Hash{0xee}}
	w.party, w.other, w.ended = w.Enrol("alpha", 3), w.Enrol("beta", 2), w.Enrol("gamma", 1)
	w.standing, w.held, w.withdrawn = good(w.Node, w.party, 0), good(w.Node, w.party, 1), good(w.Node, w.party, 3)
	w.endedOwn = good(w.Node, w.ended, 4)
	w.submit(w.standing, w.held, w.withdrawn, w.endedOwn)
	key := w.party.Keys[0]
	w.submit(testlog.Revoke(origin, 0, key, w.withdrawn.ID))
	hold := testlog.Hold(origin, w.Unix()+1000, key, testlog.Target{ID: w.held.ID, Last: w.Record(w.held.ID).Last})
	w.firstHold = hold.ID
	w.lifting = testlog.Reinstate(origin, hold.ID, key, w.held.ID)
	w.submit(hold, w.lifting)
	w.secondHold = testlog.Hold(origin, w.Unix()+2000, key, testlog.Target{ID: w.held.ID, Last: w.Record(w.held.ID).Last})
	w.retired = w.party.Keys[2]
	w.submit(w.secondHold, testlog.RetireKey(origin, w.retired.ID(), w.party.Recovery), testlog.EndParty(origin, w.ended.ID, w.Registrar))
	w.programmes()
	return w
}

// attestation returns an attestation by party with one change.
func (w *world) attestation(change func(*entry.Attestation), subjects ...entry.Subject) []byte {
	a := testlog.Claims(origin, w.Unix(), 3)
	if change != nil {
		change(a)
	}
	if subjects == nil {
		subjects = []entry.Subject{testlog.Component("pkg:npm/widget@1.0.0")}
	}
	return testlog.Leaf(w.party.Keys[0], entry.Payload(a, subjects...))
}

// payload returns an attestation's payload, with old replaced by new, signed.
func (w *world) payload(old, new string) []byte {
	w.Helper()
	p := string(entry.Payload(testlog.Claims(origin, w.Unix(), 3), testlog.Component("pkg:npm/widget@1.0.0")))
	if strings.Count(p, old) == 0 {
		w.Fatalf("%q is not in %s", old, p)
	}
	return testlog.Leaf(w.party.Keys[0], []byte(strings.Replace(p, old, new, 1)))
}

// named returns an attestation about one component.
func (w *world) named(purl string) []byte {
	return w.attestation(nil, testlog.Component(purl))
}

// extended returns an attestation with n extension members.
func (w *world) extended(n int, name, value string) []byte {
	var members strings.Builder
	for i := range n {
		fmt.Fprintf(&members, `"x-%d%s":"%s",`, i, name, value)
	}
	return w.payload(`"predicate":{`, `"predicate":{`+members.String())
}

// envelope returns a good envelope as text, with old replaced by new.
func (w *world) envelope(old, new string) []byte {
	return []byte(strings.Replace(string(w.attestation(nil)), old, new, 1))
}

// revocation returns a revocation of standing by party with one change.
func (w *world) revocation(change func(*entry.Revocation)) []byte {
	r := &entry.Revocation{Log: origin, Action: entry.ActionRevoke}
	change(r)
	return testlog.Leaf(w.party.Keys[0], entry.Payload(r, entry.AttestationSubject(w.standing.ID)))
}

// hold returns a hold of target.
func (w *world) hold(id entry.Hash, last, until uint64) []byte {
	return testlog.Hold(origin, until, w.party.Keys[0], testlog.Target{ID: id, Last: last}).Leaf
}

// addWeak adds a key of small order: the neutral element of Ed25519.
func (w *world) addWeak() []byte {
	spki := append([]byte("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x01"), make([]byte, 31)...)
	strong := testlog.NewKey("strong", false)
	p := string(testlog.AddKey(origin, w.party.ID, strong, w.party.Recovery).Payload)
	b64 := base64.StdEncoding.EncodeToString
	return testlog.Leaf(w.party.Recovery, []byte(strings.Replace(p, b64(strong.Public().SPKI()), b64(spki), 1)))
}

// enrolment returns the enrolment of a new party under a name.
func (w *world) enrolment(name, website string) []byte {
	p := testlog.NewParty("newcomer", 1)
	p.Name, p.Website = name, website
	return p.Enrol(origin, w.Registrar).Leaf
}

// subjects returns n components.
func subjects(n int) []entry.Subject {
	var out []entry.Subject
	for i := range n {
		out = append(out, testlog.Component(fmt.Sprintf("pkg:npm/widget-%d@1.0.0", i)))
	}
	return out
}

// exchanged returns an attestation under another one's signature.
func (w *world) exchanged() []byte {
	a, b := good(w.Node, w.party, 0), good(w.Node, w.party, 3)
	return testlog.Envelope(b.Payload, a.KeyID, a.Signature)
}

// twice returns an attestation that names one component twice.
func (w *world) twice() []byte {
	s := subjects(1)[0]
	return w.attestation(nil, s, s)
}

// unpossessed adds a key whose proof is made for another party.
func (w *world) unpossessed() []byte {
	k := testlog.NewKey("unpossessed", false)
	e := testlog.AddKey(origin, w.other.ID, k, w.other.Recovery)
	p := strings.Replace(string(e.Payload), fmt.Sprintf("%x", w.other.ID), fmt.Sprintf("%x", w.party.ID), 1)
	return testlog.Leaf(w.party.Recovery, []byte(p))
}

func (w *world) charter(mapFn uint16, registrar, root *testlog.Key) []byte {
	var after uint64
	c := &entry.Charter{Log: origin, After: &after, Admission: "testlog-1", Issuance: "open", MapFn: mapFn,
		Registrars: []entry.PublicKey{registrar.Public()}, Roots: []entry.PublicKey{root.Public()}}
	return testlog.Leaf(w.Root, entry.Payload(c, entry.LogSubject(origin)))
}
