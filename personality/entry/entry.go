// Package entry defines what a leaf of a Standing log is: a DSSE envelope with
// one signature around an in-toto Statement in a strict JSON profile.
//
// SPEC.md beside this file is the format, complete; this package is its parser
// and its writer, and decides everything that can be decided from the bytes
// alone. What depends on the log's state is package mapfn's.
//
//   - Parse reads a leaf; Canonicalize makes one from a submitted envelope.
//   - Entry.Verify checks the signatures, given the signer's key; VerifyAll
//     those of many entries.
//   - Sign makes an entry from a payload and a signer.
//
// Invariants:
//
//   - Parse(leaf) succeeds only if formatting the parts again gives leaf.
//   - Two leaves of the same statement and signer have the same id, whatever
//     their signatures.
//   - An Entry's predicate satisfies every rule of SPEC.md that mentions no
//     state; nothing in it needs to be checked twice.
//   - Every error carries a code of package reason.
package entry

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"

	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/treehash"
)

// MaxSize is the greatest length of a leaf in bytes.
const MaxSize = 65535

// PayloadType is the DSSE payload type of every entry.
const PayloadType = "application/vnd.in-toto+json"

const (
	head   = `{"payload":"`
	middle = `","payloadType":"` + PayloadType + `","signatures":[{"keyid":"`
	infix  = `","sig":"`
	tail   = `"}]}`
)

// Entry is a well-formed entry. Its signature is not known to verify until
// Verify has said so.
type Entry struct {
	Leaf      []byte // the canonical envelope
	LeafHash  Hash   // RFC 6962 leaf hash of Leaf, taken before anything was read from it
	Payload   []byte // the decoded payload: the statement's bytes
	Text      string // the same, of which the strings of the predicate are parts
	KeyID     Hash
	Signature []byte
	ID        Hash // id of the event

	Kind     Kind
	Subjects []Subject
	// Exactly one is set, by Kind.
	Charter     *Charter
	Party       *Party
	Key         *Key
	Programme   *Programme
	Attestation *Attestation
	Revocation  *Revocation

	verified bool
}

// Parse parses a leaf.
func Parse(leaf []byte) (*Entry, error) {
	hash := treehash.Leaf(leaf)
	payload, keyID, sig, err := splitLeaf(leaf)
	if err != nil {
		return nil, err
	}
	e, err := build(payload, keyID, sig)
	if err != nil {
		return nil, err
	}
	e.Leaf, e.LeafHash = leaf, hash
	return e, nil
}

// Split returns the parts of a leaf from which its id follows, and the id, and
// does not look into the payload.
func Split(leaf []byte) (payload []byte, keyID, id Hash, err error) {
	payload, keyID, _, err = splitLeaf(leaf)
	return payload, keyID, eventID(keyID, payload), err
}

// Open returns the entry of a payload and the keyid of its signer, without
// signature, leaf and its hash: what its id commits to. Whoever holds the id holds what
// it says.
func Open(payload []byte, keyID Hash) (*Entry, error) {
	if len(payload) > MaxSize {
		return nil, reason.Errorf(reason.TooLarge, "payload of %d bytes, at most %d", len(payload), MaxSize)
	}
	return build(payload, keyID, nil)
}

// build parses payload and puts the Entry together.
func build(payload []byte, keyID Hash, sig []byte) (*Entry, error) {
	e := &Entry{Payload: payload, KeyID: keyID, Signature: sig}
	e.ID = eventID(keyID, payload)
	if err := parseJSON(payload, maxString, e.parseStatement); err != nil {
		return nil, err
	}
	return e, nil
}

// splitLeaf cuts a leaf into its parts.
func splitLeaf(leaf []byte) (payload []byte, keyID Hash, sig []byte, err error) {
	if len(leaf) > MaxSize {
		return nil, Hash{}, nil, reason.Errorf(reason.TooLarge, "leaf of %d bytes, at most %d", len(leaf), MaxSize)
	}
	rest, ok1 := bytes.CutPrefix(leaf, []byte(head))
	b64, rest, ok2 := bytes.Cut(rest, []byte(middle))
	id, rest, ok3 := bytes.Cut(rest, []byte(infix))
	s, ok4 := bytes.CutSuffix(rest, []byte(tail))
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, Hash{}, nil, reason.Errorf(reason.EnvelopeMalformed, "leaf is not a canonical envelope")
	}
	if payload, ok1 = decodeBase64(b64); !ok1 {
		return nil, Hash{}, nil, reason.Errorf(reason.Base64, "payload")
	}
	if sig, ok1 = decodeBase64(s); !ok1 {
		return nil, Hash{}, nil, reason.Errorf(reason.Base64, "sig")
	}
	key, ok := parseHex(string(id), 32)
	if !ok {
		return nil, Hash{}, nil, reason.Errorf(reason.KeyIDMalformed, "keyid %.80q", id)
	}
	return payload, Hash(key), sig, nil
}

