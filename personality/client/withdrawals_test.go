package client

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
)

// tiled is a list that is served in tiles: hashes of one thing, and entries
// perhaps of another.
type tiled struct {
	hashes  []tlog.Hash
	entries [][]byte
}

func newTiled(t *testing.T, entries [][]byte) *tiled {
	t.Helper()
	l := &tiled{entries: slices.Clone(entries)}
	for i, e := range entries {
		h, err := tlog.StoredHashes(int64(i), e, l)
		if err != nil {
			t.Fatal(err)
		}
		l.hashes = append(l.hashes, h...)
	}
	return l
}

// ReadHashes implements tlog.HashReader.
func (l *tiled) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= int64(len(l.hashes)) {
			return nil, errors.New("beyond the list")
		}
		out[i] = l.hashes[x]
	}
	return out, nil
}

func (l *tiled) tree(t *testing.T, n int) tlog.Tree {
	t.Helper()
	h, err := tlog.TreeHash(int64(n), l)
	if err != nil {
		t.Fatal(err)
	}
	return tlog.Tree{N: int64(n), Hash: h}
}

// ServeHTTP serves the tiles.
func (l *tiled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tile, err := torchwood.ParseTilePath(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	var data []byte
	if tile.L >= 0 {
		data, err = tlog.ReadTileData(tile, l)
	} else if first := int(tile.N) * 256; first+tile.W > len(l.entries) {
		err = errors.New("beyond the list")
	} else {
		for _, e := range l.entries[first : first+tile.W] {
			data, _ = torchwood.AppendTileEntry(data, e)
		}
	}
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Write(data)
}

// records are n records of a withdrawal list.
func records(n int) (out [][]byte) {
	for i := range n {
		out = append(out, mapfn.Withdrawal{Index: uint64(i) + 9, Kind: mapfn.WithdrawalRevoked, ID: mapfn.Hash{byte(i), byte(i >> 8)}}.Append(nil))
	}
	return out
}

// follow reads what a log serves as its withdrawal list under the root of
// list, and returns how many came before the error.
func follow(t *testing.T, served http.Handler, list, known tlog.Tree) (int, error) {
	t.Helper()
	c := dial(t, http.StripPrefix("/prefix/withdrawals", served))
	s := &seal.Seal{Withdrawals: uint64(list.N), WithdrawalRoot: seal.Hash(list.Hash)}
	count := int(known.N)
	for w, err := range c.Withdrawals(t.Context(), s, known) {
		if err != nil {
			return count - int(known.N), err
		}
		if w.Index != uint64(count)+9 || w.ID != (mapfn.Hash{byte(count), byte(count >> 8)}) {
			t.Fatalf("record %d is %+v", count, w)
		}
		count++
	}
	return count - int(known.N), nil
}

// TestWithdrawals reads on from everywhere.
func TestWithdrawals(t *testing.T) {
	l := newTiled(t, records(700))
	for _, known := range []int{0, 1, 255, 256, 257, 512, 699, 700} {
		for _, n := range []int{700, 699, 512, 256, 1, 0} {
			got, err := follow(t, l, l.tree(t, n), l.tree(t, known))
			if known > n {
				if !errors.Is(err, ErrRewritten) || Temporary(err) {
					t.Errorf("%d known, %d in the seal: %v", known, n, err)
				}
			} else if err != nil || got != n-known {
				t.Errorf("from %d to %d: %d records, %v", known, n, got, err)
			}
		}
	}
	if got, err := follow(t, l, l.tree(t, 700), tlog.Tree{}); got != 700 || err != nil {
		t.Errorf("from nothing: %d records, %v", got, err)
	}
}

// TestWithdrawalsFalse: whatever else than the list of the seal is served, the
// reader is told; he is never left with fewer records and no error.
func TestWithdrawalsFalse(t *testing.T) {
	const n = 300
	honest := newTiled(t, records(n))
	list, known := honest.tree(t, n), honest.tree(t, 100)
	changed := func(change func([][]byte) [][]byte) [][]byte { return change(records(n)) }
	for name, c := range map[string]struct {
		entries [][]byte
		want    string
	}{
		"stale":     {records(n - 1), "404"},
		"emptied":   {nil, "404"},
		"truncated": {changed(func(e [][]byte) [][]byte { return slices.Concat(e[:n-1], records(n + 1)[n:]) }), "inconsistent"},
		"reordered": {changed(func(e [][]byte) [][]byte { e[200], e[201] = e[201], e[200]; return e }), "inconsistent"},
		"left out":  {changed(func(e [][]byte) [][]byte { return append(slices.Delete(e, 7, 8), records(n + 1)[n]) }), "inconsistent"},
		"replaced":  {changed(func(e [][]byte) [][]byte { e[150][8] = 3; return e }), "inconsistent"},
	} {
		for _, from := range []tlog.Tree{{}, known} {
			all, entries := newTiled(t, c.entries), &tiled{honest.hashes, c.entries}
			if got, err := follow(t, all, list, from); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %d records, %v", name, got, err)
			}
			if got, err := follow(t, entries, list, from); err == nil {
				t.Errorf("%s, but for the hashes: %d records", name, got)
			}
		}
	}
	// A list that was read before is not the beginning of another one.
	other := newTiled(t, changed(func(e [][]byte) [][]byte { e[5][8] = 3; return e }))
	if _, err := follow(t, other, other.tree(t, n), known); !errors.Is(err, ErrRewritten) {
		t.Errorf("rewritten: %v", err)
	}
	if _, err := follow(t, other, other.tree(t, n), list); !errors.Is(err, ErrRewritten) {
		t.Errorf("rewritten at the same length: %v", err)
	}
	if _, err := follow(t, honest, tlog.Tree{Hash: list.Hash}, tlog.Tree{}); !errors.Is(err, ErrRewritten) {
		t.Errorf("an empty list with a root: %v", err)
	}
	// More than the seal says is not read.
	if got, err := follow(t, newTiled(t, records(n+50)), list, known); got != n-100 || err != nil {
		t.Errorf("extended: %d records, %v", got, err)
	}
	// The root is right, a record is none.
	odd := newTiled(t, append(records(3), []byte("a leaf")))
	if got, err := follow(t, odd, odd.tree(t, 4), tlog.Tree{}); got != 3 || err == nil || !strings.Contains(err.Error(), "withdrawal 3 of the 4") {
		t.Errorf("malformed: %d records, %v", got, err)
	}
}
