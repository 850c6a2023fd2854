package entry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// TestPlantedBugs runs the bodies of the fuzz targets over broken
// implementations. The seeds alone find each of these bugs; without a bug they
// find nothing.
//
//	target            bugs
//	FuzzParse         white space after a leaf; base64 without padding; trailing
//	                  bits; a lenient JSON parser; a panic's worth of error
//	                  without code
//	FuzzStatement     the same body, over payloads
//	FuzzCanonicalize  two signatures; names compared without case; base64 decoded
//	                  leniently
//	FuzzPayload       encoding/json for a parser, and with single rules missing
//	FuzzParseKey      no check of small order, of canonical points, of the rest
func TestPlantedBugs(t *testing.T) {
	found := func(name string, seeds [][]byte, check func([]byte) error, bug bool) {
		t.Helper()
		var first error
		for _, s := range seeds {
			if err := check(s); err != nil && first == nil {
				first = err
			}
		}
		if bug != (first != nil) {
			t.Errorf("%s: a bug is there: %v; found: %v", name, bug, first)
		}
	}
	leaves := append(seedLeaves(), append(seedLeaves()[0], '\n'))
	for name, parse := range brokenParsers() {
		found("parse: "+name, leaves, func(b []byte) error { return checkParse(parse, b) }, name != "")
	}
	for name, canonicalize := range brokenCanonicalizers() {
		found("canonicalize: "+name, seedEnvelopes(), func(b []byte) error { return checkCanonicalize(canonicalize, b) }, name != "")
	}
	for name, check := range brokenProfiles() {
		found("payload: "+name, seedPayloads(), func(b []byte) error { return checkPayload(check, b) }, name != "")
	}
	for name, parse := range brokenKeyParsers() {
		found("key: "+name, seedKeys(), func(b []byte) error { return checkKey(parse, b) }, name != "")
	}
}

// brokenParsers accept what Parse does and more. The one without name is right.
func brokenParsers() map[string]parser {
	// lenient decodes both base64 parts with enc and parses what that gives.
	lenient := func(enc *base64.Encoding, trim string) parser {
		return func(leaf []byte) (*entry.Entry, error) {
			if bytes.Count(leaf, []byte(`"`)) != 18 {
				return entry.Parse(leaf)
			}
			payload, keyID, sig := parts(leaf)
			p, err1 := enc.DecodeString(strings.TrimRight(payload, trim))
			s, err2 := enc.DecodeString(strings.TrimRight(sig, trim))
			if err1 != nil || err2 != nil {
				return entry.Parse(leaf)
			}
			return entry.Parse([]byte(leafOf(b64(string(p)), keyID, b64(string(s)))))
		}
	}
	return map[string]parser{
		"":                     entry.Parse,
		"white space":          func(b []byte) (*entry.Entry, error) { return entry.Parse(bytes.TrimSpace(b)) },
		"trailing bits":        lenient(base64.StdEncoding, ""),
		"padding and the rest": lenient(base64.RawStdEncoding, "="),
		"lenient JSON": func(b []byte) (*entry.Entry, error) {
			e, err := entry.Parse(b)
			switch reason.CodeOf(err) {
			case reason.JSONDuplicate, reason.JSONEncoding, reason.JSONNumber:
				good := *sampled("key retire")
				payload, _, _ := parts(b)
				good.Payload, _ = base64.StdEncoding.DecodeString(payload)
				return &good, nil
			}
			return e, err
		},
		"another payload": func(b []byte) (*entry.Entry, error) {
			e, err := entry.Parse(b)
			if err == nil {
				e.Payload = append(bytes.Clone(e.Payload), ' ')
			}
			return e, err
		},
		"a subject lost": func(b []byte) (*entry.Entry, error) {
			e, err := entry.Parse(b)
			if err == nil && len(e.Subjects) > 1 {
				e.Subjects = e.Subjects[1:]
			}
			return e, err
		},
		"no code": func(b []byte) (*entry.Entry, error) {
			var v any
			if err := json.Unmarshal(b, &v); err != nil {
				return nil, err
			}
			return entry.Parse(b)
		},
	}
}

