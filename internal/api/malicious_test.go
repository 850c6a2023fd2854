package api_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// bad is an envelope that a log refuses.
type bad struct {
	what     string // what is wrong, as the requirement calls it
	how      string // variant
	code     reason.Code
	envelope []byte
}

// required are the cases that every release has to refuse, each cause with a
// code of its own.
func (w *world) required() []bad {
	whole := w.attestation(nil)
	key, strange := w.party.Keys[0], testlog.NewKey("stranger", false)
	sig := string(whole[strings.Index(string(whole), `{"keyid"`) : len(whole)-2])
	foreign := testlog.AddKey("log.example/another", w.party.ID, testlog.NewKey("added", false), w.party.Recovery)
	return []bad{
		{"truncated", "", reason.EnvelopeMalformed, whole[:len(whole)-1]},
		{"truncated", "in the middle", reason.EnvelopeMalformed, whole[:len(whole)/2]},
		{"more than 65,535 bytes", "", reason.TooLarge, w.extended(16, strings.Repeat("n", 60), strings.Repeat("v", 4000))},
		{"more than 65,535 bytes", "twice", reason.TooLarge, append(whole, strings.Repeat(" ", 2*entry.MaxSize)...)},
		{"duplicate members", "", reason.JSONDuplicate, w.payload(`"relation":`, `"relation":"steward","relation":`)},
		{"duplicate members", "by escapes", reason.JSONDuplicate, w.payload(`"relation":`, `"r\u0065lation":"steward","relation":`)},
		{"duplicate members", "in the envelope", reason.JSONDuplicate, w.envelope(`{"payload":`, `{"payload":"e30=","payload":`)},
		{"wrong case", "", reason.MemberUnknown, w.payload(`"predicate":{`, `"predicate":{"SupportUntil":1900000000,`)},
		{"floats", "", reason.JSONNumber, w.payload(`"validFrom":`, `"supportUntil":1900000000.0,"validFrom":`)},
		{"floats", "exponent", reason.JSONNumber, w.payload(`"validFrom":`, `"supportUntil":19e8,"validFrom":`)},
		{"floats", "negative zero", reason.JSONNumber, w.payload(`"validFrom":`, `"supportUntil":-0,"validFrom":`)},
		{"null", "", reason.JSONNull, w.payload(`"validFrom":`, `"supportUntil":null,"validFrom":`)},
		{"lone surrogates", "", reason.JSONEncoding, w.payload(`"predicate":{`, `"predicate":{"x-a":"\ud800",`)},
		{"non-canonical base64", "no padding", reason.Base64, w.envelope(`","payloadType"`, `=","payloadType"`)},
		{"non-canonical base64", "trailing bits", reason.Base64, w.envelope(`=="}]}`, `="}]}`)},
		{"non-canonical purls", "escape of a plain byte", reason.Purl, w.named("pkg:npm/%77idget@1.0.0")},
		{"non-canonical purls", "small hex", reason.Purl, w.named("pkg:npm/%40babel%2fcore@1.0.0")},
		{"two signatures", "", reason.SignatureCount, w.envelope(`}]}`, `},`+sig+`]}`)},
		{"unknown key", "", reason.KeyUnknown, good(w.Node, &testlog.Party{Keys: []*testlog.Key{strange}}, 0).Leaf},
		{"small-order key", "", reason.KeyWeak, w.addWeak()},
		{"replayed reinstate", "", reason.HoldMismatch, testlog.Reinstate(origin, w.firstHold, w.party.Keys[1], w.held.ID).Leaf},
		{"another log's key event", "", reason.WrongLog, foreign.Leaf},
		{"someone else's withdrawal", "", reason.NotYours, testlog.Revoke(origin, 0, w.other.Keys[0], w.standing.ID).Leaf},
		{"registrar speaking for a party", "attestation", reason.RoleNotAllowed, testlog.Leaf(w.Registrar, good(w.Node, w.party, 7).Payload)},
		{"registrar speaking for a party", "revocation", reason.RoleNotAllowed, testlog.Revoke(origin, 0, w.Registrar, w.standing.ID).Leaf},
		{"registrar speaking for a party", "key", reason.RoleNotAllowed, testlog.AddKey(origin, w.party.ID, testlog.NewKey("added", false), w.Registrar).Leaf},
		{"unknown target", "", reason.TargetUnknown, testlog.Revoke(origin, 0, key, w.nothing).Leaf},
		{"unknown target", "party", reason.TargetUnknown, testlog.EndParty(origin, w.nothing, w.Registrar).Leaf},
		{"unknown target", "key", reason.TargetUnknown, testlog.RetireKey(origin, w.nothing, w.party.Recovery).Leaf},
		{"65 subjects", "", reason.SubjectCount, w.attestation(nil, subjects(65)...)},
		{"persons", "name", reason.PersonalData, w.enrolment("Erika Mustermann", "https://newcomer.example/")},
		{"persons", "mail address in a link", reason.PersonalData, w.payload("https://evidence.example/", "https://lists.example/?to=erika.mustermann@mail.example&")},
		{"persons", "mail address in an extension", reason.PersonalData, w.extended(1, "", "erika.mustermann@mail.example")},
	}
}

