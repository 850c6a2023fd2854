package witness

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxBody bounds an add-checkpoint request: 63 proof lines take 3 KiB, and a
// note may have 16 signatures of nearly 5 kB (signed-note), here more than 30.
const maxBody = 256 << 10

// ServeHTTP serves both endpoints; strip the prefixes before it. Timeouts and
// limits of connections are the server's.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mux.ServeHTTP(rw, r)
}

func (w *Witness) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.serveAdd)
	mux.HandleFunc("GET /{log}/checkpoint", w.serveLatest)
	return mux
}

func (w *Witness) serveAdd(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		http.Error(rw, "request too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(rw, "reading request failed", http.StatusBadRequest)
		return
	}
	lines, err := w.AddCheckpoint(r.Context(), body)
	if err != nil {
		w.serveError(rw, r, err)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Write(lines) // a client that has gone asks again
}

func (w *Witness) serveLatest(rw http.ResponseWriter, r *http.Request) {
	origin, ok := w.byHash[r.PathValue("log")]
	if !ok {
		http.Error(rw, ErrUnknownLog.Error(), http.StatusNotFound)
		return
	}
	cp, err := w.Latest(r.Context(), origin)
	if err != nil {
		w.serveError(rw, r, err)
		return
	}
	if cp == nil {
		http.Error(rw, "no checkpoint cosigned yet", http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-cache")
	rw.Write(cp)
}

func (w *Witness) serveError(rw http.ResponseWriter, r *http.Request, err error) {
	// SPEC: "The response body MUST consist of the tree size of the latest
	// cosigned checkpoint in decimal, followed by a newline (U+000A). The
	// response MUST have a Content-Type of text/x.tlog.size."
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", conflict.Size)
		return
	}
	status := statusOf(err)
	if status >= 500 && !errors.Is(err, ErrNotHeld) {
		w.logger.ErrorContext(r.Context(), "not cosigned", "error", err)
	}
	if status == http.StatusInternalServerError {
		err = errors.New("internal error") // paths and the like stay here
	}
	http.Error(rw, err.Error(), status)
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrBadRequest):
		return http.StatusBadRequest
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrRefused):
		return http.StatusForbidden
	case errors.Is(err, ErrUnknownLog):
		return http.StatusNotFound
	// Not text/x.tlog.size: a client would take it for a size to retry with.
	case errors.Is(err, ErrRootMismatch):
		return http.StatusConflict
	case errors.Is(err, ErrInconsistent):
		return http.StatusUnprocessableEntity
	case errors.Is(err, ErrClock), errors.Is(err, ErrNotHeld):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
