package bundle

import (
	"errors"
	"strings"
	"testing"
)

// minimal is a bundle that parses, and proves nothing.
const minimal = `{"mediaType":"application/vnd.standing.bundle.v1+json","checkpoint":"c","seal":{"leaf":"s","path":"` + hash + `"},` +
	`"attestations":[{"entry":` + leaf + `,"path":"` + hash + `","record":{"v":1},"proof":"AQ=="}],` +
	`"keys":[{"spki":"AQ==","record":{"v":1},"proof":"AQ=="}],` +
	`"parties":[{"entry":` + leaf + `,"record":{"v":1},"proof":"AQ=="}],` +
	programmes +
	`"causes":[{"entry":` + leaf + `,"index":7,"path":"` + hash + `"}]` + subjects + opened + `}`

const (
	subjects = `,"subjects":[{"name":"pkg:npm/x@1","record":{"v":1},"events":"AQ==","proof":"AQ=="},{"name":"pkg:npm/x","proof":"AQ=="}]`
	opened   = `,"opened":[{"keyid":"` + id + `","payload":"AQ=="}]`
)

const programmes = `"programmes":[{"id":"` + id + `","entry":` + leaf + `,"record":{"v":1},"proof":"AQ=="}],`

const (
	id   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	hash = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	leaf = `{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"` +
		`0000000000000000000000000000000000000000000000000000000000000000","sig":"AQ=="}]}`
)

