// Package tiles serves a list as C2SP tlog-tiles (https://c2sp.org/tlog-tiles):
// the leaves of a log, and in the same form its withdrawal list, whose root and
// length are in the seal that is the last leaf (package seal).
//
//	checkpoint                               the newest published checkpoint
//	tile/<L>/<N>[.p/<W>]                     hashes of the log
//	tile/entries/<N>[.p/<W>]                 leaves, each after a uint16 length
//	withdrawals/tile/<L>/<N>[.p/<W>]         hashes of the withdrawal list
//	withdrawals/tile/entries/<N>[.p/<W>]     records of 60 bytes, each after a uint16 length
//
// Invariants:
//
//   - A tile is made from what is signed, never beyond it, so it cannot change:
//     it may be cached for ever. Partial tiles are made on demand.
//   - Hashes, and hashes of entries, are checked against the root that was
//     signed: what does not follow from it is not served.
//   - No query string means anything.
package tiles

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
)

// List is an RFC 6962 list that only grows. What it returns has been checked
// against a root that is signed.
type List interface {
	// Size returns the number of entries that are signed for.
	Size(ctx context.Context) (uint64, error)
	// Hashes returns the n hashes of the perfect subtrees of height level, a
	// multiple of 8, from the first-th on.
	Hashes(ctx context.Context, level uint, first, n uint64) ([]backend.Hash, error)
	// Leaves returns up to n entries from first on, and at least one.
	Leaves(ctx context.Context, first, n uint64) ([][]byte, error)
}

// Leaves is the list of the leaves of a log.
type Leaves struct {
	Backend backend.Backend
	// Signed returns the newest signed tree.
	Signed func() backend.Root
}

// Size implements List.
func (l Leaves) Size(context.Context) (uint64, error) { return l.Signed().Size, nil }

// Hashes implements List.
func (l Leaves) Hashes(ctx context.Context, level uint, first, n uint64) ([]backend.Hash, error) {
	hashes, err := l.Backend.Hashes(ctx, level, first, n)
	if err != nil {
		return nil, err
	}
	return hashes, backend.VerifyNodes(ctx, l.Backend, l.Signed(), level, first, hashes)
}

// Leaves implements List.
func (l Leaves) Leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	leaves, err := l.Backend.Leaves(ctx, first, n)
	if err != nil {
		return nil, err
	}
	hashes := make([]backend.Hash, len(leaves))
	for i := range leaves {
		hashes[i] = backend.Hash(rfc6962.DefaultHasher.HashLeaf(leaves[i]))
	}
	return leaves, backend.VerifyNodes(ctx, l.Backend, l.Signed(), 0, first, hashes)
}

// Handler serves one list.
type Handler struct {
	List List
	// Checkpoint returns the newest published checkpoint, or nil. A list whose
	// root stands elsewhere has no Checkpoint.
	Checkpoint func() ([]byte, error)
	// Fail is told why the store could not be read. It knows what to do about
	// a damaged one.
	Fail func(error)
}

const (
	forever = "public, max-age=31536000, immutable"
	never   = "no-store"
)

// ServeHTTP answers GET and HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cache-Control", never)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if path == "checkpoint" && h.Checkpoint != nil {
		h.checkpoint(w)
		return
	}
	t, err := torchwood.ParseTilePath(path)
	// One path per tile: the parser knows an older spelling, too.
	if err != nil || torchwood.TilePath(t) != path {
		http.NotFound(w, r)
		return
	}
	size, err := h.List.Size(r.Context())
	if err != nil {
		h.fail(w, err)
		return
	}
	if !complete(t, size) {
		http.NotFound(w, r)
		return
	}
	h.tile(w, r, t)
}

func (h *Handler) checkpoint(w http.ResponseWriter) {
	cp, err := h.Checkpoint()
	if err != nil {
		h.fail(w, err)
		return
	}
	if cp == nil {
		http.Error(w, "nothing is published yet", http.StatusNotFound)
		return
	}
	// SPEC: Content-Type: text/plain; charset=utf-8. Headers SHOULD prevent
	// caching beyond a few seconds.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(cp)
}

// complete reports whether every hash or entry of t is in a list of size.
func complete(t tlog.Tile, size uint64) bool {
	level := max(t.L, 0)
	if t.H != 8 || level > 7 || t.N < 0 || t.N >= 1<<55 {
		return false
	}
	// Number of complete nodes at the tile's level.
	nodes := size >> (8 * level)
	return uint64(t.N)*256+uint64(t.W) <= nodes
}

func (h *Handler) tile(w http.ResponseWriter, r *http.Request, t tlog.Tile) {
	data, err := Read(r.Context(), h.List, t)
	if err != nil {
		h.fail(w, err)
		return
	}
	// SPEC: application/octet-stream; this endpoint is immutable, so its
	// caching headers SHOULD be long-lived.
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", forever)
	// SPEC: entry bundles SHOULD be compressed at the HTTP layer.
	if t.L < 0 {
		w.Header().Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			_, _ = z.Write(data)
			_ = z.Close()
			return
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
}

// acceptsGzip reports whether the request names gzip, and not with weight 0.
func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";q=")
		if q, err := strconv.ParseFloat(weight, 64); name == "gzip" && (weight == "" || err == nil && q > 0) {
			return true
		}
	}
	return false
}

// Read returns the bytes of a tile that is complete in the list.
func Read(ctx context.Context, l List, t tlog.Tile) ([]byte, error) {
	if t.L < 0 {
		return entries(ctx, l, uint64(t.N)*256, uint64(t.W))
	}
	return hashes(ctx, l, uint(8*t.L), uint64(t.N)*256, uint64(t.W))
}

func hashes(ctx context.Context, l List, level uint, first, n uint64) ([]byte, error) {
	hashes, err := l.Hashes(ctx, level, first, n)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, 32*len(hashes))
	for _, hash := range hashes {
		data = append(data, hash[:]...)
	}
	return data, nil
}

// entries returns n entries from first on, each after its length.
func entries(ctx context.Context, l List, first, n uint64) ([]byte, error) {
	var data []byte
	for n > 0 {
		leaves, err := l.Leaves(ctx, first, n)
		if err != nil {
			return nil, err
		}
		size := 0
		for _, leaf := range leaves {
			size += 2 + len(leaf)
		}
		data = slices.Grow(data, size)
		for _, leaf := range leaves {
			data = binary.BigEndian.AppendUint16(data, uint16(len(leaf)))
			data = append(data, leaf...)
		}
		first, n = first+uint64(len(leaves)), n-uint64(len(leaves))
	}
	return data, nil
}

// fail answers an error of the store; the cause is the operator's to read.
func (h *Handler) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	h.Fail(fmt.Errorf("serving a tile: %w", err))
	http.Error(w, "the log cannot read its store", http.StatusInternalServerError)
}
