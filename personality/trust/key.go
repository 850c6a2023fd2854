package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	cosignote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Signature type bytes of C2SP signed-note.
const (
	typeEd25519     = 0x01
	typeCosignature = 0x04
	typeMLDSA44     = 0x06
)

const (
	maxName        = 255 // bytes; ML-DSA-44 cosignatures carry the name's length in one
	ed25519Size    = 32
	mldsa44Size    = 1312
	timestampBytes = 8
	keyIDBytes     = 4
)

// Key is a verifier key of a log or of a cosigner.
type Key struct {
	// Name is the key name: of a log, its origin.
	Name string
	// Vkey is the key in C2SP vkey encoding, canonical:
	// <name>+<8 lower-case hex>+<base64 of type and public key>.
	Vkey string
	// Verifier checks signature lines by this key. For a cosigner it does not
	// look at the timestamp's meaning.
	Verifier note.Verifier

	public      string // raw public key, without type byte
	timestamped bool   // signatures begin with a u64 timestamp
}

// Same reports whether k and o wrap the same public key, whatever their names
// and signature types.
func (k Key) Same(o Key) bool { return k.public == o.public }

// ParseLogKey parses the vkey of a log: Ed25519 (0x01) or ML-DSA-44 (0x06).
func ParseLogKey(vkey string) (Key, error) {
	return parseKey(vkey, typeEd25519, typeMLDSA44)
}

// ParseCosignerKey parses the vkey of a cosigner: Ed25519 cosignature/v1 (0x04)
// or ML-DSA-44 (0x06).
func ParseCosignerKey(vkey string) (Key, error) {
	return parseKey(vkey, typeCosignature, typeMLDSA44)
}

func parseKey(vkey string, types ...byte) (Key, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	id16, key64, ok := strings.Cut(rest, "+")
	if !ok {
		return Key{}, errors.New("vkey is not <name>+<key id>+<key>")
	}
	if !validKeyName(name) {
		return Key{}, fmt.Errorf("key name is empty, longer than %d bytes, not UTF-8, or has a space or plus", maxName)
	}
	id, err := hex.DecodeString(id16)
	if err != nil || len(id) != keyIDBytes {
		return Key{}, errors.New("key id is not 8 hex digits")
	}
	raw, err := base64.StdEncoding.DecodeString(key64)
	if err != nil || len(raw) == 0 || base64.StdEncoding.EncodeToString(raw) != key64 {
		return Key{}, errors.New("key is not canonical base64")
	}
	if bytes.IndexByte(types, raw[0]) < 0 {
		return Key{}, fmt.Errorf("signature type 0x%02x does not belong here: want 0x%02x or 0x%02x", raw[0], types[0], types[1])
	}
	// SPEC: key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]
	// (signed-note, "Signatures"). The library constructors below do not all
	// compare it, and a wrong one is how a truncated or edited key shows.
	if want := keyID(name, raw); binary.BigEndian.Uint32(id) != want {
		return Key{}, fmt.Errorf("key id %s does not match name and key, which give %08x", id16, want)
	}
	return newKey(name, raw)
}

// newKey builds the verifier; raw is the type byte and the public key.
func newKey(name string, raw []byte) (Key, error) {
	k := Key{
		Name:        name,
		Vkey:        fmt.Sprintf("%s+%08x+%s", name, keyID(name, raw), base64.StdEncoding.EncodeToString(raw)),
		public:      string(raw[1:]),
		timestamped: raw[0] != typeEd25519,
	}
	want := ed25519Size
	if raw[0] == typeMLDSA44 {
		want = mldsa44Size
	}
	if len(k.public) != want {
		return Key{}, fmt.Errorf("public key has %d bytes, want %d", len(k.public), want)
	}
	if want == ed25519Size && weakEd25519(raw[1:]) {
		return Key{}, errors.New("ed25519 key is of small order or not canonically encoded")
	}
	var err error
	if raw[0] == typeEd25519 {
		k.Verifier, err = note.NewVerifier(k.Vkey)
	} else {
		k.Verifier, err = cosignote.NewVerifierForCosignatureV1(k.Vkey)
	}
	if err != nil {
		return Key{}, fmt.Errorf("reading public key: %w", err)
	}
	return k, nil
}

// SPEC: "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or
// plus (U+002B) characters" (signed-note, "Format").
func validKeyName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) &&
		!strings.Contains(s, "+") && strings.IndexFunc(s, notKeyName) < 0
}

// notKeyName also refuses control characters: no note can carry them.
func notKeyName(r rune) bool { return unicode.IsSpace(r) || r < 0x20 }

func keyID(name string, raw []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n'})
	h.Write(raw)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// weakEd25519 reports whether the 32-byte key is one that many signatures fit,
// or one of several encodings of a point. The y coordinates listed are those of
// the eight points of small order on edwards25519, little-endian.
func weakEd25519(key []byte) bool {
	y := [ed25519Size]byte(key)
	y[31] &= 0x7f // the sign of x
	if y[31] == 0x7f && bytes.Count(y[1:31], []byte{0xff}) == 30 && y[0] >= 0xec {
		return true // y >= p - 1: order 2, or not reduced
	}
	switch hex.EncodeToString(y[:]) {
	case "0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a": // order 8
		return true
	}
	return false
}

// ValidOrigin reports whether s can be the origin of a log of ours:
// 1 to 255 bytes of a-z, 0-9, '.', '/' and '-' (SPEC: seal, line 2).
// A trust file may also list logs of others, whose origins are any key name.
func ValidOrigin(s string) bool {
	if len(s) == 0 || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '/' && c != '-' {
			return false
		}
	}
	return true
}

// decimal parses 0|[1-9][0-9]* below limit.
func decimal(s string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n >= limit || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("%s is not a decimal without leading zero below %d", quote(s), limit)
	}
	return n, nil
}

// quote prints octets from a file or the network, at most 80 of them.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
