package witness

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func TestStatusCodes(t *testing.T) {
	l := newTestLog(t, testOrigin, 20)
	fork := l.fork(t, 5, 20)
	stranger := newTestLog(t, "log.example/b", 20)
	impostor := *stranger // another key, our origin and tree
	impostor.origin, impostor.hashes, impostor.signer = l.origin, l.hashes, stranger.signer
	store, c := &MemStore{}, &clock{1000}
	w := newTestWitness(t, store, c, l)
	if rec := post(t, w, l.request(t, 0, 8)); rec.Code != 200 {
		t.Fatalf("first checkpoint: %d %s", rec.Code, rec.Body)
	}
	good := l.request(t, 8, 12)
	flipped := bytes.Replace(good, []byte("— "+testOrigin+" "), []byte("— "+testOrigin+" AAAA"), 1)
	i := bytes.LastIndex(good, []byte("\n\n"))
	broken := slices.Clone(good)
	broken[len(broken)-10] ^= 1 // in base64: 'A' to '@' and the like, or another digit
	for name, tc := range map[string]struct {
		body []byte
		code int
		want string
	}{
		"same checkpoint again": {l.request(t, 8, 8), 200, "— w.example "},
		"empty":                 {nil, 400, ""},
		"no empty line":         {[]byte("old 8\n"), 400, ""},
		"no old line":           {good[6:], 400, ""},
		"old leading zero":      {replaceLine(good, 0, "old 08\n"), 400, ""},
		"old negative":          {replaceLine(good, 0, "old -8\n"), 400, ""},
		"old too big":           {replaceLine(good, 0, "old 9223372036854775808\n"), 400, ""},
		"old CRLF":              {replaceLine(good, 0, "old 8\r\n"), 400, ""},
		"proof not base64":      {replaceLine(good, 1, "x\n"), 400, ""},
		"proof short hash":      {replaceLine(good, 1, b64(make([]byte, 31))+"\n"), 400, ""},
		"64 proof lines":        {replaceLine(good, 1, strings.Repeat(b64(make([]byte, 32))+"\n", 64)), 400, ""},
		"old above size":        {replaceLine(l.request(t, 0, 12), 0, "old 13\n"), 400, ""},
		"no signature":          {slices.Concat(good[:i+1], []byte("\n")), 400, ""},
		"not a note":            {slices.Concat([]byte("old 8\n\n"), []byte(testOrigin+"\n")), 400, ""},
		"not a checkpoint":      {noteRequest(t, l, "x\n"), 400, ""},
		"size leading zero":     {noteRequest(t, l, "012\n"+b64(make([]byte, 32))+"\n"), 400, ""},
		"root of 31 bytes":      {noteRequest(t, l, "12\n"+b64(make([]byte, 31))+"\n"), 400, ""},
		"root with spare bits":  {noteRequest(t, l, "12\n"+strings.Repeat("A", 42)+"B=\n"), 400, ""},
		"unknown origin":        {stranger.request(t, 0, 8), 404, "unknown log"},
		"unknown key":           {impostor.request(t, 8, 12), 403, ""},
		"key id of other":       {flipped, 403, ""},
		"old size behind":       {l.request(t, 0, 12), 409, "8\n"},
		"old size ahead":        {l.request(t, 9, 12), 409, "8\n"},
		"smaller tree":          {l.request(t, 0, 4), 409, "8\n"},
		"other root, same size": {fork.request(t, 8, 8), 409, "another root"},
		"fork":                  {fork.request(t, 8, 12), 422, ""},
		"wrong proof hash":      {replaceLine(good, 1, b64(make([]byte, 32))+"\n"), 422, ""},
		"proof missing":         {(&request{old: 8, note: l.checkpoint(t, 12)}).format(), 422, ""},
		"proof not needed":      {(&request{old: 8, note: l.checkpoint(t, 8), proof: make([][32]byte, 1)}).format(), 422, ""},
		"too large":             {append(slices.Clone(good), make([]byte, maxBody)...), 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := post(t, w, tc.body)
			if rec.Code != tc.code || !strings.HasPrefix(rec.Body.String(), tc.want) {
				t.Fatalf("%d %q, want %d %q", rec.Code, rec.Body, tc.code, tc.want)
			}
			if isSize := rec.Header().Get("Content-Type") == "text/x.tlog.size"; isSize != (tc.want == "8\n") {
				t.Errorf("Content-Type %q", rec.Header().Get("Content-Type"))
			}
			if tc.code != 200 && strings.Contains(rec.Body.String(), "— w.example") {
				t.Error("refused with a cosignature")
			}
		})
	}
	if rec := post(t, w, broken); rec.Code != 403 && rec.Code != 400 {
		t.Errorf("broken signature: %d", rec.Code)
	}
	if rec := post(t, w, good); rec.Code != 200 {
		t.Errorf("a refusal changed the record: %d %s", rec.Code, rec.Body)
	}
	for _, r := range []*http.Request{
		httptest.NewRequest("GET", "/add-checkpoint", nil),
		httptest.NewRequest("PUT", "/add-checkpoint", bytes.NewReader(good)),
	} {
		rec := httptest.NewRecorder()
		if w.ServeHTTP(rec, r); rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", r.Method, rec.Code)
		}
	}
}