// formatLeaf is the inverse of splitLeaf.
func formatLeaf(payload []byte, keyID Hash, sig []byte) []byte {
	b := make([]byte, 0, len(head)+len(middle)+len(infix)+len(tail)+64+
		base64.StdEncoding.EncodedLen(len(payload))+base64.StdEncoding.EncodedLen(len(sig)))
	b = append(b, head...)
	b = base64.StdEncoding.AppendEncode(b, payload)
	b = append(b, middle...)
	b = hex.AppendEncode(b, keyID[:])
	b = append(b, infix...)
	b = base64.StdEncoding.AppendEncode(b, sig)
	return append(b, tail...)
}

// PAE returns the bytes that an entry's signature is over: DSSE's
// pre-authentication encoding of payload with PayloadType.
func PAE(payload []byte) []byte {
	return append(paeHead(payload, len(payload)), payload...)
}

// paeHead returns what stands before the payload in its PAE, with room behind.
func paeHead(payload []byte, room int) []byte {
	b := append(make([]byte, 0, room+64), "DSSEv1 28 "+PayloadType+" "...)
	return append(strconv.AppendInt(b, int64(len(payload)), 10), ' ')
}

// eventID returns H(0x12 ‖ keyid ‖ H(PAE)).
func eventID(keyID Hash, payload []byte) Hash {
	h := sha256.New()
	h.Write(paeHead(payload, 0))
	h.Write(payload)
	b := append(make([]byte, 0, 65), 0x12)
	return sha256.Sum256(h.Sum(append(b, keyID[:]...)))
}

// Verify checks the entry's signature under key, which must be the one its
// keyid names, and the proofs of possession inside it. It MUST have succeeded
// before mapfn.Apply. Codes: signature-invalid, proof-of-possession.
func (e *Entry) Verify(key PublicKey) error {
	if key.ID() != e.KeyID {
		return reason.Errorf(reason.SignatureInvalid, "key is not the one the entry names")
	}
	if !key.Verify(PAE(e.Payload), e.Signature) {
		return reason.Errorf(reason.SignatureInvalid, "signature does not verify under key %x", e.KeyID)
	}
	return e.verifyRest()
}

// Verified reports whether Verify has succeeded.
func (e *Entry) Verified() bool { return e.verified }

// IDString returns the id as people see it: att:, party:, prog: or evt:
// and 64 hex.
func (e *Entry) IDString() string {
	switch {
	case e.Kind == KindAttestation:
		return "att:" + hex.EncodeToString(e.ID[:])
	case e.Kind == KindParty && e.Party.Action == ActionEnrol:
		return "party:" + hex.EncodeToString(e.ID[:])
	case e.Kind == KindProgramme && e.Programme.Action == ActionPublish:
		return "prog:" + hex.EncodeToString(e.ID[:])
	}
	return "evt:" + hex.EncodeToString(e.ID[:])
}

// Canonicalize returns the leaf of a submitted DSSE envelope, which may be
// spelt more freely than a leaf. The payload is not looked into: Parse the
// result. At most 2 × MaxSize bytes are read.
func Canonicalize(envelope []byte) ([]byte, error) {
	if len(envelope) > 2*MaxSize {
		return nil, reason.Errorf(reason.TooLarge, "envelope of %d bytes", len(envelope))
	}
	payload, keyID, sig, err := splitLeaf(envelope)
	if err != nil {
		payload, keyID, sig, err = parseEnvelope(envelope)
	}
	if err != nil {
		return nil, err
	}
	leaf := formatLeaf(payload, keyID, sig)
	if len(leaf) > MaxSize {
		return nil, reason.Errorf(reason.TooLarge, "entry of %d bytes, at most %d", len(leaf), MaxSize)
	}
	return leaf, nil
}

// A Signer signs PAEs: a key file, or a program in front of an HSM.
type Signer interface {
	Public() PublicKey
	// Sign returns an Ed25519 signature of message, or a DER P-256 one of
	// its SHA-256.
	Sign(message []byte) ([]byte, error)
}

// Sign makes an entry from a payload. The result is parsed and verified, so
// that nothing is ever signed and sent that a log would ignore.
func Sign(payload []byte, s Signer) (*Entry, error) {
	key := s.Public()
	// Parse first: a malformed statement is not shown to the signer.
	if _, err := build(payload, key.ID(), nil); err != nil {
		return nil, err
	}
	sig, err := s.Sign(PAE(payload))
	if err != nil {
		return nil, err
	}
	e, err := Parse(formatLeaf(payload, key.ID(), sig))
	if err != nil {
		return nil, err
	}
	if err := e.Verify(key); err != nil {
		return nil, err
	}
	return e, nil
}