func brokenCanonicalizers() map[string]canonicalizer {
	// loose reads the envelope as encoding/json does.
	loose := func(decode func(string) ([]byte, error), signatures func(int) bool) canonicalizer {
		return func(b []byte) ([]byte, error) {
			var v struct {
				Payload, PayloadType string
				Signatures           []struct{ KeyID, Sig string }
			}
			if err := json.Unmarshal(b, &v); err != nil || v.PayloadType != entry.PayloadType || !signatures(len(v.Signatures)) {
				return entry.Canonicalize(b)
			}
			p, err1 := decode(v.Payload)
			s, err2 := decode(v.Signatures[0].Sig)
			if err1 != nil || err2 != nil {
				return entry.Canonicalize(b)
			}
			return []byte(leafOf(b64(string(p)), v.Signatures[0].KeyID, b64(string(s)))), nil
		}
	}
	one := func(n int) bool { return n == 1 }
	return map[string]canonicalizer{
		"":               entry.Canonicalize,
		"two signatures": loose(base64.StdEncoding.Strict().DecodeString, func(n int) bool { return n > 0 }),
		"line breaks":    loose(base64.StdEncoding.Strict().DecodeString, one),
		"trailing bits":  loose(base64.StdEncoding.DecodeString, one),
		"no padding": loose(func(s string) ([]byte, error) {
			return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
		}, one),
		"not a leaf": func(b []byte) ([]byte, error) {
			leaf, err := entry.Canonicalize(b)
			return append(leaf, '\n'), err
		},
	}
}

func brokenProfiles() map[string]profile {
	out := map[string]profile{
		"": entry.ParseJSON,
		"encoding/json": func(b []byte) error {
			var v map[string]any
			if err := json.Unmarshal(b, &v); err != nil {
				return reason.Errorf(reason.JSONMalformed, "%v", err)
			}
			return nil
		},
	}
	for _, code := range []reason.Code{
		reason.JSONMalformed, reason.JSONEncoding, reason.JSONDuplicate, reason.JSONDepth, reason.JSONNumber, reason.JSONNull, reason.JSONLimit,
	} {
		out["without "+string(code)] = func(b []byte) error {
			if err := entry.ParseJSON(b); reason.CodeOf(err) != code {
				return err
			}
			return nil
		}
	}
	return out
}

func brokenKeyParsers() map[string]keyParser {
	// also accepts what ok does, by another key.
	also := func(ok func([]byte) bool) keyParser {
		return func(b []byte) (entry.PublicKey, error) {
			if len(b) == 44 && ok(b) {
				return entry.UncheckedEd25519(b[12:]), nil
			}
			return entry.ParseKey(b)
		}
	}
	orders := map[string]bool{}
	for _, p := range smallOrder()[:8] {
		orders[p] = true
	}
	return map[string]keyParser{
		"":                     entry.ParseKey,
		"small order accepted": also(func(b []byte) bool { return orders[hexOf(b[12:])] }),
		"beyond the prime":     also(func(b []byte) bool { return b[43]&0x7f == 0x7f && b[20] == 0xff }),
		"one of eight missed":  also(func(b []byte) bool { return hexOf(b[12:]) == smallOrder()[7] }),
		"P-256 refused": func(b []byte) (entry.PublicKey, error) {
			if len(b) == 91 {
				return entry.PublicKey{}, reason.Errorf(reason.KeyWeak, "no")
			}
			return entry.ParseKey(b)
		},
		"wrong code": func(b []byte) (entry.PublicKey, error) {
			k, err := entry.ParseKey(b)
			if err != nil {
				err = reason.Errorf(reason.Base64, "no")
			}
			return k, err
		},
	}
}