// noteRequest signs an arbitrary rest of a checkpoint.
func noteRequest(t *testing.T, l *testLog, rest string) []byte {
	t.Helper()
	msg, err := note.Sign(&note.Note{Text: l.origin + "\n" + rest}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return (&request{old: 8, note: msg}).format()
}

func TestEmptyTree(t *testing.T) {
	l, c := newTestLog(t, testOrigin, 3), &clock{1000}
	w := newTestWitness(t, &MemStore{}, c, l)
	empty := l.request(t, 0, 0)
	if rec := post(t, w, noteRequestAt(t, l, 0, "0\n"+b64(make([]byte, 32))+"\n")); rec.Code != 409 {
		t.Errorf("false empty root: %d", rec.Code)
	}
	if rec := post(t, w, (&request{proof: make([][32]byte, 1), note: l.checkpoint(t, 3)}).format()); rec.Code != 422 {
		t.Errorf("proof from size 0: %d", rec.Code)
	}
	for _, body := range [][]byte{empty, empty, l.request(t, 0, 3)} {
		if rec := post(t, w, body); rec.Code != 200 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	if rec := post(t, w, empty); rec.Code != 409 || rec.Body.String() != "3\n" {
		t.Errorf("empty tree after size 3: %d %s", rec.Code, rec.Body)
	}
}

func noteRequestAt(t *testing.T, l *testLog, old int, rest string) []byte {
	return replaceLine(noteRequest(t, l, rest), 0, fmt.Sprintf("old %d\n", old))
}

func TestTimestamps(t *testing.T) {
	l, c := newTestLog(t, testOrigin, 9), &clock{5000}
	w := newTestWitness(t, &MemStore{}, c, l)
	old := int64(0)
	for _, step := range []struct {
		clock, size int64
		code        int
		unix        int64
	}{
		{5000, 1, 200, 5000},
		{5007, 1, 200, 5007}, // the same checkpoint again is a newer statement
		{5003, 1, 200, 5007}, // never an older one
		{5003, 2, 200, 5007},
		{4707, 3, 200, 5007}, // 300 s back
		{4706, 4, 503, 0},
		{0, 4, 503, 0},
		{-5, 4, 503, 0},
		{1 << 40, 4, 503, 0},
		{5006, 4, 200, 5007},
		{5008, 5, 200, 5008},
	} {
		c.unix = step.clock
		rec := post(t, w, l.request(t, old, step.size))
		if rec.Code != step.code {
			t.Fatalf("%+v: %d %s", step, rec.Code, rec.Body)
		}
		if rec.Code != 200 {
			continue
		}
		if got := verify(t, w.Vkeys()[0], l.text(t, step.size), rec.Body.String()); got != step.unix {
			t.Errorf("%+v: signed at %d", step, got)
		}
		old = step.size
	}
}

func TestSeveralKeys(t *testing.T) {
	l := newTestLog(t, testOrigin, 9)
	_, pq := mldsaKey(t, "w.example/pq")
	w, err := New(Config{
		Signers: []Signer{testSigner(t, "w.example"), pq},
		Logs:    []Log{{Origin: testOrigin, Vkeys: []string{l.vkey}}},
		Store:   &MemStore{},
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := post(t, w, l.request(t, 0, 9))
	if rec.Code != 200 || strings.Count(rec.Body.String(), "\n") != 2 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	t1 := verify(t, w.Vkeys()[0], l.text(t, 9), rec.Body.String())
	t2 := verify(t, w.Vkeys()[1], l.text(t, 9), rec.Body.String())
	if t1 != t2 {
		t.Errorf("times differ: %d, %d", t1, t2)
	}
	// ML-DSA-44 would not cover an extension line, so only Ed25519 signs one.
	ext, err := note.Sign(&note.Note{Text: l.text(t, 9) + "extension\n"}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	rec = post(t, w, (&request{old: 9, note: ext}).format())
	if rec.Code != 200 || strings.Count(rec.Body.String(), "\n") != 1 {
		t.Fatalf("extension line: %d %s", rec.Code, rec.Body)
	}
	verify(t, w.Vkeys()[0], l.text(t, 9)+"extension\n", rec.Body.String())
	w.signers = w.signers[1:]
	if rec := post(t, w, (&request{old: 9, note: ext}).format()); rec.Code != 400 {
		t.Errorf("extension line, ML-DSA-44 alone: %d %s", rec.Code, rec.Body)
	}
}

func TestMonitoring(t *testing.T) {
	l := newTestLog(t, testOrigin, 9)
	w := newTestWitness(t, &MemStore{}, &clock{1000}, l)
	get := func(path string) (int, string) {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec.Code, rec.Body.String()
	}
	path := fmt.Sprintf("/%x/checkpoint", sha256.Sum256([]byte(testOrigin)))
	if code, _ := get(path); code != 404 {
		t.Errorf("before the first: %d", code)
	}
	// A line by an unknown key is not passed on.
	body := append(l.request(t, 0, 9), "— x AAAAAAAA\n"...)
	rec := post(t, w, body)
	code, got := get(path)
	if want := string(l.checkpoint(t, 9)) + rec.Body.String(); code != 200 || got != want {
		t.Errorf("%d %s\nwant %s", code, got, want)
	}
	for _, p := range []string{strings.ToUpper(path), "/x/checkpoint", "/checkpoint", fmt.Sprintf("/%x/checkpoint", sha256.Sum256([]byte("x")))} {
		if code, _ := get(p); code != 404 {
			t.Errorf("GET %s: %d", p, code)
		}
	}
	if _, err := w.Latest(t.Context(), "x"); !errors.Is(err, ErrUnknownLog) {
		t.Errorf("Latest of an unknown log: %v", err)
	}
}

// TestNotPersisted shows that no signature leaves without its record.
func TestNotPersisted(t *testing.T) {
	l := newTestLog(t, testOrigin, 9)
	w := newTestWitness(t, failStore{&MemStore{}, errors.New("disk full at /secret")}, &clock{1000}, l)
	rec := post(t, w, l.request(t, 0, 9))
	if rec.Code != 500 || strings.Contains(rec.Body.String(), "—") || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if lines, err := w.AddCheckpoint(t.Context(), l.request(t, 0, 9)); lines != nil || err == nil {
		t.Errorf("AddCheckpoint = %q, %v", lines, err)
	}
}

// TestCorruptRecord shows that a record that cannot be parsed is not "none".
func TestCorruptRecord(t *testing.T) {
	l := newTestLog(t, testOrigin, 9)
	other := newTestLog(t, "log.example/b", 9)
	for name, rec := range map[string]string{
		"text":         "x",
		"no time":      string(l.checkpoint(t, 9)),
		"time 0":       "time 0\n" + string(l.checkpoint(t, 9)),
		"no note":      "time 9\n",
		"cut":          "time 9\n" + l.text(t, 9),
		"other origin": "time 9\n" + string(other.checkpoint(t, 9)),
	} {
		store := &MemStore{records: map[string][]byte{testOrigin: []byte(rec)}}
		w := newTestWitness(t, store, &clock{1000}, l)
		if rec := post(t, w, l.request(t, 0, 9)); rec.Code != 500 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if _, err := w.Latest(t.Context(), testOrigin); err == nil {
			t.Errorf("%s: Latest serves it", name)
		}
	}
}

// seqStore records the order in which records became current.
type seqStore struct {
	Store
	sizes, times []int64
}

func (s *seqStore) Update(ctx context.Context, origin string, fn func([]byte) ([]byte, error)) error {
	return s.Store.Update(ctx, origin, func(current []byte) ([]byte, error) {
		next, err := fn(current)
		if err == nil {
			rec, err := parseRecord(origin, next)
			if err != nil {
				return nil, err
			}
			s.sizes, s.times = append(s.sizes, int64(rec.size)), append(s.times, rec.unix)
		}
		return next, err
	})
}

// TestNoRollback races honest and forked submissions; -race finds what it can.
func TestNoRollback(t *testing.T) {
	const size = 60
	l := newTestLog(t, testOrigin, size)
	fork := l.fork(t, 10, size)
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			seq := &seqStore{Store: open(t)}
			w := newTestWitness(t, seq, &clock{1000}, l)
			var wg sync.WaitGroup
			var mu sync.Mutex
			roots := make(map[string]string) // size: text cosigned
			for g := range 8 {
				wg.Go(func() {
					r := mrand.New(mrand.NewPCG(uint64(g), 1))
					src := l
					if g%2 == 1 {
						src = fork
					}
					old := int64(0)
					for range 60 {
						to := min(size, old+r.Int64N(4))
						lines, err := w.AddCheckpoint(t.Context(), src.request(t, old, to))
						var conflict *ConflictError
						switch {
						case errors.As(err, &conflict):
							old = int64(conflict.Size)
						case err == nil:
							text := src.text(t, to)
							verify(t, w.Vkeys()[0], text, string(lines))
							mu.Lock()
							key := fmt.Sprint(to)
							if had, ok := roots[key]; ok && had != text {
								t.Errorf("two trees cosigned at size %d", to)
							}
							roots[key] = text
							mu.Unlock()
							old = to
						case !errors.Is(err, ErrInconsistent) && !errors.Is(err, ErrRootMismatch):
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if !slices.IsSorted(seq.sizes) || !slices.IsSorted(seq.times) || len(seq.sizes) < 8 {
				t.Errorf("sizes recorded: %v", seq.sizes)
			}
		})
	}
}

func TestNew(t *testing.T) {
	l := newTestLog(t, testOrigin, 1)
	s := testSigner(t, "w.example")
	logs := []Log{{Origin: testOrigin, Vkeys: []string{l.vkey}}}
	for name, cfg := range map[string]Config{
		"no store":     {Signers: []Signer{s}, Logs: logs},
		"no signer":    {Store: &MemStore{}, Logs: logs},
		"signer twice": {Store: &MemStore{}, Signers: []Signer{s, s}, Logs: logs},
		"log twice":    {Store: &MemStore{}, Signers: []Signer{s}, Logs: append(logs, logs...)},
		"log no key":   {Store: &MemStore{}, Signers: []Signer{s}, Logs: []Log{{Origin: "x"}}},
		"log bad key":  {Store: &MemStore{}, Signers: []Signer{s}, Logs: []Log{{Origin: "x", Vkeys: []string{s.Key().Vkey}}}},
		"log no name":  {Store: &MemStore{}, Signers: []Signer{s}, Logs: []Log{{Vkeys: []string{l.vkey}}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// The witness's key as a log's: it could be made to sign cosignatures.
	seed := sha256.Sum256([]byte("witness w.example"))
	_, vkey, err := note.GenerateKey(bytes.NewReader(seed[:]), "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(Config{Store: &MemStore{}, Signers: []Signer{s}, Logs: []Log{{Origin: "x", Vkeys: []string{vkey}}}})
	if err == nil || !strings.Contains(err.Error(), "share a key") {
		t.Errorf("shared key: %v", err)
	}
}

func TestSigners(t *testing.T) {
	skey, vkey, err := GenerateKey(rand.Reader, "w.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(skey)
	if err != nil || s.Key().Vkey != vkey {
		t.Fatalf("NewSigner: %v", err)
	}
	pqKey, _ := mldsaKey(t, "w.example")
	logKey, _, err := note.GenerateKey(rand.Reader, "w.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":      "",
		"vkey":       vkey,
		"log key":    logKey,
		"other name": strings.Replace(skey, "w.example", "v.example", 1),
		"pq renamed": strings.Replace(pqKey, "w.example", "v.example", 1),
		"cut":        skey[:len(skey)-4],
		"not base64": skey[:len(skey)-1] + "!",
	} {
		if _, err := NewSigner(bad); err == nil || strings.Contains(err.Error(), strings.SplitN(skey, "+", 5)[4]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := GenerateKey(rand.Reader, "a b"); err == nil {
		t.Error("key name with a space accepted")
	}
	if _, _, err := GenerateKey(io.LimitReader(rand.Reader, 3), "a"); err == nil {
		t.Error("key of too little randomness accepted")
	}
}

func FuzzRequest(f *testing.F) {
	l := newTestLog(f, testOrigin, 20)
	f.Add(l.request(f, 0, 8))
	f.Add(l.request(f, 8, 12))
	f.Add([]byte("old 0\n\n"))
	f.Add([]byte("old 1\n" + strings.Repeat(b64(make([]byte, 32))+"\n", 63) + "\nx"))
	w := newTestWitness(f, &MemStore{}, &clock{1000}, l)
	f.Fuzz(func(t *testing.T, body []byte) {
		w.AddCheckpoint(t.Context(), body)
		r, err := parseRequest(body)
		if err != nil {
			return
		}
		if len(r.proof) > maxProof || !bytes.Equal(r.format(), body) {
			t.Fatalf("%q became %q", body, r.format())
		}
	})
}
