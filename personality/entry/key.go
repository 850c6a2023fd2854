package entry

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"filippo.io/edwards25519"
	"github.com/hdevalence/ed25519consensus"

	"github.com/standing-log/standing/personality/reason"
)

// SubjectPublicKeyInfo prefixes (SPEC.md, "Keys"; RFC 8410, RFC 5480).
var (
	spkiEd25519 = []byte("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00")
	spkiP256    = []byte("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04")
)

// Hash is a SHA-256 value: a keyid, an id or a leaf hash.
type Hash = [32]byte

// PublicKey is a key that may sign entries. The zero value verifies nothing.
type PublicKey struct {
	spki  []byte
	ecdsa *ecdsa.PublicKey // nil: Ed25519
}

// ParseKey parses a DER SubjectPublicKeyInfo in one of the two exact forms of
// SPEC.md, "Keys". Every error has the code key-weak.
func ParseKey(spki []byte) (PublicKey, error) {
	if point, ok := bytes.CutPrefix(spki, spkiEd25519); ok && len(point) == 32 {
		if err := checkEd25519(point); err != nil {
			return PublicKey{}, err
		}
		return PublicKey{spki: bytes.Clone(spki)}, nil
	}
	xy, ok := bytes.CutPrefix(spki, spkiP256)
	if !ok || len(xy) != 64 {
		return PublicKey{}, reason.Errorf(reason.KeyWeak, "not an Ed25519 or P-256 SubjectPublicKeyInfo in its exact form")
	}
	// SPEC: on the curve.
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), spki[len(spkiP256)-1:])
	if err != nil {
		return PublicKey{}, reason.Errorf(reason.KeyWeak, "not a point of P-256")
	}
	return PublicKey{spki: bytes.Clone(spki), ecdsa: k}, nil
}

func checkEd25519(point []byte) error {
	p, err := new(edwards25519.Point).SetBytes(point)
	// SPEC: the canonical encoding of a point that is not of small order.
	if err != nil || !bytes.Equal(p.Bytes(), point) {
		return reason.Errorf(reason.KeyWeak, "not the canonical encoding of an Ed25519 point")
	}
	if new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return reason.Errorf(reason.KeyWeak, "Ed25519 point of small order")
	}
	return nil
}

// SPKI returns the DER SubjectPublicKeyInfo.
func (k PublicKey) SPKI() []byte { return bytes.Clone(k.spki) }

func (k PublicKey) isEd25519() bool { return k.spki != nil && k.ecdsa == nil }

// point returns the 32 bytes of an Ed25519 key.
func (k PublicKey) point() []byte { return k.spki[len(spkiEd25519):] }

// ID returns the keyid, H(SPKI).
func (k PublicKey) ID() Hash { return sha256.Sum256(k.spki) }

// Verify reports whether sig is a signature of message: by ZIP-215 for
// Ed25519, over SHA-256 in strict DER for P-256.
func (k PublicKey) Verify(message, sig []byte) bool {
	if k.spki == nil {
		return false
	}
	if k.isEd25519() {
		return len(sig) == 64 && ed25519consensus.Verify(k.point(), message, sig)
	}
	digest := sha256.Sum256(message)
	return len(sig) <= 72 && ecdsa.VerifyASN1(k.ecdsa, digest[:], sig)
}

// decodeBase64 decodes canonical, padded, standard base64. Go's decoders
// accept line breaks, and trailing bits unless they are strict.
func decodeBase64[T string | []byte](s T) ([]byte, bool) {
	b, err := strictBase64.AppendDecode(make([]byte, 0, strictBase64.DecodedLen(len(s))), []byte(s))
	return b, err == nil && bytes.IndexByte([]byte(s), '\n') < 0 && bytes.IndexByte([]byte(s), '\r') < 0
}

var strictBase64 = base64.StdEncoding.Strict()

// parseHex parses n bytes of lower-case hex.
func parseHex(s string, n int) ([]byte, bool) {
	if len(s) != 2*n {
		return nil, false
	}
	b, err := hex.DecodeString(s)
	return b, err == nil && hex.EncodeToString(b) == s
}
