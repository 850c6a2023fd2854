package tiles

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
)

const (
	stored = 70_000 // leaves in the store
	size   = 66_000 // of them are signed: 257 tiles and a part, two levels and a part
)

// server serves a log of short leaves, and some long ones.
func server(t *testing.T) *Handler {
	t.Helper()
	b, err := embedded.Open(t.Context(), embedded.Options{Dir: "store", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	var tree backend.Root
	for first := uint64(0); first < stored; {
		leaves := make([][]byte, min(6_000, stored-first))
		for i := range leaves {
			leaves[i] = leafAt(first + uint64(i))
		}
		root, err := b.Append(t.Context(), first, leaves, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first = root.Size; first == size {
			tree = root
		}
	}
	return &Handler{
		List: Leaves{b, func() backend.Root { return tree }}, Fail: func(err error) { t.Error(err) },
		Checkpoint: func() ([]byte, error) { return []byte("checkpoint\n"), nil },
	}
}

// TestHandler runs the tests that share a log.
func TestHandler(t *testing.T) {
	h := server(t)
	for name, f := range map[string]func(*testing.T, *Handler){
		"Tiles": testTiles, "Entries": testEntries, "NotFound": testNotFound, "Requests": testRequests, "Damaged": testDamaged,
	} {
		t.Run(name, func(t *testing.T) { f(t, h) })
	}
}

// leafAt is the leaf at index: in tile 3 they are as long as leaves can be, so
// that no single reply of the store holds the tile.
func leafAt(index uint64) []byte {
	if index/256 == 3 {
		return bytes.Repeat([]byte{byte(index)}, backend.MaxLeaf)
	}
	return fmt.Append(nil, "leaf ", index)
}

func ask(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testTiles reads tiles of all levels, whole and partial, and compares them
// with what x/mod computes.
func testTiles(t *testing.T, h *Handler) {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for n := range int64(size) {
		more, err := tlog.StoredHashes(n, leafAt(uint64(n)), reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	for _, tile := range []tlog.Tile{
		{L: 0, N: 0, W: 256}, {L: 0, N: 0, W: 1}, {L: 0, N: 256, W: 256}, {L: 0, N: 257, W: size % 256}, {L: 0, N: 257, W: 1},
		{L: 1, N: 0, W: 256}, {L: 1, N: 1, W: 1}, {L: 2, N: 0, W: 1}, {L: 1, N: 0, W: 17},
	} {
		tile.H = 8
		want, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			t.Fatal(err)
		}
		resp := ask(h, "GET", "/"+torchwood.TilePath(tile))
		if got := body(t, resp); resp.StatusCode != 200 || !bytes.Equal(got, want) {
			t.Errorf("%s: %d, %d bytes, want %d", torchwood.TilePath(tile), resp.StatusCode, len(got), len(want))
		}
		if got := resp.Header; got.Get("Content-Type") != "application/octet-stream" || !strings.Contains(got.Get("Cache-Control"), "immutable") ||
			got.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: headers %v", torchwood.TilePath(tile), got)
		}
	}
}

// testEntries reads entry bundles, among them one of 16 MiB.
func testEntries(t *testing.T, h *Handler) {
	for path, want := range map[string][2]uint64{
		"tile/entries/000": {0, 256}, "tile/entries/003": {768, 256}, "tile/entries/256": {65_536, 256},
		"tile/entries/257.p/208": {65_792, 208}, "tile/entries/257.p/3": {65_792, 3}, "tile/entries/003.p/255": {768, 255},
	} {
		data := body(t, ask(h, "GET", "/"+path))
		for n := range want[1] {
			leaf, rest, err := torchwood.ReadTileEntry(data)
			if err != nil || !bytes.Equal(leaf, leafAt(want[0]+n)) {
				t.Fatalf("%s: entry %d is %.40q, %v", path, n, leaf, err)
			}
			data = rest
		}
		if len(data) > 0 {
			t.Errorf("%s: %d bytes left", path, len(data))
		}
	}
}

// testNotFound asks for what is not there: beyond what is signed, though it is
// stored, and by paths that are none.
func testNotFound(t *testing.T, h *Handler) {
	for _, path := range []string{
		"tile/0/257", "tile/0/257.p/209", "tile/0/258", "tile/0/258.p/1", "tile/1/001.p/2", "tile/1/001", "tile/2/000", "tile/2/000.p/2", "tile/3/000.p/1",
		"tile/entries/257", "tile/entries/257.p/209", "tile/entries/258.p/1", "tile/8/000.p/1", "tile/63/000.p/1", "tile/64/000", "tile/-1/000",
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/000/", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0",
		"tile/0/000.p/256", "tile/0/000.p/257", "tile/0/000.p/-1", "tile/0/000.p/01", "tile/00/000", "tile/+0/000", "tile/0/x000/000", "tile/0/001/000",
		"tile/0/x001/x002/x003/x004/x005/x006/x007/008", "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/99999999999999999999",
		"tile/data/000", "tile/8/data/000", "tile/8/0/000", "tile/entries", "tile/entries/", "tile/entries/000.p/0", "tile/Entries/000",
		"tile/0/000?", "tile/0/%30%30%30x", "tile/0/000%00", "../store/000001.log", "tile/../../log.key", "checkpoint/", "Checkpoint", "checkpoint.p/1", "log.key",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = "/" + strings.ReplaceAll(path, "%00", "\x00")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != never {
			t.Errorf("%q: %d, %v", path, w.Code, w.Header())
		}
	}
}

// testRequests varies everything about a request but the path.
func testRequests(t *testing.T, h *Handler) {
	plain := body(t, ask(h, "GET", "/tile/entries/001"))
	for _, target := range []string{"/tile/entries/001?", "/tile/entries/001?size=1&x=%00", "/tile/entries/001?.p/1"} {
		if got := body(t, ask(h, "GET", target)); !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, want %d", target, len(got), len(plain))
		}
	}
	for encodings, zipped := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "deflate,gzip": true, "gzip; q=1": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip;q=0.000, br": false, "notgzip": false,
	} {
		resp := ask(h, "GET", "/tile/entries/001", "Accept-Encoding", encodings)
		got := body(t, resp)
		if resp.Header.Get("Vary") != "Accept-Encoding" || (resp.Header.Get("Content-Encoding") == "gzip") != zipped {
			t.Errorf("%q: headers %v", encodings, resp.Header)
			continue
		}
		if zipped {
			z, err := gzip.NewReader(bytes.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) >= len(plain) {
				t.Errorf("%d bytes compressed, %d plain", len(got), len(plain))
			}
			if got, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, plain) {
			t.Errorf("%q: another body", encodings)
		}
	}
	if resp := ask(h, "GET", "/tile/0/000", "Accept-Encoding", "gzip"); resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("hashes are compressed: %v", resp.Header)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "get"} {
		if resp := ask(h, method, "/tile/0/000"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, %v", method, resp.StatusCode, resp.Header)
		}
	}
	web := httptest.NewServer(h)
	defer web.Close()
	resp, err := http.Head(web.URL + "/tile/0/000")
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, resp); resp.StatusCode != 200 || len(got) != 0 || resp.ContentLength != 256*32 {
		t.Errorf("HEAD: %d, %d bytes, length %d", resp.StatusCode, len(got), resp.ContentLength)
	}
}

