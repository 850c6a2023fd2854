package entry_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

const (
	prefixEd25519 = "302a300506032b6570032100"
	prefixP256    = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
)

// smallOrder has the 8 points of small order in their canonical encodings and
// then every other encoding of one of them that RFC 8032 forbids: y beyond the
// prime, or the sign of an x that is 0.
func smallOrder() []string {
	ff, oo := strings.Repeat("ff", 30), strings.Repeat("00", 30)
	return []string{
		"01" + oo + "00", // the identity
		"ec" + ff + "7f", // order 2
		"00" + oo + "00", // order 4
		"00" + oo + "80",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"01" + oo + "80", // the identity, x = 0 with sign
		"ec" + ff + "ff", // order 2, x = 0 with sign
		"ed" + ff + "7f", // y = p, that is 0
		"ed" + ff + "ff",
		"ee" + ff + "7f", // y = p + 1
		"ee" + ff + "ff",
	}
}

// nonCanonical are encodings beyond the prime of points of large order, if
// they are points at all.
func nonCanonical() []string {
	var out []string
	for b := 0xef; b <= 0xff; b++ {
		for _, sign := range []byte{0x7f, 0xff} {
			p := append([]byte{byte(b)}, bytes.Repeat([]byte{0xff}, 30)...)
			out = append(out, hex.EncodeToString(append(p, sign)))
		}
	}
	return out
}

