package entry

import (
	"encoding/hex"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/personality/reason"
)

// Programme is the predicate of a programme event: rules under which
// attestations are issued. A publication and an amendment say all of it, a
// closure nothing but its subject.
type Programme struct {
	Log         string
	Action      string   // ActionPublish, ActionAmend or ActionClose
	After       *uint64  // amend
	Rules       Hash     // SHA-256 of the rules document
	Link        string   // where that is
	Catalogues  []string // sorted
	Roles       []string // sorted: one of them an issuer has to have
	Members     []Hash   // sorted: the parties that may issue; nil: any
	MaxValidity uint64   // in seconds
}

func (e *Entry) parseProgramme(f *fields) error {
	p := &Programme{Log: f.origin("log"), Action: f.enum("action", ActionPublish, ActionAmend, ActionClose)}
	if f.err == nil && p.Action == ActionAmend {
		after := f.index("after")
		p.After = &after
	}
	if f.err == nil && p.Action != ActionClose {
		p.Rules = f.hash("rules")
		p.Link = f.link("link")
		p.Catalogues = f.strings("catalogues", 1, 32, codes.has)
		p.Roles = f.strings("roles", 1, 8, validRole)
		p.Members = f.members("members")
		p.MaxValidity = f.integer("maxValidity", 1, maxTime)
	}
	if err := f.done(); err != nil {
		return err
	}
	e.Programme = p
	if p.Action == ActionPublish {
		return e.rulesSubject(p.Rules)
	}
	return e.oneSubject("prog:")
}

// members reads 1 to 256 party ids, sorted, or nil for the string "any".
func (f *fields) members(name string) []Hash {
	if v := f.get(name); v.kind == jsontext.KindString && v.text == "any" {
		return nil
	}
	list := f.strings(name, 1, maxItems, func(s string) bool { _, ok := parseHex(s, 32); return ok })
	if f.err != nil {
		return nil
	}
	out := make([]Hash, len(list))
	for i, s := range list {
		id, _ := parseHex(s, 32)
		out[i] = Hash(id)
	}
	return out
}

// rulesSubject checks the subject of a publication.
func (e *Entry) rulesSubject(rules Hash) error {
	s := e.Subjects[0]
	// SPEC: one, rules, digest sha256 = the member rules.
	if len(e.Subjects) != 1 || s.Name != "rules" || s.Algorithm != "sha256" || s.Digest != hex.EncodeToString(rules[:]) {
		return reason.Errorf(reason.SubjectInvalid, "a programme is published with one subject, rules, whose digest sha256 is the member rules")
	}
	return nil
}

// RulesSubject is the subject of a programme's publication; ProgrammeSubject
// names a programme by id.
func RulesSubject(rules Hash) Subject {
	return Subject{Name: "rules", Algorithm: "sha256", Digest: hex.EncodeToString(rules[:])}
}
func ProgrammeSubject(id Hash) Subject { return idSubject("prog:", id) }

func (*Programme) kind() Kind { return KindProgramme }

func (p *Programme) members() members {
	m := members{"log": p.Log, "action": p.Action}
	m.set("after", p.After)
	if p.Action == ActionClose {
		return m
	}
	m["rules"], m["link"], m["maxValidity"] = hex.EncodeToString(p.Rules[:]), p.Link, p.MaxValidity
	m["catalogues"] = slices.Sorted(slices.Values(p.Catalogues))
	m["roles"] = slices.Sorted(slices.Values(p.Roles))
	m["members"] = "any"
	if p.Members != nil {
		ids := make([]string, len(p.Members))
		for i, id := range p.Members {
			ids[i] = hex.EncodeToString(id[:])
		}
		slices.Sort(ids)
		m["members"] = ids
	}
	return m
}
