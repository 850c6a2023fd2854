package entry_test

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// list is a JSON array of n distinct strings in order, each in format.
func list(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`"`+format+`"`, i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

func badProgrammes() []badVector {
	const (
		catalogues, roles = `["orc-template-lite"]`, `["steward"]`
		any               = `"members":"any"`
		validity          = `"maxValidity":31622400`
		digests           = "%064x"
	)
	out := edited("programme publish", payloadOf("programme publish"), []edit{
		{"action unknown", `"publish"`, `"found"`, reason.MemberInvalid},
		{"log missing", `"log"`, `"x-log"`, reason.MemberMissing},
		{"after", `"action"`, `"after":0,"action"`, reason.MemberUnknown},
		{"rules missing", `"rules":"`, `"x-rules":"`, reason.MemberMissing},
		{"rules no hash", `"rules":"`, `"rules":"sha256:`, reason.MemberInvalid},
		{"link missing", `"link"`, `"x-link"`, reason.MemberMissing},
		{"link by http", `"https://rules.example/1"`, `"http://rules.example/1"`, reason.MemberInvalid},
		{"catalogues missing", `"catalogues":` + catalogues + ",", "", reason.MemberMissing},
		{"no catalogues", catalogues, `[]`, reason.MemberInvalid},
		{"33 catalogues", catalogues, list(33, "c-%02d"), reason.MemberInvalid},
		{"catalogues not sorted", catalogues, `["b","a"]`, reason.MemberInvalid},
		{"catalogue twice", catalogues, `["a","a"]`, reason.MemberInvalid},
		{"catalogue with space", catalogues, `["orc template"]`, reason.MemberInvalid},
		{"one catalogue and no array", catalogues, `"orc-template-lite"`, reason.MemberInvalid},
		{"no roles", roles, `[]`, reason.MemberInvalid},
		{"role unknown", roles, `["president"]`, reason.MemberInvalid},
		{"roles not sorted", roles, `["steward","maintainer"]`, reason.MemberInvalid},
		{"roles any", roles, `"any"`, reason.MemberInvalid},
		{"members missing", any + ",", "", reason.MemberMissing},
		{"members none", any, `"members":[]`, reason.MemberInvalid},
		{"members all", any, `"members":"all"`, reason.MemberInvalid},
		{"members in other case", any, `"members":"Any"`, reason.MemberInvalid},
		{"members any in an array", any, `"members":["any"]`, reason.MemberInvalid},
		{"members no hashes", any, `"members":["party:` + digest + `"]`, reason.MemberInvalid},
		{"members in upper case", any, `"members":["` + strings.ToUpper(strings.Repeat("ab", 32)) + `"]`, reason.MemberInvalid},
		{"members not sorted", any, `"members":["` + strings.Repeat("b", 64) + `","` + strings.Repeat("a", 64) + `"]`, reason.MemberInvalid},
		{"member twice", any, `"members":["` + strings.Repeat("a", 64) + `","` + strings.Repeat("a", 64) + `"]`, reason.MemberInvalid},
		{"257 members", any, `"members":` + list(257, digests), reason.JSONLimit},
		{"validity of 0", validity, `"maxValidity":0`, reason.MemberInvalid},
		{"validity of 2^40", validity, `"maxValidity":1099511627776`, reason.MemberInvalid},
		{"validity a string", validity, `"maxValidity":"31622400"`, reason.MemberInvalid},
		{"unknown member", `"action"`, `"name":"Rules","action"`, reason.MemberUnknown},
	})
	p := sampled("programme publish").Programme
	subject := func(name string, subjects ...entry.Subject) badVector {
		return badVector{"programme publish: " + name, signed(string(entry.Payload(p, subjects...))), reason.SubjectInvalid}
	}
	rules := entry.RulesSubject(p.Rules)
	renamed, truncated := rules, rules
	renamed.Name = "rule"
	truncated.Algorithm, truncated.Digest = "sha512", strings.Repeat(hex.EncodeToString(p.Rules[:]), 2)
	out = append(out,
		subject("subject of other rules", entry.RulesSubject(entry.Hash{1})),
		subject("subject of another name", renamed),
		subject("subject by another digest", truncated),
		subject("subject is a programme", entry.ProgrammeSubject(p.Rules)),
		subject("two subjects", rules, renamed),
	)
	after := `"after":4,`
	out = append(out, edited("programme amend", payloadOf("programme amend"), []edit{
		{"without after", after, "", reason.MemberMissing},
		{"after negative", after, `"after":-4,`, reason.MemberInvalid},
		{"without link", `"link"`, `"x-link"`, reason.MemberMissing},
		{"without validity", `,"maxValidity":31622400`, "", reason.MemberMissing},
		{"subject is an event", `"name":"prog:`, `"name":"evt:`, reason.SubjectInvalid},
		{"subject is its rules", `"name":"prog:` + programmeID(), `"name":"rules`, reason.SubjectInvalid},
		{"of two", `[{"`, `[` + subjectText("prog:", entry.Hash{}) + `,{"`, reason.SubjectCount},
	})...)
	return append(out, edited("programme close", payloadOf("programme close"), []edit{
		{"with after", `"action"`, `"after":4,"action"`, reason.MemberUnknown},
		{"with rules", `"action"`, `"rules":"` + digest + `","action"`, reason.MemberUnknown},
		{"with reason", `"action"`, `"reason":4,"action"`, reason.MemberUnknown},
		{"subject in upper case", `"name":"prog:`, `"name":"PROG:`, reason.SubjectInvalid},
		{"of two", `[{"`, `[` + subjectText("prog:", entry.Hash{}) + `,{"`, reason.SubjectCount},
	})...)
}

// programmeID is that of the programme which the samples publish, in hex.
func programmeID() string {
	id := sampled("programme publish").ID
	return hex.EncodeToString(id[:])
}

func badRanges() []badVector {
	out := edited("key range", payloadOf("key range"), []edit{
		{"from missing", `"from":3`, `"x-from":"3"`, reason.MemberMissing},
		{"to missing", `"to":7`, `"x-to":"7"`, reason.MemberMissing},
		{"reason missing", `"reason":12`, `"x-reason":"12"`, reason.MemberMissing},
		{"empty", `"from":3`, `"from":7`, reason.MemberInvalid},
		{"backwards", `"from":3`, `"from":8`, reason.MemberInvalid},
		{"from negative", `"from":3`, `"from":-3`, reason.MemberInvalid},
		{"to 2^53", `"to":7`, `"to":9007199254740992`, reason.MemberInvalid},
		{"reason 256", `"reason":12`, `"reason":256`, reason.MemberInvalid},
		{"with cutoff", `"action"`, `"cutoff":3,"action"`, reason.MemberUnknown},
		{"with refs", `"action"`, `"refs":["CVE-2099-0001"],"action"`, reason.MemberUnknown},
		{"of two keys", `[{"`, `[` + subjectText("key:", entry.Hash{}) + `,{"`, reason.SubjectCount},
		{"retired with a range", `"range"`, `"retire"`, reason.MemberUnknown},
	})
	const pkg = `"pkg:npm/%40babel/core"`
	return append(out, edited("key range", payloadOf("key range package"), []edit{
		{"package empty", pkg, `""`, reason.Purl},
		{"package with version", pkg, `"pkg:npm/%40babel/core@8.0.0"`, reason.Purl},
		{"package with qualifier", pkg, `"pkg:npm/%40babel/core?arch=any"`, reason.Purl},
		{"package with subpath", pkg, `"pkg:npm/%40babel/core#lib"`, reason.Purl},
		{"package not canonical", pkg, `"pkg:npm/@babel/core"`, reason.Purl},
		{"package no purl", pkg, `"express"`, reason.Purl},
		{"package no string", pkg, `1`, reason.MemberInvalid},
	})...)
}

func badWithdrawals() []badVector {
	const claims = `"claims":["BR.01","BR.02"]`
	return edited("claims", payloadOf("revocation claims"), []edit{
		{"none", claims, `"claims":[]`, reason.MemberInvalid},
		{"65", claims, `"claims":` + list(65, "C.%02d"), reason.MemberInvalid},
		{"not sorted", claims, `"claims":["BR.02","BR.01"]`, reason.MemberInvalid},
		{"twice", claims, `"claims":["BR.01","BR.01"]`, reason.MemberInvalid},
		{"no array", claims, `"claims":"BR.01"`, reason.MemberInvalid},
		{"a number", claims, `"claims":[1]`, reason.MemberInvalid},
		{"empty id", claims, `"claims":[""]`, reason.MemberInvalid},
		{"id with space", claims, `"claims":["BR 01"]`, reason.MemberInvalid},
		{"revoked with claims", `"action":"claims"`, `"action":"revoke"`, reason.MemberUnknown},
		{"with until", `"reason"`, `"until":1795001000,"reason"`, reason.MemberUnknown},
		{"with after", `"reason"`, `"after":[1,2],"reason"`, reason.MemberUnknown},
	})
}
