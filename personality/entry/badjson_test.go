package entry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// statement is a payload to be changed: an attestation of claims.
const statement = `{"_type":"https://in-toto.io/Statement/v1",` +
	`"subject":[{"name":"pkg:npm/express@4.22.2","digest":{"sha256":"` + digest + `"}}],` +
	`"predicateType":"https://github.com/standing-log/standing/predicates/attestation/v1",` +
	`"predicate":{"logs":["log.example/test"],"relation":"steward","polarity":"positive","legalBasis":"none",` +
	`"validFrom":1795000000,"validUntil":1826536000,` +
	`"claims":{"catalogue":"orc-template-lite","version":"0.1","items":[{"id":"GV.01","answer":"yes"}]}}}`

const digest = "6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090"

func TestStatementIsGood(t *testing.T) {
	if _, err := entry.Parse(signed(statement)); err != nil {
		t.Fatal(err)
	}
}

// badJSON are payloads outside the strict profile. Most would be valid
// statements to a lenient parser.
func badJSON() []badVector {
	v := func(name, payload string, code reason.Code) badVector {
		return badVector{"json: " + name, signed(payload), code}
	}
	// put writes text as the value of a member that nobody reads.
	put := func(text string) string { return change(statement, `"predicate":{`, `"predicate":{"x-put":`+text+`,`) }
	number := func(text string) string { return change(statement, "1826536000", text) }
	out := []badVector{
		v("empty", "", reason.JSONMalformed),
		v("only white space", " \n", reason.JSONMalformed),
		v("not an object", "["+statement+"]", reason.JSONMalformed),
		v("a string", `"statement"`, reason.JSONMalformed),
		v("truncated", statement[:len(statement)-1], reason.JSONMalformed),
		v("data after", statement+"{}", reason.JSONMalformed),
		v("NUL after", statement+"\x00", reason.JSONMalformed),
		v("trailing comma", change(statement, `"yes"}`, `"yes",}`), reason.JSONMalformed),
		v("comment", change(statement, `,"subject"`, `/**/,"subject"`), reason.JSONMalformed),
		v("single quotes", strings.ReplaceAll(statement, `"`, `'`), reason.JSONMalformed),
		v("raw control character", put("\"a\nb\""), reason.JSONMalformed),
		v("raw NUL", put("\"a\x00b\""), reason.JSONMalformed),
		v("unknown escape", put(`"\x41"`), reason.JSONMalformed),
		v("NaN", number("NaN"), reason.JSONMalformed),
		v("form feed as white space", change(statement, `,"subject"`, "\f,\"subject\""), reason.JSONMalformed),
		v("non-breaking space", change(statement, `,"subject"`, "\u00a0,\"subject\""), reason.JSONMalformed),

		v("byte order mark", "\ufeff"+statement, reason.JSONEncoding),
		v("UTF-16", "\xff\xfe{\x00}\x00", reason.JSONEncoding),
		v("invalid UTF-8", put("\"\xff\""), reason.JSONEncoding),
		v("overlong UTF-8", put("\"\xc0\xaf\""), reason.JSONEncoding),
		v("surrogate in UTF-8", put("\"\xed\xa0\x80\""), reason.JSONEncoding),
		v("truncated UTF-8", put("\"\xe2\x82\""), reason.JSONEncoding),
		v("NUL by escape", put(`"a\u0000b"`), reason.JSONEncoding),
		v("NUL in a name", change(statement, `"predicate":{`, `"predicate":{"x-\u0000":"",`), reason.JSONEncoding),
		v("lone high surrogate", put(`"\ud83d"`), reason.JSONEncoding),
		v("lone low surrogate", put(`"\ude00"`), reason.JSONEncoding),
		v("surrogates reversed", put(`"\ude00\ud83d"`), reason.JSONEncoding),
		v("high surrogate before text", put(`"\ud83d\u0041"`), reason.JSONEncoding),
		v("lone surrogate in a name", change(statement, `"predicate":{`, `"predicate":{"x-\udfff":"",`), reason.JSONEncoding),

		v("member twice", change(statement, `"relation"`, `"relation":"steward","relation"`), reason.JSONDuplicate),
		v("member twice, differently", change(statement, `"relation"`, `"relation":"public-body","relation"`), reason.JSONDuplicate),
		v("member twice by escape", change(statement, `"relation"`, `"rel\u0061tion":"public-body","relation"`), reason.JSONDuplicate),
		v("_type twice", change(statement, `{"_type"`, `{"_type":"x","_type"`), reason.JSONDuplicate),
		v("digest twice", change(statement, `{"sha256"`, `{"sh\u0061256":"","sha256"`), reason.JSONDuplicate),
		v("claim's member twice", change(statement, `"answer"`, `"answer":"no","answer"`), reason.JSONDuplicate),
		v("extension twice", change(statement, `"predicate":{`, `"predicate":{"x-a":"1","x-\u0061":"1",`), reason.JSONDuplicate),
		v("unknown member twice", change(statement, `"predicate":{`, `"predicate":{"a":1,"a":1,`), reason.JSONDuplicate),
		v("surrogate pair twice", change(statement, `"predicate":{`, `"predicate":{"x-😀":"","x-\ud83d\ude00":"",`), reason.JSONDuplicate),

		v("depth 17, arrays", put(strings.Repeat("[", 15)+strings.Repeat("]", 15)), reason.JSONDepth),
		v("depth 17, objects", put(strings.Repeat(`{"a":`, 15)+"1"+strings.Repeat("}", 15)), reason.JSONDepth),
		v("depth 1,000", strings.Repeat("[", 1000), reason.JSONDepth),
		v("depth 1,000, objects", strings.Repeat(`{"":`, 1000), reason.JSONDepth),

		v("null", put("null"), reason.JSONNull),
		v("null for an optional member", change(statement, `"claims"`, `"supportUntil":null,"claims"`), reason.JSONNull),
		v("string too long", put(`"`+strings.Repeat("a", 4097)+`"`), reason.JSONLimit),
		v("string too long in UTF-8", put(`"`+strings.Repeat("ä", 2049)+`"`), reason.JSONLimit),
		v("name too long", change(statement, `"predicate":{`, `"predicate":{"`+strings.Repeat("a", 4097)+`":1,`), reason.JSONLimit),
		v("257 items", put("["+strings.Repeat("1,", 256)+"1]"), reason.JSONLimit),
		v("257 members", put(members(257)), reason.JSONLimit),
	}
	for _, n := range []string{
		"1826536000.0", "1826536000.5", "1e9", "1E9", "1826536e3", "-0", "0.0", "-0.0", "0e0",
		"9007199254740993", "-9007199254740993", "99999999999999999", "18446744073709551616", strings.Repeat("9", 400),
	} {
		out = append(out, v("number "+n[:min(len(n), 24)], number(n), reason.JSONNumber))
	}
	for _, n := range []string{"01826536000", "+1826536000", "0x6CDE0000", "1_000_000_000", ".5", "1.", "- 1", "--1"} {
		out = append(out, v("no number "+n, number(n), reason.JSONMalformed))
	}
	return out
}

