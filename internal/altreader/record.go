package altreader

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strconv"
)

// Record returns the record at (ns, data), or nil if there is none.
func (l *Log) Record(ns byte, data []byte) []byte {
	n := name{ns, string(data)}
	if !l.exists(n) {
		return nil
	}
	return l.text(n)
}

func (l *Log) exists(n name) bool {
	if n.ns == nsLog {
		return l.charter != nil && n.data == ""
	}
	if l.lists[n] != nil {
		return true
	}
	if len(n.data) != 32 {
		return false
	}
	id := Hash([]byte(n.data))
	switch n.ns {
	case nsAttestation:
		return l.attestations[id] != nil
	case nsKey:
		return l.keys[id] != nil
	case nsParty:
		return l.parties[id] != nil
	case nsProgramme:
		return l.programmes[id] != nil
	}
	return false
}

// text is the record at n, which exists.
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
	case nsProgramme:
		return l.programmes[Hash([]byte(n.data))].text()
	}
	list := l.lists[n]
	r := newRecord()
	r.number("count", list.count)
	r.number("last", list.last)
	r.hash("root", list.root())
	return r.text()
}

func (a *attestation) text() []byte {
	r := newRecord()
	r.string("state", a.state)
	if a.state == held || a.state == revoked {
		r.number("reason", uint64(a.why))
	}
	r.number("issued", a.issued)
	r.hash("leaf", a.leaf)
	r.number("last", a.last)
	r.hash("key", a.key)
	r.hashIf("successor", a.successor)
	if len(a.withdrawn) > 0 {
		r.strings("withdrawn", a.withdrawn)
	}
	if a.state == held {
		r.hash("hold", *a.hold)
		r.hash("by", *a.by)
		r.number("until", a.until)
	}
	return r.text()
}

func (k *key) text() []byte {
	r := newRecord()
	r.string("state", k.state)
	r.string("role", k.role)
	r.number("first", k.first)
	r.numberIf("end", k.end)
	r.numberIf("cutoff", k.cutoff)
	r.hashIf("party", k.party)
	r.number("last", k.last)
	if len(k.voids) > 0 {
		var list [][]byte
		for _, v := range k.voids {
			list = append(list, v.text())
		}
		r.member("voids", "["+string(bytes.Join(list, []byte(",")))+"]")
	}
	return r.text()
}

func (v void) text() []byte {
	var r record
	r.number("from", v.from)
	r.number("to", v.to)
	r.number("reason", uint64(v.reason))
	if v.pkg != "" {
		r.string("package", v.pkg)
	}
	return r.text()
}

func (p *party) text() []byte {
	r := newRecord()
	r.string("state", p.state)
	r.number("issued", p.issued)
	r.hash("leaf", p.leaf)
	r.number("last", p.last)
	r.numberIf("end", p.end)
	r.hash("recovery", p.recovery)
	r.strings("roles", p.roles)
	r.number("keys", p.keys)
	r.number("count", p.events.count)
	r.number("lastEvent", p.events.last)
	r.hash("root", p.events.root())
	return r.text()
}

func (c *charter) text() []byte {
	r := newRecord()
	r.number("fn", c.fn)
	r.string("admission", c.admission)
	r.string("issuance", c.issuance)
	r.hash("leaf", c.leaf)
	r.number("last", c.last)
	r.strings("registrars", hexes(c.registrars))
	r.strings("roots", hexes(c.roots))
	if c.successor != "" {
		r.string("successor", c.successor)
	}
	return r.text()
}

func (p *programme) text() []byte {
	r := newRecord()
	r.string("state", p.state)
	r.number("issued", p.issued)
	r.number("at", p.at)
	r.hash("leaf", p.leaf)
	r.number("last", p.last)
	r.hash("party", p.party)
	return r.text()
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

// record writes a JSON object of strings that need no escaping.
type record struct{ b []byte }

// newRecord begins one of the map's.
func newRecord() *record {
	r := &record{}
	r.number("v", 1)
	return r
}

func (r *record) member(name, value string) {
	sep := byte(',')
	if len(r.b) == 0 {
		sep = '{'
	}
	r.b = append(append(r.b, sep, '"'), name...)
	r.b = append(append(r.b, '"', ':'), value...)
}

func (r *record) string(name, s string)        { r.member(name, `"`+s+`"`) }
func (r *record) number(name string, n uint64) { r.member(name, strconv.FormatUint(n, 10)) }
func (r *record) hash(name string, h Hash)     { r.string(name, hex.EncodeToString(h[:])) }

func (r *record) numberIf(name string, n *uint64) {
	if n != nil {
		r.number(name, *n)
	}
}

func (r *record) hashIf(name string, h *Hash) {
	if h != nil {
		r.hash(name, *h)
	}
}

func (r *record) strings(name string, list []string) {
	var b bytes.Buffer
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + s + `"`)
	}
	r.member(name, "["+b.String()+"]")
}

func (r *record) text() []byte { return append(r.b, '}') }