// TestParse checks what is well-formed and what is not; each row replaces a
// part of minimal.
func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		ok             bool
	}{
		{"as it is", "", "", true},
		{"white space", `{"v":1}`, "{ \"v\":\n1\t}", true},
		{"no causes", `,"causes":[{"entry":` + leaf + `,"index":7,"path":"` + hash + `"}]`, "", true},
		{"empty causes", `[{"entry":` + leaf + `,"index":7,"path":"` + hash + `"}]`, "[]", true},
		{"no programmes", programmes, "", true},
		{"empty programmes", programmes, `"programmes":[],`, true},
		{"programme without id", `"id":"` + id + `",`, "", false},
		{"programme of id 0", id, strings.Repeat("0", 64), false},
		{"id in upper case", id, strings.ToUpper(id), false},
		{"id of 31 bytes", id, id[2:], false},
		{"id of 33 bytes", id, id + "00", false},
		{"id that is no hex", id, "g" + id[1:], false},
		{"programme without entry", `"id":"` + id + `","entry":` + leaf, `"id":"` + id + `"`, false},
		{"programme without record", `,"record":{"v":1},"proof":"AQ=="}],"causes"`, `,"proof":"AQ=="}],"causes"`, false},
		{"programme without proof", `,"proof":"AQ=="}],"causes"`, `}],"causes"`, false},
		{"more programmes than attestations", `"programmes":[`, `"programmes":[` + programmes[len(`"programmes":[`):len(programmes)-2] + ",", false},
		{"no subjects", subjects, "", true},
		{"empty subjects", subjects, `,"subjects":[]`, true},
		{"no opened", opened, "", true},
		{"empty opened", opened, `,"opened":[]`, true},
		{"no events", `,"events":"AQ=="`, "", true},
		{"subject without name", `"name":"pkg:npm/x@1",`, "", false},
		{"subject of an empty name", `"name":"pkg:npm/x@1",`, `"name":"",`, false},
		{"subject without proof", `"name":"pkg:npm/x","proof":"AQ=="`, `"name":"pkg:npm/x"`, false},
		{"empty events", `"events":"AQ=="`, `"events":""`, false},
		{"null events", `"events":"AQ=="`, `"events":null`, false},
		{"null subjects", subjects, `,"subjects":null`, false},
		{"null subject", `"subjects":[`, `"subjects":[null,`, false},
		{"unknown member of a subject", `"name":"pkg:npm/x@1"`, `"name":"pkg:npm/x@1","ns":2`, false},
		{"opened without payload", `,"payload":"AQ=="`, "", false},
		{"opened without keyid", `"keyid":"` + id + `","payload"`, `"payload"`, false},
		{"opened by key 0", `"keyid":"` + id, `"keyid":"` + strings.Repeat("0", 64), false},
		{"unknown member of an opened one", `"payload":"AQ=="}]`, `"payload":"AQ==","sig":"AQ=="}]`, false},
		{"null opened", opened, `,"opened":null`, false},
		{"null programmes", programmes, `"programmes":null,`, false},
		{"escapes", `"seal":`, `"\u0073eal":`, true},
		{"absent record", `"path":"` + hash + `","record":{"v":1},"proof"`, `"proof"`, true},
		{"base64url in an entry", `"sig":"AQ=="`, `"sig":"_w=="`, true},

		{"attestation without proof", `,"proof":"AQ=="}],"keys"`, `}],"keys"`, true},
		{"attestation without record", `"record":{"v":1},"proof":"AQ=="}],"keys"`, `"proof":"AQ=="}],"keys"`, true},
		{"attestation without path", `"path":"` + hash + `","record"`, `"record"`, true},
		{"no parties", `"parties":[{"entry":` + leaf + `,"record":{"v":1},"proof":"AQ=="}]`, `"parties":[]`, true},

		{"checkpoint missing", `"checkpoint":"c",`, ``, false},
		{"checkpoint empty", `"checkpoint":"c",`, `"checkpoint":"",`, false},
		{"seal missing", `"seal":{"leaf":"s","path":"` + hash + `"},`, ``, false},
		{"seal without path", `,"path":"` + hash + `"},"att`, `},"att`, false},
		{"keys missing", `"keys":[{"spki":"AQ==","record":{"v":1},"proof":"AQ=="}],`, ``, false},
		{"parties missing", `"parties":[{"entry":` + leaf + `,"record":{"v":1},"proof":"AQ=="}],`, ``, false},
		{"proof empty", `"proof":"AQ=="}],"keys"`, `"proof":""}],"keys"`, false},
		{"key's proof missing", `,"proof":"AQ=="}],"parties"`, `}],"parties"`, false},
		{"index missing", `"index":7,`, ``, false},
		{"index 0", `"index":7,`, `"index":0,`, false},
		{"key's record missing", `"spki":"AQ==","record":{"v":1},`, `"spki":"AQ==",`, false},
		{"spki missing", `"spki":"AQ==",`, ``, false},
		{"unknown member", `"seal":`, `"extra":1,"seal":`, false},
		{"unknown member of an attestation", `"attestations":[{`, `"attestations":[{"x-note":"a",`, false},
		{"unknown member of an entry", `"payloadType"`, `"x":"","payloadType"`, false},
		{"duplicate member", `"seal":`, `"checkpoint":"c","seal":`, false},
		{"duplicate by escape", `"seal":`, `"checkp\u006fint":"c","seal":`, false},
		{"another case", `"seal":`, `"Seal":`, false},
		{"other media type", `bundle.v1`, `bundle.v2`, false},
		{"null checkpoint", `"checkpoint":"c"`, `"checkpoint":null`, false},
		{"null path", `"path":"` + hash + `","record"`, `"path":null,"record"`, false},
		{"null proof", `"proof":"AQ=="}],"keys"`, `"proof":null}],"keys"`, false},
		{"null record", `"record":{"v":1},"proof":"AQ=="}],"keys"`, `"record":null,"proof":"AQ=="}],"keys"`, false},
		{"null index", `"index":7`, `"index":null`, false},
		{"null causes", `"causes":[{"entry":` + leaf + `,"index":7,"path":"` + hash + `"}]`, `"causes":null`, false},
		{"null attestation", `"attestations":[`, `"attestations":[null,`, false},
		{"empty path", `"path":"` + hash + `","record"`, `"path":"","record"`, false},
		{"path of 31 bytes", hash, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", false},
		{"base64 with trailing bits", `"proof":"AQ=="`, `"proof":"AR=="`, false},
		{"base64 unpadded", `"proof":"AQ=="`, `"proof":"AQ"`, false},
		{"base64 with a line break", `"proof":"AQ=="`, `"proof":"A\nQ=="`, false},
		{"base64url", `"proof":"AQ=="`, `"proof":"_w=="`, false},
		{"record that is an array", `{"v":1}`, `[1]`, false},
		{"index with a fraction", `"index":7`, `"index":7.0`, false},
		{"index with an exponent", `"index":7`, `"index":7e0`, false},
		{"negative index", `"index":7`, `"index":-7`, false},
		{"index as a string", `"index":7`, `"index":"7"`, false},
		{"index beyond 64 bits", `"index":7`, `"index":18446744073709551616`, false},
		{"two signatures", `"sig":"AQ=="}]`, `"sig":"AQ=="},{"keyid":"00","sig":"AQ=="}]`, false},
		{"attestations missing", `"attestations":[{"entry":` + leaf + `,"path":"` + hash + `","record":{"v":1},"proof":"AQ=="}],`, ``, false},
		{"data after it", opened + "}", opened + "} {}", false},
		{"invalid UTF-8", `"checkpoint":"c"`, "\"checkpoint\":\"\xff\"", false},
		{"lone surrogate", `"checkpoint":"c"`, `"checkpoint":"\ud800"`, false},
		{"byte order mark", `{"mediaType"`, "\ufeff{\"mediaType\"", false},
	} {
		file := strings.Replace(minimal, tt.old, tt.new, 1)
		if file == minimal && tt.old != tt.new {
			t.Fatalf("%s: nothing is replaced", tt.name)
		}
		_, err := Parse([]byte(file))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: not ErrMalformed: %v", tt.name, err)
		}
	}
}

