package entry_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// parts of a leaf, as text.
func parts(leaf []byte) (payload, keyID, sig string) {
	f := strings.Split(string(leaf), `"`)
	return f[3], f[13], f[17]
}

func leafOf(payload, keyID, sig string) string {
	return `{"payload":"` + payload + `","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"` + keyID + `","sig":"` + sig + `"}]}`
}

// badEnvelopes are leaves that are not canonical.
func badEnvelopes() []badVector {
	leaf := string(sampled("attestation claims").Leaf)
	payload, keyID, sig := parts([]byte(leaf))
	// The payload of this one ends with padding that has bits to spare.
	odd := sampled("attestation claims").Payload
	for len(odd)%3 != 1 {
		odd = append(odd, ' ')
	}
	padded, _, _ := parts(signed(string(odd)))
	one := fmt.Sprintf(`{"keyid":"%s","sig":"%s"}`, keyID, sig)
	v := func(name, leaf string, code reason.Code) badVector {
		return badVector{"envelope: " + name, []byte(leaf), code}
	}
	return []badVector{
		v("empty", "", reason.EnvelopeMalformed),
		v("cut in half", leaf[:len(leaf)/2], reason.EnvelopeMalformed),
		v("last byte missing", leaf[:len(leaf)-1], reason.EnvelopeMalformed),
		v("data after", leaf+"\n", reason.EnvelopeMalformed),
		v("white space", change(leaf, `,"sig`, `, "sig`), reason.EnvelopeMalformed),
		v("other order", `{"payloadType":"application/vnd.in-toto+json","payload":"`+payload+`","signatures":[`+one+`]}`, reason.EnvelopeMalformed),
		v("wrong case", change(leaf, `"payload"`, `"Payload"`), reason.EnvelopeMalformed),
		v("other payload type", change(leaf, "application/vnd.in-toto+json", "application/json"), reason.EnvelopeMalformed),
		v("escaped member", change(leaf, `"payload"`, `"p\u0061yload"`), reason.EnvelopeMalformed),
		v("no signature", change(leaf, one, ""), reason.EnvelopeMalformed),
		// What stands after the first keyid's sig is taken for base64.
		v("two signatures", change(leaf, one, one+","+one), reason.Base64),
		v("further member", change(leaf, `"}]}`, `","cert":"x"}]}`), reason.Base64),
		v("more than 65,535 bytes", leafOf(strings.Repeat("AAAA", 16400), keyID, sig), reason.TooLarge),
		v("keyid in upper case", leafOf(payload, strings.ToUpper(keyID), sig), reason.KeyIDMalformed),
		v("keyid too short", leafOf(payload, keyID[:62], sig), reason.KeyIDMalformed),
		v("no keyid", leafOf(payload, "", sig), reason.KeyIDMalformed),
		v("payload without padding", leafOf(strings.TrimRight(padded, "="), keyID, sig), reason.Base64),
		v("payload with trailing bits", leafOf(trailingBits(padded), keyID, sig), reason.Base64),
		v("payload with line breaks", leafOf(payload[:76]+"\n"+payload[76:], keyID, sig), reason.Base64),
		v("payload with CRLF at the end", leafOf(payload+"\r\n", keyID, sig), reason.Base64),
		v("payload with too much padding", leafOf(padded+"====", keyID, sig), reason.Base64),
		v("payload in base64url", leafOf(b64("???")[:3]+"_", keyID, sig), reason.Base64),
		v("signature without padding", leafOf(payload, keyID, strings.TrimRight(sig, "=")), reason.Base64),
		v("signature with trailing bits", leafOf(payload, keyID, trailingBits(sig)), reason.Base64),
		v("signature with line break", leafOf(payload, keyID, sig[:4]+"\n"+sig[4:]), reason.Base64),
	}
}

// trailingBits sets a bit behind the last byte of padded base64.
func trailingBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	i := strings.IndexByte(s, '=') - 1
	return s[:i] + string(alphabet[strings.IndexByte(alphabet, s[i])+1]) + s[i+1:]
}

