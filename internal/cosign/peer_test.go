package cosign

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/trust"
)

const testOrigin = "log.example/a"

// testLog is a log of 64 leaves that signs any prefix.
type testLog struct {
	signer note.Signer
	vkey   string
	hashes []tlog.Hash
}

func newTestLog(t testing.TB) *testLog {
	t.Helper()
	seed := sha256.Sum256([]byte("log"))
	skey, vkey, err := note.GenerateKey(bytes.NewReader(seed[:]), testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	l := &testLog{vkey: vkey}
	if l.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	for i := range int64(64) {
		h, err := tlog.StoredHashes(i, fmt.Append(nil, i), l)
		if err != nil {
			t.Fatal(err)
		}
		l.hashes = append(l.hashes, h...)
	}
	return l
}

// ReadHashes implements tlog.HashReader.
func (l *testLog) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func (l *testLog) body(t testing.TB, size int64) trust.Body {
	t.Helper()
	h, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	return trust.Body{Origin: testOrigin, Size: uint64(size), Root: h}
}

func (l *testLog) sign(t testing.TB, b trust.Body) []byte {
	t.Helper()
	msg, err := note.Sign(&note.Note{Text: b.String()}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// at returns the signed checkpoint of a size and the proofs to it.
func (l *testLog) at(t testing.TB, size int64) ([]byte, Consistency) {
	t.Helper()
	return l.sign(t, l.body(t, size)), func(_ context.Context, from uint64) (proof []Hash, err error) {
		if from == 0 || from >= uint64(size) {
			t.Errorf("proof from %d to %d asked for", from, size)
		}
		hs, err := tlog.ProveTree(size, int64(from), l)
		for _, h := range hs {
			proof = append(proof, h)
		}
		return proof, err
	}
}

// peer is a cosigner of our own making, as its client sees it.
type peer struct {
	name    string
	vkey    string
	signer  witness.Signer
	server  *httptest.Server
	handler func(p *peer, rw http.ResponseWriter, r *http.Request) // changed before it is first asked
}

// serve starts a peer whose requests h answers; h can sign with p.line.
func serve(t testing.TB, name string, h func(p *peer, rw http.ResponseWriter, r *http.Request)) *peer {
	t.Helper()
	seed := sha256.Sum256([]byte("peer " + name))
	s, err := witness.NewEd25519Signer(name+".example", ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{name: name, vkey: s.Key().Vkey, signer: s, handler: h}
	p.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { p.handler(p, rw, r) }))
	t.Cleanup(func() { p.server.CloseClientConnections(); p.server.Close() })
	return p
}

// line is a cosignature line with its newline.
func (p *peer) line(t testing.TB, b trust.Body, unix int64) string {
	t.Helper()
	cp := torchwood.Checkpoint{Origin: b.Origin, Tree: tlog.Tree{N: int64(b.Size), Hash: b.Root}}
	sig, err := p.signer.Cosign(cp, unix)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := note.Sign(&note.Note{Text: b.String()}, fixed{p.signer.Key().Verifier, sig})
	if err != nil {
		t.Fatal(err)
	}
	return string(msg[len(b.String())+1:])
}

// fixed is a note.Signer that returns a signature made before.
type fixed struct {
	note.Verifier
	sig []byte
}

func (f fixed) Sign([]byte) ([]byte, error) { return f.sig, nil }

// honest starts a peer that runs our witness.
func honest(t testing.TB, name string, l *testLog, now func() time.Time) *peer {
	t.Helper()
	var w *witness.Witness
	var once sync.Once
	return serve(t, name, func(p *peer, rw http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			var err error
			w, err = witness.New(witness.Config{
				Signers: []witness.Signer{p.signer},
				Logs:    []witness.Log{{Origin: testOrigin, Vkeys: []string{l.vkey}}},
				Store:   &witness.MemStore{},
				Now:     now,
			})
			if err != nil {
				t.Error(err)
			}
		})
		w.ServeHTTP(rw, r)
	})
}

// policy lists the log and the peers, and ends with the lines given.
func policy(t testing.TB, l *testLog, rest string, peers ...*peer) *trust.Policy {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "log %s\n", l.vkey)
	for _, p := range peers {
		fmt.Fprintf(&b, "witness %s %s %s\n", p.name, p.vkey, p.server.URL)
	}
	p, err := trust.Parse([]byte(b.String() + rest))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// client returns a client of one peer.
func client(t testing.TB, l *testLog, p *peer, timeout time.Duration) *Client {
	t.Helper()
	clients := clients(t, policy(t, l, "quorum none\n", p), timeout)
	return clients[0]
}

func clients(t testing.TB, p *trust.Policy, timeout time.Duration) []*Client {
	t.Helper()
	cs, err := NewClients(p, nil, timeout)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cs {
		c.now = func() time.Time { return now }
		t.Cleanup(c.http.CloseIdleConnections)
	}
	return cs
}

func oldSize(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	line, _, _ := strings.Cut(string(body), "\n")
	return line
}

var now = time.Unix(1_700_000_000, 0)
