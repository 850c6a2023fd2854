package main

import (
	"bytes"
	"strings"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
)

// mainScript is the golden log.
func mainScript() script {
	s := script{path: "log.jsonl", about: "A log for map function 1 that obeys every rule and breaks every rule. README.md is the format."}
	for _, chapter := range [][]step{
		begin(), envelopes(), payloads(), strays(), parties(), keyEvents(), thief(), ranges(),
		attestations(), withdrawals(), claimEvents(), programmes(), twoSuspensions(), expulsion(), limits(), charters(), function2(),
	} {
		s.steps = append(s.steps, chapter...)
	}
	return s
}

func begin() []step {
	return []step{
		effect("charter", "leaf 0 founds the log, signed by a root key that it names", func(b *book) *entry.Entry {
			return b.charter(b.root, nil, keys(b.root, b.root2), keys(b.registrar), nil)
		}),
		sealed("first seal"),
		again("charter", reason.AfterStale, "the first charter carries no after: logged again, it would undo every amendment"),
		effect("enrol issuer", "a registrar enrols a party whose keys all prove possession", func(b *book) *entry.Entry {
			return b.issuer.Enrol(origin, b.registrar)
		}),
		effect("enrol other", "a second issuer", func(b *book) *entry.Entry { return b.other.Enrol(origin, b.registrar) }),
		effect("enrol operator", "who will publish programmes", func(b *book) *entry.Entry { return b.operator.Enrol(origin, b.registrar) }),
		effect("enrol expelled", "who will be expelled", func(b *book) *entry.Entry { return b.expelled.Enrol(origin, b.registrar) }),
		effect("attest express", "the first attestation: lists of namespaces 2, 3, 4 and of the issuer", func(b *book) *entry.Entry {
			return b.attest(b.issuer.Keys[0], "pkg:npm/express@4.22.2")
		}),
		effect("attest express by other", "another party's about the same component: the same lists, and its own", func(b *book) *entry.Entry {
			return b.attest(b.other.Keys[0], "pkg:npm/express@4.22.2")
		}),
		sealed("seal of the beginning"),
	}
}

// sample is an attestation that is never logged as it is.
func (b *book) sample() *entry.Entry { return b.attest(b.issuer.Keys[0], "pkg:npm/lodash@4.17.21") }

// envelopes break the rules of the leaf.
func envelopes() []step {
	spoilt := func(name string, code reason.Code, why string, pairs ...string) step {
		return raw(name, code, why, func(b *book) []byte { return replaced(b.sample().Leaf, pairs...) })
	}
	return []step{
		raw("envelope: nothing", reason.EnvelopeMalformed, "an empty leaf", func(*book) []byte { return nil }),
		raw("envelope: no text", reason.EnvelopeMalformed, "bytes that are not UTF-8", func(*book) []byte { return []byte{0xff, 0x00, 0x80} }),
		spoilt("envelope: white space", reason.EnvelopeMalformed, "another spelling of a good envelope: formatting its parts again does not give the same bytes",
			`{"payload":`, `{ "payload":`),
		spoilt("envelope: other order", reason.EnvelopeMalformed, "the members of the signature in another order",
			`"signatures":[{`, `"signatures":[{"sig":"AA==",`),
		spoilt("envelope: two signatures", reason.Base64, "DSSE does not sign the list: whoever passes it on could reorder, strip or promote signers",
			`"}]}`, `"},{"keyid":"`+strings.Repeat("0", 64)+`","sig":"AAAA"}]}`),
		raw("envelope: no signature", reason.EnvelopeMalformed, "nobody signed", func(b *book) []byte {
			leaf := b.sample().Leaf
			i := bytes.Index(leaf, []byte(`"signatures":[`))
			return append(leaf[:i:i], `"signatures":[]}`...)
		}),
		raw("envelope: trailing bits", reason.Base64, "base64 whose last character has bits that decoders drop", func(b *book) []byte {
			e := b.sample()
			payload := replaced(e.Payload, `{"_type"`, `{ "_type"`) // its length leaves one byte over
			for len(payload)%3 != 1 {
				payload = append(payload, ' ')
			}
			leaf := testlog.Leaf(b.issuer.Keys[0], payload)
			return replaced(leaf, `A==","payloadType"`, `B==","payloadType"`)
		}),
		spoilt("envelope: payload type", reason.EnvelopeMalformed, "another payload type", `vnd.in-toto+json`, `json`),
		spoilt("envelope: keyid in upper case", reason.KeyIDMalformed, "hex is lower case", `"keyid":"`, `"keyid":"A`),
		raw("envelope: forged", reason.SignatureInvalid, "one bit of the signature is another", func(b *book) []byte {
			e := b.sample()
			sig := bytes.Clone(e.Signature)
			sig[len(sig)-1] ^= 1
			return testlog.Envelope(e.Payload, e.KeyID, sig)
		}),
		raw("envelope: another's name", reason.SignatureInvalid, "a good signature under the keyid of another party", func(b *book) []byte {
			e := b.sample()
			return testlog.Envelope(e.Payload, b.other.Keys[0].ID(), e.Signature)
		}),
		raw("envelope: small order", reason.KeyUnknown, "a key of small order, under which one signature verifies for many messages, signs nothing: it is enrolled nowhere", func(b *book) []byte {
			return testlog.Envelope(b.sample().Payload, entry.Hash{1}, make([]byte, 64))
		}),
	}
}