// TestTruncated cuts a leaf and an envelope everywhere.
func TestTruncated(t *testing.T) {
	leaf := sampled("revocation reinstate").Leaf
	for n := range leaf {
		if _, err := entry.Parse(leaf[:n]); reason.CodeOf(err) != reason.EnvelopeMalformed {
			t.Fatalf("%d bytes of a leaf: %v", n, err)
		}
		if _, err := entry.Canonicalize(leaf[:n]); reason.CodeOf(err) != reason.EnvelopeMalformed {
			t.Fatalf("%d bytes of an envelope: %v", n, err)
		}
	}
}

// TestPayloadTruncated cuts a payload everywhere: whatever the envelope says,
// a part of a statement is none.
func TestPayloadTruncated(t *testing.T) {
	payload := sampled("attestation of everything").Payload
	for n := range payload {
		if _, err := entry.Parse(signed(string(payload[:n]))); reason.CodeOf(err) != reason.JSONMalformed {
			t.Fatalf("%d bytes of a payload: %v", n, err)
		}
	}
}

// TestFlips flips each bit of a leaf: none gives another entry of the same id.
func TestFlips(t *testing.T) {
	e := sampled("key retire")
	for i := range e.Leaf {
		for bit := range 8 {
			leaf := bytes.Clone(e.Leaf)
			leaf[i] ^= 1 << bit
			got, err := entry.Parse(leaf)
			if err != nil && reason.CodeOf(err) == "" {
				t.Fatalf("byte %d, bit %d: error without code: %v", i, bit, err)
			}
			if err == nil && got.ID == e.ID && bytes.Equal(got.Signature, e.Signature) {
				t.Fatalf("byte %d, bit %d: the same entry", i, bit)
			}
		}
	}
}

// TestSize: the largest leaf is 65,535 bytes; base64 fills it to 65,531.
func TestSize(t *testing.T) {
	k := testlog.NewKey("size", false)
	payload := func(n int) []byte {
		b := append([]byte{}, sampled("attestation claims").Payload...)
		return append(b, bytes.Repeat([]byte(" "), n)...)
	}
	base := len(testlog.Leaf(k, payload(0)))
	n := (entry.MaxSize - base) / 4 * 3
	for len(testlog.Leaf(k, payload(n+1))) <= entry.MaxSize {
		n++
	}
	if _, err := entry.Sign(payload(n), k); err != nil {
		t.Errorf("a leaf of %d bytes: %v", len(testlog.Leaf(k, payload(n))), err)
	}
	if _, err := entry.Sign(payload(n+1), k); reason.CodeOf(err) != reason.TooLarge {
		t.Errorf("a leaf of %d bytes: %v", len(testlog.Leaf(k, payload(n+1))), err)
	}
	if _, err := entry.Canonicalize(bytes.Repeat([]byte(" "), 2*entry.MaxSize+1)); reason.CodeOf(err) != reason.TooLarge {
		t.Errorf("an envelope of more than twice that: %v", err)
	}
	// Spelt with white space an entry may be longer than its leaf.
	loose := append(bytes.Repeat([]byte(" "), entry.MaxSize), sampled("key retire").Leaf...)
	if _, err := entry.Canonicalize(loose); err != nil {
		t.Errorf("a long spelling of a short entry: %v", err)
	}
}

