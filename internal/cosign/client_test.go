package cosign

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/trust"
)

func TestCosign(t *testing.T) {
	l := newTestLog(t)
	p := honest(t, "w", l, func() time.Time { return now })
	c := client(t, l, p, time.Minute)
	if !slices.Equal(c.Names(), []string{"w"}) {
		t.Errorf("Names = %q", c.Names())
	}
	for _, size := range []int64{8, 8, 9, 64} {
		cp, consistency := l.at(t, size)
		sigs, err := c.Cosign(t.Context(), cp, consistency)
		if err != nil || len(sigs) != 1 || sigs[0].Name != "w" || sigs[0].Unix != now.Unix() {
			t.Fatalf("size %d: %+v, %v", size, sigs, err)
		}
	}
	// A client that knows nothing learns the size from the 409.
	cp, consistency := l.at(t, 64)
	if _, err := client(t, l, p, time.Minute).Cosign(t.Context(), cp, consistency); err != nil {
		t.Errorf("new client: %v", err)
	}
	cp, consistency = l.at(t, 63)
	_, err := c.Cosign(t.Context(), cp, consistency)
	var ahead *AheadError
	if !errors.As(err, &ahead) || ahead.Size != 64 {
		t.Errorf("smaller checkpoint: %v", err)
	}
	// Another tree at a size that the witness has, and one above it.
	b := l.body(t, 64)
	b.Root[0] ^= 1
	if _, err := c.Cosign(t.Context(), l.sign(t, b), consistency); !errors.Is(err, ErrConflict) {
		t.Errorf("other root: %v", err)
	}
	b.Size = 65
	bad := func(context.Context, uint64) ([]Hash, error) { return make([]Hash, 7), nil }
	if _, err := client(t, l, p, time.Minute).Cosign(t.Context(), l.sign(t, b), bad); !errors.Is(err, ErrInconsistent) {
		t.Errorf("false proof: %v", err)
	}
}

