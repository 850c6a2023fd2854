package entry_test

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// badEvents break the rules of the kinds other than attestation.
func badEvents() []badVector {
	return slicesOf(badCharters(), badParties(), badKeys(), badRanges(), badProgrammes(), badRevocations(), badWithdrawals())
}

func payloadOf(name string) string { return string(sampled(name).Payload) }

func spki(k *testlog.Key) string { return base64.StdEncoding.EncodeToString(k.Public().SPKI()) }

// byID sorts keys by keyid.
func byID(keys ...*testlog.Key) []*testlog.Key {
	return slices.SortedFunc(slices.Values(keys), func(a, b *testlog.Key) int {
		x, y := a.ID(), b.ID()
		return slices.Compare(x[:], y[:])
	})
}

func badCharters() []badVector {
	root, registrar := testlog.NewKey("root", false), testlog.NewKey("registrar", true)
	good := payloadOf("charter")
	list := `["` + spki(registrar) + `"]`
	two := byID(testlog.NewKey("one", false), testlog.NewKey("two", false))
	point, _ := hex.DecodeString("302a300506032b6570032100" + "01" + strings.Repeat("00", 31))
	return edited("charter", good, []edit{
		{"issuance unknown", `"open"`, `"ajar"`, reason.MemberInvalid},
		{"map function 0", `"mapfn":1`, `"mapfn":0`, reason.MemberInvalid},
		{"map function 65536", `"mapfn":1`, `"mapfn":65536`, reason.MemberInvalid},
		{"map function missing", `"mapfn":1,`, "", reason.MemberMissing},
		{"admission with space", `"testlog-1"`, `"testlog 1"`, reason.MemberInvalid},
		{"after negative", `"admission"`, `"after":-1,"admission"`, reason.MemberInvalid},
		{"successor malformed", `"admission"`, `"successor":"https://log.example","admission"`, reason.MemberInvalid},
		{"unknown member", `"admission"`, `"website":"https://log.example/","admission"`, reason.MemberUnknown},
		{"origin empty", `"log":"log.example/test"`, `"log":""`, reason.MemberInvalid},
		{"subject of another log", `"name":"log:log.example/test"`, `"name":"log:log.example/other"`, reason.SubjectInvalid},
		{"log is not the subject", `"log":"log.example/test"`, `"log":"log.example/other"`, reason.SubjectInvalid},
		{"digest of something else", sampled("charter").Subjects[0].Digest, digest, reason.SubjectInvalid},
		{"no registrar", list, "[]", reason.MemberInvalid},
		{"registrars no array", list, `"` + spki(registrar) + `"`, reason.MemberInvalid},
		{"registrar no string", list, "[1]", reason.MemberInvalid},
		{"nine registrars", list, `["` + strings.Repeat(spki(registrar)+`","`, 8) + spki(registrar) + `"]`, reason.MemberInvalid},
		{"registrars not sorted", list, `["` + spki(two[1]) + `","` + spki(two[0]) + `"]`, reason.MemberInvalid},
		{"registrar twice", list, `["` + spki(registrar) + `","` + spki(registrar) + `"]`, reason.MemberInvalid},
		{"key in both roles", list, `["` + spki(root) + `"]`, reason.CharterKeys},
		{"key of small order", list, `["` + base64.StdEncoding.EncodeToString(point) + `"]`, reason.KeyWeak},
		{"key of no known kind", list, `["AAAA"]`, reason.KeyWeak},
		{"key with line break", list, `["` + spki(registrar)[:76] + `\n` + spki(registrar)[76:] + `"]`, reason.Base64},
		{"key without padding", list, `["` + strings.TrimRight(spki(root), "=") + `"]`, reason.Base64},
	})
}

