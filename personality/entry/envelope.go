package entry

import (
	"errors"
	"strings"

	"github.com/standing-log/standing/personality/reason"
)

// parseEnvelope parses an envelope in the profile of the payload, with a larger limit
// for strings: the payload is one.
func parseEnvelope(b []byte) (payload []byte, keyID Hash, sig []byte, err error) {
	malformed := parseJSON(b, 2*MaxSize, func(o object, _ string) error {
		payload, keyID, sig, err = readEnvelope(o)
		return nil
	})
	if malformed != nil {
		return nil, Hash{}, nil, envelopeError(malformed)
	}
	return payload, keyID, sig, err
}

// readEnvelope reads the members of an envelope.
func readEnvelope(o object) (payload []byte, keyID Hash, sig []byte, err error) {
	f := fields{o: o, where: "envelope"}
	typ := f.str("payloadType")
	payloadText := f.str("payload")
	sigs := f.array("signatures")
	if err := f.done(); err != nil {
		return nil, Hash{}, nil, envelopeError(err)
	}
	if typ != PayloadType {
		return nil, Hash{}, nil, reason.Errorf(reason.PayloadType, "payloadType %.80q", typ)
	}
	// SPEC: one signature.
	if len(sigs) != 1 {
		return nil, Hash{}, nil, reason.Errorf(reason.SignatureCount, "%d signatures", len(sigs))
	}
	s := f.object(sigs[0].value, "signature")
	hint := s.str("keyid")
	sigText := s.str("sig")
	if err := s.done(); err != nil {
		return nil, Hash{}, nil, envelopeError(err)
	}
	id, ok := parseHex(hint, 32)
	if !ok {
		return nil, Hash{}, nil, reason.Errorf(reason.KeyIDMalformed, "keyid %.80q", hint)
	}
	if payload, ok = decodeBase64(standardAlphabet(payloadText)); !ok {
		return nil, Hash{}, nil, reason.Errorf(reason.Base64, "payload")
	}
	if sig, ok = decodeBase64(standardAlphabet(sigText)); !ok {
		return nil, Hash{}, nil, reason.Errorf(reason.Base64, "sig")
	}
	return payload, Hash(id), sig, nil
}

// standardAlphabet rewrites base64url, which DSSE allows, to base64.
func standardAlphabet(s string) string {
	return strings.NewReplacer("-", "+", "_", "/").Replace(s)
}

// envelopeError turns errors about JSON shape into envelope-malformed: the
// codes that name the payload stay the payload's.
func envelopeError(err error) error {
	e, ok := errors.AsType[*reason.Error](err)
	if !ok || e.Code == reason.JSONDuplicate || e.Code == reason.JSONEncoding {
		return err
	}
	return reason.Errorf(reason.EnvelopeMalformed, "envelope: %s", e.Detail)
}
