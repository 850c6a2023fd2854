package trust_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/standing-log/standing/personality/trust"
	cosignote "github.com/transparency-dev/formats/note"
)

// testKey signs bodies as a log (type 1) or as a cosigner (types 4 and 6).
type testKey struct {
	name string
	typ  byte
	priv ed25519.PrivateKey
	pq   *cosignote.SubtreeSigner
	vkey string
}

func keyHash(name string, raw []byte) []byte {
	h := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return h[:4]
}

func vkeyOf(name string, raw []byte) string {
	return fmt.Sprintf("%s+%x+%s", name, keyHash(name, raw), base64.StdEncoding.EncodeToString(raw))
}

// newKey makes an Ed25519 key from a seed that depends on name and n only.
func newKey(name string, typ byte, n int) testKey {
	seed := sha256.Sum256([]byte(fmt.Sprint(name, n)))
	priv := ed25519.NewKeyFromSeed(seed[:])
	raw := append([]byte{typ}, priv.Public().(ed25519.PublicKey)...)
	return testKey{name: name, typ: typ, priv: priv, vkey: vkeyOf(name, raw)}
}

func logKey(name string) testKey     { return newKey(name, 1, 0) }
func witnessKey(name string) testKey { return newKey(name, 4, 0) }

func newPQKey(t testing.TB, name string) testKey {
	t.Helper()
	skey, vkey, err := cosignote.GenerateMLDSAKey(name)
	if err != nil {
		t.Fatal(err)
	}
	pq, err := cosignote.NewMLDSASigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return testKey{name: name, typ: 6, pq: pq, vkey: vkey}
}

func (k testKey) hash() []byte {
	if k.pq != nil {
		return binary.BigEndian.AppendUint32(nil, k.pq.KeyHash())
	}
	return keyHash(k.name, append([]byte{k.typ}, k.priv.Public().(ed25519.PublicKey)...))
}

// line signs b; unix is ignored for type 1.
func (k testKey) line(t testing.TB, b trust.Body, unix uint64) string {
	t.Helper()
	var sig []byte
	switch k.typ {
	case 1:
		sig = ed25519.Sign(k.priv, []byte(b.String()))
	case 4:
		msg := fmt.Sprintf("cosignature/v1\ntime %d\n%s", unix, b)
		sig = append(binary.BigEndian.AppendUint64(nil, unix), ed25519.Sign(k.priv, []byte(msg))...)
	case 6:
		var err error
		if sig, err = k.pq.SignSubtree(unix, b.Origin, 0, b.Size, b.Root[:]); err != nil {
			t.Fatal(err)
		}
	}
	return "— " + k.name + " " + base64.StdEncoding.EncodeToString(append(k.hash(), sig...))
}

// signed joins a body and signature lines to a note.
func signed(b trust.Body, lines ...string) []byte {
	s := b.String() + "\n"
	for _, l := range lines {
		s += l + "\n"
	}
	return []byte(s)
}

func mustParse(t testing.TB, text string) *trust.Policy {
	t.Helper()
	p, err := trust.Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, text)
	}
	return p
}

func testBody(origin string, size uint64) trust.Body {
	return trust.Body{Origin: origin, Size: size, Root: sha256.Sum256([]byte(fmt.Sprint(origin, size)))}
}

const origin = "log.example/a"

var now = time.Unix(1_700_000_000, 0)