// TestCheckpoint reads the checkpoint before there is one, and when it cannot
// be read.
func TestCheckpoint(t *testing.T) {
	h := &Handler{Fail: func(error) {}}
	for name, c := range map[string]struct {
		checkpoint []byte
		err        error
		status     int
	}{
		"published": {[]byte("log.example\n"), nil, 200}, "none yet": {nil, nil, 404}, "broken": {nil, errors.New("/secret/path"), 500},
	} {
		h.Checkpoint = func() ([]byte, error) { return c.checkpoint, c.err }
		resp := ask(h, "GET", "/checkpoint")
		got := body(t, resp)
		if resp.StatusCode != c.status || resp.Header.Get("Cache-Control") != never || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain; charset=utf-8") {
			t.Errorf("%s: %d, %v", name, resp.StatusCode, resp.Header)
		}
		if bytes.Contains(got, []byte("secret")) || c.status == 200 && !bytes.Equal(got, c.checkpoint) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// broken is a backend that cannot read.
type broken struct{ backend.Backend }

func (broken) Leaves(context.Context, uint64, uint64) ([][]byte, error) {
	return nil, errors.New("/secret/path")
}
func (broken) Hashes(context.Context, uint, uint64, uint64) ([]backend.Hash, error) {
	return nil, errors.New("/secret/path")
}

// TestBroken serves a store that fails: no answer may be cached, none tells
// about the store.
func TestBroken(t *testing.T) {
	h := &Handler{List: Leaves{broken{}, func() backend.Root { return backend.Root{Size: size} }}, Fail: func(error) {}}
	for _, path := range []string{"/tile/0/000", "/tile/entries/000"} {
		resp := ask(h, "GET", path, "Accept-Encoding", "gzip")
		got := body(t, resp)
		if resp.StatusCode != 500 || resp.Header.Get("Cache-Control") != never || resp.Header.Get("Content-Encoding") != "" || bytes.Contains(got, []byte("secret")) {
			t.Errorf("%s: %d, %v, %q", path, resp.StatusCode, resp.Header, got)
		}
	}
}

// flipped is a backend in which one bit of one node and of one leaf has flipped.
type flipped struct{ backend.Backend }

func (f flipped) Leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	leaves, err := f.Backend.Leaves(ctx, first, n)
	if first <= 1000 && 1000 < first+uint64(len(leaves)) {
		leaves[1000-first][2] ^= 4
	}
	return leaves, err
}

func (f flipped) Hashes(ctx context.Context, level uint, first, n uint64) ([]backend.Hash, error) {
	hashes, err := f.Backend.Hashes(ctx, level, first, n)
	if at := uint64(1000) >> level; first <= at && at < first+uint64(len(hashes)) {
		hashes[at-first][9] ^= 4
	}
	return hashes, err
}

// testDamaged reads tiles of a damaged log: those with the damage in them are
// not served, and somebody is told.
func testDamaged(t *testing.T, h *Handler) {
	log := h.List.(Leaves)
	for path, ok := range map[string]bool{
		"/tile/0/003": false, "/tile/0/003.p/233": false, "/tile/1/000": false, "/tile/entries/003": false, "/tile/entries/003.p/255": false,
		"/tile/0/003.p/232": true, "/tile/entries/003.p/232": true, "/tile/0/004": true, "/tile/entries/257.p/208": true, "/tile/0/257.p/77": true,
		"/tile/1/000.p/3": true, "/tile/1/001.p/1": true, "/tile/2/000.p/1": false,
	} {
		var told error
		d := &Handler{List: Leaves{flipped{log.Backend}, log.Signed}, Fail: func(err error) { told = err }}
		resp := ask(d, "GET", path)
		if ok != (resp.StatusCode == 200) || ok != (told == nil) || !ok && !errors.Is(told, backend.ErrDamaged) {
			t.Errorf("%s: %d, %v", path, resp.StatusCode, told)
		}
	}
}