// members is an object of n members.
func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":0`, i)
	}
	return "{" + b.String()[1:] + "}"
}

// TestJSONLimitsReached: what is just within the limits is JSON of the profile.
func TestJSONLimitsReached(t *testing.T) {
	for name, payload := range map[string]string{
		"depth 16":              strings.Repeat(`{"a":`, 15) + "[1]" + strings.Repeat("}", 15),
		"string of 4,096":       `{"a":"` + strings.Repeat("a", 4096) + `"}`,
		"string of 4,096, long": `{"a":"` + strings.Repeat(`\u0061`, 4096) + `"}`,
		"256 items":             `{"a":[` + strings.Repeat("1,", 255) + `1]}`,
		"256 members":           members(256),
		"2^53":                  `{"a":9007199254740992,"b":-9007199254740992,"c":0,"d":true,"e":false}`,
		"empty":                 `{"":"","a":{},"b":[]}`,
		"surrogate pair":        `{"a":"\ud83d\ude00"}`,
		"U+FFFD":                `{"a":"\ufffd","b":"` + "\ufffd" + `"}`,
		"noncharacter":          `{"a":"\uffff"}`,
		"byte order mark later": `{"a":"` + "\ufeff" + `"}`,
		"white space":           " \t\r\n{ \"a\" : [ 1 , 2 ] } \t\r\n",
	} {
		if err := entry.ParseJSON([]byte(payload)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