func badParties() []badVector {
	p := testlog.NewParty("samples", 3)
	good := payloadOf("party enrol")
	name := `"name":"` + p.Name + `"`
	recovery := p.Recovery.ID()
	out := edited("party enrol", good, []edit{
		{"action unknown", `"enrol"`, `"admit"`, reason.MemberInvalid},
		{"name empty", name, `"name":""`, reason.MemberInvalid},
		{"name of 201 bytes", name, `"name":"` + strings.Repeat("a", 201) + `"`, reason.MemberInvalid},
		{"name with line feed", name, `"name":"a\nb"`, reason.MemberInvalid},
		{"name with DEL", name, "\"name\":\"a\x7fb\"", reason.MemberInvalid},
		{"name with C1 control", name, `"name":"a\u0085b"`, reason.MemberInvalid},
		{"name missing", name + ",", "", reason.MemberMissing},
		{"website by http", `"https://samples.example/"`, `"http://samples.example/"`, reason.MemberInvalid},
		{"role unknown", `["steward"]`, `["president"]`, reason.MemberInvalid},
		{"roles empty", `["steward"]`, `[]`, reason.MemberInvalid},
		{"roles not sorted", `["steward"]`, `["steward","maintainer"]`, reason.MemberInvalid},
		{"after", `"action"`, `"after":0,"action"`, reason.MemberUnknown},
		{"pop missing", `"pop"`, `"proof"`, reason.MemberMissing},
		{"pop not base64", `"pop":"`, `"pop":"*`, reason.Base64},
		{"subject missing", subjectText("key:", recovery) + ",", "", reason.SubjectInvalid},
		{"subject's digest", `"sha256":"` + hex.EncodeToString(recovery[:]) + `"`, `"sha256":"` + digest + `"`, reason.SubjectInvalid},
		{"subject's algorithm", `"sha256":"` + hex.EncodeToString(recovery[:]) + `"`, `"sha512":"` + hex.EncodeToString(recovery[:]) + `"`, reason.SubjectInvalid},
	})
	twice := testlog.NewParty("samples", 3)
	twice.Recovery = twice.Keys[0]
	out = append(out, badVector{"party enrol: recovery key is an ordinary key", signed(enrolment(twice)), reason.SubjectInvalid})
	out = append(out, edited("party amend", payloadOf("party amend roles"), []edit{
		{"without after", `"after":2,`, "", reason.MemberMissing},
		{"of nothing", `,"roles":["maintainer","steward"]`, "", reason.MemberInvalid},
		{"of roles and website", `"roles"`, `"website":"https://a.example/","roles"`, reason.MemberInvalid},
		{"of the name", `"roles":["maintainer","steward"]`, `"name":"New"`, reason.MemberInvalid},
		{"of roles and name", `"roles"`, `"name":"New","roles"`, reason.MemberUnknown},
		{"of keys", `"roles"`, `"keys":[],"roles"`, reason.MemberUnknown},
		{"subject is a key", `"name":"party:`, `"name":"key:`, reason.SubjectInvalid},
	})...)
	return append(out, edited("party end", payloadOf("party end"), []edit{
		{"with reason", `"action"`, `"reason":0,"action"`, reason.MemberUnknown},
		{"with after", `"action"`, `"after":0,"action"`, reason.MemberUnknown},
		{"of two", `[{"`, `[` + subjectText("party:", entry.Hash{}) + `,{"`, reason.SubjectCount},
		{"without log", `"log"`, `"x-log"`, reason.MemberMissing},
	})...)
}

// subjectText is a subject as Payload writes it.
func subjectText(prefix string, id entry.Hash) string {
	h := hex.EncodeToString(id[:])
	return `{"digest":{"sha256":"` + h + `"},"name":"` + prefix + h + `"}`
}

// enrolment writes the enrolment of a party whose keys may not be distinct.
func enrolment(p *testlog.Party) string {
	proof := func(k *testlog.Key) entry.KeyProof { return entry.KeyProof{Key: k.Public(), Pop: []byte("proof")} }
	recovery := proof(p.Recovery)
	pred := &entry.Party{Log: origin, Action: entry.ActionEnrol, Name: p.Name, Website: p.Website, Roles: p.Roles, Recovery: &recovery}
	ids := map[entry.Hash]bool{p.Recovery.ID(): true}
	for _, k := range p.Keys {
		pred.Keys = append(pred.Keys, proof(k))
		ids[k.ID()] = true
	}
	var subjects []entry.Subject
	for id := range ids {
		subjects = append(subjects, entry.KeySubject(id))
	}
	return string(entry.Payload(pred, subjects...))
}