func TestCosignOurs(t *testing.T) {
	l := newTestLog(t)
	p := honest(t, "w", l, func() time.Time { return now })
	c := client(t, l, p, time.Minute)
	cp, consistency := l.at(t, 8)
	if _, err := c.Cosign(t.Context(), []byte("x"), consistency); !errors.Is(err, trust.ErrMalformed) {
		t.Errorf("not a checkpoint: %v", err)
	}
	if _, err := c.Cosign(t.Context(), cp, consistency); err != nil {
		t.Fatal(err)
	}
	cp, consistency = l.at(t, 9)
	broken := errors.New("broken store")
	for range 2 * restAfter { // our failures do not count against the cosigner
		_, err := c.Cosign(t.Context(), cp, func(context.Context, uint64) ([]Hash, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Errorf("failing proof: %v", err)
		}
	}
	if _, err := c.Cosign(t.Context(), cp, func(context.Context, uint64) ([]Hash, error) { return make([]Hash, 64), nil }); err == nil {
		t.Error("proof of 64 hashes was sent")
	}
	if _, err := c.Cosign(t.Context(), cp, consistency); err != nil {
		t.Error(err)
	}
}

// TestHostile has a cosigner do each thing that could hurt.
func TestHostile(t *testing.T) {
	l := newTestLog(t)
	cp, consistency := l.at(t, 8)
	b := l.body(t, 8)
	stranger := serve(t, "stranger", nil)
	size := func(rw http.ResponseWriter, n string) {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		io.WriteString(rw, n)
	}
	say := func(s func(p *peer) string) func(*peer, http.ResponseWriter, *http.Request) {
		return func(p *peer, rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, s(p)) }
	}
	status := func(err error) bool { var s *StatusError; return errors.As(err, &s) && len(s.Error()) < 1000 }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	for name, tc := range map[string]struct {
		h    func(p *peer, rw http.ResponseWriter, r *http.Request)
		want func(error) bool
	}{
		"endless reply": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, p.line(t, b, now.Unix()))
			for {
				if _, err := io.WriteString(rw, strings.Repeat("\n", 4096)); err != nil {
					return
				}
			}
		}, is(ErrReply)},
		"endless headers": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("X", strings.Repeat("x", 1<<20))
			io.WriteString(rw, p.line(t, b, now.Unix()))
		}, func(err error) bool { return err != nil }},
		"compressed": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Write([]byte{0x1f, 0x8b})
		}, is(ErrReply)},
		"never answers": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, is(context.DeadlineExceeded)},
		"drips": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(rw, "— ")
			http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		}, is(context.DeadlineExceeded)},
		"hangs up":        {func(*peer, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, func(err error) bool { return err != nil }},
		"empty":           {say(func(*peer) string { return "" }), is(ErrReply)},
		"garbage":         {say(func(*peer) string { return "\x00\xff garbage\n" }), is(ErrNoCosignature)},
		"not ended":       {say(func(p *peer) string { return strings.TrimSuffix(p.line(t, b, now.Unix()), "\n") }), is(ErrReply)},
		"wrong key":       {say(func(*peer) string { return stranger.line(t, b, now.Unix()) }), is(ErrNoCosignature)},
		"wrong tree":      {say(func(p *peer) string { return p.line(t, l.body(t, 9), now.Unix()) }), is(ErrNoCosignature)},
		"log's own line":  {say(func(*peer) string { return string(cp[len(b.String())+1:]) }), is(ErrNoCosignature)},
		"checkpoint":      {say(func(p *peer) string { return string(cp) }), is(ErrNoCosignature)},
		"time 0":          {say(func(p *peer) string { return p.line(t, b, 0) }), is(ErrNoCosignature)},
		"time ahead":      {say(func(p *peer) string { return p.line(t, b, now.Unix()+301) }), is(ErrNoCosignature)},
		"behind 100 more": {say(func(p *peer) string { return strings.Repeat("x\n", 100) + p.line(t, b, now.Unix()) }), is(ErrNoCosignature)},
		"redirect": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, other.URL, http.StatusTemporaryRedirect)
		}, status},
		"404": {func(p *peer, rw http.ResponseWriter, r *http.Request) { http.NotFound(rw, r) }, status},
		"500 and much": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			http.Error(rw, strings.Repeat("\x1b", 9999), 500)
		}, status},
		"409, no size":  {func(p *peer, rw http.ResponseWriter, r *http.Request) { http.Error(rw, "3", http.StatusConflict) }, is(ErrConflict)},
		"409, no digit": {func(p *peer, rw http.ResponseWriter, r *http.Request) { size(rw, "x\n") }, is(ErrReply)},
		"409, no end":   {func(p *peer, rw http.ResponseWriter, r *http.Request) { size(rw, "3") }, is(ErrReply)},
		"409, 007":      {func(p *peer, rw http.ResponseWriter, r *http.Request) { size(rw, "007\n") }, is(ErrReply)},
		"409, same": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			size(rw, strings.TrimPrefix(oldSize(r), "old ")+"\n")
		}, is(ErrReply)},
		"409, 2^64-1": {func(p *peer, rw http.ResponseWriter, r *http.Request) { size(rw, "18446744073709551615\n") }, func(err error) bool { var a *AheadError; return errors.As(err, &a) }},
		"409 for ever": {func(p *peer, rw http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(strings.TrimPrefix(oldSize(r), "old "))
			size(rw, fmt.Sprintf("%d\n", (n+1)%8))
		}, is(ErrReply)},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			p := serve(t, "w", func(p *peer, rw http.ResponseWriter, r *http.Request) { requests++; tc.h(p, rw, r) })
			timeout := time.Minute
			if name == "never answers" || name == "drips" {
				timeout = 50 * time.Millisecond
			}
			sigs, err := client(t, l, p, timeout).Cosign(t.Context(), cp, consistency)
			if len(sigs) != 0 || err == nil || !tc.want(err) {
				t.Errorf("%+v, %v", sigs, err)
			}
			p.server.CloseClientConnections()
			p.server.Close() // waits for the handlers, so that requests can be read
			if requests > maxRequests || name == "409, same" && requests > 1 {
				t.Errorf("%d requests", requests)
			}
		})
	}
	if elsewhere != 0 {
		t.Error("followed a redirect")
	}
}

func TestAmongGarbage(t *testing.T) {
	l := newTestLog(t)
	cp, consistency := l.at(t, 8)
	b := l.body(t, 8)
	p := serve(t, "w", func(p *peer, rw http.ResponseWriter, r *http.Request) {
		forged := p.line(t, l.body(t, 9), now.Unix())
		io.WriteString(rw, "x\n"+forged+p.line(t, b, now.Unix()-9)+p.line(t, b, now.Unix()-3)+p.line(t, b, now.Unix()+900)+p.line(t, b, 0))
	})
	sigs, err := client(t, l, p, time.Minute).Cosign(t.Context(), cp, consistency)
	if err != nil || len(sigs) != 1 || sigs[0].Unix != now.Unix()-3 {
		t.Errorf("%+v, %v; want the newest that counts", sigs, err)
	}
}

