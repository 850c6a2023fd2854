package altreader

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// subject is what a statement is about.
type subject struct {
	name, algorithm, digest string
	purl                    purl // of a component
	id                      Hash // of what stands in the log
}

const (
	badSubject  = "subject-invalid"
	badSubjects = "subject-order"
)

// readStatement reads the payload (entry/SPEC.md, "Statement").
func (e *event) readStatement(v value) string {
	o := objectOf(v)
	need(o, "_type", oneOf("https://in-toto.io/Statement/v1"))
	e.subjects = need(o, "subject", subjects)
	kind := need(o, "predicateType", texts(func(string) bool { return true }))
	predicate := objectOf(need(o, "predicate", anything))
	if fault := o.done(); fault != "" {
		return fault
	}
	kind, ok1 := strings.CutPrefix(kind, "https://github.com/standing-log/standing/predicates/")
	kind, ok2 := strings.CutSuffix(kind, "/v1")
	read := map[string]func(*object){
		"charter": e.readCharter, "party": e.readParty, "key": e.readKey, "programme": e.readProgramme,
		"attestation": e.readAttestation, "revocation": e.readRevocation,
	}[kind]
	// SPEC: entries of other types are ignored.
	if read == nil || !ok1 || !ok2 {
		return "predicate-type-unknown"
	}
	predicate.skipExtensions()
	// SPEC: every predicate but attestation's carries log.
	if kind != "attestation" {
		e.logs = []string{need(predicate, "log", origin)}
	}
	read(predicate)
	return predicate.done()
}

func anything(v value) (value, string) { return v, "" }

// subjects: an array of 1 to 64, sorted by name.
func subjects(v value) ([]subject, string) {
	out, fault := array(1, 64, oneSubject)(v)
	for i := 1; i < len(out); i++ {
		if out[i-1].name >= out[i].name {
			return nil, badSubjects
		}
	}
	return out, fault
}

// oneSubject: exactly name and digest, an object of exactly one member.
func oneSubject(v value) (s subject, fault string) {
	o := objectOf(v)
	s.name = need(o, "name", texts(func(string) bool { return true }))
	digest := need(o, "digest", anything)
	if o.done() != "" || digest.kind != isObject || len(digest.members) != 1 {
		return s, badSubject
	}
	for algorithm, d := range digest.members {
		if d.kind != isString {
			return s, badSubject
		}
		s.algorithm, s.digest = algorithm, d.text
	}
	return s, ""
}

// about demands that the subjects are those of the names given, each with its
// digest.
func (e *event) about(o *object, want map[string]Hash) {
	if len(e.subjects) != len(want) {
		o.fail("subject-count")
		return
	}
	for i, s := range e.subjects {
		digest, ok := want[s.name]
		if !ok || s.algorithm != "sha256" || s.digest != hex.EncodeToString(digest[:]) {
			o.fail(badSubject)
			return
		}
		e.subjects[i].id = digest
	}
}

// aboutIDs demands that each subject is prefix with an id, whose digest is the
// id, and that there are lo to hi of them.
func (e *event) aboutIDs(o *object, prefix string, lo, hi int) {
	if len(e.subjects) < lo || len(e.subjects) > hi {
		o.fail("subject-count")
		return
	}
	for i, s := range e.subjects {
		id, ok := unhex(s.digest, 32)
		if !ok || s.algorithm != "sha256" || s.name != prefix+s.digest {
			o.fail(badSubject)
			return
		}
		e.subjects[i].id = Hash(id)
	}
}

type charterEntry struct {
	after                          *uint64
	admission, issuance, successor string
	mapfn                          uint64
	registrars, roots              []*publicKey
}

func (e *event) readCharter(o *object) {
	c := &charterEntry{
		after:     maybe(o, "after", index),
		admission: need(o, "admission", code), issuance: need(o, "issuance", oneOf("open", "closed")),
		mapfn:      need(o, "mapfn", numbers(1, 65535)),
		registrars: need(o, "registrars", keys), roots: need(o, "roots", keys),
	}
	if s := maybe(o, "successor", origin); s != nil {
		c.successor = *s
	}
	// SPEC: no key is in both lists.
	for _, k := range c.roots {
		o.check(!holds(c.registrars, k.id))
	}
	e.about(o, map[string]Hash{"log:" + e.logs[0]: sha256.Sum256([]byte(e.logs[0]))})
	e.charter = c
}

// holds reports whether the key with the id given is in list.
func holds(list []*publicKey, id Hash) bool {
	return slices.ContainsFunc(list, func(k *publicKey) bool { return k != nil && k.id == id })
}

type programmeEntry struct {
	action string
	after  *uint64
	rules  *rules // nil: close
}

// rules are what a programme demands of attestations.
type rules struct {
	catalogues, roles []string
	anyone            bool
	members           []Hash
	maxValidity       uint64
}

func (e *event) readProgramme(o *object) {
	p := &programmeEntry{action: need(o, "action", oneOf("publish", "amend", "close"))}
	if p.action == "amend" {
		after := need(o, "after", index)
		p.after = &after
	}
	document := Hash{}
	if p.action != "close" {
		document = need(o, "rules", hash)
		need(o, "link", link)
		p.rules = &rules{
			catalogues:  need(o, "catalogues", words(1, 32, code)),
			roles:       need(o, "roles", words(1, 8, role)),
			maxValidity: need(o, "maxValidity", numbers(1, maxTime)),
		}
		members := need(o, "members", anything)
		if p.rules.anyone = members.kind == isString && members.text == "any"; !p.rules.anyone {
			var fault string
			p.rules.members, fault = hashes(1, 256)(members)
			o.check(fault == "")
		}
	}
	if p.action == "publish" {
		e.about(o, map[string]Hash{"rules": document})
	} else {
		e.aboutIDs(o, "prog:", 1, 1)
	}
	e.programme = p
}

type revocationEntry struct {
	action    string
	reason    byte
	until     uint64
	after     []uint64
	hold      Hash
	claims    []string
	programme *Hash
}

func (e *event) readRevocation(o *object) {
	r := &revocationEntry{
		action: need(o, "action", oneOf("revoke", "hold", "reinstate", "claims")), reason: need(o, "reason", octet),
		programme: maybe(o, "programme", hash),
	}
	maybe(o, "refs", words(1, 16, code))
	maybe(o, "link", link)
	maybe(o, "since", time)
	switch r.action {
	case "hold":
		r.until = need(o, "until", time)
		// SPEC: one per subject, in subject order.
		r.after = need(o, "after", array(len(e.subjects), len(e.subjects), index))
	case "reinstate":
		r.hold = need(o, "hold", hash)
	case "claims":
		r.claims = need(o, "claims", words(1, 64, code))
	}
	e.aboutIDs(o, "att:", 1, 64)
	e.revocation = r
}

// joined is hex of ids, joined by commas.
func joined(ids []Hash) []byte {
	var b bytes.Buffer
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(hex.EncodeToString(id[:]))
	}
	return b.Bytes()
}
