package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const testOrigin = "log.example/a"

// testLog is a log of leaves "<fork> 0", "<fork> 1", ... under one key. A fork
// shares the leaves before the size at which it left.
type testLog struct {
	origin string
	signer note.Signer
	vkey   string
	hashes []tlog.Hash
	size   int64
}

func newTestLog(t testing.TB, origin string, size int64) *testLog {
	t.Helper()
	seed := sha256.Sum256([]byte("log " + origin))
	skey, vkey, err := note.GenerateKey(bytes.NewReader(seed[:]), origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	l := &testLog{origin: origin, signer: signer, vkey: vkey}
	l.grow(t, "leaf", size)
	return l
}

func (l *testLog) grow(t testing.TB, prefix string, size int64) {
	t.Helper()
	for ; l.size < size; l.size++ {
		h, err := tlog.StoredHashes(l.size, fmt.Append(nil, prefix, l.size), l)
		if err != nil {
			t.Fatal(err)
		}
		l.hashes = append(l.hashes, h...)
	}
}

func (l *testLog) fork(t testing.TB, at, size int64) *testLog {
	f := *l
	f.size, f.hashes = at, slices.Clone(l.hashes[:tlog.StoredHashCount(at)])
	f.grow(t, "fork", size)
	return &f
}

// ReadHashes implements tlog.HashReader.
func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func (l *testLog) root(t testing.TB, size int64) tlog.Hash {
	t.Helper()
	if size == 0 {
		return sha256.Sum256(nil)
	}
	h, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (l *testLog) text(t testing.TB, size int64) string {
	return torchwood.Checkpoint{Origin: l.origin, Tree: tlog.Tree{N: size, Hash: l.root(t, size)}}.String()
}

func (l *testLog) checkpoint(t testing.TB, size int64) []byte {
	t.Helper()
	msg, err := note.Sign(&note.Note{Text: l.text(t, size)}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func (l *testLog) proof(t testing.TB, from, to int64) (p [][32]byte) {
	t.Helper()
	if from == 0 || from == to {
		return nil
	}
	hs, err := tlog.ProveTree(to, from, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hs {
		p = append(p, h)
	}
	return p
}

// request is a valid request for the step from old to size.
func (l *testLog) request(t testing.TB, old, size int64) []byte {
	t.Helper()
	return (&request{old: uint64(old), proof: l.proof(t, old, size), note: l.checkpoint(t, size)}).format()
}

func testSigner(t testing.TB, name string) Signer {
	t.Helper()
	seed := sha256.Sum256([]byte("witness " + name))
	s, err := NewEd25519Signer(name, ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clock is a settable clock.
type clock struct{ unix int64 }

func (c *clock) now() time.Time { return time.Unix(c.unix, 0) }

func newTestWitness(t testing.TB, store Store, c *clock, logs ...*testLog) *Witness {
	t.Helper()
	cfg := Config{Signers: []Signer{testSigner(t, "w.example")}, Store: store, Now: c.now}
	for _, l := range logs {
		cfg.Logs = append(cfg.Logs, Log{Origin: l.origin, Vkeys: []string{l.vkey}})
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func post(t testing.TB, h http.Handler, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("POST", "/add-checkpoint", bytes.NewReader(body)))
	return rec
}

// verify checks lines with torchwood's verifier and returns their timestamp.
func verify(t testing.TB, vkey, text, lines string) int64 {
	t.Helper()
	v, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(text+"\n"+lines), note.VerifierList(v))
	if err != nil {
		t.Fatalf("cosignature: %v\n%s", err, lines)
	}
	unix, err := torchwood.CosignatureTimestamp(n.Sigs[0])
	if err != nil {
		t.Fatal(err)
	}
	return unix
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func replaceLine(body []byte, n int, line string) []byte {
	lines := strings.SplitAfter(string(body), "\n")
	lines[n] = line
	return []byte(strings.Join(lines, ""))
}

// failStore fails each Update after fn was called, without storing.
type failStore struct {
	Store
	err error
}

func (s failStore) Update(ctx context.Context, origin string, fn func([]byte) ([]byte, error)) error {
	current, err := s.Latest(ctx, origin)
	if err != nil {
		return err
	}
	if _, err := fn(current); err != nil {
		return err
	}
	return s.err
}