// further are the other causes, at least one for every code of an entry.
func (w *world) further() []bad {
	key, link := w.party.Keys[0], "https://advisories.example/1"
	last := w.Record(w.standing.ID).Last
	spki := base64.StdEncoding.EncodeToString(key.Public().SPKI())
	whole := w.attestation(nil)
	var charterAfter uint64
	return []bad{
		{"empty", "", reason.EnvelopeMalformed, nil},
		{"null bytes", "", reason.EnvelopeMalformed, make([]byte, 100)},
		{"deep JSON", "envelope", reason.EnvelopeMalformed, []byte(strings.Repeat("[", 60_000))},
		{"deep JSON", "17", reason.JSONDepth, w.payload(`"predicate":{`, `"predicate":{"x-a":`+strings.Repeat("[", 15)+strings.Repeat("]", 15)+",")},
		{"deep JSON", "40,000", reason.JSONDepth, w.payload(`"predicate":{`, `"predicate":{"x-a":`+strings.Repeat("[", 40_000))},
		{"payload type", "", reason.PayloadType, w.envelope("in-toto+json", "in-toto+xml")},
		{"keyid", "", reason.KeyIDMalformed, w.envelope(`"keyid":"`, `"keyid":"SHA256:`)},
		{"signature", "of another payload", reason.SignatureInvalid, w.exchanged()},
		{"payload", "truncated", reason.JSONMalformed, testlog.Leaf(key, []byte(`{"_type":"https://in-toto.io/State`))},
		{"payload", "raw NUL", reason.JSONMalformed, w.payload(`"predicate":{`, "\"predicate\":{\"x-a\":\"\x00\",")},
		{"payload", "NUL by escape", reason.JSONEncoding, w.payload(`"predicate":{`, `"predicate":{"x-a":"\u0000",`)},
		{"payload", "byte order mark", reason.JSONEncoding, w.payload(`{"_type"`, "\ufeff"+`{"_type"`)},
		{"payload", "string too long", reason.JSONLimit, w.extended(1, "", strings.Repeat("v", 4097))},
		{"required member", "missing", reason.MemberMissing, w.payload(`"polarity":"positive",`, "")},
		{"required member", "in wrong case", reason.MemberUnknown, w.payload(`"polarity"`, `"Polarity"`)},
		{"extensions", "17", reason.MemberInvalid, w.extended(17, "", "v")},
		{"extensions", "name of 65 bytes", reason.MemberInvalid, w.extended(1, strings.Repeat("n", 62), "v")},
		{"extensions", "value of 1,025 bytes", reason.MemberInvalid, w.extended(1, "", strings.Repeat("v", 1025))},
		{"extensions", "number", reason.MemberInvalid, w.payload(`"predicate":{`, `"predicate":{"x-a":1,`)},
		{"statement type", "", reason.StatementType, w.payload("Statement/v1", "Statement/v0.1")},
		{"predicate type", "", reason.PredicateType, w.payload("predicates/attestation/v1", "predicates/attestation/v2")},
		{"programme", "kind", reason.MemberMissing, w.payload("predicates/attestation/v1", "predicates/programme/v1")},
		{"programme", "named", reason.Programme, w.attestation(func(a *entry.Attestation) { a.Programme = &w.nothing })},
		{"no subjects", "", reason.SubjectCount, testlog.Leaf(key, entry.Payload(testlog.Claims(origin, w.Unix(), 3)))},
		{"subjects", "order", reason.SubjectOrder, w.twice()},
		{"subjects", "digest", reason.SubjectInvalid, w.payload(`"sha256"`, `"sha1"`)},
		{"scope", "", reason.Scope, w.named("pkg:npm/widget")},
		{"purl of its type", "capital", reason.PurlType, w.named("pkg:pypi/Django@5.0")},
		{"purl of its type", "underscore", reason.PurlType, w.named("pkg:pypi/typing_extensions@4.0")},
		{"purl of its type", "GitHub", reason.PurlType, w.named("pkg:github/Apache/httpd@2.4.0")},
		{"key", "spent", reason.KeySpent, testlog.AddKey(origin, w.party.ID, w.other.Keys[0], w.party.Recovery).Leaf},
		{"key", "the 33rd", reason.KeyLimit, testlog.AddKey(origin, w.other.ID, testlog.NewKey("33rd", false), w.other.Recovery).Leaf},
		{"key", "not possessed", reason.Possession, w.unpossessed()},
		{"key", "retired", reason.KeyNotActive, testlog.Leaf(w.retired, good(w.Node, w.party, 8).Payload)},
		{"party", "ended", reason.PartyEnded, good(w.Node, w.ended, 9).Leaf},
		{"hold", "after is stale", reason.AfterStale, w.hold(w.standing.ID, last-1, w.Unix()+1000)},
		{"hold", "of what was revoked", reason.TargetState, w.hold(w.withdrawn.ID, w.Record(w.withdrawn.ID).Last, w.Unix()+1000)},
		{"hold", "longer than 90 days", reason.Validity, w.hold(w.standing.ID, last, w.Unix()+91*24*3600)},
		{"hold", "past", reason.Validity, w.hold(w.standing.ID, last, w.Unix()-1)},
		{"revocation", "once more", reason.TargetState, testlog.Revoke(origin, 10, key, w.withdrawn.ID).Leaf},
		{"cutoff", "by the key itself", reason.Cutoff, testlog.CompromiseKey(origin, key.ID(), &charterAfter, key).Leaf},
		{"supersedes", "another party's", reason.Supersedes, w.attestation(func(a *entry.Attestation) { a.Supersedes = &w.endedOwn.ID })},
		{"charter", "key in both roles", reason.CharterKeys, w.charter(1, w.Registrar, w.Registrar)},
		{"charter", "key of a party", reason.CharterKeys, w.charter(1, w.party.Keys[0], w.Root)},
		{"charter", "map function 2", reason.MapFunction, w.charter(2, w.Registrar, w.Root)},
		{"validity", "expired", reason.Validity, w.attestation(func(a *entry.Attestation) { a.ValidFrom, a.ValidUntil = 1, w.Unix() })},
		{"validity", "six years", reason.Validity, w.attestation(func(a *entry.Attestation) { a.ValidUntil = a.ValidFrom + 6*366*24*3600 })},
		{"legal basis", "", reason.LegalBasis, w.attestation(func(a *entry.Attestation) { a.LegalBasis = "article-25" })},
		{"catalogue", "version", reason.Catalogue, w.attestation(func(a *entry.Attestation) { a.Claims.Version = "9.9" })},
		{"catalogue", "reason 200", reason.Catalogue, w.revocation(func(r *entry.Revocation) { r.Reason = 200 })},
		{"reason", "vulnerability without refs", reason.ReasonDetail, w.revocation(func(r *entry.Revocation) { r.Reason, r.Link = 10, link })},
		{"reason", "vulnerability without link", reason.ReasonDetail, w.revocation(func(r *entry.Revocation) { r.Reason, r.Refs = 10, []string{"CVE-2099-1"} })},
		{"reason", "of a hold", reason.ReasonDetail, w.revocation(func(r *entry.Revocation) { r.Reason = 17 })},
		{"persons", "with a title", reason.PersonalData, w.enrolment("Dr. Erika Mustermann", "https://newcomer.example/")},
		{"persons", "telephone", reason.PersonalData, w.extended(1, "", "+49 30 1234567")},
		{"persons", "user in a link", reason.PersonalData, w.enrolment("Newcomer Foundation", "https://erika@newcomer.example/")},
		{"key inside an attestation", "", reason.MemberUnknown, w.payload(`"predicate":{`, `"predicate":{"key":"`+spki+`",`)},
		{"bytes after", "", reason.EnvelopeMalformed, append(whole[:len(whole):len(whole)], "{}"...)},
	}
}

