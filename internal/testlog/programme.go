package testlog

import (
	"crypto/sha256"

	"github.com/standing-log/standing/personality/entry"
)

// Rules returns the rules of a programme, to be published or amended: for
// claims of the light template, by stewards that are among members, or by any
// if there are none.
func Rules(origin string, members ...entry.Hash) *entry.Programme {
	return &entry.Programme{
		Log: origin, Rules: sha256.Sum256([]byte("rules")), Link: "https://rules.example/1",
		Catalogues: []string{"orc-template-lite"}, Roles: []string{"steward"}, Members: members, MaxValidity: year,
	}
}

// Publish returns the publication of a programme, whose id is the event's.
func Publish(k *Key, rules *entry.Programme) *entry.Entry {
	p := *rules
	p.Action = entry.ActionPublish
	return Sign(k, &p, entry.RulesSubject(p.Rules))
}

// AmendProgramme returns new rules for a programme.
func AmendProgramme(k *Key, id entry.Hash, after uint64, rules *entry.Programme) *entry.Entry {
	p := *rules
	p.Action, p.After = entry.ActionAmend, &after
	return Sign(k, &p, entry.ProgrammeSubject(id))
}

// CloseProgramme returns the end of a programme.
func CloseProgramme(origin string, k *Key, id entry.Hash) *entry.Entry {
	return Sign(k, &entry.Programme{Log: origin, Action: entry.ActionClose}, entry.ProgrammeSubject(id))
}

// WithdrawClaims returns the withdrawal of single claims of attestations.
func WithdrawClaims(origin string, reason uint8, by *Key, claims []string, ids ...entry.Hash) *entry.Entry {
	r := &entry.Revocation{Log: origin, Action: entry.ActionClaims, Reason: reason, Claims: claims}
	r.Refs, r.Link, r.Since = detail(reason)
	return Sign(by, r, attestationSubjects(ids)...)
}

// VoidRange returns the declaration that what a key attested from one index to
// before another is void.
func VoidRange(origin string, key entry.Hash, r entry.KeyRange, by *Key) *entry.Entry {
	return Sign(by, &entry.Key{Log: origin, Action: entry.ActionRange, Range: &r}, entry.KeySubject(key))
}

// InTheNameOf returns the withdrawal e, signed by an operator in the name of a
// programme instead.
func InTheNameOf(programme entry.Hash, e *entry.Entry, by *Key) *entry.Entry {
	r := *e.Revocation
	r.Programme = &programme
	return Sign(by, &r, e.Subjects...)
}
