package cli

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
)

// describe explains an entry in lines. It decides nothing and believes
// nothing; strings from the entry are quoted where they could be any text. A
// request has no id yet.
func describe(e *entry.Entry, request bool) []string {
	var out []string
	add := func(label, format string, args ...any) {
		out = append(out, fmt.Sprintf("  %-11s %s", label, fmt.Sprintf(format, args...)))
	}
	add("kind", "%s", kindText(e))
	if !request {
		add("id", "%s", e.IDString())
	}
	add("signed by", "key %x", e.KeyID)
	for _, s := range e.Subjects {
		if e.Kind == entry.KindAttestation {
			add("about", "%s", s.Name)
			add("", "%s:%s", s.Algorithm, s.Digest)
		} else if e.Kind != entry.KindCharter && e.Party == nil && s.Name != "rules" {
			add("about", "%s", s.Name)
		}
	}
	switch {
	case e.Attestation != nil:
		describeAttestation(e.Attestation, add)
	case e.Revocation != nil:
		describeRevocation(e.Revocation, add)
	case e.Party != nil:
		describeParty(e.Party, add)
	case e.Key != nil:
		describeKey(e.Key, add)
	case e.Programme != nil:
		describeProgramme(e.Programme, add)
	case e.Charter != nil:
		add("log", "%s", e.Charter.Log)
		add("issuance", "%s", e.Charter.Issuance)
		for _, k := range e.Charter.Registrars {
			add("registrar", "key %s", keyHex(k))
		}
		for _, k := range e.Charter.Roots {
			add("root", "key %s", keyHex(k))
		}
	}
	return out
}

type adder = func(label, format string, args ...any)

func kindText(e *entry.Entry) string {
	switch {
	case e.Party != nil:
		return "party, " + e.Party.Action
	case e.Key != nil:
		return "key, " + e.Key.Action
	case e.Programme != nil:
		return "programme, " + e.Programme.Action
	case e.Revocation != nil:
		return "revocation, " + e.Revocation.Action
	}
	return string(e.Kind)
}

func describeAttestation(a *entry.Attestation, add adder) {
	add("log", "%s", strings.Join(a.Logs, ", "))
	add("relation", "%s, %s, legal basis %s", a.Relation, a.Polarity, a.LegalBasis)
	add("valid", "from %s until %s", day(a.ValidFrom), day(a.ValidUntil))
	for _, s := range a.Scopes {
		scope := "all versions"
		if s.Vers != "" {
			scope = s.Vers
		}
		if s.From != nil {
			scope += ", from " + day(*s.From)
		}
		if s.To != nil {
			scope += ", to " + day(*s.To)
		}
		add("scope", "%s: %s", s.Purl, scope)
	}
	if a.SupportUntil != nil {
		add("supported", "until %s", day(*a.SupportUntil))
	}
	if a.Initiator != "" || a.Financer != "" {
		add("asked by", "%s; paid by %s", orNone(a.Initiator), orNone(a.Financer))
	}
	if a.Supersedes != nil {
		add("supersedes", "att:%x", *a.Supersedes)
	}
	if a.Programme != nil {
		add("programme", "prog:%x", *a.Programme)
	}
	if a.Support != nil {
		add("asks for", "%s %s", a.Support.Asks, a.Support.URL)
	}
	describeBody(a, add)
}

func orNone(s string) string {
	if s == "" {
		return "not stated"
	}
	return s
}

func describeBody(a *entry.Attestation, add adder) {
	switch {
	case a.Claims != nil:
		list, known := catalogue.Lookup(a.Claims.Catalogue, a.Claims.Version)
		add("claims", "%s %s: %s", a.Claims.Catalogue, a.Claims.Version, countAnswers(a.Claims.Items))
		for _, c := range a.Claims.Items {
			text := fmt.Sprintf("%-14s", c.Answer)
			if item, ok := list.Item(c.ID); known && ok {
				text += " " + item.Title
			}
			if c.Link != "" {
				text += " " + c.Link
			}
			add("  "+c.ID, "%s", text)
		}
	case a.Statement != nil:
		add("document", "sha256:%x, %d bytes, %s", a.Statement.SHA256, a.Statement.Size, a.Statement.MediaType)
		if a.Statement.PredicateType != "" {
			add("", "an in-toto statement, %s", a.Statement.PredicateType)
		}
	case a.Private != nil:
		add("private", "%s; commitment %x, %d bytes", a.Private.Audience, a.Private.Commitment, a.Private.Size)
	}
}