func TestCanonicalize(t *testing.T) {
	want := sampled("attestation p256").Leaf
	payload, keyID, sig := parts(want)
	const typ = `"payloadType":"application/vnd.in-toto+json"`
	url := strings.NewReplacer("+", "-", "/", "_")
	for name, envelope := range map[string]string{
		"canonical":        string(want),
		"order":            `{"signatures":[{"sig":"` + sig + `","keyid":"` + keyID + `"}],"payload":"` + payload + `",` + typ + `}`,
		"white space":      "\r\n\t { \"payload\" : \"" + payload + "\",\n" + typ + `, "signatures": [ {"keyid":"` + keyID + "\" , \"sig\":\"" + sig + "\"} ] } \n",
		"base64url":        leafOf(url.Replace(payload), keyID, url.Replace(sig)),
		"escapes":          change(leafOf(payload, keyID, sig), "vnd.in-toto+json", `vnd.in-toto\u002bjson`),
		"escaped name":     change(leafOf(payload, keyID, sig), `"payload"`, `"p\u0061yload"`),
		"escaped solidus":  change(leafOf(payload, keyID, sig), "application/", `application\/`),
		"mixed alphabets":  leafOf(url.Replace(payload), keyID, sig),
		"trailing newline": leafOf(payload, keyID, sig) + "\n",
	} {
		leaf, err := entry.Canonicalize([]byte(envelope))
		if err != nil || !bytes.Equal(leaf, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCanonicalizeRefuses(t *testing.T) {
	leaf := string(sampled("attestation claims").Leaf)
	payload, keyID, sig := parts([]byte(leaf))
	one := `{"keyid":"` + keyID + `","sig":"` + sig + `"}`
	for name, test := range map[string]struct {
		envelope string
		code     reason.Code
	}{
		"two signatures":        {change(leaf, one, one+","+one), reason.SignatureCount},
		"no signatures":         {change(leaf, one, ""), reason.SignatureCount},
		"signatures no array":   {change(leaf, "["+one+"]", one), reason.EnvelopeMalformed},
		"payload type":          {change(leaf, "application/vnd.in-toto+json", "application/json"), reason.PayloadType},
		"unknown member":        {change(leaf, `"payloadType"`, `"comment":"","payloadType"`), reason.EnvelopeMalformed},
		"certificate":           {change(leaf, `"sig"`, `"cert":"","sig"`), reason.EnvelopeMalformed},
		"wrong case":            {change(leaf, `"payload"`, `"Payload"`), reason.EnvelopeMalformed},
		"twice":                 {change(leaf, `"payloadType"`, `"payload":"e30=","payloadType"`), reason.JSONDuplicate},
		"twice by escape":       {change(leaf, `"payloadType"`, `"p\u0061yload":"e30=","payloadType"`), reason.JSONDuplicate},
		"sig twice":             {change(leaf, `"sig"`, `"s\u0069g":"AAAA","sig"`), reason.JSONDuplicate},
		"lone surrogate":        {change(leaf, `"payloadType"`, `"\ud800":"","payloadType"`), reason.JSONEncoding},
		"byte order mark":       {"\ufeff" + leaf, reason.JSONEncoding},
		"null":                  {change(leaf, `"`+sig+`"`, "null"), reason.EnvelopeMalformed},
		"number":                {change(leaf, `"`+sig+`"`, "1"), reason.EnvelopeMalformed},
		"array":                 {"[" + leaf + "]", reason.EnvelopeMalformed},
		"two envelopes":         {leaf + leaf, reason.EnvelopeMalformed},
		"nothing":               {"", reason.EnvelopeMalformed},
		"keyid upper case":      {leafOf(payload, strings.ToUpper(keyID), sig), reason.KeyIDMalformed},
		"without padding":       {leafOf(payload, keyID, strings.TrimRight(sig, "=")), reason.Base64},
		"trailing bits":         {leafOf(payload, keyID, trailingBits(sig)), reason.Base64},
		"escaped line break":    {leafOf(payload[:8]+`\n`+payload[8:], keyID, sig), reason.Base64},
		"escaped CR":            {leafOf(payload+`\r`, keyID, sig), reason.Base64},
		"white space in base64": {leafOf(payload[:8]+` `+payload[8:], keyID, sig), reason.Base64},
		"leaf too large":        {leafOf(strings.Repeat("AAAA", 16400), keyID, sig), reason.TooLarge},
	} {
		if _, err := entry.Canonicalize([]byte(test.envelope)); reason.CodeOf(err) != test.code {
			t.Errorf("%s: %v, should be %s", name, err, test.code)
		}
	}
}

// TestKeyIDIsAHint: whoever submits may write any keyid, but only under the
// signer's does the signature verify.
func TestKeyIDIsAHint(t *testing.T) {
	payload, _, sig := parts(sampled("attestation claims").Leaf)
	leaf, err := entry.Canonicalize([]byte(leafOf(payload, strings.Repeat("0", 64), sig)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples() {
		if err := e.Verify(s.by.Public()); reason.CodeOf(err) != reason.SignatureInvalid || e.Verified() {
			t.Errorf("verifies under the key of %s: %v", s.name, err)
		}
	}
}

func TestPAE(t *testing.T) {
	want := "DSSEv1 28 application/vnd.in-toto+json 2 {}"
	if got := string(entry.PAE([]byte("{}"))); got != want {
		t.Errorf("PAE is %q, not %q", got, want)
	}
	if got := string(entry.PAE(nil)); got != "DSSEv1 28 application/vnd.in-toto+json 0 " {
		t.Errorf("PAE of nothing is %q", got)
	}
}
