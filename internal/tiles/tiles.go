// Package tiles serves a log as C2SP tlog-tiles (https://c2sp.org/tlog-tiles):
//
//	checkpoint                     the newest published checkpoint
//	tile/<L>/<N>[.p/<W>]           hashes
//	tile/entries/<N>[.p/<W>]       entries, each after a uint16 length
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
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
)

// Handler serves one log.
type Handler struct {
	Backend backend.Backend
	// Checkpoint returns the newest published checkpoint, or nil.
	Checkpoint func() ([]byte, error)
	// Tree returns the newest signed tree.
	Tree func() backend.Root
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
	if path == "checkpoint" {
		h.checkpoint(w)
		return
	}
	t, err := torchwood.ParseTilePath(path)
	// One path per tile: the parser knows an older spelling, too.
	if err != nil || torchwood.TilePath(t) != path || !h.complete(t) {
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

// complete reports whether every hash or entry of t is in the signed tree.
func (h *Handler) complete(t tlog.Tile) bool {
	level := max(t.L, 0)
	if t.H != 8 || level > 7 || t.N < 0 || t.N >= 1<<55 {
		return false
	}
	// Number of complete nodes at the tile's level.
	nodes := h.Tree().Size >> (8 * level)
	return uint64(t.N)*256+uint64(t.W) <= nodes
}

func (h *Handler) tile(w http.ResponseWriter, r *http.Request, t tlog.Tile) {
	var data []byte
	var err error
	if t.L < 0 {
		data, err = h.entries(r.Context(), uint64(t.N)*256, uint64(t.W))
	} else {
		data, err = h.hashes(r.Context(), uint(8*t.L), uint64(t.N)*256, uint64(t.W))
	}
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

func (h *Handler) hashes(ctx context.Context, level uint, first, n uint64) ([]byte, error) {
	hashes, err := h.Backend.Hashes(ctx, level, first, n)
	if err != nil {
		return nil, err
	}
	if err := backend.VerifyNodes(ctx, h.Backend, h.Tree(), level, first, hashes); err != nil {
		return nil, err
	}
	data := make([]byte, 0, 32*len(hashes))
	for _, hash := range hashes {
		data = append(data, hash[:]...)
	}
	return data, nil
}

// entries returns n entries from first on, each after its length.
func (h *Handler) entries(ctx context.Context, first, n uint64) ([]byte, error) {
	var data []byte
	hashes := make([]backend.Hash, 0, n)
	for next, end := first, first+n; next < end; next = first + uint64(len(hashes)) {
		leaves, err := h.Backend.Leaves(ctx, next, end-next)
		if err != nil {
			return nil, err
		}
		for _, leaf := range leaves {
			data = binary.BigEndian.AppendUint16(data, uint16(len(leaf)))
			data = append(data, leaf...)
			hashes = append(hashes, backend.Hash(rfc6962.DefaultHasher.HashLeaf(leaf)))
		}
	}
	return data, backend.VerifyNodes(ctx, h.Backend, h.Tree(), 0, first, hashes)
}

// fail answers an error of the store; the cause is the operator's to read.
func (h *Handler) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	h.Fail(fmt.Errorf("serving a tile: %w", err))
	http.Error(w, "the log cannot read its store", http.StatusInternalServerError)
}
