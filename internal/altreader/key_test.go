package altreader

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/hdevalence/ed25519consensus"

	"github.com/standing-log/standing/internal/testlog"
)

// smallEncodings are the points of small order in every encoding: eight that
// are canonical, six that are not.
func smallEncodings(t *testing.T) [][]byte {
	list := [][]byte{}
	for _, s := range []string{
		"01" + strings.Repeat("00", 30) + "80", "ec" + strings.Repeat("ff", 31),
		"ee" + strings.Repeat("ff", 30) + "7f", "ee" + strings.Repeat("ff", 31),
		"ed" + strings.Repeat("ff", 30) + "7f", "ed" + strings.Repeat("ff", 31),
	} {
		b, err := hex.DecodeString(s)
		check(t, err)
		list = append(list, b)
	}
	b, err := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	check(t, err)
	generator, err := new(edwards25519.Point).SetBytes(b)
	check(t, err)
	p := edwards25519.NewIdentityPoint()
	for range 8 {
		list = append(list, p.Bytes())
		p = new(edwards25519.Point).Add(p, generator)
	}
	return list
}

// TestZIP215 has the vectors of ZIP-215: with A and R of small order in any
// encoding, and S = 0, every signature is valid. None of those keys may enrol.
func TestZIP215(t *testing.T) {
	encodings := smallEncodings(t)
	for _, a := range encodings {
		point, err := new(edwards25519.Point).SetBytes(a)
		check(t, err)
		if _, fault := parseKey([]byte(ed25519Prefix + string(a))); fault != "key-weak" {
			t.Errorf("key %x: %q", a, fault)
		}
		for _, r := range encodings {
			sig := slices.Concat(r, make([]byte, 32))
			if !verifyEd25519(point, a, []byte("Zcash"), sig) || !ed25519consensus.Verify(a, []byte("Zcash"), sig) {
				t.Errorf("A %x, R %x: not valid", a, r)
			}
		}
	}
	if len(encodings) != 14 {
		t.Errorf("%d encodings", len(encodings))
	}
}

// TestSignaturesAgree spoils signatures, and adds the order of the group to S.
func TestSignaturesAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := []byte(private.Public().(ed25519.PublicKey))
	k, fault := parseKey([]byte(ed25519Prefix + string(public)))
	if fault != "" {
		t.Fatal(fault)
	}
	order, err := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	check(t, err)
	valid := 0
	for i := range 300 {
		message := []byte{byte(i)}
		sig := ed25519.Sign(private, message)
		switch i % 3 {
		case 1:
			sig[rng.IntN(64)] ^= 1 << rng.IntN(8)
		case 2:
			carry := 0
			for j := range order {
				carry += int(sig[32+j]) + int(order[j])
				sig[32+j] = byte(carry)
				carry >>= 8
			}
		}
		got := k.verify(message, sig)
		if got != ed25519consensus.Verify(public, message, sig) || got != (i%3 == 0) {
			t.Errorf("signature %d: %t", i, got)
		}
		if got {
			valid++
		}
	}
	if valid != 100 {
		t.Errorf("%d are valid", valid)
	}
}

// TestDER has signatures that are right but for their encoding.
func TestDER(t *testing.T) {
	signer := testlog.NewKey("p256", true)
	k, fault := parseKey(signer.Public().SPKI())
	if fault != "" {
		t.Fatal(fault)
	}
	message := []byte("message")
	sig, err := signer.Sign(message)
	check(t, err)
	r, s, ok := splitDER(sig)
	if !ok || !k.verify(message, sig) || k.verify([]byte("other"), sig) {
		t.Fatal("the signature does not verify, or verifies another message")
	}
	n := k.p256.Params().N.Bytes()
	integer := func(b []byte) []byte { return append([]byte{2, byte(len(b))}, b...) }
	pair := func(r, s []byte) []byte {
		b := slices.Concat(integer(r), integer(s))
		return append([]byte{0x30, byte(len(b))}, b...)
	}
	positive := func(b []byte) []byte {
		if b[0] >= 0x80 {
			return append([]byte{0}, b...)
		}
		return b
	}
	rb, sb := positive(r.Bytes()), positive(s.Bytes())
	if !slices.Equal(pair(rb, sb), sig) {
		t.Fatal("the test's DER is another")
	}
	for name, bad := range map[string][]byte{
		"empty": {}, "padded": pair(append([]byte{0}, rb...), sb), "r is 0": pair([]byte{0}, sb), "s is n": pair(rb, positive(n)),
		"s is empty": pair(rb, nil), "trailing": append(slices.Clone(sig), 0), "long form": slices.Concat([]byte{0x30, 0x81}, sig[1:]),
		"negative": pair([]byte{0x80}, sb), "cut": sig[:len(sig)-1], "raw": slices.Concat(r.Bytes(), s.Bytes()),
		"trailing inside": append([]byte{0x30, sig[1] + 1}, append(slices.Clone(sig[2:]), 0)...),
	} {
		if k.verify(message, bad) {
			t.Errorf("%s verifies: %x", name, bad)
		}
	}
	// SPEC: s is not required to be low.
	other := new(big.Int).Sub(k.p256.Params().N, s)
	if !k.verify(message, pair(rb, positive(other.Bytes()))) {
		t.Error("n − s does not verify")
	}
}
