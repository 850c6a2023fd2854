package altreader

import (
	"encoding/hex"
	"strings"
)

type partyEntry struct {
	action   string
	after    *uint64
	roles    []string
	keys     []*publicKey
	recovery *publicKey
}

func (e *event) readParty(o *object) {
	p := &partyEntry{action: need(o, "action", oneOf("enrol", "amend", "end"))}
	e.party = p
	switch p.action {
	case "enrol":
		e.readEnrolment(o)
		return
	case "amend":
		e.readAmendment(o)
	}
	e.aboutIDs(o, "party:", 1, 1)
}

// proven is {key, pop}.
type proven struct {
	key *publicKey
	pop []byte
}

func provenKey(v value) (p proven, fault string) {
	o := objectOf(v)
	p = proven{need(o, "key", spki), need(o, "pop", bytesOf)}
	return p, o.done()
}

func (e *event) readEnrolment(o *object) {
	name := need(o, "name", texts(isName))
	need(o, "website", link)
	e.party.roles = need(o, "roles", words(1, 8, role))
	list := need(o, "keys", sorted(1, 8, provenKey, func(p proven) string { return string(p.key.id[:]) }))
	recovery := need(o, "recovery", provenKey)
	if o.fault != "" {
		return
	}
	subjects := map[string]Hash{}
	var ids []Hash
	for _, p := range append(list, recovery) {
		// SPEC: the recovery key is not among keys.
		subjects["key:"+hex.EncodeToString(p.key.id[:])] = p.key.id
		ids = append(ids, p.key.id)
	}
	o.check(len(subjects) == len(ids))
	e.about(o, subjects)
	e.party.recovery = recovery.key
	ordinary := string(joined(ids[:len(list)]))
	for _, p := range append(list, recovery) {
		e.prove(p, "standing/pop/v1", e.logs[0], name, hex.EncodeToString(recovery.key.id[:]), ordinary)
	}
	for _, p := range list {
		e.party.keys = append(e.party.keys, p.key)
	}
}

// prove notes a proof of possession: a signature of lines, of which the keyid
// is the last.
func (e *event) prove(p proven, lines ...string) {
	text := strings.Join(append(lines, hex.EncodeToString(p.key.id[:])), "\n") + "\n"
	e.proofs = append(e.proofs, proof{p.key, []byte(text), p.pop})
}

// isName: 1 to 200 bytes, no control characters (U+0000–1F, 7F–9F).
func isName(s string) bool {
	return len(s) >= 1 && len(s) <= 200 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || 0x7f <= r && r <= 0x9f })
}

func (e *event) readAmendment(o *object) {
	after := need(o, "after", index)
	e.party.after = &after
	website := maybe(o, "website", link)
	if roles := maybe(o, "roles", words(1, 8, role)); roles != nil {
		e.party.roles = *roles
	}
	recovery := maybe(o, "recovery", provenKey)
	// SPEC: either roles alone or one or both of website and recovery.
	o.check((e.party.roles != nil) != (website != nil || recovery != nil))
	if recovery != nil && o.fault == "" {
		e.party.recovery = recovery.key
		e.prove(*recovery, "standing/pop-recovery/v1", e.logs[0], strings.TrimPrefix(e.subjects[0].name, "party:"))
	}
}

type keyEntry struct {
	action string
	party  Hash
	added  *publicKey
	cutoff *uint64
	void   void
}

// void is a range of indices in which a key's attestations are void.
type void struct {
	from, to uint64
	reason   byte
	pkg      string // or ""
}

func (e *event) readKey(o *object) {
	k := &keyEntry{action: need(o, "action", oneOf("add", "retire", "compromise", "range"))}
	e.key = k
	switch k.action {
	case "add":
		k.party = need(o, "party", hash)
		p := proven{need(o, "key", spki), need(o, "pop", bytesOf)}
		if o.fault == "" {
			k.added = p.key
			e.about(o, map[string]Hash{"key:" + hex.EncodeToString(p.key.id[:]): p.key.id})
			e.prove(p, "standing/pop-add/v1", e.logs[0], hex.EncodeToString(k.party[:]))
		}
		return
	case "compromise":
		k.cutoff = maybe(o, "cutoff", index)
	case "range":
		k.void = void{from: need(o, "from", index), to: need(o, "to", index), reason: need(o, "reason", octet)}
		o.check(k.void.from < k.void.to)
		if p := maybe(o, "package", barePurl); p != nil {
			k.void.pkg = *p
		}
	}
	e.aboutIDs(o, "key:", 1, 1)
}

// barePurl: a canonical purl without version, qualifiers and subpath.
func barePurl(v value) (string, string) {
	return texts(func(s string) bool { p, ok := parsePurl(s); return ok && p.bare })(v)
}
