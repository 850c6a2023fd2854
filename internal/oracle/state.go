package oracle

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/standing-log/standing/personality/entry"
)

// States of records.
const (
	active      = "active"
	held        = "held"
	superseded  = "superseded"
	revoked     = "revoked"
	retired     = "retired"
	compromised = "compromised"
	ended       = "ended"
)

// Roles of keys.
const (
	ordinary  = "ordinary"
	recovery  = "recovery"
	registrar = "registrar"
	root      = "root"
)

// charter is namespace 7.
type charter struct {
	admission, issuance, successor string
	leaf                           Hash
	last                           uint64
	registrars, roots              []Hash
}

// key is namespace 5.
type key struct {
	public      entry.PublicKey
	state, role string
	first, last uint64
	end, cutoff *uint64
	party       *Hash
}

// party is namespace 6.
type party struct {
	state        string
	issued, last uint64
	leaf         Hash
	end          *uint64
	recovery     Hash
	roles        []string
	keys         uint64
	events       []event
}

// attestation is namespace 1.
type attestation struct {
	state        string
	why          uint8
	issued, last uint64
	leaf, key    Hash
	successor    *Hash
	hold, by     *Hash
	until        uint64
	packages     map[string]bool // in its leaf
}

// settle puts a in a state that is not held.
func (a *attestation) settle(state string, index uint64) {
	a.state, a.last = state, index
	a.why, a.hold, a.by, a.until = 0, nil, nil, 0
}

// event is an entry of an event list.
type event struct {
	index uint64
	kind  byte
	id    Hash
}

// Kinds of events.
const (
	eventIssue      = 1
	eventAdd        = 7
	eventRetire     = 8
	eventCompromise = 9
	eventEnrol      = 11
	eventAmend      = 12
	eventEnd        = 13
)

func eventRoot(events []event) Hash {
	list := make([][]byte, len(events))
	for i, e := range events {
		list[i] = slices.Concat(u64(e.index), []byte{e.kind}, e.id[:])
	}
	return rootOf(list)
}

// write writes down the records that changed.
func (l *Log) write() {
	for n := range l.stale {
		l.records[n] = newRecord(n, l.text(n))
	}
	clear(l.stale)
}

// text is the record at n.
func (l *Log) text(n name) []byte {
	switch n.ns {
	case nsAttestation:
		return l.attestations[Hash([]byte(n.data))].text()
	case nsKey:
		return l.keys[Hash([]byte(n.data))].text()
	case nsParty:
		return l.parties[Hash([]byte(n.data))].text()
	case nsLog:
		return l.charter.text()
	}
	events := l.lists[n]
	var o object
	o.number("v", 1)
	o.number("count", uint64(len(events)))
	o.number("last", events[len(events)-1].index)
	o.hash("root", eventRoot(events))
	return o.text()
}

func (a *attestation) text() []byte {
	var o object
	o.number("v", 1)
	o.string("state", a.state)
	if a.state == held || a.state == revoked {
		o.number("reason", uint64(a.why))
	}
	o.number("issued", a.issued)
	o.hash("leaf", a.leaf)
	o.number("last", a.last)
	o.hash("key", a.key)
	o.hashIf("successor", a.successor)
	if a.state == held {
		o.hash("hold", *a.hold)
		o.hash("by", *a.by)
		o.number("until", a.until)
	}
	return o.text()
}

func (k *key) text() []byte {
	var o object
	o.number("v", 1)
	o.string("state", k.state)
	o.string("role", k.role)
	o.number("first", k.first)
	o.numberIf("end", k.end)
	o.numberIf("cutoff", k.cutoff)
	o.hashIf("party", k.party)
	o.number("last", k.last)
	return o.text()
}

func (p *party) text() []byte {
	var o object
	o.number("v", 1)
	o.string("state", p.state)
	o.number("issued", p.issued)
	o.hash("leaf", p.leaf)
	o.number("last", p.last)
	o.numberIf("end", p.end)
	o.hash("recovery", p.recovery)
	o.strings("roles", p.roles)
	o.number("keys", p.keys)
	o.number("count", uint64(len(p.events)))
	o.number("lastEvent", p.events[len(p.events)-1].index)
	o.hash("root", eventRoot(p.events))
	return o.text()
}

func (c *charter) text() []byte {
	var o object
	o.number("v", 1)
	o.number("fn", 1)
	o.string("admission", c.admission)
	o.string("issuance", c.issuance)
	o.hash("leaf", c.leaf)
	o.number("last", c.last)
	o.strings("registrars", hexes(c.registrars))
	o.strings("roots", hexes(c.roots))
	if c.successor != "" {
		o.string("successor", c.successor)
	}
	return o.text()
}

// hexes writes keyids, sorted.
func hexes(ids []Hash) []string {
	var out []string
	for _, id := range ids {
		out = append(out, hex.EncodeToString(id[:]))
	}
	slices.Sort(out)
	return out
}

// object writes a JSON object of strings that need no escaping.
type object struct{ bytes.Buffer }

func (o *object) member(name, value string) {
	sep := byte(',')
	if o.Len() == 0 {
		sep = '{'
	}
	o.WriteByte(sep)
	o.WriteString(`"` + name + `":` + value)
}

func (o *object) string(name, s string)        { o.member(name, `"`+s+`"`) }
func (o *object) number(name string, n uint64) { o.member(name, strconv.FormatUint(n, 10)) }
func (o *object) hash(name string, h Hash)     { o.string(name, hex.EncodeToString(h[:])) }

func (o *object) numberIf(name string, n *uint64) {
	if n != nil {
		o.number(name, *n)
	}
}

func (o *object) hashIf(name string, h *Hash) {
	if h != nil {
		o.hash(name, *h)
	}
}

func (o *object) strings(name string, list []string) {
	var b bytes.Buffer
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + s + `"`)
	}
	o.member(name, "["+b.String()+"]")
}

func (o *object) text() []byte { return append(bytes.Clone(o.Bytes()), '}') }