func TestBackoff(t *testing.T) {
	l := newTestLog(t)
	cp, consistency := l.at(t, 8)
	healthy := false
	p := serve(t, "w", func(p *peer, rw http.ResponseWriter, r *http.Request) {
		if !healthy {
			http.Error(rw, "no", 500)
			return
		}
		io.WriteString(rw, p.line(t, l.body(t, 8), now.Unix()))
	})
	c := client(t, l, p, time.Minute)
	at := now
	c.now = func() time.Time { return at }
	ask := func() error { _, err := c.Cosign(t.Context(), cp, consistency); return err }
	for range restAfter {
		if err := c.unready(); err != nil {
			t.Fatal(err)
		}
		if ask() == nil {
			t.Fatal("cosigned")
		}
	}
	for _, pause := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		at = at.Add(time.Duration(pause)*time.Second - 1)
		if err := c.unready(); !errors.Is(err, ErrBackoff) {
			t.Fatalf("before %d s: %v", pause, err)
		}
		at = at.Add(1)
		if err := c.unready(); err != nil || ask() == nil {
			t.Fatalf("after %d s: %v", pause, err)
		}
	}
	if signed := c.Signed()[0]; signed.Err == nil || signed.Size != 0 {
		t.Errorf("%+v", signed)
	}
	// Who is asked all the same may have recovered.
	healthy = true
	if err := ask(); err != nil || c.unready() != nil {
		t.Fatal(err, c.unready())
	}
	if signed := c.Signed()[0]; signed.Err != nil || signed.Size != 8 || signed.Time != now.Unix() || signed.Name != "w" {
		t.Errorf("%+v", signed)
	}
	healthy = false
	if ask() == nil || c.unready() != nil {
		t.Error("a success did not clear the failures")
	}
}

func TestNewClient(t *testing.T) {
	l := newTestLog(t)
	p := honest(t, "w", l, nil)
	cosigners := policy(t, l, "quorum none\n", p).Cosigners()
	for _, u := range []string{"", "x", "ftp://x/", "http://", "https:///x", "http://u@x/", "http://x/?q", "http://x/#f", "http://x/\x7f", "file:///etc"} {
		if _, err := NewClient(Config{URL: u, Cosigners: cosigners}); err == nil {
			t.Errorf("%q accepted", u)
		}
	}
	if _, err := NewClient(Config{URL: "https://x/"}); err == nil {
		t.Error("no cosigner accepted")
	}
	for u, want := range map[string]string{
		"https://x": "https://x/add-checkpoint", "https://x/a/": "https://x/a/add-checkpoint", "http://x/a": "http://x/a/add-checkpoint",
	} {
		if c, err := NewClient(Config{URL: u, Cosigners: cosigners}); err != nil || c.endpoint != want {
			t.Errorf("%q: %+v, %v", u, c, err)
		}
	}
	bad, err := trust.Parse([]byte("witness a " + p.vkey + " not-a-url\nquorum a\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewClients(bad, nil, 0); err == nil {
		t.Error("policy with a malformed URL accepted")
	}
}

// TestTorchwood asks a peer that shares no code with ours: torchwood's parser,
// proof checker and signer behind the protocol.
func TestTorchwood(t *testing.T) {
	l := newTestLog(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner("torchwood.example", key)
	if err != nil {
		t.Fatal(err)
	}
	logKey, err := note.NewVerifier(l.vkey)
	if err != nil {
		t.Fatal(err)
	}
	w := &torchwoodWitness{t: t, signer: signer, logKey: logKey}
	server := httptest.NewServer(w)
	defer server.Close()
	p, err := trust.Parse(fmt.Appendf(nil, "log %s\nwitness w %s %s\nquorum w\n", l.vkey, signer.Verifier(), server.URL))
	if err != nil {
		t.Fatal(err)
	}
	cs, err := NewClients(p, server.Client(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{3, 17, 17, 64} {
		cp, consistency := l.at(t, size)
		res, err := Gather(t.Context(), Request{Policy: p, Clients: cs, Checkpoint: cp, Consistency: consistency, Now: time.Now()})
		if err != nil || !res.Opened.Witnessed || len(res.Failures) != 0 {
			t.Fatalf("size %d: %+v, %v", size, res, err)
		}
	}
	fresh, err := NewClients(p, server.Client(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	cp, consistency := l.at(t, 5)
	var ahead *AheadError
	if _, err := fresh[0].Cosign(t.Context(), cp, consistency); !errors.As(err, &ahead) || ahead.Size != 64 {
		t.Errorf("smaller checkpoint: %v", err)
	}
}

type torchwoodWitness struct {
	t      *testing.T
	signer *torchwood.CosignatureSigner
	logKey note.Verifier
	mu     sync.Mutex
	tree   tlog.Tree
}

func (w *torchwoodWitness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != "POST" || r.URL.Path != "/add-checkpoint" {
		w.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	head, msg, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	_, n, err := torchwood.VerifyCheckpoint([]byte(msg), torchwood.ThresholdPolicy(2,
		torchwood.OriginPolicy(testOrigin), torchwood.SingleVerifierPolicy(w.logKey)))
	if err != nil {
		w.t.Error(err)
		return
	}
	cp, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		w.t.Error(err)
		return
	}
	if lines[0] != fmt.Sprintf("old %d", w.tree.N) {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", w.tree.N)
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			w.t.Errorf("proof line %q", line)
			return
		}
		proof = append(proof, tlog.Hash(h))
	}
	if w.tree.N > 0 {
		if err := tlog.CheckTree(proof, cp.N, cp.Hash, w.tree.N, w.tree.Hash); err != nil {
			w.t.Error(err)
		}
	}
	w.tree = cp.Tree
	signed, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		w.t.Error(err)
	}
	rw.Write(signed[len(n.Text)+1:])
}
