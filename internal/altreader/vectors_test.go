package altreader

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/entry"
)

// leafVector is one of entry/testdata/good.json, which has no code, or
// malicious.json; and of seal/testdata.
type leafVector struct {
	Name   string
	Leaf   []byte
	KeyID  string
	SPKI   []byte
	ID     string
	Code   string
	Origin string
	Index  uint64
}

func readVectors[T any](t testing.TB, path string) []T {
	t.Helper()
	b, err := os.ReadFile("../../personality/" + path)
	check(t, err)
	var list []T
	check(t, json.Unmarshal(b, &list))
	if len(list) < 3 {
		t.Fatalf("%s has %d vectors", path, len(list))
	}
	return list
}

func TestGoodEntries(t *testing.T) {
	for _, v := range readVectors[leafVector](t, "entry/testdata/good.json") {
		e, fault := parse(v.Leaf)
		if fault != "" {
			t.Errorf("%s is refused: %s", v.Name, fault)
			continue
		}
		_, id, _ := strings.Cut(v.ID, ":")
		if hex.EncodeToString(e.id[:]) != id || hex.EncodeToString(e.keyID[:]) != v.KeyID {
			t.Errorf("%s has id %x and keyid %x", v.Name, e.id, e.keyID)
		}
		k, fault := parseKey(v.SPKI)
		if fault != "" || k.id != e.keyID {
			t.Fatalf("%s: key %s", v.Name, fault)
		}
		if fault := e.verify(k); fault != "" {
			t.Errorf("%s: %s", v.Name, fault)
		}
		e.sig[len(e.sig)/2] ^= 1
		if e.verify(k) != "signature-invalid" {
			t.Errorf("%s verifies with another signature", v.Name)
		}
	}
}

// TestMaliciousEntries: what the vectors refuse is refused. (A code of rules
// for signatures says that parsing succeeds.)
func TestMaliciousEntries(t *testing.T) {
	same := 0
	list := readVectors[leafVector](t, "entry/testdata/malicious.json")
	for _, v := range list {
		_, fault := parse(v.Leaf)
		if fault == "" {
			t.Errorf("%s is accepted", v.Name)
		}
		if fault == v.Code {
			same++
		}
	}
	t.Logf("%d of %d are refused in the same words", same, len(list))
}

func TestKeyVectors(t *testing.T) {
	for _, v := range readVectors[leafVector](t, "entry/testdata/keys.json") {
		if _, fault := parseKey(v.SPKI); (fault == "") != (v.Code == "") {
			t.Errorf("%s: %q, want %q", v.Name, fault, v.Code)
		}
	}
}

// sealVector is one of seal/testdata.
type sealVector struct {
	Name, Leaf, Origin, PrefixRoot string
	Index                          uint64
	Malformed                      bool
}

func TestSealVectors(t *testing.T) {
	live := func(v sealVector) (parses, live bool) {
		lines, ok := splitSeal(v.Leaf)
		if !ok {
			return false, false
		}
		return true, lines[2] == v.Origin && lines[3] == decimal(v.Index) && lines[11] == b64(hexHash(t, v.PrefixRoot))
	}
	for _, v := range readVectors[sealVector](t, "seal/testdata/good.json") {
		if _, ok := live(v); !ok {
			t.Errorf("%s is not live", v.Name)
		}
	}
	for _, v := range readVectors[sealVector](t, "seal/testdata/malicious.json") {
		if parses, ok := live(v); ok || parses == v.Malformed {
			t.Errorf("%s: parses %t, live %t", v.Name, parses, ok)
		}
	}
}

// agree compares what both implementations make of a leaf.
func agree(leaf []byte) error {
	first, err := entry.Parse(leaf)
	second, fault := parse(leaf)
	switch {
	case (err == nil) != (fault == ""):
		return fmt.Errorf("entry says %v, altreader %q", err, fault)
	case err != nil:
		return nil
	case first.ID != second.id || first.KeyID != second.keyID:
		return fmt.Errorf("id %x and keyid %x, to altreader %x and %x", first.ID, first.KeyID, second.id, second.keyID)
	}
	return nil
}

// payloadOf returns the payload of a leaf that is well-formed, or nil.
func payloadOf(leaf []byte) []byte {
	payload, _, _ := openEnvelope(string(leaf))
	return payload
}

// TestAgree has the leaves at the edges of what the grammars say.
func TestAgree(t *testing.T) {
	good := readVectors[leafVector](t, "entry/testdata/good.json")
	for _, v := range good {
		payload := payloadOf(v.Leaf)
		for i, change := range []func(string) string{
			func(s string) string { return " " + s },
			func(s string) string { return s + "\n" },
			func(s string) string { return "\ufeff" + s },
			func(s string) string { return strings.Replace(s, `"_type"`, `"\u005ftype"`, 1) },
			func(s string) string { return strings.Replace(s, `"_type"`, `"_typE"`, 1) },
			func(s string) string { return strings.ReplaceAll(s, `/`, `\/`) },
			func(s string) string { return strings.Replace(s, `"predicate":{`, `"predicate":{"x-":"",`, 1) },
			func(s string) string { return strings.Replace(s, `"predicate":{`, `"predicate":{"x-a":true,`, 1) },
			func(s string) string { return strings.Replace(s, `"pop":"`, `"pop":"","x":"`, 1) },
			func(s string) string { return strings.Replace(s, `@`, `?a=b@`, 1) },
			func(s string) string { return strings.Replace(s, `"from":1`, `"from":9`, 1) },
			func(s string) string { return strings.ReplaceAll(s, `1`, `9007199254740992`) },
			func(s string) string { return strings.ReplaceAll(s, `1`, `0`) },
		} {
			if err := agree(withPayload([]byte(change(string(payload))))); err != nil {
				t.Errorf("%s, change %d: %v", v.Name, i, err)
			}
		}
	}
	for _, sig := range []string{"", "=", "AA==", "AB==", "A", "AAA", "AAAA\n", "AAAA"} {
		leaf := bytes.Replace(withPayload(payloadOf(good[0].Leaf)), []byte(`"sig":"AAAA"`), []byte(`"sig":"`+sig+`"`), 1)
		if err := agree(leaf); err != nil {
			t.Errorf("signature %q: %v", sig, err)
		}
	}
}

// withPayload is payload in an envelope, signed by nobody.
func withPayload(payload []byte) []byte {
	b, _ := json.Marshal(payload)
	return []byte(`{"payload":` + string(b) + `,"payloadType":"` + payloadType +
		`","signatures":[{"keyid":"` + strings.Repeat("0", 64) + `","sig":"AAAA"}]}`)
}

func seeds(f *testing.F) {
	for _, file := range []string{"entry/testdata/good.json", "entry/testdata/malicious.json"} {
		for _, v := range readVectors[leafVector](f, file) {
			f.Add(v.Leaf, payloadOf(v.Leaf))
		}
	}
}

// FuzzLeaf mutates a leaf, and a payload, which mutations of a leaf cannot
// reach into through base64. Both implementations must make the same of them.
func FuzzLeaf(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, leaf, payload []byte) {
		for _, l := range [][]byte{leaf, withPayload(payload)} {
			if err := agree(l); err != nil {
				t.Fatalf("%v: %q", err, l)
			}
		}
	})
}
