// Package keyfile keeps signing keys in files, and asks programs that keep
// them elsewhere.
//
// A key file is one PEM block "PRIVATE KEY": PKCS #8 of an Ed25519 or a P-256
// key, unencrypted. A public key file is one PEM block "PUBLIC KEY": the
// SubjectPublicKeyInfo of entry/SPEC.md, "Keys". `openssl genpkey -algorithm
// ed25519` writes the first, `openssl pkey -pubout` the second.
//
// [Command] signs with any other program: it gets the bytes to be signed on
// standard input and prints the signature in base64: 64 bytes of Ed25519, or
// DER of ECDSA P-256 over their SHA-256.
//
// Invariants:
//
//   - A key file is never overwritten, and never readable by group or others
//     while it has content.
//   - A key file that others can read is not used.
//   - Files are whole or absent, whenever the machine stops.
//   - A signature that does not verify is not returned.
package keyfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/standing-log/standing/personality/entry"
)

// maxFile is the length in bytes beyond which nothing is a key file.
const maxFile = 16 << 10

// Errors of Load.
var (
	// ErrExposed means that others than the owner can read the key file.
	ErrExposed = errors.New("key file is readable by group or others")
	// ErrFormat means that the file is no key this package can use.
	ErrFormat = errors.New("not a PKCS #8 PEM file of an Ed25519 or P-256 key")
)

// Key is a private key. It is an entry.Signer.
type Key struct {
	private crypto.Signer
	public  entry.PublicKey
}

// Generate makes an Ed25519 key.
func Generate() (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating a key: %w", err)
	}
	return newKey(private)
}

func newKey(private crypto.Signer) (*Key, error) {
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	public, err := entry.ParseKey(spki)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return &Key{private, public}, nil
}

// Public returns the public key.
func (k *Key) Public() entry.PublicKey { return k.public }

// Sign signs message as entry.Signer says.
func (k *Key) Sign(message []byte) ([]byte, error) {
	if _, ok := k.private.(ed25519.PrivateKey); ok {
		return k.private.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return k.private.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// Create writes k to a new file at path, for its owner only. The error is
// fs.ErrExist if there is a file already.
func (k *Key) Create(path string) error {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return fmt.Errorf("encoding the key: %w", err)
	}
	return WriteNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// Load reads the key file at path.
func Load(path string) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// The opened file is looked at, not its name: they could differ.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrExposed)
	}
	der, err := readPEM(f, "PRIVATE KEY")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	k, err := parsePrivate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

func parsePrivate(der []byte) (*Key, error) {
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, ErrFormat
	}
	switch private := private.(type) {
	case ed25519.PrivateKey:
		return newKey(private)
	case *ecdsa.PrivateKey:
		if private.Curve == elliptic.P256() {
			return newKey(private)
		}
	}
	return nil, ErrFormat
}

// readPEM reads a file of exactly one block of the given type.
func readPEM(r io.Reader, typ string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if len(data) > maxFile || block == nil || block.Type != typ || len(block.Headers) > 0 {
		return nil, ErrFormat
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, fmt.Errorf("%w: more than one block", ErrFormat)
	}
	return block.Bytes, nil
}

// MarshalPublic returns the content of a public key file.
func MarshalPublic(k entry.PublicKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.SPKI()})
}

// LoadPublic reads the public key file at path.
func LoadPublic(path string) (entry.PublicKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return entry.PublicKey{}, err
	}
	defer f.Close()
	der, err := readPEM(f, "PUBLIC KEY")
	if errors.Is(err, ErrFormat) {
		return entry.PublicKey{}, fmt.Errorf("%s: not a PEM file with one PUBLIC KEY", path)
	}
	if err != nil {
		return entry.PublicKey{}, err
	}
	k, err := entry.ParseKey(der)
	if err != nil {
		return entry.PublicKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}