// elsewhere are the codes of an entry that other tests meet, or nobody can.
var elsewhere = map[reason.Code]string{
	reason.IssuanceClosed: "TestClosedLog",
	reason.NoLog:          "a log without charter does not start",
}

// TestBadInput offers each bad envelope over gRPC, over REST and by the client,
// and all of them in batches among good ones. Each is refused with its code, a
// next step and the statuses of the table; the tree does not grow by one leaf,
// and the log goes on.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	for i := 2; i < 32; i++ { // the 33rd key is too many
		w.submit(testlog.AddKey(origin, w.other.ID, testlog.NewKey(fmt.Sprint("beta ", i), false), w.other.Recovery))
	}
	cases := slices.Concat(w.required(), w.further(), w.badProgrammes())
	size := w.size()
	for _, c := range cases {
		t.Run(strings.TrimSpace(c.what+" "+c.how), func(t *testing.T) { w.refuses(t, c) })
		if got := w.size(); got != size {
			t.Fatalf("%s %s: the tree grew from %d to %d", c.what, c.how, size, got)
		}
		if err := w.Sequencer.Err(); err != nil {
			t.Fatalf("%s %s: %v", c.what, c.how, err)
		}
	}
	w.checkCodes(cases, len(w.required()))
	w.batchRefuses(cases)
	w.submit(good(w.Node, w.party, 1000))
}