func TestKeyVectors(t *testing.T) {
	var vectors []keyVector
	add := func(name, spki string, code reason.Code) {
		vectors = append(vectors, keyVector{name, unhex(spki), code})
	}
	ed := hex.EncodeToString(testlog.NewKey("vector", false).Public().SPKI())
	p256 := hex.EncodeToString(testlog.NewKey("vector", true).Public().SPKI())
	add("Ed25519", ed, "")
	add("P-256", p256, "")
	add("Ed25519 with a part of small order", prefixEd25519+mixedOrder(ed), "")
	for i, p := range smallOrder() {
		add([]string{"canonical", "non-canonical"}[i/8]+" point of small order "+p[:2]+".."+p[62:], prefixEd25519+p, reason.KeyWeak)
	}
	for _, p := range nonCanonical() {
		add("y beyond the prime "+p[:2]+".."+p[62:], prefixEd25519+p, reason.KeyWeak)
	}
	add("no point", prefixEd25519+"02"+strings.Repeat("00", 31), reason.KeyWeak)
	add("Ed25519, a byte short", ed[:len(ed)-2], reason.KeyWeak)
	add("Ed25519, a byte more", ed+"00", reason.KeyWeak)
	add("Ed25519 with NULL parameters", "302c300706032b65700500"+ed[18:], reason.KeyWeak)
	add("X25519", change(ed, "2b6570", "2b656e"), reason.KeyWeak)
	add("raw Ed25519", ed[len(prefixEd25519):], reason.KeyWeak)
	add("empty", "", reason.KeyWeak)
	add("P-256 off the curve", p256[:len(p256)-2]+flip(p256[len(p256)-2:]), reason.KeyWeak)
	add("P-256 at infinity", prefixP256+strings.Repeat("00", 64), reason.KeyWeak)
	add("P-256 compressed", "3039301306072a8648ce3d020106082a8648ce3d030107032200"+"02"+p256[54:118], reason.KeyWeak)
	add("P-256 hybrid", prefixP256[:52]+"06"+p256[54:], reason.KeyWeak)
	add("P-256, x beyond the prime", prefixP256+beyond(), reason.KeyWeak)
	add("P-256, a byte short", p256[:len(p256)-2], reason.KeyWeak)
	add("P-256, a byte more", p256+"00", reason.KeyWeak)
	add("P-256 with long-form length", "308159"+p256[4:], reason.KeyWeak)
	add("secp256k1", "3056301006072a8648ce3d020106052b8104000a03420004"+p256[54:], reason.KeyWeak)
	golden(t, "keys.json", vectors)
	for _, v := range read[keyVector](t, "keys.json") {
		k, err := entry.ParseKey(v.SPKI)
		if reason.CodeOf(err) != v.Code || (err == nil) != (v.Code == "") {
			t.Errorf("%s: %v", v.Name, err)
		}
		if err == nil && (!bytes.Equal(k.SPKI(), v.SPKI) || k.ID() != sha256.Sum256(v.SPKI)) {
			t.Errorf("%s: SPKI is %x", v.Name, k.SPKI())
		}
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func flip(s string) string {
	b := unhex(s)
	b[0] ^= 1
	return hex.EncodeToString(b)
}

// mixedOrder adds a point of order 8 to a key. Its signatures are odd, but one
// does not verify for many messages.
func mixedOrder(spki string) string {
	p, err := new(edwards25519.Point).SetBytes(unhex(spki[len(prefixEd25519):]))
	if err != nil {
		panic(err)
	}
	t, err := new(edwards25519.Point).SetBytes(unhex(smallOrder()[4]))
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(p.Add(p, t).Bytes())
}

// beyond is a point of P-256 with p added to its x, which still has 32 bytes.
func beyond() string {
	c := elliptic.P256().Params()
	for x := big.NewInt(0); ; x.Add(x, big.NewInt(1)) {
		// y² = x³ − 3x + b
		y2 := new(big.Int).Exp(x, big.NewInt(3), c.P)
		y2.Sub(y2, new(big.Int).Mul(x, big.NewInt(3))).Add(y2, c.B).Mod(y2, c.P)
		if y := new(big.Int).ModSqrt(y2, c.P); y != nil {
			point := append(new(big.Int).Add(x, c.P).FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)
			return hex.EncodeToString(point)
		}
	}
}

// TestZIP215 has the 196 pairs of encodings of points of small order as key
// and as R, with s = 0: by ZIP-215 all are signatures of everything. It is the
// rule for signatures alone that is tested: none of these keys can be enrolled.
func TestZIP215(t *testing.T) {
	message := []byte("Zcash")
	lax := 0
	for _, a := range smallOrder() {
		for _, r := range smallOrder() {
			sig := append(unhex(r), make([]byte, 32)...)
			if !entry.UncheckedEd25519(unhex(a)).Verify(message, sig) {
				t.Errorf("A = %s, R = %s does not verify", a, r)
			}
			if ed25519.Verify(unhex(a), message, sig) {
				lax++
			}
			if _, err := entry.ParseKey(unhex(prefixEd25519 + a)); reason.CodeOf(err) != reason.KeyWeak {
				t.Errorf("key %s: %v", a, err)
			}
		}
	}
	// That the rules differ is why SPEC.md names one.
	if lax == 196 {
		t.Error("crypto/ed25519 accepts all 196: these are not the vectors")
	}
}

func TestEd25519Refuses(t *testing.T) {
	k := testlog.NewKey("ed25519", false)
	message := []byte("message")
	sig, _ := k.Sign(message)
	if !k.Public().Verify(message, sig) {
		t.Fatal("the signature does not verify")
	}
	// s + L is the same scalar.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	s = new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(s)
	for name, bad := range map[string][]byte{
		"none": nil, "short": sig[:63], "long": append(slices.Clone(sig), 0),
		"s beyond the order": append(slices.Clone(sig[:32]), s...),
		"zeros":              make([]byte, 64),
		"DER":                p256Signature(t),
	} {
		if k.Public().Verify(message, bad) {
			t.Errorf("%s: verifies", name)
		}
	}
	if k.Public().Verify([]byte("massage"), sig) || testlog.NewKey("other", false).Public().Verify(message, sig) {
		t.Error("verifies another message, or under another key")
	}
	if (entry.PublicKey{}).Verify(message, sig) {
		t.Error("the zero key verifies")
	}
}

func p256Signature(t *testing.T) []byte {
	t.Helper()
	sig, err := testlog.NewKey("p256", true).Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// der writes a signature whose integers are the bytes given, right or wrong.
func der(r, s []byte) []byte {
	body := slices.Concat([]byte{2, byte(len(r))}, r, []byte{2, byte(len(s))}, s)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func TestP256Strict(t *testing.T) {
	k := testlog.NewKey("p256", true).Public()
	message := []byte("message")
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(p256Signature(t), &v); err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	// positive is the minimal encoding of a number ≥ 0.
	positive := func(x *big.Int) []byte {
		if b := x.Bytes(); len(b) > 0 && b[0] < 0x80 {
			return b
		}
		return append([]byte{0}, x.Bytes()...)
	}
	r, s, high := positive(v.R), positive(v.S), positive(new(big.Int).Sub(n, v.S))
	for name, sig := range map[string][]byte{"as made": der(r, s), "n - s": der(r, high)} {
		if !k.Verify(message, sig) {
			t.Errorf("%s: does not verify", name)
		}
	}
	good := der(r, s)
	negative := v.R.FillBytes(make([]byte, 32))
	negative[0] |= 0x80
	for name, sig := range map[string][]byte{
		"none":               {},
		"leading zero in r":  der(append([]byte{0}, r...), s),
		"leading zero in s":  der(r, append([]byte{0}, s...)),
		"negative r":         der(negative, s),
		"r = 0":              der([]byte{0}, s),
		"s = 0":              der(r, []byte{0}),
		"r = n":              der(positive(n), s),
		"s = n":              der(r, positive(n)),
		"r + n":              der(positive(new(big.Int).Add(v.R, n)), s),
		"s + n":              der(r, positive(new(big.Int).Add(v.S, n))),
		"empty r":            der(nil, s),
		"swapped":            der(s, r),
		"data after":         append(slices.Clone(good), 0),
		"data inside":        append([]byte{0x30, good[1] + 2}, append(slices.Clone(good[2:]), 5, 0)...),
		"long form":          append([]byte{0x30, 0x81}, good[1:]...),
		"indefinite length":  slices.Concat([]byte{0x30, 0x80}, good[2:], []byte{0, 0}),
		"wrong tag":          append([]byte{0x31}, good[1:]...),
		"truncated":          good[:len(good)-1],
		"raw":                append(v.R.FillBytes(make([]byte, 32)), v.S.FillBytes(make([]byte, 32))...),
		"of 100 bytes":       append(slices.Clone(good), make([]byte, 100-len(good))...),
		"Ed25519's length":   make([]byte, 64),
		"of another message": mustSign(t, "massage"),
	} {
		if k.Verify(message, sig) {
			t.Errorf("%s: verifies", name)
		}
	}
}

func mustSign(t *testing.T, message string) []byte {
	t.Helper()
	sig, err := testlog.NewKey("p256", true).Sign([]byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// TestSameID: another valid signature of the same statement is the same event.
func TestSameID(t *testing.T) {
	e := sampled("attestation p256")
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(e.Signature, &v); err != nil {
		t.Fatal(err)
	}
	v.S.Sub(elliptic.P256().Params().N, v.S)
	sig, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	other, err := entry.Parse(testlog.Envelope(e.Payload, e.KeyID, sig))
	if err != nil {
		t.Fatal(err)
	}
	key := testlog.NewParty("samples", 3).Keys[1].Public()
	if err := other.Verify(key); err != nil {
		t.Error(err)
	}
	if other.ID != e.ID || bytes.Equal(other.Leaf, e.Leaf) {
		t.Errorf("id %x, not %x", other.ID, e.ID)
	}
	// Nor is it another's: the keyid is in it.
	foreign, err := entry.Parse(testlog.Envelope(e.Payload, testlog.NewKey("foreign", false).ID(), sig))
	if err != nil || foreign.ID == e.ID {
		t.Errorf("under another keyid: id %x, %v", foreign.ID, err)
	}
}

// TestKeyOfLibrary compares ParseKey with a key made elsewhere.
func TestKeyOfLibrary(t *testing.T) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.ParseKey(append(unhex(prefixP256), point[1:]...)); err != nil {
		t.Error(err)
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
