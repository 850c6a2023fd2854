package entry

import (
	"strconv"

	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
)

// Attestation is the predicate of an attestation event: what a party says
// about the subjects. Times are Unix seconds.
type Attestation struct {
	Logs                  []string // origins, sorted
	Relation              string
	Polarity              string
	LegalBasis            string
	Initiator, Financer   string // roles; "" if not stated
	ValidFrom, ValidUntil uint64
	SupportUntil          *uint64
	Supersedes            *Hash
	Programme             *Hash
	Support               *Support
	Scopes                []Scope

	// Exactly one is set.
	Claims    *Claims
	Statement *Statement
	Private   *Private
}

// Support says what support the issuer asks for, and where to give it.
type Support struct{ Asks, URL string }

// Scope is the scope document of a subject without version.
type Scope struct {
	Purl     string
	Vers     string // "" if absent: every version
	From, To *uint64
}

// Document returns the bytes whose SHA-256 is the subject's digest.
func (s Scope) Document() []byte {
	// The grammars leave nothing to escape.
	b := append([]byte(`{"purl":"`), s.Purl...)
	if s.Vers != "" {
		b = append(append(b, `","vers":"`...), s.Vers...)
	}
	b = append(b, '"')
	if s.From != nil {
		b = strconv.AppendUint(append(b, `,"from":`...), *s.From, 10)
	}
	if s.To != nil {
		b = strconv.AppendUint(append(b, `,"to":`...), *s.To, 10)
	}
	return append(b, '}')
}

// Claims are answers to the points of a requirement catalogue.
type Claims struct {
	Catalogue, Version string
	Items              []Claim // sorted by ID
}

// Claim is one answer.
type Claim struct {
	ID, Answer string
	Link       string // "" if absent
	Evidence   *Hash  // SHA-256 of the evidence
	CheckedAt  *uint64
}

// Statement refers to a document kept beside the log.
type Statement struct {
	PredicateType string // "" if the document is no in-toto statement
	MediaType     string
	SHA256        Hash
	Size          uint64
}

// Private commits to a body that is not public.
type Private struct {
	Commitment Hash
	Size       uint64
	Audience   string
	RevealBy   *uint64
}

func (e *Entry) parseAttestation(f *fields) error {
	a := &Attestation{
		Logs:         f.strings("logs", 1, 8, origins.has),
		Relation:     f.enum("relation", "first-party", "steward", "second-party", "third-party", "public-body"),
		Polarity:     f.enum("polarity", "positive", "negative"),
		LegalBasis:   f.code("legalBasis"),
		ValidFrom:    f.time("validFrom"),
		ValidUntil:   f.time("validUntil"),
		SupportUntil: optional(f, "supportUntil", f.time),
		Supersedes:   optional(f, "supersedes", f.hash),
		Programme:    optional(f, "programme", f.hash),
	}
	if s := optional(f, "initiator", f.role); s != nil {
		a.Initiator = *s
	}
	if s := optional(f, "financer", f.role); s != nil {
		a.Financer = *s
	}
	a.Support = f.support()
	a.Scopes = f.scopes()
	f.body(a)
	if f.err == nil && a.ValidFrom >= a.ValidUntil {
		f.fail(reason.MemberInvalid, "validFrom is not before validUntil")
	}
	if err := f.done(); err != nil {
		return err
	}
	e.Attestation = a
	return e.componentSubjects(a.Scopes)
}

// nested reads the object member name with read, if it is present.
func (f *fields) nested(name string, read func(*fields)) bool {
	if !f.has(name) || f.err != nil {
		return false
	}
	n := f.object(f.get(name), name)
	read(&n)
	f.adopt(&n)
	return true
}

func (f *fields) support() *Support {
	var s Support
	if !f.nested("support", func(n *fields) {
		s.Asks = n.code("asks")
		if url := optional(n, "url", n.link); url != nil {
			s.URL = *url
		}
	}) {
		return nil
	}
	return &s
}

func (f *fields) scopes() []Scope {
	if !f.has("scopes") {
		return nil
	}
	a := f.array("scopes")
	if f.err == nil && (len(a) < 1 || len(a) > MaxSubjects) {
		f.fail(reason.MemberInvalid, "scopes has %d items, not 1 to %d", len(a), MaxSubjects)
	}
	var out []Scope
	for i := 0; i < len(a) && f.err == nil; i++ {
		n := f.object(a[i].value, "scopes")
		out = append(out, n.scope())
		f.adopt(&n)
		if i > 0 && out[i].Purl <= out[i-1].Purl {
			f.fail(reason.MemberInvalid, "scopes are not sorted by purl")
		}
	}
	return out
}

func (f *fields) scope() Scope {
	s := Scope{Purl: f.str("purl"), From: optional(f, "from", f.time), To: optional(f, "to", f.time)}
	if f.has("vers") {
		s.Vers = f.match("vers", ranges)
	}
	if p, err := purl.Parse(s.Purl); f.err == nil && (err != nil || p.HasVersion()) {
		f.fail(reason.Purl, "%.120q is not a canonical purl without version", s.Purl)
	}
	if s.From != nil && s.To != nil && *s.From >= *s.To {
		f.fail(reason.MemberInvalid, "from is not before to")
	}
	return s
}

// body reads the one of claims, statement and private that is present.
func (f *fields) body(a *Attestation) {
	n := 0
	if f.nested("claims", func(c *fields) { a.Claims = c.claims() }) {
		n++
	}
	if f.nested("statement", func(s *fields) { a.Statement = s.statement() }) {
		n++
	}
	if f.nested("private", func(p *fields) { a.Private = p.private() }) {
		n++
	}
	if n != 1 {
		f.fail(reason.MemberMissing, "exactly one of claims, statement and private is required")
	}
}

func (f *fields) claims() *Claims {
	c := &Claims{Catalogue: f.code("catalogue"), Version: f.code("version")}
	items := f.array("items")
	if f.err == nil && len(items) == 0 {
		f.fail(reason.MemberInvalid, "items is empty")
	}
	c.Items = make([]Claim, 0, len(items))
	for i := 0; i < len(items) && f.err == nil; i++ {
		n := f.object(items[i].value, "items")
		c.Items = append(c.Items, n.claim())
		f.adopt(&n)
		if i > 0 && c.Items[i].ID <= c.Items[i-1].ID {
			f.fail(reason.MemberInvalid, "items are not sorted by id")
		}
	}
	return c
}

func (f *fields) claim() Claim {
	c := Claim{
		ID:        f.code("id"),
		Answer:    f.enum("answer", "yes", "no", "not-applicable", "not-stated"),
		Evidence:  optional(f, "evidence", f.hash),
		CheckedAt: optional(f, "checkedAt", f.time),
	}
	if s := optional(f, "link", f.link); s != nil {
		c.Link = *s
	}
	return c
}

func (f *fields) statement() *Statement {
	s := &Statement{
		MediaType: f.mediaType("mediaType"),
		SHA256:    f.hash("sha256"),
		Size:      f.index("size"),
	}
	if f.has("predicateType") {
		s.PredicateType = f.match("predicateType", types)
	}
	return s
}

func (f *fields) private() *Private {
	return &Private{
		Commitment: f.hash("commitment"),
		Size:       f.index("size"),
		Audience:   f.enum("audience", "recipient", "members", "embargo"),
		RevealBy:   optional(f, "revealBy", f.time),
	}
}