// refuses offers one bad envelope over each transport.
func (w *world) refuses(t *testing.T, c bad) {
	_, err := w.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: c.envelope, Wait: true})
	g := overGRPC(err)
	wantRefusal(t, g, c.code, false)
	httpStatus, body := w.do("POST", "/v1/entries", map[string]any{"envelope": c.envelope})
	r := overREST(t, httpStatus, body)
	wantRefusal(t, r, c.code, true)
	if r.HTTP = 0; r != g {
		t.Errorf("REST says %+v, gRPC says %+v", r, g)
	}
	_, err = w.client.Submit(t.Context(), c.envelope, true)
	e, ok := errors.AsType[*client.RefusedError](err)
	if !ok || reason.CodeOf(err) != c.code || e.NextStep == "" || e.Status != httpStatus {
		t.Errorf("client: %v", err)
	}
}

// checkCodes checks that each of the first n causes has a code of its own, and
// that no code of an entry was left out.
func (w *world) checkCodes(cases []bad, n int) {
	w.Helper()
	cause := map[reason.Code]string{}
	for _, c := range cases[:n] {
		if other, ok := cause[c.code]; ok && other != c.what {
			w.Errorf("%q and %q have the same code %s", c.what, other, c.code)
		}
		cause[c.code] = c.what
	}
	for _, c := range cases[n:] {
		cause[c.code] = c.what
	}
	for _, row := range reason.Table() {
		if row.Code == reason.RequestMalformed { // from here on: requests and the node
			return
		}
		if _, ok := elsewhere[row.Code]; cause[row.Code] == "" && !ok {
			w.Errorf("no case for %s", row.Code)
		}
	}
}

