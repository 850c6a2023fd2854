package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// fakeLog is a log behind the real gateway, so that these tests read the JSON
// that a log writes.
type fakeLog struct {
	standingv1.UnimplementedLogServer
	busy    atomic.Int32 // calls or items still to be refused as busy
	batches []int        // sizes of the batches seen
	entries int
}

func refuse(code codes.Code, r *standingv1.Refusal) error {
	s, err := grpcstatus.New(code, r.Message).WithDetails(r)
	if err != nil {
		return err
	}
	return s.Err()
}

func (f *fakeLog) Submit(_ context.Context, r *standingv1.SubmitRequest) (*standingv1.SubmitResponse, error) {
	if f.busy.Add(-1) >= 0 {
		return nil, refuse(codes.Unavailable, &standingv1.Refusal{Code: "busy", Message: "queue full", NextStep: "wait"})
	}
	if string(r.Envelope) == "bad" {
		return nil, refuse(codes.InvalidArgument, &standingv1.Refusal{Code: "from-the-future", Message: "no\x1b[2J", NextStep: "turn back"})
	}
	return &standingv1.SubmitResponse{Result: &standingv1.SubmitResult{Id: "att:00", Index: 1<<53 + 1, SealedSize: 1<<53 + 3, Bundle: []byte("{}")}}, nil
}

