package auditor

import (
	"net/http"
	"strings"

	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/tiles"
)

// routes serves the cosigner and the copies.
func (a *Auditor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auditor/entries", a.serveTake)
	mux.Handle("/auditor/", http.StripPrefix("/auditor", a.cfg.Metrics.measured(a.witness)))
	for origin, f := range a.logs {
		prefix := "/mirror/" + origin
		mux.Handle(prefix+"/", http.StripPrefix(prefix, f.tiles()))
	}
	return mux
}

// tiles serves the copy as the log serves itself.
func (f *follower) tiles() http.Handler {
	log := &tiles.Handler{List: f.mirror.List(), Checkpoint: f.mirror.Prover().Checkpoint, Fail: f.unread}
	withdrawals := http.StripPrefix("/withdrawals", &tiles.Handler{List: prover.Withdrawals{Prover: f.mirror.Prover()}, Fail: f.unread})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/withdrawals/") {
			withdrawals.ServeHTTP(w, r)
			return
		}
		log.ServeHTTP(w, r)
	})
}

// unread is told why a copy could not be read.
func (f *follower) unread(err error) {
	f.log.Error("serving the copy", "err", f.mirror.Explain(err))
}
