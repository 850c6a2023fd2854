package altreader

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"strings"

	"filippo.io/edwards25519"
)

// The algorithms of entry/SPEC.md, "Keys": what stands before the key's bytes.
const (
	ed25519Prefix = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"
	p256Prefix    = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
)

// publicKey is a key that may be in a log. One of edwards and p256 is set.
type publicKey struct {
	id      Hash
	encoded [32]byte // Ed25519
	edwards *edwards25519.Point
	p256    *ecdsa.PublicKey
}

// parseKey reads a SubjectPublicKeyInfo.
func parseKey(der []byte) (*publicKey, string) {
	k := &publicKey{id: sha256.Sum256(der)}
	if raw, ok := strings.CutPrefix(string(der), ed25519Prefix); ok && len(raw) == 32 {
		copy(k.encoded[:], raw)
		p, err := new(edwards25519.Point).SetBytes(k.encoded[:])
		// SPEC: the canonical encoding of a point that is not of small order.
		if err != nil || !bytes.Equal(p.Bytes(), k.encoded[:]) || smallOrder(p) {
			return nil, "key-weak"
		}
		k.edwards = p
		return k, ""
	}
	if raw, ok := strings.CutPrefix(string(der), p256Prefix); ok && len(raw) == 65 && raw[0] == 4 {
		// SPEC: 04 ‖ X ‖ Y, on the curve.
		p, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), []byte(raw))
		if err != nil {
			return nil, "key-weak"
		}
		k.p256 = p
		return k, ""
	}
	return nil, badMember
}

func smallOrder(p *edwards25519.Point) bool {
	return new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1
}

// verify reports whether sig is the key's signature of message.
func (k *publicKey) verify(message, sig []byte) bool {
	if k.p256 != nil {
		r, s, ok := splitDER(sig)
		digest := sha256.Sum256(message)
		return ok && ecdsa.Verify(k.p256, digest[:], r, s)
	}
	return verifyEd25519(k.edwards, k.encoded[:], message, sig)
}

// verifyEd25519 has the rules of ZIP-215: A and R are points in any encoding,
// S is less than the order of the group, and [8][S]B = [8]R + [8][k]A.
func verifyEd25519(a *edwards25519.Point, encoded, message, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	r, err := new(edwards25519.Point).SetBytes(sig[:32])
	if err != nil {
		return false
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(sig[32:])
	if err != nil {
		return false
	}
	h := sha512.New()
	h.Write(sig[:32])
	h.Write(encoded)
	h.Write(message)
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
	if err != nil {
		return false
	}
	minusA := new(edwards25519.Point).Negate(a)
	difference := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(k, minusA, s)
	return smallOrder(difference.Subtract(difference, r))
}

// splitDER reads r and s: strict DER, 1 ≤ r, s < n.
func splitDER(sig []byte) (r, s *big.Int, ok bool) {
	// Both numbers have at most 33 bytes, so that every length is one byte.
	if len(sig) < 2 || sig[0] != 0x30 || int(sig[1]) != len(sig)-2 || len(sig) > 72 {
		return nil, nil, false
	}
	r, rest := splitInteger(sig[2:])
	if r == nil {
		return nil, nil, false
	}
	s, rest = splitInteger(rest)
	return r, s, s != nil && len(rest) == 0
}

func splitInteger(b []byte) (*big.Int, []byte) {
	if len(b) < 3 || b[0] != 0x02 || int(b[1]) > len(b)-2 || b[1] == 0 {
		return nil, nil
	}
	digits, rest := b[2:2+b[1]], b[2+b[1]:]
	// Not negative, and no zero in front but to say so.
	if digits[0] >= 0x80 || digits[0] == 0 && (len(digits) == 1 || digits[1] < 0x80) {
		return nil, nil
	}
	n := new(big.Int).SetBytes(digits)
	if n.Sign() == 0 || n.Cmp(elliptic.P256().Params().N) >= 0 {
		return nil, nil
	}
	return n, rest
}