// countAnswers says how many points got which answer.
func countAnswers(items []entry.Claim) string {
	var parts []string
	for _, answer := range []string{"yes", "no", "not-applicable", "not-stated"} {
		n := 0
		for _, c := range items {
			if c.Answer == answer {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, answer))
		}
	}
	return strings.Join(parts, ", ")
}

func describeRevocation(r *entry.Revocation, add adder) {
	add("log", "%s", r.Log)
	add("reason", "%s", reasonText(r.Reason))
	if r.Claims != nil {
		add("claims", "%s", strings.Join(r.Claims, ", "))
	}
	if r.Programme != nil {
		add("programme", "prog:%x, as its operator", *r.Programme)
	}
	if r.Action == entry.ActionHold {
		add("until", "%s", day(r.Until))
	}
	if r.Action == entry.ActionReinstate {
		add("hold", "evt:%x", r.Hold)
	}
	if len(r.Refs) > 0 {
		add("refs", "%s", strings.Join(r.Refs, ", "))
	}
	if r.Link != "" {
		add("link", "%s", r.Link)
	}
	if r.Since != nil {
		add("since", "%s", day(*r.Since))
	}
}

func reasonText(n uint8) string {
	if r, ok := catalogue.ReasonByNumber(n); ok {
		return fmt.Sprintf("%s: %s", r.Code, r.Meaning)
	}
	return fmt.Sprintf("number %d, which this version does not know", n)
}

func describeParty(p *entry.Party, add adder) {
	add("log", "%s", p.Log)
	if p.Name != "" {
		add("name", "%q", p.Name)
	}
	if p.Website != "" {
		add("website", "%s", p.Website)
	}
	if p.Roles != nil {
		add("roles", "%s", strings.Join(p.Roles, ", "))
	}
	for _, k := range p.Keys {
		add("key", "%s", keyHex(k.Key))
	}
	if p.Recovery != nil {
		add("recovery", "key %s", keyHex(p.Recovery.Key))
	}
}

func describeKey(k *entry.Key, add adder) {
	add("log", "%s", k.Log)
	if k.Add != nil {
		add("party", "party:%s", hex.EncodeToString(k.Party[:]))
		add("adds", "%s", base64.StdEncoding.EncodeToString(k.Add.Key.SPKI()))
	}
	if k.Cutoff != nil {
		add("cutoff", "index %d", *k.Cutoff)
	}
	if r := k.Range; r != nil {
		about := "all packages"
		if r.Package != "" {
			about = r.Package
		}
		add("revokes", "what it attested at index %d to before %d, about %s", r.From, r.To, about)
		add("reason", "%s", reasonText(r.Reason))
	}
}

func describeProgramme(p *entry.Programme, add adder) {
	add("log", "%s", p.Log)
	if p.Action == entry.ActionClose {
		return
	}
	add("rules", "sha256:%x", p.Rules)
	add("", "%s", p.Link)
	add("catalogues", "%s", strings.Join(p.Catalogues, ", "))
	add("issuers", "who has one of the roles %s", strings.Join(p.Roles, ", "))
	if p.Members == nil {
		add("members", "any party")
	}
	for _, m := range p.Members {
		add("member", "party:%x", m)
	}
	add("validity", "at most %s", days(p.MaxValidity))
}

// days formats a period in seconds.
func days(seconds uint64) string {
	if seconds%secondsPerDay == 0 {
		return fmt.Sprintf("%d days", seconds/secondsPerDay)
	}
	return fmt.Sprintf("%d seconds", seconds)
}

const secondsPerDay = 24 * 60 * 60

// day formats Unix seconds: a day if it is midnight UTC.
func day(t uint64) string {
	u := time.Unix(int64(t), 0).UTC()
	if u.Equal(u.Truncate(24 * time.Hour)) {
		return u.Format(time.DateOnly)
	}
	return u.Format(time.RFC3339)
}
