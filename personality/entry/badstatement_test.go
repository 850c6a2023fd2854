package entry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// edit is one change of a payload, and the code it leads to.
type edit struct {
	name, old, new string
	code           reason.Code
}

// edited makes a vector of each edit of payload.
func edited(what, payload string, edits []edit) []badVector {
	var out []badVector
	for _, e := range edits {
		out = append(out, badVector{what + ": " + e.name, signed(change(payload, e.old, e.new)), e.code})
	}
	return out
}

// subjects writes n subjects, sorted.
func subjects(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,{"name":"pkg:npm/part-%02d@1","digest":{"sha256":"%s"}}`, i, digest)
	}
	return b.String()[1:]
}

const subject = `{"name":"pkg:npm/express@4.22.2","digest":{"sha256":"` + digest + `"}}`

func TestSubjectLimit(t *testing.T) {
	e, err := entry.Parse(signed(change(statement, subject, subjects(64))))
	if err != nil || len(e.Subjects) != 64 {
		t.Errorf("64 subjects: %v", err)
	}
}

// badStatements break the rules of the statement and its subjects.
func badStatements() []badVector {
	const predicate = `"predicate":{`
	out := edited("statement", statement, []edit{
		{"other _type", "Statement/v1", "Statement/v0.1", reason.StatementType},
		{"_type in wrong case", `"_type"`, `"_Type"`, reason.MemberUnknown},
		{"_type no string", `"https://in-toto.io/Statement/v1"`, "1", reason.MemberInvalid},
		{"unknown member", `{"_type"`, `{"comment":"","_type"`, reason.MemberUnknown},
		{"extension outside the predicate", `{"_type"`, `{"x-comment":"","_type"`, reason.MemberUnknown},
		{"no predicate", predicate, `"x":{`, reason.MemberMissing},
		{"predicate in wrong case", predicate, `"Predicate":{`, reason.MemberUnknown},
		{"predicate no object", predicate, `"predicate":[],"b":{`, reason.MemberInvalid},
		{"foreign predicate type", "https://github.com/standing-log/standing/predicates/attestation/v1", "https://slsa.dev/provenance/v1", reason.PredicateType},
		{"later version", "attestation/v1", "attestation/v2", reason.PredicateType},
		{"unknown kind", "attestation/v1", "blessing/v1", reason.PredicateType},
		{"kind in wrong case", "attestation/v1", "Attestation/v1", reason.PredicateType},
		{"of another kind", "attestation/v1", "programme/v1", reason.MemberMissing},
		{"no subject", "[" + subject + "]", "[]", reason.SubjectCount},
		{"subject no array", "[" + subject + "]", subject, reason.MemberInvalid},
		{"subject no object", subject, `"pkg:npm/express@4.22.2"`, reason.MemberInvalid},
		{"65 subjects", subject, subjects(65), reason.SubjectCount},
		{"256 subjects", subject, subjects(256), reason.SubjectCount},
		{"subjects not sorted", subject, change(subject, "express", "zlib") + "," + subject, reason.SubjectOrder},
		{"subject twice", subject, subject + "," + subject, reason.SubjectOrder},
		{"subject's unknown member", `"digest"`, `"uri":"x","digest"`, reason.MemberUnknown},
		{"subject's extension", `"digest"`, `"x-uri":"x","digest"`, reason.MemberUnknown},
		{"subject without name", `"name":"pkg:npm/express@4.22.2",`, "", reason.MemberMissing},
		{"no digest", `"digest":{"sha256":"` + digest + `"}`, `"digest":{}`, reason.SubjectInvalid},
		{"two digests", `{"sha256"`, `{"sha1":"` + digest[:40] + `","sha256"`, reason.SubjectInvalid},
		{"digest no string", `"` + digest + `"`, "7", reason.MemberInvalid},
		{"sha1", `"sha256":"` + digest + `"`, `"sha1":"` + digest[:40] + `"`, reason.SubjectInvalid},
		{"algorithm in wrong case", `"sha256"`, `"SHA256"`, reason.SubjectInvalid},
		{"digest in upper case", digest, strings.ToUpper(digest), reason.SubjectInvalid},
		{"digest too short", digest, digest[2:], reason.SubjectInvalid},
		{"digest no hex", digest, "g" + digest[1:], reason.SubjectInvalid},
		{"sha512 of 64 digits", `"sha256"`, `"sha512"`, reason.SubjectInvalid},
		{"gitCommit of 42 digits", `"sha256":"` + digest + `"`, `"gitCommit":"` + digest[:42] + `"`, reason.SubjectInvalid},
		{"subject of another kind", "pkg:npm/express@4.22.2", "key:" + digest, reason.Purl},
		{"extension no string", predicate, predicate + `"x-a":1,`, reason.MemberInvalid},
		{"extension's name too long", predicate, predicate + `"x-` + strings.Repeat("a", 63) + `":"",`, reason.MemberInvalid},
		{"extension too long", predicate, predicate + `"x-a":"` + strings.Repeat("a", 1025) + `",`, reason.MemberInvalid},
		{"17 extensions", predicate, predicate + extensions(17), reason.MemberInvalid},
		{"extension in wrong case", predicate, predicate + `"X-a":"",`, reason.MemberUnknown},
	})
	for _, purl := range []string{
		"", "express@4.22.2", "pkg:", "pkg:npm", "pkg:npm/", "PKG:npm/express@4", "pkg:NPM/express@4", "pkg://npm/express@4",
		"pkg:npm/express@", "pkg:npm/express@4@5", "pkg:npm/express@4?", "pkg:npm/express@4#", "pkg:npm//express@4",
		"pkg:npm/../express@4", "pkg:npm/./express@4", "pkg:npm/express/@4", "pkg:npm/@babel/core@8", "pkg:npm/%40babel%2fcore@8",
		"pkg:npm/%65xpress@4", "pkg:npm/express@4+1", "pkg:npm/express@4%2b1", "pkg:npm/express@4%", "pkg:npm/express@4%4",
		"pkg:npm/express@%00", "pkg:npm/expreß@4", "pkg:npm/ express@4", "pkg:npm/express@4?b=1&a=2", "pkg:npm/express@4?a=1&a=2",
		"pkg:npm/express@4?a=", "pkg:npm/express@4?A=1", "pkg:npm/express@4#a//b", "pkg:npm/express@4#..",
		"pkg:npm/" + strings.Repeat("a", 503) + "@4",
	} {
		payload := change(statement, "pkg:npm/express@4.22.2", purl)
		out = append(out, badVector{"purl: " + purl[:min(len(purl), 60)], signed(payload), reason.Purl})
	}
	return out
}

// extensions writes n members that begin with x-.
func extensions(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"x-%d":"",`, i)
	}
	return b.String()
}

func TestExtensionLimits(t *testing.T) {
	for _, x := range []string{
		extensions(16), `"x-":"",`, `"x-` + strings.Repeat("a", 62) + `":"` + strings.Repeat("a", 1024) + `",`,
		`"x-ä":"\ud83d\ude00",`,
	} {
		if _, err := entry.Parse(signed(change(statement, `"predicate":{`, `"predicate":{`+x))); err != nil {
			t.Errorf("%.60s: %v", x, err)
		}
	}
}

// badAttestations break the rules of the attestation's predicate.
func badAttestations() []badVector {
	const items = `[{"id":"GV.01","answer":"yes"}]`
	const item = `{"id":"GV.01","answer":"yes"}`
	const claims = `"claims":{"catalogue":"orc-template-lite","version":"0.1","items":` + items + `}`
	const document = `"statement":{"predicateType":"https://slsa.dev/provenance/v1","mediaType":"application/json","sha256":"` + digest + `","size":7}`
	const private = `"private":{"commitment":"` + digest + `","size":7,"audience":"members"}`
	out := edited("attestation", statement, []edit{
		{"no logs", `["log.example/test"]`, "[]", reason.MemberInvalid},
		{"log for logs", `"logs"`, `"log"`, reason.MemberMissing},
		{"nine logs", `"log.example/test"`, `"a","b","c","d","e","f","g","h","i"`, reason.MemberInvalid},
		{"logs not sorted", `"log.example/test"`, `"log.example/test","a"`, reason.MemberInvalid},
		{"log twice", `"log.example/test"`, `"log.example/test","log.example/test"`, reason.MemberInvalid},
		{"origin in upper case", "log.example/test", "Log.example/test", reason.MemberInvalid},
		{"origin with line break", "log.example/test", `log.example/test\n`, reason.MemberInvalid},
		{"origin too long", "log.example/test", strings.Repeat("a", 256), reason.MemberInvalid},
		{"unknown relation", `"steward"`, `"owner"`, reason.MemberInvalid},
		{"relation in wrong case", `"relation"`, `"Relation"`, reason.MemberUnknown},
		{"unknown polarity", `"positive"`, `"neutral"`, reason.MemberInvalid},
		{"polarity no string", `"positive"`, "true", reason.MemberInvalid},
		{"legal basis with space", `"none"`, `"Article 25"`, reason.MemberInvalid},
		{"legal basis empty", `"none"`, `""`, reason.MemberInvalid},
		{"validity empty", "1826536000", "1795000000", reason.MemberInvalid},
		{"validity reversed", "1826536000", "1794999999", reason.MemberInvalid},
		{"time negative", "1795000000", "-1", reason.MemberInvalid},
		{"time 2^40", "1826536000", "1099511627776", reason.MemberInvalid},
		{"time no number", "1795000000", `"1795000000"`, reason.MemberInvalid},
		{"no validUntil", `,"validUntil":1826536000`, "", reason.MemberMissing},
		{"optional member in wrong case", `"validFrom"`, `"SupportUntil":1826536000,"validFrom"`, reason.MemberUnknown},
		{"unknown member", `"validFrom"`, `"comment":"fine","validFrom"`, reason.MemberUnknown},
		{"unknown role", `"validFrom"`, `"initiator":"hobbyist","validFrom"`, reason.MemberInvalid},
		{"supersedes no hash", `"validFrom"`, `"supersedes":"att:` + digest + `","validFrom"`, reason.MemberInvalid},
		{"support without asks", `"validFrom"`, `"support":{"url":"https://a.example/"},"validFrom"`, reason.MemberMissing},
		{"support's extension", `"validFrom"`, `"support":{"asks":"a","x-b":""},"validFrom"`, reason.MemberUnknown},
		{"support by http", `"validFrom"`, `"support":{"asks":"a","url":"http://a.example/"},"validFrom"`, reason.MemberInvalid},
		{"no body", "," + claims, "", reason.MemberMissing},
		{"two bodies", claims, claims + "," + private, reason.MemberMissing},
		{"three bodies", claims, claims + "," + document + "," + private, reason.MemberMissing},
		{"claims no object", claims, `"claims":` + items, reason.MemberInvalid},
		{"no claims", items, "[]", reason.MemberInvalid},
		{"claim no object", item, "1", reason.MemberInvalid},
		{"claims not sorted", item, item + `,{"id":"AU.01","answer":"yes"}`, reason.MemberInvalid},
		{"claim twice", item, item + "," + item, reason.MemberInvalid},
		{"claim's unknown answer", `"yes"`, `"maybe"`, reason.MemberInvalid},
		{"claim's unknown member", `"answer"`, `"text":"","answer"`, reason.MemberUnknown},
		{"claim's id too long", `"GV.01"`, `"` + strings.Repeat("a", 65) + `"`, reason.MemberInvalid},
		{"claim's link with space", `"answer"`, `"link":"https://a.example/ b","answer"`, reason.MemberInvalid},
		{"claim's link too long", `"answer"`, `"link":"https://` + strings.Repeat("a", 193) + `","answer"`, reason.MemberInvalid},
		{"claim's link without host", `"answer"`, `"link":"https://","answer"`, reason.MemberInvalid},
		{"claim's evidence in upper case", `"answer"`, `"evidence":"` + strings.ToUpper(digest) + `","answer"`, reason.MemberInvalid},
	})
	out = append(out, edited("statement body", change(statement, claims, document), []edit{
		{"media type without subtype", "application/json", "application", reason.MemberInvalid},
		{"media type with parameter", "application/json", "text/plain; charset=utf-8", reason.MemberInvalid},
		{"media type in upper case", "application/json", "Application/json", reason.MemberInvalid},
		{"predicate type empty", "https://slsa.dev/provenance/v1", "", reason.MemberInvalid},
		{"predicate type with quote", "https://slsa.dev/provenance/v1", `a\"b`, reason.MemberInvalid},
		{"predicate type with backslash", "https://slsa.dev/provenance/v1", `a\\b`, reason.MemberInvalid},
		{"size 2^53", `"size":7`, `"size":9007199254740992`, reason.MemberInvalid},
		{"digest missing", `"sha256":"` + digest + `","size"`, `"size"`, reason.MemberMissing},
	})...)
	out = append(out, edited("private body", change(statement, claims, private), []edit{
		{"unknown audience", "members", "friends", reason.MemberInvalid},
		{"commitment missing", `"commitment"`, `"x-commitment"`, reason.MemberMissing},
		{"revealBy 2^40", `"size"`, `"revealBy":1099511627776,"size"`, reason.MemberInvalid},
	})...)
	return append(out, badScopes()...)
}

// badScopes break the rules of subjects without version.
func badScopes() []badVector {
	scope := entry.Scope{Purl: "pkg:npm/express", Vers: "vers:npm/<5.0.0"}
	good := change(statement, subject, fmt.Sprintf(`{"name":"%s","digest":{"sha256":"%s"}}`, scope.Purl, scope.Subject().Digest))
	good = change(good, `"validFrom"`, `"scopes":[`+string(scope.Document())+`],"validFrom"`)
	whole := entry.Scope{Purl: "pkg:npm/express"}.Subject()
	return append(edited("scope", good, []edit{
		{"digest of another document", scope.Subject().Digest, digest, reason.Scope},
		{"digest by another algorithm", `"sha256"`, `"gitCommit"`, reason.Scope},
		{"other range", "5.0.0", "6.0.0", reason.Scope},
		{"other purl", `{"purl":"pkg:npm/express"`, `{"purl":"pkg:npm/lodash"`, reason.Scope},
		{"purl with version", `{"purl":"pkg:npm/express"`, `{"purl":"pkg:npm/express@4"`, reason.Purl},
		{"purl not canonical", `{"purl":"pkg:npm/express"`, `{"purl":"pkg:npm/Expre%53s"`, reason.Purl},
		{"range with space", "vers:npm/<5.0.0", "vers:npm/< 5.0.0", reason.MemberInvalid},
		{"range empty", "vers:npm/<5.0.0", "", reason.MemberInvalid},
		{"range too long", "vers:npm/<5.0.0", strings.Repeat("a", 513), reason.MemberInvalid},
		{"from not before to", `"vers"`, `"from":7,"to":7,"vers"`, reason.MemberInvalid},
		{"unknown member", `"vers"`, `"note":"","vers"`, reason.MemberUnknown},
		{"twice", string(scope.Document()), string(scope.Document()) + "," + string(scope.Document()), reason.MemberInvalid},
		{"empty", "[" + string(scope.Document()) + "]", "[]", reason.MemberInvalid},
		{"no object", string(scope.Document()), `"pkg:npm/express"`, reason.MemberInvalid},
		{"one too many", string(scope.Document()), string(scope.Document()) + `,{"purl":"pkg:npm/lodash"}`, reason.Scope},
	}), badVector{"scope: none", signed(change(change(statement, "pkg:npm/express@4.22.2", whole.Name), digest, whole.Digest)), reason.Scope},
		badVector{"scope: of a version", signed(change(statement, `"validFrom"`, `"scopes":[{"purl":"pkg:npm/express"}],"validFrom"`)), reason.Scope})
}
