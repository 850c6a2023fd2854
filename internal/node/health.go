package node

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/sequencer"
)

// health answers 200 while the log writes and publishes: one line says so, and
// one line says of each cosigner what it has cosigned last.
func (n *Node) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if n.sequencer == nil {
		_, _ = fmt.Fprintln(w, "ok")
		return
	}
	first := "ok"
	switch err := n.sequencer.Err(); {
	case err != nil:
		first = "read-only: " + err.Error()
	case n.sequencer.PublishedSize() == 0:
		first = "no quorum of cosigners yet"
	}
	if first != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	var b strings.Builder
	fmt.Fprintln(&b, first)
	for _, c := range n.cosignerStatuses() {
		fmt.Fprintln(&b, cosignerLine(c))
	}
	_, _ = fmt.Fprint(w, b.String())
}

func cosignerLine(c cosign.Status) string {
	role := "witness"
	if c.Auditor {
		role = "auditor"
	}
	if !c.InQuorum {
		role += ", not in the quorum"
	}
	line := fmt.Sprintf("cosigner %q (%s): ", c.Name, role)
	if c.Size == 0 {
		line += "has cosigned nothing"
	} else {
		line += fmt.Sprintf("cosigned size %d at %s", c.Size, time.Unix(c.Time, 0).UTC().Format(time.RFC3339))
	}
	if c.Err != nil {
		line += fmt.Sprintf("; now: %.300v", c.Err)
	}
	return line
}

// cosignerStatuses says what is known of each cosigner.
func (n *Node) cosignerStatuses() []cosign.Status {
	g := n.gatherer
	published, err := sequencer.Published(n.store)
	if err != nil || published == nil {
		return cosign.Statuses(g.Policy, g.Auditors, g.Clients, nil)
	}
	// Readers verify it; this is no place to.
	cp, err := g.Policy.OpenLogSigned(published)
	if err != nil {
		cp = nil
	}
	return cosign.Statuses(g.Policy, g.Auditors, g.Clients, cp)
}