// TestSubjectsAlone checks that a bundle is of something, and need not be of
// attestations.
func TestSubjectsAlone(t *testing.T) {
	head := `{"mediaType":"` + MediaType + `","checkpoint":"c","seal":{"leaf":"s","path":"` + hash + `"},"attestations":[],"keys":[],"parties":[]`
	for _, tt := range []struct {
		name, tail string
		ok         bool
	}{
		{"subjects", subjects, true},
		{"subjects with what is opened", subjects + opened, true},
		{"nothing", "", false},
		{"no subjects", `,"subjects":[]`, false},
		{"what is opened alone", opened, false},
		{"causes of no attestation", subjects + `,"causes":[{"entry":` + leaf + `,"index":7,"path":"` + hash + `"}]`, false},
		{"programmes of no attestation", subjects + "," + strings.TrimSuffix(programmes, ","), false},
		{"as many subjects as there may be", `,"subjects":[` + strings.Repeat(`{"name":"a","proof":"AQ=="},`, MaxItems-1) + `{"name":"a","proof":"AQ=="}]`, true},
		{"more subjects", `,"subjects":[` + strings.Repeat(`{"name":"a","proof":"AQ=="},`, MaxItems) + `{"name":"a","proof":"AQ=="}]`, false},
	} {
		if _, err := Parse([]byte(head + tt.tail + "}")); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestLimits checks the greatest numbers of things.
func TestLimits(t *testing.T) {
	attestation := `{"entry":` + leaf + `,"proof":"AQ=="}`
	cause := `{"entry":` + leaf + `,"index":7,"path":"` + hash + `"}`
	file := func(attestations, causes, parties int) string {
		list := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
		return `{"mediaType":"` + MediaType + `","checkpoint":"c","seal":{"leaf":"s","path":"` + hash + `"},"attestations":[` +
			list(attestation, attestations) + `],"keys":[],"parties":[` + list(`{"entry":`+leaf+`,"record":{},"proof":"AQ=="}`, parties) +
			`],"causes":[` + list(cause, causes) + `]}`
	}
	for _, tt := range []struct {
		attestations, causes, parties int
		ok                            bool
	}{
		{1, 2, 0, true}, {1, 3, 0, false}, {2, 4, 0, true},
		{MaxAttestations, 0, 0, true}, {MaxAttestations + 1, 0, 0, false},
		{1, 0, MaxItems, true}, {1, 0, MaxItems + 1, false},
	} {
		if _, err := Parse([]byte(file(tt.attestations, tt.causes, tt.parties))); (err == nil) != tt.ok {
			t.Errorf("%d attestations, %d causes, %d parties: %v", tt.attestations, tt.causes, tt.parties, err)
		}
	}
	full := file(1, 0, 0)
	if _, err := Parse([]byte(full + strings.Repeat(" ", MaxSize-len(full)))); err != nil {
		t.Errorf("%d bytes: %v", MaxSize, err)
	}
	if _, err := Parse([]byte(full + strings.Repeat(" ", MaxSize-len(full)+1))); err == nil {
		t.Errorf("%d bytes are accepted", MaxSize+1)
	}
	long := strings.Replace(minimal, hash, strings.Repeat("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", 22), 1)
	if _, err := Parse([]byte(long)); err == nil {
		t.Error("a path of more than 64 hashes is accepted")
	}
}
