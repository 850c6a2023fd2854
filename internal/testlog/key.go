package testlog

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"

	"github.com/standing-log/standing/personality/entry"
)

// Key is a private key. It implements entry.Signer.
type Key struct {
	private crypto.Signer
	public  entry.PublicKey
	id      entry.Hash
}

// NewKey returns the Ed25519 key, or the P-256 key, that belongs to seed.
func NewKey(seed string, p256 bool) *Key {
	h := sha256.Sum256([]byte("testlog key " + seed))
	var private crypto.Signer = ed25519.NewKeyFromSeed(h[:])
	if p256 {
		// A hash is zero or beyond the order of the group once in 2^32 seeds.
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), h[:])
		must(err)
		private = k
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	must(err)
	public, err := entry.ParseKey(spki)
	must(err)
	return &Key{private, public, public.ID()}
}

// Public returns the public key.
func (k *Key) Public() entry.PublicKey { return k.public }

// ID returns the keyid.
func (k *Key) ID() entry.Hash { return k.id }

// Sign signs message, always with the same bytes.
func (k *Key) Sign(message []byte) ([]byte, error) {
	if p256, ok := k.private.(*ecdsa.PrivateKey); ok {
		digest := sha256.Sum256(message)
		return p256.Sign(nil, digest[:], crypto.SHA256)
	}
	return k.private.Sign(nil, message, crypto.Hash(0))
}

// proof returns the key's proof of possession: its signature of text.
func (k *Key) proof(text []byte) entry.KeyProof {
	sig, err := k.Sign(text)
	must(err)
	return entry.KeyProof{Key: k.public, Pop: sig}
}

func publics(keys []*Key) []entry.PublicKey {
	out := make([]entry.PublicKey, len(keys))
	for i, k := range keys {
		out[i] = k.public
	}
	return out
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
