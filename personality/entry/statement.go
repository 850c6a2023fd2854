package entry

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
)

// StatementType is the _type of every payload.
const StatementType = "https://in-toto.io/Statement/v1"

// MaxSubjects is the greatest number of subjects of an entry.
const MaxSubjects = 64

const (
	predicatePrefix = "https://github.com/standing-log/standing/predicates/"
	predicateSuffix = "/v1"
)

// Kind is the kind of an event, the last part of its predicate type.
type Kind string

// The kinds of events.
const (
	KindCharter     Kind = "charter"
	KindParty       Kind = "party"
	KindKey         Kind = "key"
	KindProgramme   Kind = "programme"
	KindAttestation Kind = "attestation"
	KindRevocation  Kind = "revocation"
)

// PredicateType returns the in-toto predicate type of k.
func (k Kind) PredicateType() string { return predicatePrefix + string(k) + predicateSuffix }

// Subject is what an entry is about.
type Subject struct {
	Name string
	// Algorithm and Digest are the one digest, in hex.
	Algorithm, Digest string

	Purl purl.Purl // of an attestation's subject
	ID   Hash      // of the others: keyid, or the id of a party, attestation or programme
}

// parseStatement fills e from the payload's JSON.
func (e *Entry) parseStatement(root object, text string) error {
	e.Text = text
	f := fields{o: root, where: "statement"}
	typ := f.str("_type")
	predicateType := f.str("predicateType")
	subjects := f.array("subject")
	p := f.object(f.get("predicate"), "predicate")
	if err := f.done(); err != nil {
		return err
	}
	if typ != StatementType {
		return reason.Errorf(reason.StatementType, "_type %.80q", typ)
	}
	if err := e.parseSubjects(subjects); err != nil {
		return err
	}
	p.skipExtensions()
	kind, ok1 := strings.CutPrefix(predicateType, predicatePrefix)
	kind, ok2 := strings.CutSuffix(kind, predicateSuffix)
	if !ok1 || !ok2 {
		return reason.Errorf(reason.PredicateType, "predicateType %.160q", predicateType)
	}
	return e.parsePredicate(Kind(kind), &p)
}

func (e *Entry) parsePredicate(kind Kind, p *fields) error {
	e.Kind = kind
	switch kind {
	case KindCharter:
		return e.parseCharter(p)
	case KindParty:
		return e.parseParty(p)
	case KindKey:
		return e.parseKey(p)
	case KindProgramme:
		return e.parseProgramme(p)
	case KindAttestation:
		return e.parseAttestation(p)
	case KindRevocation:
		return e.parseRevocation(p)
	}
	return reason.Errorf(reason.PredicateType, "kind %.80q", string(kind))
}

func (e *Entry) parseSubjects(list []member) error {
	if len(list) < 1 || len(list) > MaxSubjects {
		return reason.Errorf(reason.SubjectCount, "%d subjects, not 1 to %d", len(list), MaxSubjects)
	}
	e.Subjects = make([]Subject, len(list))
	for i, v := range list {
		s, err := parseSubject(v.value)
		if err != nil {
			return err
		}
		// SPEC: sorted by name.
		if i > 0 && s.Name <= e.Subjects[i-1].Name {
			return reason.Errorf(reason.SubjectOrder, "subject %d: %.80q does not come after %.80q", i, s.Name, e.Subjects[i-1].Name)
		}
		e.Subjects[i] = s
	}
	return nil
}

func parseSubject(v value) (Subject, error) {
	parent := fields{where: "subject"}
	f := parent.object(v, "subject")
	s := Subject{Name: f.str("name")}
	d := f.object(f.get("digest"), "digest")
	if err := f.done(); err != nil {
		return s, err
	}
	// SPEC: object of exactly one member.
	if len(d.o) != 1 {
		return s, reason.Errorf(reason.SubjectInvalid, "%.80q: %d digests, not one", s.Name, len(d.o))
	}
	s.Algorithm = d.o[0].name
	s.Digest = d.str(s.Algorithm)
	return s, d.done()
}

// idSubjects checks that every subject is prefix followed by the hex of its
// sha256 digest, and sets the ids.
func (e *Entry) idSubjects(prefix string) error {
	for i := range e.Subjects {
		s := &e.Subjects[i]
		id, ok := parseHex(s.Digest, 32)
		if !ok || s.Algorithm != "sha256" || s.Name != prefix+s.Digest {
			return reason.Errorf(reason.SubjectInvalid, "%.120q is not %s<id> with digest sha256 = id", s.Name, prefix)
		}
		s.ID = Hash(id)
	}
	return nil
}

// oneSubject is idSubjects for kinds that have one subject.
func (e *Entry) oneSubject(prefix string) error {
	if len(e.Subjects) != 1 {
		return reason.Errorf(reason.SubjectCount, "%d subjects, not one", len(e.Subjects))
	}
	return e.idSubjects(prefix)
}

// digestLengths are the hex digits of the digests a version may have.
var digestLengths = map[string][]int{"sha256": {64}, "sha512": {128}, "gitCommit": {40, 64}}

// componentSubjects checks the subjects of an attestation against the scopes
// it carries.
func (e *Entry) componentSubjects(scopes []Scope) error {
	byName := map[string]Scope{}
	for _, s := range scopes {
		byName[s.Purl] = s
	}
	for i := range e.Subjects {
		s := &e.Subjects[i]
		p, err := purl.Parse(s.Name)
		if err != nil {
			return reason.Errorf(reason.Purl, "%v", err)
		}
		s.Purl = p
		if p.HasVersion() {
			if !ValidDigest(s.Algorithm, s.Digest) {
				return reason.Errorf(reason.SubjectInvalid, "%.120q: digest is not sha256, sha512 or gitCommit in lower-case hex", s.Name)
			}
			continue
		}
		// SPEC: digest sha256 of the scope document.
		scope, ok := byName[s.Name]
		digest := sha256.Sum256(scope.Document())
		if !ok || s.Algorithm != "sha256" || s.Digest != hex.EncodeToString(digest[:]) {
			return reason.Errorf(reason.Scope, "%.120q has no scope with this digest", s.Name)
		}
		delete(byName, s.Name)
	}
	if len(byName) > 0 {
		return reason.Errorf(reason.Scope, "%d scopes belong to no subject without version", len(byName))
	}
	return nil
}

// ValidDigest reports whether digest is a value of the algorithm that a version
// may have: lower-case hex of its length.
func ValidDigest(algorithm, digest string) bool {
	for _, n := range digestLengths[algorithm] {
		if _, ok := parseHex(digest, n/2); ok {
			return true
		}
	}
	return false
}