func (f *fakeLog) SubmitBatch(_ context.Context, r *standingv1.SubmitBatchRequest) (*standingv1.SubmitBatchResponse, error) {
	f.batches = append(f.batches, len(r.Envelopes))
	resp := &standingv1.SubmitBatchResponse{}
	for _, e := range r.Envelopes {
		result := &standingv1.SubmitResult{Id: "evt:" + string(e)}
		if string(e) == "bad" {
			result = &standingv1.SubmitResult{Refusal: &standingv1.Refusal{Code: "json-null", Message: "null"}}
		} else if f.busy.Add(-1) >= 0 {
			result = &standingv1.SubmitResult{Refusal: &standingv1.Refusal{Code: "busy"}}
		}
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}

func (f *fakeLog) GetBundle(_ context.Context, r *standingv1.GetBundleRequest) (*standingv1.GetBundleResponse, error) {
	return &standingv1.GetBundleResponse{Bundle: []byte(strings.Join(r.Ids, "+"))}, nil
}

func (f *fakeLog) ProveStatus(_ context.Context, r *standingv1.ProveStatusRequest) (*standingv1.ProveStatusResponse, error) {
	n := min(2, len(r.Subjects))
	answered := uint32(n)
	if r.Subjects[0] == "more" || r.Subjects[0] == "none" {
		answered = map[string]uint32{"more": 9, "none": 0}[r.Subjects[0]]
	}
	return &standingv1.ProveStatusResponse{Bundle: []byte(strings.Join(r.Subjects[:n], "+")), Answered: answered}, nil
}

func (f *fakeLog) CheckStatus(_ context.Context, r *standingv1.CheckStatusRequest) (*standingv1.CheckStatusResponse, error) {
	resp := &standingv1.CheckStatusResponse{AsOf: &standingv1.AsOf{Size: 9, Time: 1_800_000_000}}
	for _, s := range r.Subjects {
		resp.Results = append(resp.Results, &standingv1.SubjectStatus{Subject: s, Total: 1, Attestations: []*standingv1.Attestation{
			{Id: "att:01", Verdict: "REVOKED", State: "revoked", Reason: proto.Uint32(0), IssuerName: "Widget Stewards", ValidUntil: 7}}})
	}
	resp.Results[0] = &standingv1.SubjectStatus{Subject: r.Subjects[0], Refusal: &standingv1.Refusal{Code: "subject-malformed"}}
	return resp, nil
}

func (f *fakeLog) ListEntries(_ context.Context, r *standingv1.ListEntriesRequest) (*standingv1.ListEntriesResponse, error) {
	resp := &standingv1.ListEntriesResponse{Size: uint64(f.entries)}
	for i := int(r.Start); i < min(f.entries, int(r.Start)+3); i++ {
		resp.Entries = append(resp.Entries, &standingv1.Entry{Index: uint64(i), Leaf: fmt.Appendf(nil, "leaf %d", i), Kind: "seal"})
	}
	return resp, nil
}

func (f *fakeLog) GetLogInfo(context.Context, *standingv1.GetLogInfoRequest) (*standingv1.GetLogInfoResponse, error) {
	return &standingv1.GetLogInfoResponse{Origin: "log.example", Vkeys: []string{"log.example+0+x"}, Size: 9,
		Limits: &standingv1.Limits{MaxBatch: 3, MaxMessageBytes: 4096}, Kinds: []string{"attestation/claims"}}, nil
}

func serve(t *testing.T, f *fakeLog) *Client {
	t.Helper()
	mux := runtime.NewServeMux()
	if err := standingv1.RegisterLogHandlerServer(t.Context(), mux, f); err != nil {
		t.Fatal(err)
	}
	return dial(t, http.StripPrefix("/prefix", mux))
}

func dial(t *testing.T, h http.Handler) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(s.URL+"/prefix", Config{Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestInfo(t *testing.T) {
	info, err := serve(t, &fakeLog{}).Info(t.Context())
	if err != nil || info.Origin != "log.example" || info.Size != 9 || info.Limits.MaxBatch != 3 || info.Kinds[0] != "attestation/claims" {
		t.Errorf("Info = %+v, %v", info, err)
	}
}

func TestSubmit(t *testing.T) {
	f := &fakeLog{}
	c := serve(t, f)
	f.busy.Store(2) // passes at the third attempt
	r, err := c.Submit(t.Context(), []byte("{}"), true)
	if err != nil || r.Index != 1<<53+1 || r.SealedSize != 1<<53+3 || string(r.Bundle) != "{}" {
		t.Errorf("Submit = %+v, %v", r, err)
	}
	f.busy.Store(1000)
	if _, err = c.Submit(t.Context(), []byte("{}"), false); reason.CodeOf(err) != reason.Busy || !Temporary(err) {
		t.Errorf("busy for ever: %v", err)
	}
	if n := 1000 - f.busy.Load(); n != 5 {
		t.Errorf("%d attempts, want 5", n)
	}
	f.busy.Store(0)
	_, err = c.Submit(t.Context(), []byte("bad"), false)
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || Temporary(err) || reason.CodeOf(err) != "from-the-future" || refused.NextStep != "turn back" || refused.Status != 400 {
		t.Errorf("refused: %v", err)
	}
	if strings.Contains(err.Error(), "\x1b") {
		t.Error("control characters reach the terminal")
	}
}

func TestSubmitBatch(t *testing.T) {
	f := &fakeLog{}
	c := serve(t, f)
	f.busy.Store(2)
	var in [][]byte
	for _, e := range []string{"1", "bad", "3", "4", strings.Repeat("5", 5000), "6", "7"} {
		in = append(in, []byte(e))
	}
	results, err := c.SubmitBatch(t.Context(), in, false)
	if err != nil || len(results) != len(in) {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, r := range results {
		if refused := r.Refused != nil; refused != (i == 1) || !refused && r.ID != "evt:"+string(in[i]) {
			t.Errorf("item %d: %+v", i, r)
		}
	}
	// At most 3 at once, the large one alone, and the two that found the queue
	// full once more.
	if got := fmt.Sprint(f.batches); got != "[3 2 1 1 2]" {
		t.Errorf("batches %s", got)
	}
	if results, err := c.SubmitBatch(t.Context(), nil, false); results != nil || err != nil {
		t.Errorf("nothing: %v, %v", results, err)
	}
}

func TestProve(t *testing.T) {
	c := serve(t, &fakeLog{})
	if b, err := c.Prove(t.Context(), "a", "b", "c"); err != nil || string(bytes.Join(b, []byte(" "))) != "a+b c" {
		t.Errorf("Prove = %q, %v", b, err)
	}
	for _, subject := range []string{"more", "none"} {
		if _, err := c.Prove(t.Context(), subject); err == nil {
			t.Errorf("a log that answers about %s is believed", subject)
		}
	}
}

func TestBundle(t *testing.T) {
	c := serve(t, &fakeLog{})
	if b, err := c.Bundle(t.Context(), "att:0a", "att:0b"); err != nil || string(b) != "att:0a+att:0b" {
		t.Errorf("Bundle = %q, %v", b, err)
	}
	if _, err := c.Bundle(t.Context(), "att:../../x"); err == nil {
		t.Error("an id that is a path was sent")
	}
}

func TestStatus(t *testing.T) {
	s, err := serve(t, &fakeLog{}).Status(t.Context(), "?", "pkg:npm/x")
	if err != nil || s.AsOf != (AsOf{9, 1_800_000_000}) {
		t.Fatalf("Status = %+v, %v", s, err)
	}
	if s.Results[0].Refused == nil || s.Results[0].Refused.Reason.Code != reason.SubjectUnknown {
		t.Errorf("first: %+v", s.Results[0])
	}
	a := s.Results[1].Attestations[0]
	if s.Results[1].Total != 1 || a.Reason == nil || *a.Reason != 0 || a.Verdict != "REVOKED" || a.ValidUntil != 7 {
		t.Errorf("second: %+v", a)
	}
}

func TestEntries(t *testing.T) {
	c := serve(t, &fakeLog{entries: 8})
	next := uint64(1)
	for e, err := range c.Entries(t.Context(), 1) {
		if err != nil || e.Index != next || string(e.Leaf) != fmt.Sprintf("leaf %d", next) {
			t.Fatalf("%+v, %v", e, err)
		}
		next++
	}
	if next != 8 {
		t.Errorf("ended before %d", next)
	}
	gap := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"entries":[{"index":"5","leaf":""}]}`)
	}))
	for _, err := range gap.Entries(t.Context(), 0) {
		if !errors.Is(err, errListing) {
			t.Errorf("gap: %v", err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c, err := New(s.URL, Config{Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Info(t.Context()); !errors.Is(err, ErrUnreachable) || !Temporary(err) {
		t.Errorf("closed server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Info(ctx); !errors.Is(err, context.Canceled) || Temporary(err) {
		t.Errorf("cancelled: %v", err)
	}
	for code, want := range map[int]bool{502: true, 429: true, 404: false, 500: false} {
		c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", code) }))
		if _, err := c.Info(t.Context()); err == nil || Temporary(err) != want {
			t.Errorf("HTTP %d: %v", code, err)
		}
	}
}

func TestHostileAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"no JSON":         "<html>",
		"negative size":   `{"size":"-1"}`,
		"number too long": `{"size":"99999999999999999999999"}`,
	} {
		c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		if _, err := c.Info(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	endless := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range MaxResponse/4096 + 2 {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	if _, err := endless.Checkpoint(t.Context()); err == nil || !strings.Contains(err.Error(), "exceeds") {
		t.Errorf("endless: %v", err)
	}
}

func TestAddress(t *testing.T) {
	for _, a := range []string{"", "log.example", "ftp://log.example", "https://", "https://log.example/?x", "https://log.example/#x"} {
		if _, err := New(a, Config{}); err == nil {
			t.Errorf("%q: no error", a)
		}
	}
}

// TestTilesMissing: a tile that is not served is no evidence of anything.
func TestTilesMissing(t *testing.T) {
	c := dial(t, http.NotFoundHandler())
	for _, err := range c.AllEntries(t.Context(), tlog.Tree{N: 3}, 0) {
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("AllEntries: %v", err)
		}
	}
}

// TestAllEntries reads 300 leaves out of tiles, and notices one that is not
// under the root.
func TestAllEntries(t *testing.T) {
	const n = 300
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	var leaves [][]byte
	for i := range n {
		leaf := fmt.Appendf(nil, "leaf %d", i)
		h, err := tlog.StoredHashes(int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		leaves, hashes = append(leaves, leaf), append(hashes, h...)
	}
	root, err := tlog.TreeHash(n, reader)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, http.StripPrefix("/prefix/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tile, err := torchwood.ParseTilePath(r.URL.Path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		var data []byte
		if tile.L == -1 {
			for _, leaf := range leaves[tile.N*256 : tile.N*256+int64(tile.W)] {
				data, _ = torchwood.AppendTileEntry(data, leaf)
			}
		} else {
			data, _ = tlog.ReadTileData(tile, reader)
		}
		w.Write(data)
	})))
	read := func() (count int, err error) {
		for leaf, err := range c.AllEntries(t.Context(), tlog.Tree{N: n, Hash: root}, 5) {
			if err != nil {
				return count, err
			}
			if want := fmt.Sprintf("leaf %d", count+5); string(leaf.Data) != want || leaf.Index != uint64(count+5) {
				t.Fatalf("%d: %q, want %q", leaf.Index, leaf.Data, want)
			}
			count++
		}
		return count, nil
	}
	if count, err := read(); err != nil || count != n-5 {
		t.Errorf("%d leaves, %v", count, err)
	}
	if leaf, err := c.Entry(t.Context(), tlog.Tree{N: n, Hash: root}, 280); err != nil || string(leaf) != "leaf 280" {
		t.Errorf("Entry = %q, %v", leaf, err)
	}
	leaves[280] = []byte("leaf 281")
	if _, err := c.Entry(t.Context(), tlog.Tree{N: n, Hash: root}, 280); err == nil {
		t.Error("a false leaf was returned")
	}
	if _, err := read(); err == nil || Temporary(err) {
		t.Error("a false leaf was not noticed")
	}
	root[0] ^= 1
	if _, err := read(); err == nil || Temporary(err) {
		t.Error("a false root was not noticed")
	}
}

// TestTilePartial: a log keeps what it has full only; the client cuts off what
// it did not ask for.
func TestTilePartial(t *testing.T) {
	var bundle []byte
	for i := range torchwood.TileWidth {
		bundle, _ = torchwood.AppendTileEntry(bundle, []byte(strings.Repeat("x", i)))
	}
	hashes := []byte(strings.Repeat("h", torchwood.TileWidth*tlog.HashSize))
	c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/prefix/tile/entries/000":
			w.Write(bundle)
		case "/prefix/tile/0/000":
			w.Write(hashes)
		case "/prefix/tile/0/001", "/prefix/tile/entries/001":
			w.Write([]byte("short"))
		default:
			http.NotFound(w, r)
		}
	}))
	for _, test := range []struct {
		tile tlog.Tile
		want []byte // nil: an error
	}{
		{tlog.Tile{H: 8, L: -1, N: 0, W: 256}, bundle},
		{tlog.Tile{H: 8, L: -1, N: 0, W: 3}, []byte("\x00\x00\x00\x01x\x00\x02xx")},
		{tlog.Tile{H: 8, L: 0, N: 0, W: 256}, hashes},
		{tlog.Tile{H: 8, L: 0, N: 0, W: 7}, hashes[:7*tlog.HashSize]},
		{tlog.Tile{H: 8, L: 0, N: 1, W: 7}, nil},
		{tlog.Tile{H: 8, L: -1, N: 1, W: 7}, nil},
		{tlog.Tile{H: 8, L: 0, N: 2, W: 256}, nil},
		{tlog.Tile{H: 8, L: 0, N: 2, W: 1}, nil},
	} {
		got, err := c.Tile(t.Context(), test.tile)
		if (err == nil) != (test.want != nil) || string(got) != string(test.want) {
			t.Errorf("%v: %d bytes, %v", test.tile, len(got), err)
		}
	}
}
