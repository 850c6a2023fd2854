package cli

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/purl"
)

// maxDraft bounds attestation.yaml, in bytes.
const maxDraft = 256 << 10

// draft is attestation.yaml: an attestation before it is signed. Its members
// are those of entry/SPEC.md, "attestation", with dates instead of seconds and
// each subject with its scope.
type draft struct {
	Logs         []string       `yaml:"logs"`
	Subjects     []draftSubject `yaml:"subjects"`
	Relation     string         `yaml:"relation"`
	Polarity     string         `yaml:"polarity"`
	LegalBasis   string         `yaml:"legalBasis"`
	Initiator    string         `yaml:"initiator"`
	Financer     string         `yaml:"financer"`
	ValidFrom    date           `yaml:"validFrom"`
	ValidUntil   date           `yaml:"validUntil"`
	SupportUntil *date          `yaml:"supportUntil"`
	Supersedes   string         `yaml:"supersedes"`
	Programme    string         `yaml:"programme"`
	Support      *draftSupport  `yaml:"support"`
	Claims       draftClaims    `yaml:"claims"`
}

type draftSubject struct {
	Purl   string `yaml:"purl"`
	Digest string `yaml:"digest"` // algorithm:hex; of a version
	Vers   string `yaml:"vers"`   // of a package without version
	From   *date  `yaml:"from"`
	To     *date  `yaml:"to"`
}

type draftSupport struct {
	Asks string `yaml:"asks"`
	URL  string `yaml:"url"`
}

type draftClaims struct {
	Catalogue string       `yaml:"catalogue"`
	Version   string       `yaml:"version"`
	Items     []draftClaim `yaml:"items"`
}

type draftClaim struct {
	ID        string `yaml:"id"`
	Answer    string `yaml:"answer"`
	Link      string `yaml:"link"`
	Evidence  string `yaml:"evidence"` // SHA-256 in hex
	CheckedAt *date  `yaml:"checkedAt"`
}

// date is a point in time: a day, which begins at midnight UTC, or RFC 3339.
type date uint64

func parseDate(s string) (uint64, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Unix() >= 0 {
			return uint64(t.Unix()), nil
		}
	}
	return 0, fmt.Errorf("%.40q is neither a date (2027-01-31) nor a time (2027-01-31T12:00:00Z)", s)
}

// UnmarshalYAML reads a date.
func (d *date) UnmarshalYAML(n *yaml.Node) error {
	t, err := parseDate(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*d = date(t)
	return nil
}

func (d *date) seconds() *uint64 {
	if d == nil {
		return nil
	}
	t := uint64(*d)
	return &t
}

// parseDraft reads attestation.yaml. Members that are unknown or stand twice
// are errors.
func parseDraft(data []byte) (*draft, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var d draft
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("reading the draft: %w", err)
	}
	var more yaml.Node
	if dec.Decode(&more) == nil {
		return nil, fmt.Errorf("reading the draft: more than one document")
	}
	return &d, nil
}

// statement returns predicate and subjects. Whether they are valid, entry
// says.
func (d *draft) statement() (*entry.Attestation, []entry.Subject, error) {
	a := &entry.Attestation{
		Logs: d.Logs, Relation: d.Relation, Polarity: d.Polarity, LegalBasis: d.LegalBasis,
		Initiator: d.Initiator, Financer: d.Financer,
		ValidFrom: uint64(d.ValidFrom), ValidUntil: uint64(d.ValidUntil), SupportUntil: d.SupportUntil.seconds(),
		Claims: &entry.Claims{Catalogue: d.Claims.Catalogue, Version: d.Claims.Version},
	}
	if d.Support != nil {
		a.Support = &entry.Support{Asks: d.Support.Asks, URL: d.Support.URL}
	}
	var err error
	if a.Supersedes, err = optionalHash(strings.TrimPrefix(d.Supersedes, "att:")); err != nil {
		return nil, nil, fmt.Errorf("supersedes: %w", err)
	}
	if d.Programme != "" {
		id, err := programmeID(d.Programme)
		if err != nil {
			return nil, nil, fmt.Errorf("programme: %w", err)
		}
		a.Programme = &id
	}
	for _, c := range d.Claims.Items {
		item := entry.Claim{ID: c.ID, Answer: c.Answer, Link: c.Link, CheckedAt: c.CheckedAt.seconds()}
		if item.Evidence, err = optionalHash(c.Evidence); err != nil {
			return nil, nil, fmt.Errorf("evidence of %s: %w", c.ID, err)
		}
		a.Claims.Items = append(a.Claims.Items, item)
	}
	var subjects []entry.Subject
	for _, s := range d.Subjects {
		subject, scope, err := s.subject()
		if err != nil {
			return nil, nil, err
		}
		subjects = append(subjects, subject)
		if scope != nil {
			a.Scopes = append(a.Scopes, *scope)
		}
	}
	return a, subjects, nil
}

func optionalHash(s string) (*entry.Hash, error) {
	if s == "" {
		return nil, nil
	}
	h, err := parseHash(s)
	return &h, err
}

func parseHash(s string) (h entry.Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != s {
		return h, fmt.Errorf("%.80q is not 64 lower-case hex digits", s)
	}
	return entry.Hash(b), nil
}

func (s draftSubject) subject() (entry.Subject, *entry.Scope, error) {
	p, err := purl.Parse(s.Purl)
	if err != nil {
		return entry.Subject{}, nil, err
	}
	if !p.HasVersion() {
		scope := entry.Scope{Purl: s.Purl, Vers: s.Vers, From: s.From.seconds(), To: s.To.seconds()}
		if s.Digest != "" {
			return entry.Subject{}, nil, fmt.Errorf("%s has no version, so it has no digest", s.Purl)
		}
		return scope.Subject(), &scope, nil
	}
	if s.Vers != "" || s.From != nil || s.To != nil {
		return entry.Subject{}, nil, fmt.Errorf("%s has a version: vers, from and to are for packages without", s.Purl)
	}
	algorithm, digest, ok := strings.Cut(s.Digest, ":")
	if !ok || digest == "" {
		return entry.Subject{}, nil, fmt.Errorf("%s needs the digest of the artifact, as sha256:<hex>", s.Purl)
	}
	return entry.Subject{Name: s.Purl, Algorithm: algorithm, Digest: digest}, nil, nil
}

// versioned reports whether the purl of a draft has a version.
func versioned(name string) bool {
	p, err := purl.Parse(name)
	return err == nil && p.HasVersion()
}
