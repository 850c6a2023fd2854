package altreader

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

type attestationEntry struct {
	from, until           uint64
	supersedes, programme *Hash
	catalogue             string
	claims                []string // ids
}

func (e *event) readAttestation(o *object) {
	a := &attestationEntry{}
	e.logs = need(o, "logs", words(1, 8, origin))
	need(o, "relation", oneOf("first-party", "steward", "second-party", "third-party", "public-body"))
	need(o, "polarity", oneOf("positive", "negative"))
	need(o, "legalBasis", code)
	maybe(o, "initiator", role)
	maybe(o, "financer", role)
	a.from, a.until = need(o, "validFrom", time), need(o, "validUntil", time)
	o.check(a.from < a.until)
	maybe(o, "supportUntil", time)
	a.supersedes, a.programme = maybe(o, "supersedes", hash), maybe(o, "programme", hash)
	maybe(o, "support", support)
	// SPEC: exactly one of them.
	n := 0
	if c := maybe(o, "claims", claims); c != nil {
		a.catalogue, a.claims, n = c.catalogue, c.ids, n+1
	}
	if maybe(o, "statement", statement) != nil {
		n++
	}
	if maybe(o, "private", private) != nil {
		n++
	}
	o.check(n == 1)
	e.readComponents(o)
	e.attestation = a
}

// closed makes a grammar of objects of what read takes.
func closed[T any](read func(*object) T) grammar[T] {
	return func(v value) (T, string) {
		o := objectOf(v)
		out := read(o)
		return out, o.done()
	}
}

func support(v value) (struct{}, string) {
	return closed(func(o *object) struct{} {
		need(o, "asks", code)
		maybe(o, "url", link)
		return struct{}{}
	})(v)
}

type claimSet struct {
	catalogue string
	ids       []string
}

func claims(v value) (claimSet, string) {
	return closed(func(o *object) claimSet {
		need(o, "version", code)
		return claimSet{need(o, "catalogue", code), need(o, "items", words(1, 256, claim))}
	})(v)
}

func claim(v value) (string, string) {
	return closed(func(o *object) string {
		need(o, "answer", oneOf("yes", "no", "not-applicable", "not-stated"))
		maybe(o, "link", link)
		maybe(o, "evidence", hash)
		maybe(o, "checkedAt", time)
		return need(o, "id", code)
	})(v)
}

func statement(v value) (struct{}, string) {
	return closed(func(o *object) struct{} {
		maybe(o, "predicateType", texts(func(s string) bool {
			return len(s) >= 1 && len(s) <= 200 &&
				!strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' })
		}))
		need(o, "mediaType", texts(func(s string) bool {
			const set = lower + digits + "!#$&^_.+-"
			a, b, ok := strings.Cut(s, "/")
			return ok && made(a, set, 1, 63) && made(b, set, 1, 63)
		}))
		need(o, "sha256", hash)
		need(o, "size", index)
		return struct{}{}
	})(v)
}

func private(v value) (struct{}, string) {
	return closed(func(o *object) struct{} {
		need(o, "commitment", hash)
		need(o, "size", index)
		need(o, "audience", oneOf("recipient", "members", "embargo"))
		maybe(o, "revealBy", time)
		return struct{}{}
	})(v)
}

type scope struct {
	purl, vers string
	from, to   *uint64
}

func oneScope(v value) (scope, string) {
	return closed(func(o *object) (s scope) {
		s.purl = need(o, "purl", texts(func(s string) bool { _, ok := parsePurl(s); return ok }))
		if v := maybe(o, "vers", of(letters+digits+".:/|<>=!*,%+~_-", 1, 512)); v != nil {
			s.vers = *v
		}
		s.from, s.to = maybe(o, "from", time), maybe(o, "to", time)
		// SPEC: from < to where both are given.
		o.check(s.from == nil || s.to == nil || *s.from < *s.to)
		return s
	})(v)
}

// document is the scope document, whose digest the subject has.
func (s scope) document() string {
	b := `{"purl":"` + s.purl + `"`
	if s.vers != "" {
		b += `,"vers":"` + s.vers + `"`
	}
	if s.from != nil {
		b += `,"from":` + strconv.FormatUint(*s.from, 10)
	}
	if s.to != nil {
		b += `,"to":` + strconv.FormatUint(*s.to, 10)
	}
	return b + "}"
}

// readComponents reads the subjects of an attestation, and the scopes of those
// without version.
func (e *event) readComponents(o *object) {
	var scopes []scope
	if list := maybe(o, "scopes", sorted(1, 64, oneScope, func(s scope) string { return s.purl })); list != nil {
		scopes = *list
	}
	for i := range e.subjects {
		s := &e.subjects[i]
		var ok bool
		if s.purl, ok = parsePurl(s.name); !ok {
			o.fail("purl-not-canonical")
			return
		}
		if s.purl.hasVersion {
			if !digestOf(s.algorithm, s.digest) {
				o.fail(badSubject)
			}
			continue
		}
		// SPEC: subjects without version and scopes match one to one. Both
		// are sorted by purl.
		if len(scopes) == 0 || scopes[0].purl != s.name {
			o.fail("scope-mismatch")
			return
		}
		want := sha256.Sum256([]byte(scopes[0].document()))
		if s.algorithm != "sha256" || s.digest != hex.EncodeToString(want[:]) {
			o.fail("scope-mismatch")
		}
		scopes = scopes[1:]
	}
	if len(scopes) > 0 {
		o.fail("scope-mismatch")
	}
}

// digestOf: sha256 64 hex, sha512 128 hex, or gitCommit 40 or 64 hex.
func digestOf(algorithm, digest string) bool {
	switch n := len(digest); algorithm {
	case "sha256":
		return n == 64 && made(digest, digits+"abcdef", 64, 64)
	case "sha512":
		return made(digest, digits+"abcdef", 128, 128)
	case "gitCommit":
		return (n == 40 || n == 64) && made(digest, digits+"abcdef", 40, 64)
	}
	return false
}