// payloads break the rules of JSON and of statements.
func payloads() []step {
	signed := func(name string, code reason.Code, why string, pairs ...string) step {
		return raw(name, code, why, func(b *book) []byte { return edited(b.issuer.Keys[0], b.sample(), pairs...) })
	}
	subject := `{"digest":{"sha256":"` + testlog.Component("pkg:npm/lodash@4.17.21").Digest + `"},"name":"pkg:npm/lodash@4.17.21"}`
	return []step{
		raw("json: cut", reason.JSONMalformed, "not complete JSON", func(b *book) []byte {
			p := b.sample().Payload
			return testlog.Leaf(b.issuer.Keys[0], p[:len(p)-1])
		}),
		raw("json: byte order mark", reason.JSONEncoding, "UTF-8 with a byte order mark", func(b *book) []byte {
			return testlog.Leaf(b.issuer.Keys[0], append([]byte("\xef\xbb\xbf"), b.sample().Payload...))
		}),
		signed("json: lone surrogate", reason.JSONEncoding, "an escape that is no character", `"orc-template-lite"`, `"\ud800"`),
		signed("json: member twice by escape", reason.JSONDuplicate, "two members that are one after unescaping; parsers differ about which counts",
			`"polarity":`, `"polarit\u0079":"negative","polarity":`),
		signed("json: depth", reason.JSONDepth, "nested deeper than 16", `"polarity":"positive"`,
			`"polarity":`+strings.Repeat("[", 17)+strings.Repeat("]", 17)),
		signed("json: fraction", reason.JSONNumber, "a number that is not an integer", `"validUntil":`, `"supportUntil":1.5,"validUntil":`),
		signed("json: null", reason.JSONNull, "null is not a value: optional means absent", `"polarity":"positive"`, `"polarity":null`),
		signed("json: limit", reason.JSONLimit, "a string of 4,097 bytes", `"orc-template-lite"`, `"`+strings.Repeat("a", 4097)+`"`),
		signed("statement: type", reason.StatementType, "another version of Statement", "in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1"),
		signed("statement: foreign predicate", reason.PredicateType, "a predicate type that is none of this log's",
			"https://github.com/standing-log/standing/predicates/attestation/v1", "https://slsa.dev/provenance/v1"),
		signed("statement: unknown member", reason.MemberUnknown, "an unknown member makes the whole entry ignored", `"polarity":`, `"weight":1,"polarity":`),
		signed("statement: x- member beside the predicate", reason.MemberUnknown, "x- members are allowed in the predicate object only",
			`"predicateType":`, `"x-note":"a","predicateType":`),
		signed("statement: x- member that is no string", reason.MemberInvalid, "the value of an x- member is a string", `"polarity":`, `"x-note":1,"polarity":`),
		raw("statement: x- member", "", "an x- member in the predicate is allowed and never read", func(b *book) []byte {
			return edited(b.issuer.Keys[0], b.attest(b.issuer.Keys[0], "pkg:npm/lodash@4.17.20"), `"polarity":`, `"x-note":"a","polarity":`)
		}),
		signed("statement: missing member", reason.MemberMissing, "a required member is not there", `"polarity":"positive",`, ``),
		signed("statement: ill-typed member", reason.MemberInvalid, "a value outside its grammar", `"polarity":"positive"`, `"polarity":"neutral"`),
		signed("statement: no subject", reason.SubjectCount, "an attestation of nothing", subject, ``),
		signed("statement: subject twice", reason.SubjectOrder, "subjects are sorted, and unique", subject, subject+`,`+subject),
		signed("statement: sha1", reason.SubjectInvalid, "a digest of another algorithm", `"sha256":"`+testlog.Component("pkg:npm/lodash@4.17.21").Digest,
			`"sha1":"`+strings.Repeat("a", 40)),
		signed("statement: purl", reason.Purl, "a purl in another spelling: two spellings would be two components", `"pkg:npm/lodash@4.17.21"`, `"pkg:NPM/lodash@4.17.21"`),
		raw("statement: scope", reason.Scope, "the digest is not that of the scope document", func(b *book) []byte {
			e := b.attestAs(b.issuer.Keys[0], func(a *entry.Attestation) { a.Scopes = []entry.Scope{{Purl: "pkg:npm/lodash"}} })
			return edited(b.issuer.Keys[0], e, `"scopes":[{"purl":"pkg:npm/lodash"}]`, `"scopes":[{"purl":"pkg:npm/lodash","vers":"vers:npm/<4"}]`)
		}),
		sealed("seal after what is malformed"),
	}
}

// strays begin as seals do, and are none.
func strays() []step {
	spoilt := func(name, why string, spoil func(*seal.Seal)) step {
		return stray(name, why, func(b *book) []byte { return b.seal(func(_ *book, s *seal.Seal) { spoil(s) }) })
	}
	return []step{
		spoilt("stray: another origin", "another log's seal", func(s *seal.Seal) { s.Origin = "other.example/log" }),
		spoilt("stray: another index", "a seal of another place", func(s *seal.Seal) { s.Index++ }),
		spoilt("stray: another prefix", "a seal over other leaves: it cannot be called false, for it is not over these", func(s *seal.Seal) { s.PrefixRoot[0] ^= 1 }),
		stray("stray: the first seal, again", "an old seal, logged again", func(b *book) []byte { return b.leaves[b.at("first seal")] }),
		stray("stray: cut", "the last line feed is not there", func(b *book) []byte {
			s := b.due().Marshal()
			return s[:len(s)-1]
		}),
		stray("stray: a line more", "nothing comes after the eleventh line", func(b *book) []byte { return append(b.due().Marshal(), '\n') }),
		stray("stray: another version", "not this format", func(b *book) []byte {
			return replaced(b.due().Marshal(), "standing/seal/v1", "standing/seal/v2")
		}),
		stray("stray: a number with a zero before", "decimals have one spelling", func(b *book) []byte {
			return replaced(b.due().Marshal(), "\n1795", "\n01795")
		}),
		sealed("seal after strays"),
	}
}
