package altreader

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
)

// event is a leaf that is well-formed, with a predicate that is valid. One of
// the predicates is set.
type event struct {
	id, keyID Hash
	pae, sig  []byte
	proofs    []proof

	subjects []subject
	logs     []string // the log, or those an attestation names

	charter     *charterEntry
	party       *partyEntry
	key         *keyEntry
	programme   *programmeEntry
	attestation *attestationEntry
	revocation  *revocationEntry
}

// proof is a signature by which a key shows that somebody has it.
type proof struct {
	key       *publicKey
	text, sig []byte
}

const payloadType = "application/vnd.in-toto+json"

// parse reads a leaf (entry/SPEC.md).
func parse(leaf []byte) (*event, string) {
	payload, e, fault := openEnvelope(string(leaf))
	if fault != "" {
		return nil, fault
	}
	v, fault := parseJSON(string(payload))
	if fault != "" {
		return nil, fault
	}
	if fault := e.readStatement(v); fault != "" {
		return nil, fault
	}
	return e, ""
}

// openEnvelope takes the leaf apart. Where its parts stand between exactly
// these words, each in its only spelling, formatting them gives the same bytes.
func openEnvelope(leaf string) ([]byte, *event, string) {
	if len(leaf) > 65535 {
		return nil, nil, "too-large"
	}
	var parts []string
	for _, word := range []string{
		`{"payload":"`,
		`","payloadType":"` + payloadType + `","signatures":[{"keyid":"`,
		`","sig":"`,
		`"}]}`,
	} {
		before, after, ok := strings.Cut(leaf, word)
		if !ok {
			return nil, nil, "envelope-malformed"
		}
		parts, leaf = append(parts, before), after
	}
	payload, ok1 := unbase64(parts[1])
	keyID, ok2 := unhex(parts[2], 32)
	sig, ok3 := unbase64(parts[3])
	if parts[0] != "" || leaf != "" || !ok1 || !ok2 || !ok3 {
		return nil, nil, "envelope-malformed"
	}
	e := &event{keyID: Hash(keyID), sig: sig}
	e.pae = slices.Concat([]byte("DSSEv1 28 "+payloadType+" "+strconv.Itoa(len(payload))+" "), payload)
	// SPEC: id = H(0x12 ‖ keyid ‖ H(PAE))
	signed := sha256.Sum256(e.pae)
	e.id = sha256.Sum256(slices.Concat([]byte{0x12}, keyID, signed[:]))
	return payload, e, ""
}