func badKeys() []badVector {
	next := testlog.NewKey("next", true).ID()
	out := edited("key add", payloadOf("key add"), []edit{
		{"subject is another key", subjectText("key:", next), subjectText("key:", entry.Hash{}), reason.SubjectInvalid},
		{"cutoff", `"action"`, `"cutoff":0,"action"`, reason.MemberUnknown},
		{"party missing", `"party"`, `"x-party"`, reason.MemberMissing},
		{"party no hash", `"party":"`, `"party":"party:`, reason.MemberInvalid},
	})
	out = append(out, edited("key", payloadOf("key retire"), []edit{
		{"action unknown", `"retire"`, `"lend"`, reason.MemberInvalid},
		{"range without its members", `"retire"`, `"range"`, reason.MemberMissing},
		{"retire with cutoff", `"action"`, `"cutoff":0,"action"`, reason.MemberUnknown},
		{"retire of two", `[{"`, `[` + subjectText("key:", entry.Hash{}) + `,{"`, reason.SubjectCount},
		{"subject is a party", `"name":"key:`, `"name":"party:`, reason.SubjectInvalid},
	})...)
	return append(out, edited("key compromise", payloadOf("key compromise cutoff"), []edit{
		{"cutoff 2^53", `"cutoff":7`, `"cutoff":9007199254740992`, reason.MemberInvalid},
		{"cutoff negative", `"cutoff":7`, `"cutoff":-7`, reason.MemberInvalid},
		{"cutoff a string", `"cutoff":7`, `"cutoff":"7"`, reason.MemberInvalid},
	})...)
}

func badRevocations() []badVector {
	refs := `"refs":["CVE-2099-0001"]`
	out := edited("revocation", payloadOf("revocation revoke"), []edit{
		{"action unknown", `"revoke"`, `"forget"`, reason.MemberInvalid},
		{"of claims without claims", `"revoke"`, `"claims"`, reason.MemberMissing},
		{"reason 256", `"reason":10`, `"reason":256`, reason.MemberInvalid},
		{"reason negative", `"reason":10`, `"reason":-1`, reason.MemberInvalid},
		{"reason a string", `"reason":10`, `"reason":"vulnerability"`, reason.MemberInvalid},
		{"reason missing", `"reason":10,`, "", reason.MemberMissing},
		{"text", `"reason"`, `"text":"because","reason"`, reason.MemberUnknown},
		{"hold's member", `"reason"`, `"until":1,"reason"`, reason.MemberUnknown},
		{"no refs", refs, `"refs":[]`, reason.MemberInvalid},
		{"17 refs", refs, `"refs":["` + strings.Join(strings.Split("abcdefghijklmnopq", ""), `","`) + `"]`, reason.MemberInvalid},
		{"refs not sorted", refs, `"refs":["b","a"]`, reason.MemberInvalid},
		{"ref with space", refs, `"refs":["CVE 1"]`, reason.MemberInvalid},
		{"since 2^40", `"since":1700000000`, `"since":1099511627776`, reason.MemberInvalid},
		{"log missing", `"log"`, `"x-log"`, reason.MemberMissing},
	})
	out = append(out, edited("revocation of one", payloadOf("revocation by programme"), []edit{
		{"subject is a component", `"name":"att:`, `"name":"pkg:npm/`, reason.SubjectInvalid},
		{"subject in upper case", `"name":"att:`, `"name":"ATT:`, reason.SubjectInvalid},
		{"programme no hash", `"programme":"`, `"programme":"prog:`, reason.MemberInvalid},
	})...)
	payload := payloadOf("revocation hold")
	after := payload[strings.Index(payload, `"after":[`):]
	after = after[:strings.Index(after, "]")+1]
	out = append(out, edited("hold", payload, []edit{
		{"without until", `,"until":1795001000`, "", reason.MemberMissing},
		{"without after", after + ",", "", reason.MemberMissing},
		{"after one number", after, `"after":11`, reason.MemberInvalid},
		{"after too short", after, `"after":[11]`, reason.MemberInvalid},
		{"after too long", after, `"after":[11,12,13]`, reason.MemberInvalid},
		{"after negative", after, `"after":[11,-1]`, reason.MemberInvalid},
	})...)
	return append(out, edited("reinstate", payloadOf("revocation reinstate"), []edit{
		{"without hold", `"hold"`, `"x-hold"`, reason.MemberMissing},
		{"hold by printed id", `"hold":"`, `"hold":"evt:`, reason.MemberInvalid},
		{"with after", `"hold"`, `"after":[1],"hold"`, reason.MemberUnknown},
	})...)
}
