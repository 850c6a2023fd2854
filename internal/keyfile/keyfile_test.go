package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/entry"
)

func TestCreateLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.key")
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Create(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Public().ID() != k.Public().ID() {
		t.Error("another key came back")
	}
	before, _ := os.ReadFile(path)
	if err := k.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Create: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the key file was overwritten")
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrExposed) {
		t.Errorf("readable by the group: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".standing-*")); left != nil {
		t.Errorf("temporary files left: %v", left)
	}
}

// TestSigns: both algorithms sign what entry verifies.
func TestSigns(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newKey(p256)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "p256.key")
	if err := e.Create(path); err != nil {
		t.Fatal(err)
	}
	if e, err = Load(path); err != nil {
		t.Fatal(err)
	}
	d, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Key{d, e} {
		sig, err := k.Sign([]byte("text"))
		if err != nil || !k.Public().Verify([]byte("text"), sig) || k.Public().Verify([]byte("other"), sig) {
			t.Errorf("signature %x, %v", sig, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if err := k.Create(good); err != nil {
		t.Fatal(err)
	}
	goodPEM, _ := os.ReadFile(good)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for name, content := range map[string][]byte{
		"empty":      nil,
		"public key": MarshalPublic(k.Public()),
		"twice":      append(bytes.Clone(goodPEM), goodPEM...),
		"truncated":  goodPEM[:len(goodPEM)-40],
		"RSA":        private(rsaKey),
		"P-384":      private(p384),
		"large":      append(bytes.Clone(goodPEM), make([]byte, maxFile)...),
		"headers":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"A": "b"}, Bytes: []byte{1}}),
	} {
		path := filepath.Join(dir, "x")
		if err := WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestPublic(t *testing.T) {
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.pub")
	if err := WriteNew(path, MarshalPublic(k.Public()), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := LoadPublic(path)
	if err != nil || got.ID() != k.Public().ID() {
		t.Errorf("LoadPublic: %v", err)
	}
	if err := WriteFile(path, []byte("nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPublic(path); err == nil || !strings.Contains(err.Error(), "PUBLIC KEY") {
		t.Errorf("not a key: %v", err)
	}
}

// TestCommand signs with a program: a shell script that prints what it is
// told, and keeps what it was given.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "sign")
	run := func(body string) ([]byte, error) {
		if err := WriteFile(script, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := Command(t.Context(), script+" one two", k.Public())
		if err != nil {
			t.Fatal(err)
		}
		if s.Public().ID() != k.Public().ID() {
			t.Error("another key")
		}
		return s.Sign([]byte("message"))
	}
	sig, err := k.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := run("cat > " + dir + "/stdin; echo $1 $2 > " + dir + "/args\necho " + base64Of(sig))
	if err != nil || !bytes.Equal(got, sig) {
		t.Errorf("Sign: %x, %v", got, err)
	}
	if in, _ := os.ReadFile(dir + "/stdin"); string(in) != "message" {
		t.Errorf("the program was given %q", in)
	}
	if args, _ := os.ReadFile(dir + "/args"); string(args) != "one two\n" {
		t.Errorf("arguments %q", args)
	}
	for name, body := range map[string]string{
		"fails":          "cat >/dev/null; exit 3",
		"not base64":     "cat >/dev/null; echo '?'",
		"foreign":        "cat >/dev/null; echo " + base64Of(make([]byte, 64)),
		"prints forever": "cat >/dev/null; head -c 100000 /dev/zero",
	} {
		if _, err := run(body); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Command(t.Context(), "  ", entry.PublicKey{}); err == nil {
		t.Error("no program: no error")
	}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// FuzzReadPEM: what is read as a key can be written and read again.
func FuzzReadPEM(f *testing.F) {
	k, err := Generate()
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		der, err := readPEM(bytes.NewReader(data), "PRIVATE KEY")
		if err != nil {
			return
		}
		k, err := parsePrivate(der)
		if err != nil {
			return
		}
		again, err := x509.MarshalPKCS8PrivateKey(k.private)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := parsePrivate(again); err != nil || other.Public().ID() != k.Public().ID() {
			t.Errorf("another key came back: %v", err)
		}
	})
}
