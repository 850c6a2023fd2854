package prover_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
)

// serveWithdrawals returns the address of the log that has the withdrawal list
// of n, and the seal under which it stands.
func serveWithdrawals(t *testing.T, n *testnode.Node) (string, *seal.Seal) {
	t.Helper()
	list := &tiles.Handler{List: prover.Withdrawals{Prover: n.Prover}, Fail: func(err error) { t.Error(err) }}
	web := httptest.NewServer(http.StripPrefix("/withdrawals", list))
	t.Cleanup(web.Close)
	s := n.State()
	defer s.Close()
	return web.URL, s.Seal
}

// TestWithdrawals reads the list that a node serves with our client, with
// torchwood's, and tile by tile with x/mod: under the root in the seal.
func TestWithdrawals(t *testing.T) {
	g := testlog.New(origin, 7)
	n := testnode.NewWith(t, testnode.Options{Origin: origin, Charter: g.Next(0).Entry})
	n.Fill(3000, func(index uint64) []byte { return g.Next(index).Leaf })
	n.Refresh()
	url, s := serveWithdrawals(t, n)
	if s.Withdrawals < 257 {
		t.Fatalf("%d withdrawals are too few", s.Withdrawals)
	}
	state := n.State()
	defer state.Close()
	want, err := state.Map.Withdrawals(0, s.Withdrawals)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(url, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []mapfn.Withdrawal
	for w, err := range c.Withdrawals(t.Context(), s, tlog.Tree{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, w)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d withdrawals, want %d", len(got), len(want))
	}

	fetcher, err := torchwood.NewTileFetcher(url + "/withdrawals/")
	if err != nil {
		t.Fatal(err)
	}
	list := tlog.Tree{N: int64(s.Withdrawals), Hash: tlog.Hash(s.WithdrawalRoot)}
	reader, err := torchwood.NewClient(fetcher)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for i, record := range reader.AllEntries(t.Context(), list, 0) {
		if w, err := mapfn.ParseWithdrawal(record); int(i) != next || err != nil || w != want[i] {
			t.Fatalf("record %d, want %d: %v", i, next, err)
		}
		next++
	}
	if reader.Err() != nil || next != len(want) {
		t.Errorf("torchwood: %d records, %v", next, reader.Err())
	}
	hashes := torchwood.TileHashReaderWithContext(t.Context(), list, fetcher)
	for i, w := range want {
		h, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		if err != nil || h[0] != tlog.RecordHash(w.Append(nil)) {
			t.Fatalf("hash %d: %v", i, err)
		}
	}
}

// TestWithdrawalsServed: what is published is served, partial tiles of all
// widths, and nothing beyond; a list has no checkpoint of its own.
func TestWithdrawalsServed(t *testing.T) {
	n := testnode.New(t, origin)
	p := n.Enrol("steward", 1)
	withdrawn := func() testnode.Hash {
		a := testlog.Attest(p.Keys[0], testlog.Claims(origin, n.Unix(), 5), testlog.Component("pkg:npm/x@1.0.0"))
		n.Submit(a)
		n.Submit(testlog.Revoke(origin, 0, p.Keys[0], a.ID))
		n.Advance(time.Hour) // the next one has another id
		return a.ID
	}
	for range 3 {
		withdrawn()
	}
	url, s := serveWithdrawals(t, n)
	get := func(path string) (int, http.Header, int) {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, len(body)
	}
	size := int(s.Withdrawals)
	if size != 3 {
		t.Fatalf("%d withdrawals", size)
	}
	for w := 1; w <= size; w++ {
		for path, each := range map[string]int{"/withdrawals/tile/0/000.p/%d": 32, "/withdrawals/tile/entries/000.p/%d": 2 + mapfn.WithdrawalSize} {
			code, header, n := get(fmt.Sprintf(path, w))
			if code != 200 || n != w*each || !strings.Contains(header.Get("Cache-Control"), "immutable") {
				t.Errorf(path+": %d, %d bytes, %v", w, code, n, header)
			}
		}
	}
	for _, path := range []string{
		fmt.Sprintf("/withdrawals/tile/0/000.p/%d", size+1), fmt.Sprintf("/withdrawals/tile/entries/000.p/%d", size+1),
		"/withdrawals/tile/0/000", "/withdrawals/tile/1/000.p/1", "/withdrawals/tile/0/001.p/1", "/withdrawals/checkpoint", "/withdrawals/", "/withdrawals/tile/data/000.p/1",
	} {
		if code, header, _ := get(path); code != 404 || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %v", path, code, header)
		}
	}
	// One more is withdrawn: the list grows once that is published.
	last := withdrawn()
	if code, _, _ := get(fmt.Sprintf("/withdrawals/tile/entries/000.p/%d", size+1)); code != 200 {
		t.Errorf("after a withdrawal: %d", code)
	}
	// And the longer list begins with the shorter one.
	c, err := client.New(url, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	state := n.State()
	defer state.Close()
	count := 0
	for w, err := range c.Withdrawals(t.Context(), state.Seal, tlog.Tree{N: int64(size), Hash: tlog.Hash(s.WithdrawalRoot)}) {
		if err != nil || w.ID != last {
			t.Fatalf("%+v, %v", w, err)
		}
		count++
	}
	if count != 1 {
		t.Errorf("%d new withdrawals", count)
	}
	for _, err := range c.Withdrawals(t.Context(), s, tlog.Tree{N: int64(size) + 1, Hash: tlog.Hash(state.Seal.WithdrawalRoot)}) {
		if !errors.Is(err, client.ErrRewritten) {
			t.Errorf("back to an older seal: %v", err)
		}
	}
}
