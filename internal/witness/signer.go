package witness

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/mldsa"
	"filippo.io/torchwood"
	cosignote "github.com/transparency-dev/formats/note"

	"github.com/standing-log/standing/personality/trust"
)

// Signature type bytes of C2SP signed-note.
const (
	typeEd25519Cosignature = 0x04
	typeMLDSA44            = 0x06
)

// Signer holds one cosigner key. Implementations are safe for concurrent use.
type Signer interface {
	// Key returns the verifier key, 0x04 or 0x06.
	Key() trust.Key
	// Cosign signs c with the given timestamp, in Unix seconds, and returns
	// the signature of a note line without key ID: C2SP tlog-cosignature's
	// timestamped_signature. It returns errNotCovered for a checkpoint that
	// its signatures cannot cover whole.
	Cosign(c torchwood.Checkpoint, unix int64) ([]byte, error)
}

// errNotCovered means that the signature would not cover the extension lines.
var errNotCovered = errors.New("extension lines cannot be signed with this key")

// GenerateKey makes an Ed25519 cosigner key of the given key name. skey is for
// [NewSigner] and secret; vkey goes into trust files.
func GenerateKey(rand io.Reader, name string) (skey, vkey string, err error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return "", "", fmt.Errorf("generating key: %w", err)
	}
	s, err := NewEd25519Signer(name, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return "", "", err
	}
	raw := append([]byte{typeEd25519Cosignature}, seed...)
	vkey = s.Key().Vkey
	id := strings.Split(vkey, "+")[1]
	return "PRIVATE+KEY+" + name + "+" + id + "+" + base64.StdEncoding.EncodeToString(raw), vkey, nil
}

// NewSigner reads a secret key PRIVATE+KEY+<name>+<key id>+<base64 of type and
// seed>, of type 0x04 or 0x06. A plain note key (0x01) is refused: it may be a
// log's, and no key should be both. No error contains key material.
func NewSigner(skey string) (Signer, error) {
	parts := strings.SplitN(skey, "+", 5)
	if len(parts) != 5 || parts[0] != "PRIVATE" || parts[1] != "KEY" {
		return nil, errors.New("secret key is not PRIVATE+KEY+<name>+<key id>+<key>")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) == 0 {
		return nil, errors.New("secret key is not base64")
	}
	var s Signer
	switch {
	case raw[0] == typeEd25519Cosignature && len(raw) == 1+ed25519.SeedSize:
		s, err = NewEd25519Signer(parts[2], ed25519.NewKeyFromSeed(raw[1:]))
	case raw[0] == typeMLDSA44:
		s, err = newMLDSASigner(skey, raw[1:])
	default:
		err = fmt.Errorf("secret key of type 0x%02x and %d bytes is not a cosigner's", raw[0], len(raw)-1)
	}
	if err != nil {
		return nil, err
	}
	// A wrong name, id or seed would otherwise show only at the readers.
	if id := fmt.Sprintf("%08x", s.Key().Verifier.KeyHash()); id != strings.ToLower(parts[3]) {
		return nil, fmt.Errorf("secret key does not match its key id %q", parts[3])
	}
	return s, nil
}

type ed25519Signer struct {
	key  trust.Key
	priv crypto.Signer
}

// NewEd25519Signer returns a Signer for an Ed25519 key, which may live
// elsewhere.
//
// SPEC: an operator of several Ed25519 cosigners "MUST use distinct public keys
// for each cosigner" (tlog-cosignature): the signature does not cover the name.
func NewEd25519Signer(name string, priv crypto.Signer) (Signer, error) {
	pub, ok := priv.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("key is %T, not Ed25519", priv.Public())
	}
	raw := append([]byte{typeEd25519Cosignature}, pub...)
	key, err := cosignerKey(name, raw)
	if err != nil {
		return nil, err
	}
	return &ed25519Signer{key: key, priv: priv}, nil
}

// cosignerKey makes the verifier key; raw is the type byte and the public key.
func cosignerKey(name string, raw []byte) (trust.Key, error) {
	// SPEC: the key ID is "SHA-256(<name> || "\n" || 0x04 || 32-byte Ed25519
	// cosigner public key)[:4]", and the same with 0x06 for ML-DSA-44.
	id := sha256.Sum256(append([]byte(name+"\n"), raw...))
	key, err := trust.ParseCosignerKey(fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(raw)))
	if err != nil {
		return trust.Key{}, fmt.Errorf("cosigner key: %w", err)
	}
	return key, nil
}

func (s *ed25519Signer) Key() trust.Key { return s.key }

func (s *ed25519Signer) Cosign(c torchwood.Checkpoint, unix int64) ([]byte, error) {
	// SPEC: "two newline terminated lines (one header line and one timestamp
	// line) followed by the whole note body of the cosigned checkpoint".
	msg := fmt.Sprintf("cosignature/v1\ntime %d\n%s", unix, c)
	sig, err := s.priv.Sign(nil, []byte(msg), crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(unix)), sig...), nil
}

type mldsaSigner struct {
	key    trust.Key
	signer *cosignote.SubtreeSigner
}

func newMLDSASigner(skey string, seed []byte) (Signer, error) {
	s, err := cosignote.NewMLDSASigner(skey)
	if err != nil {
		return nil, err
	}
	priv, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
	if err != nil {
		return nil, err
	}
	key, err := cosignerKey(s.Name(), append([]byte{typeMLDSA44}, priv.PublicKey().Bytes()...))
	if err != nil {
		return nil, err
	}
	return &mldsaSigner{key: key, signer: s}, nil
}

func (s *mldsaSigner) Key() trust.Key { return s.key }

func (s *mldsaSigner) Cosign(c torchwood.Checkpoint, unix int64) ([]byte, error) {
	// SPEC: "checkpoint extension lines are not included in the signed message
	// for ML-DSA-44 cosignatures". Readers would take it as if they were.
	if c.Extension != "" {
		return nil, errNotCovered
	}
	// SPEC: "If signing a checkpoint, [start] MUST be zero"; origin and name have
	// one byte for their length, which the library does not check.
	if len(c.Origin) > 255 {
		return nil, errNotCovered
	}
	return s.signer.SignSubtree(uint64(unix), c.Origin, 0, uint64(c.N), c.Hash[:])
}
