package entry

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// A Predicate can be written as an in-toto predicate: *Charter, *Party, *Key,
// *Programme, *Attestation and *Revocation.
type Predicate interface {
	kind() Kind
	members() members
}

// members is a JSON object in the making.
type members map[string]any

// set adds a member unless v is the zero value of an optional member.
func (m members) set(name string, v any) {
	switch v := v.(type) {
	case string:
		if v != "" {
			m[name] = v
		}
	case *uint64:
		if v != nil {
			m[name] = *v
		}
	case *Hash:
		if v != nil {
			m[name] = hex.EncodeToString(v[:])
		}
	}
}

// Payload writes the statement of p about subjects, sorted by name. It checks
// nothing: Sign and Parse do.
func Payload(p Predicate, subjects ...Subject) []byte {
	slices.SortFunc(subjects, func(a, b Subject) int { return strings.Compare(a.Name, b.Name) })
	list := make([]members, len(subjects))
	for i, s := range subjects {
		list[i] = members{"name": s.Name, "digest": members{s.Algorithm: s.Digest}}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Only strings, integers, maps and slices are in it: it cannot fail.
	_ = enc.Encode(members{
		"_type":         StatementType,
		"predicateType": p.kind().PredicateType(),
		"subject":       list,
		"predicate":     p.members(),
	})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// LogSubject is the subject of a charter.
func LogSubject(origin string) Subject {
	digest := sha256.Sum256([]byte(origin))
	return Subject{Name: "log:" + origin, Algorithm: "sha256", Digest: hex.EncodeToString(digest[:])}
}

// KeySubject, PartySubject and AttestationSubject name a key, a party and an
// attestation by id.
func KeySubject(id Hash) Subject         { return idSubject("key:", id) }
func PartySubject(id Hash) Subject       { return idSubject("party:", id) }
func AttestationSubject(id Hash) Subject { return idSubject("att:", id) }

func idSubject(prefix string, id Hash) Subject {
	digest := hex.EncodeToString(id[:])
	return Subject{Name: prefix + digest, Algorithm: "sha256", Digest: digest, ID: id}
}

// Subject is the subject that s is the scope of.
func (s Scope) Subject() Subject {
	digest := sha256.Sum256(s.Document())
	return Subject{Name: s.Purl, Algorithm: "sha256", Digest: hex.EncodeToString(digest[:])}
}

func (*Charter) kind() Kind     { return KindCharter }
func (*Party) kind() Kind       { return KindParty }
func (*Key) kind() Kind         { return KindKey }
func (*Attestation) kind() Kind { return KindAttestation }
func (*Revocation) kind() Kind  { return KindRevocation }

func (c *Charter) members() members {
	m := members{
		"log": c.Log, "admission": c.Admission, "issuance": c.Issuance, "mapfn": c.MapFn,
		"registrars": sortedKeys(c.Registrars), "roots": sortedKeys(c.Roots),
	}
	m.set("after", c.After)
	m.set("successor", c.Successor)
	return m
}

func sortedKeys(keys []PublicKey) []string {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = base64.StdEncoding.EncodeToString(k.spki)
	}
	return out
}

func compareKeys(a, b PublicKey) int {
	x, y := a.ID(), b.ID()
	return bytes.Compare(x[:], y[:])
}

func (k KeyProof) members() members {
	return members{
		"key": base64.StdEncoding.EncodeToString(k.Key.spki),
		"pop": base64.StdEncoding.EncodeToString(k.Pop),
	}
}

func (p *Party) members() members {
	m := members{"log": p.Log, "action": p.Action}
	m.set("after", p.After)
	m.set("name", p.Name)
	m.set("website", p.Website)
	if p.Roles != nil {
		m["roles"] = slices.Sorted(slices.Values(p.Roles))
	}
	if p.Keys != nil {
		keys := slices.SortedFunc(slices.Values(p.Keys), func(a, b KeyProof) int { return compareKeys(a.Key, b.Key) })
		list := make([]members, len(keys))
		for i, k := range keys {
			list[i] = k.members()
		}
		m["keys"] = list
	}
	if p.Recovery != nil {
		m["recovery"] = p.Recovery.members()
	}
	return m
}

func (k *Key) members() members {
	m := members{}
	if k.Add != nil {
		m = k.Add.members()
		m["party"] = hex.EncodeToString(k.Party[:])
	}
	m["log"], m["action"] = k.Log, k.Action
	m.set("cutoff", k.Cutoff)
	if r := k.Range; r != nil {
		m["from"], m["to"], m["reason"] = r.From, r.To, r.Reason
		m.set("package", r.Package)
	}
	return m
}

func (r *Revocation) members() members {
	m := members{"log": r.Log, "action": r.Action, "reason": r.Reason}
	switch r.Action {
	case ActionHold:
		m["until"], m["after"] = r.Until, r.After
	case ActionReinstate:
		m["hold"] = hex.EncodeToString(r.Hold[:])
	case ActionClaims:
		m["claims"] = slices.Sorted(slices.Values(r.Claims))
	}
	m.set("programme", r.Programme)
	if r.Refs != nil {
		m["refs"] = slices.Sorted(slices.Values(r.Refs))
	}
	m.set("link", r.Link)
	m.set("since", r.Since)
	return m
}

func (a *Attestation) members() members {
	m := members{
		"logs": slices.Sorted(slices.Values(a.Logs)), "relation": a.Relation, "polarity": a.Polarity,
		"legalBasis": a.LegalBasis, "validFrom": a.ValidFrom, "validUntil": a.ValidUntil,
	}
	m.set("initiator", a.Initiator)
	m.set("financer", a.Financer)
	m.set("supportUntil", a.SupportUntil)
	m.set("supersedes", a.Supersedes)
	m.set("programme", a.Programme)
	if a.Support != nil {
		s := members{"asks": a.Support.Asks}
		s.set("url", a.Support.URL)
		m["support"] = s
	}
	if a.Scopes != nil {
		scopes := slices.SortedFunc(slices.Values(a.Scopes), func(a, b Scope) int { return strings.Compare(a.Purl, b.Purl) })
		list := make([]json.RawMessage, len(scopes))
		for i, s := range scopes {
			list[i] = s.Document()
		}
		m["scopes"] = list
	}
	a.bodyMembers(m)
	return m
}

func (a *Attestation) bodyMembers(m members) {
	if c := a.Claims; c != nil {
		m["claims"] = members{"catalogue": c.Catalogue, "version": c.Version, "items": c.itemMembers()}
	}
	if s := a.Statement; s != nil {
		v := members{"mediaType": s.MediaType, "sha256": hex.EncodeToString(s.SHA256[:]), "size": s.Size}
		v.set("predicateType", s.PredicateType)
		m["statement"] = v
	}
	if p := a.Private; p != nil {
		v := members{"commitment": hex.EncodeToString(p.Commitment[:]), "size": p.Size, "audience": p.Audience}
		v.set("revealBy", p.RevealBy)
		m["private"] = v
	}
}

func (c *Claims) itemMembers() []members {
	items := slices.SortedFunc(slices.Values(c.Items), func(a, b Claim) int { return strings.Compare(a.ID, b.ID) })
	list := make([]members, len(items))
	for i, item := range items {
		v := members{"id": item.ID, "answer": item.Answer}
		v.set("link", item.Link)
		v.set("evidence", item.Evidence)
		v.set("checkedAt", item.CheckedAt)
		list[i] = v
	}
	return list
}
