package entry_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"filippo.io/edwards25519"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// Each fuzz target is a function of an implementation and an input that says
// what is wrong. So TestPlantedBugs can run it over broken implementations and
// the same seeds: that is where it is shown that a target finds something.

type (
	parser        func(leaf []byte) (*entry.Entry, error)
	canonicalizer func(envelope []byte) ([]byte, error)
	profile       func(payload []byte) error
	keyParser     func(spki []byte) (entry.PublicKey, error)
)

// coded reports whether an error has a code: without one it is not the
// submitter's fault, and nothing here is anybody else's.
func coded(err error) error {
	if reason.CodeOf(err) == "" {
		return fmt.Errorf("error without code: %w", err)
	}
	return nil
}

// checkParse: what is accepted is canonical, and can be written again.
func checkParse(parse parser, leaf []byte) error {
	e, err := parse(leaf)
	if err != nil {
		return coded(err)
	}
	// The parts, found by a lenient parser, make up the leaf again.
	var envelope struct {
		Payload    []byte `json:"payload"`
		Signatures []struct {
			KeyID string `json:"keyid"`
			Sig   []byte `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(leaf, &envelope); err != nil || len(envelope.Signatures) != 1 {
		return fmt.Errorf("accepted is no envelope of one signature: %v", err)
	}
	s := envelope.Signatures[0]
	again := leafOf(b64(string(envelope.Payload)), s.KeyID, b64(string(s.Sig)))
	if again != string(leaf) || len(leaf) > entry.MaxSize || !bytes.Equal(e.Payload, envelope.Payload) {
		return errors.New("accepted is not canonical")
	}
	if err := profileOf(e.Payload); err != nil {
		return fmt.Errorf("accepted is no JSON of the profile: %w", err)
	}
	if n := len(e.Subjects); n < 1 || n > entry.MaxSubjects {
		return fmt.Errorf("accepted has %d subjects", n)
	}
	return checkWritten(parse, e)
}

// checkWritten: an entry that is written and parsed again says the same.
func checkWritten(parse parser, e *entry.Entry) error {
	payload := entry.Payload(predicate(e), e.Subjects...)
	again, err := parse([]byte(leafOf(b64(string(payload)), fmt.Sprintf("%x", e.KeyID), b64(string(e.Signature)))))
	if reason.CodeOf(err) == reason.TooLarge {
		return nil // escapes may be longer than what they stand for
	}
	if err != nil {
		return fmt.Errorf("written again it is refused: %w", err)
	}
	if !reflect.DeepEqual(predicate(again), predicate(e)) || !reflect.DeepEqual(again.Subjects, e.Subjects) {
		return errors.New("written again it says something else")
	}
	return nil
}

// checkCanonicalize: the result is a leaf of the envelope's payload, and
// canonicalising is done once.
func checkCanonicalize(canonicalize canonicalizer, envelope []byte) error {
	leaf, err := canonicalize(envelope)
	if err != nil {
		return coded(err)
	}
	again, err := canonicalize(leaf)
	if err != nil || !bytes.Equal(again, leaf) || len(leaf) > entry.MaxSize {
		return fmt.Errorf("canonicalised twice it differs: %v", err)
	}
	// A lenient reader of the envelope sees the same payload and signature.
	var loose, strict struct {
		Payload    string
		Signatures []struct{ KeyID, Sig string }
	}
	if err := errors.Join(json.Unmarshal(envelope, &loose), json.Unmarshal(leaf, &strict)); err != nil {
		return err
	}
	if len(loose.Signatures) != 1 || len(strict.Signatures) != 1 {
		return errors.New("not one signature")
	}
	url := strings.NewReplacer("-", "+", "_", "/")
	if url.Replace(loose.Payload) != strict.Payload || url.Replace(loose.Signatures[0].Sig) != strict.Signatures[0].Sig ||
		loose.Signatures[0].KeyID != strict.Signatures[0].KeyID {
		return errors.New("the leaf holds something else than the envelope")
	}
	if leafOf(strict.Payload, strict.Signatures[0].KeyID, strict.Signatures[0].Sig) != string(leaf) {
		return errors.New("the leaf is not canonical")
	}
	return nil
}

// checkPayload: the profile's parser agrees with another one.
func checkPayload(check profile, payload []byte) error {
	got, want := check(payload), profileOf(payload)
	if (got == nil) != (want == nil) {
		return fmt.Errorf("parser says %v, the other one %v", got, want)
	}
	if got != nil {
		return coded(got)
	}
	return nil
}

// checkKey: accepted keys are what crypto/x509 takes them for, and usable.
// What it accepts beyond is of another kind, weak, or spelt otherwise.
func checkKey(parse keyParser, spki []byte) error {
	k, err := parse(spki)
	if err == nil && !bytes.Equal(k.SPKI(), spki) {
		return errors.New("SPKI is another one")
	}
	if err != nil && reason.CodeOf(err) != reason.KeyWeak {
		return fmt.Errorf("code of %w is not %s", err, reason.KeyWeak)
	}
	if want := keyOf(spki); (err == nil) != want {
		return fmt.Errorf("ParseKey says %v, crypto/x509 and the point say %v", err, want)
	}
	return nil
}

// keyOf decides by crypto/x509 and the group's own order what SPEC.md says of
// keys.
func keyOf(spki []byte) bool {
	k, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return false
	}
	again, err := x509.MarshalPKIXPublicKey(k)
	if err != nil || !bytes.Equal(again, spki) {
		return false
	}
	switch k := k.(type) {
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256()
	case ed25519.PublicKey:
		p, err := new(edwards25519.Point).SetBytes(k)
		if err != nil || !bytes.Equal(p.Bytes(), k) {
			return false
		}
		// Its eightfold is the identity iff its order divides 8.
		for range 3 {
			p = new(edwards25519.Point).Add(p, p)
		}
		return p.Equal(edwards25519.NewIdentityPoint()) == 0
	}
	return false
}

func seedLeaves() (out [][]byte) {
	for _, s := range samples() {
		out = append(out, s.Leaf)
	}
	for _, v := range slicesOf(badEnvelopes(), badJSON(), badStatements()) {
		if len(v.Leaf) < 3000 {
			out = append(out, v.Leaf)
		}
	}
	return out
}

func seedEnvelopes() [][]byte {
	leaf := sampled("key retire").Leaf
	payload, keyID, sig := parts(leaf)
	one := `{"keyid":"` + keyID + `","sig":"` + sig + `"}`
	s := string(leaf)
	return [][]byte{
		leaf,
		[]byte(" " + change(s, `,"payloadType"`, ` , "payloadType"`) + "\n"),
		[]byte(change(s, `"payload"`, `"p\u0061yload"`)),
		[]byte(strings.NewReplacer("+", "-", "/", "_").Replace(leafOf(payload, keyID, sig))),
		[]byte(change(s, one, one+","+one)),
		[]byte(change(s, `"payloadType"`, `"payload":"e30=","payloadType"`)),
		[]byte(change(s, `"payloadType"`, `"Payload":"e30=","payloadType"`)),
		[]byte(leafOf(payload, keyID, strings.TrimRight(sig, "="))),
		[]byte(leafOf(payload, keyID, trailingBits(sig))),
		[]byte(leafOf(payload[:8]+`\n`+payload[8:], keyID, sig)),
		[]byte(`{}`),
	}
}

func seedPayloads() [][]byte {
	out := [][]byte{[]byte(statement), []byte(`{"a":[1,-7,true,false,{},[],"\ud83d\ude00\n"]}`), []byte(members(256))}
	for _, v := range badJSON() {
		payload, _, _ := parts(v.Leaf)
		b, err := base64.StdEncoding.DecodeString(payload)
		if err != nil {
			panic(err)
		}
		if len(b) < 6000 {
			out = append(out, b)
		}
	}
	return out
}

func seedKeys() [][]byte {
	var out [][]byte
	for _, s := range samples() {
		out = append(out, s.by.Public().SPKI())
	}
	for _, p := range append(smallOrder(), nonCanonical()[:2]...) {
		out = append(out, unhex(prefixEd25519+p))
	}
	return append(out, unhex(prefixP256+beyond()), unhex(prefixP256+strings.Repeat("00", 64)), nil)
}

func addAll(f *testing.F, seeds [][]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
}

// report fails a target. The input is printed by the fuzzer.
func report(t *testing.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	addAll(f, seedLeaves())
	f.Fuzz(func(t *testing.T, leaf []byte) { report(t, checkParse(entry.Parse, leaf)) })
}

// FuzzStatement mutates payloads, which FuzzParse cannot reach into through
// their base64.
func FuzzStatement(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.Payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		// Parse does not look at signatures.
		leaf := leafOf(b64(string(payload)), strings.Repeat("0", 64), "AAAA")
		report(t, checkParse(entry.Parse, []byte(leaf)))
	})
}

func FuzzCanonicalize(f *testing.F) {
	addAll(f, seedEnvelopes())
	f.Fuzz(func(t *testing.T, envelope []byte) { report(t, checkCanonicalize(entry.Canonicalize, envelope)) })
}

func FuzzPayload(f *testing.F) {
	addAll(f, seedPayloads())
	f.Fuzz(func(t *testing.T, payload []byte) { report(t, checkPayload(entry.ParseJSON, payload)) })
}

func FuzzParseKey(f *testing.F) {
	addAll(f, seedKeys())
	f.Fuzz(func(t *testing.T, spki []byte) { report(t, checkKey(entry.ParseKey, spki)) })
}