// batchRefuses offers the cases in batches with a good entry after each third.
func (w *world) batchRefuses(cases []bad) {
	w.Helper()
	var envelopes [][]byte
	var want []reason.Code
	nth := 100
	for i, c := range cases {
		envelopes, want = append(envelopes, c.envelope), append(want, c.code)
		if i%3 == 0 {
			envelopes, want = append(envelopes, good(w.Node, w.party, nth*6).Leaf), append(want, "")
			nth++
		}
	}
	half := len(envelopes) / 2
	resp, err := w.grpc.SubmitBatch(w.Context(), &standingv1.SubmitBatchRequest{Envelopes: envelopes[:half]})
	w.check(err)
	var last uint64
	for i, r := range resp.GetResults() {
		w.batchItem(i, want[i], reason.Code(r.GetRefusal().GetCode()), r.GetRefusal().GetNextStep(), r.GetIndex(), &last)
	}
	var rest struct{ Results []restResult }
	w.call("POST", "/v1/entries:batch", map[string]any{"envelopes": envelopes[half:]}, &rest)
	if len(resp.GetResults()) != half || len(rest.Results) != len(envelopes)-half {
		w.Fatalf("%d and %d results", len(resp.GetResults()), len(rest.Results))
	}
	for i, r := range rest.Results {
		if r.Refusal == nil {
			r.Refusal = &struct{ Code, Message, NextStep string }{}
		}
		w.batchItem(half+i, want[half+i], reason.Code(r.Refusal.Code), r.Refusal.NextStep, r.Index, &last)
	}
}

// batchItem checks one result of a batch: refused, or in the log behind last.
func (w *world) batchItem(i int, want, got reason.Code, next string, index uint64, last *uint64) {
	w.Helper()
	if got != want || want != "" && (index != 0 || next != reason.Lookup(want).NextStep) {
		w.Errorf("item %d: code %q (%s) at index %d, want %q", i, got, next, index, want)
	}
	if want == "" {
		if index <= *last {
			w.Errorf("item %d: index %d after %d", i, index, *last)
		}
		*last = index
	}
}

// TestMaliciousVectors offers every vector of package entry, which a log of
// their origin would have to ignore.
func TestMaliciousVectors(t *testing.T) {
	s := serveNode(t, testnode.New(t, "log.example/test"))
	b, err := os.ReadFile("../../personality/entry/testdata/malicious.json")
	s.check(err)
	var vectors []struct {
		Name string
		Leaf []byte
		Code reason.Code
	}
	s.check(json.Unmarshal(b, &vectors))
	size := s.size()
	for first := 0; first < len(vectors); first += 200 {
		part := vectors[first:min(first+200, len(vectors))]
		r := &standingv1.SubmitBatchRequest{}
		for _, v := range part {
			r.Envelopes = append(r.Envelopes, v.Leaf)
		}
		resp, err := s.grpc.SubmitBatch(t.Context(), r)
		s.check(err)
		for i, v := range part {
			got := reason.Code(resp.GetResults()[i].GetRefusal().GetCode())
			// A submission may be spelt more freely than a leaf: then it is
			// made canonical, and refused because nobody knows the key.
			if got == "" || got != v.Code && !strings.HasPrefix(v.Name, "envelope:") {
				t.Errorf("%s: %q, want %q", v.Name, got, v.Code)
			}
		}
	}
	if got := s.size(); got != size || s.Sequencer.Err() != nil {
		t.Errorf("size %d, was %d: %v", got, size, s.Sequencer.Err())
	}
}
