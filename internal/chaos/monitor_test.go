package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/watch"
)

// watch makes a monitor of everything, and who is told by it.
func (w *world) watch() {
	srv := httptest.NewServer(http.HandlerFunc(w.tell))
	w.t.Cleanup(srv.Close)
	w.receiver = &machine{name: "receiver", url: srv.URL}
	hook := w.newLink("monitor-receiver", w.monitor, w.receiver)
	hook.swallows = w.swallowed
	m := w.monitor
	policy := fmt.Sprintf("log %s %s\n", w.read(w.log, "log.vkey"), w.newLink("monitor-log", m, w.log).server.URL)
	for _, c := range append(w.witnesses, w.auditor) {
		policy += fmt.Sprintf("witness %s %s %s%s\n", c.name, w.read(c, c.prefix[1:]+".vkey"), w.newLink("monitor-"+c.name, m, c).server.URL, c.prefix)
	}
	w.must(os.MkdirAll(m.dir, 0o700))
	w.write(m, "log.policy", policy+"group two 2 w1 w2 w3\ngroup all all two auditor\nquorum all\n")
	w.must(os.WriteFile(filepath.Join(m.dir, "secret"), []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), 0o600))
	w.write(m, "standingd.yaml", "monitor:\n  trust: log.policy\n  interval: 1s\n  watch: {all: true}\n"+
		fmt.Sprintf("  deliver: [{name: hook, webhook: %q, secret: secret}]\n", hook.server.URL))
	w.must(node.BeginMonitor(m.dir, watch.BeginAll))
}

// tell is told something by the monitor. Nothing here is a reason for alarm: the
// log is honest, and the faults are shorter than what is tolerated.
func (w *world) tell(rw http.ResponseWriter, r *http.Request) {
	if w.deaf.Load() {
		w.refused.Add(1)
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var e struct{ Data watch.Event }
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	switch e.Data.Kind {
	case watch.PartyEnrolled, watch.CharterChanged:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told[*e.Data.Index] = true
	case watch.AllQuiet:
	default:
		w.violate("a false alarm: %s: %s", e.Data.Kind, e.Data.Text)
	}
}

func (w *world) arrived(index uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told[index]
}

// behind returns how far the monitor says that it is: what was acknowledged before
// that has arrived.
func (w *world) behind() watch.Cursor {
	s, err := watch.ReadState(filepath.Join(w.monitor.dir, "monitor", "state"))
	if err != nil {
		w.violate("the state of the monitor: %v", err)
		return watch.Cursor{}
	}
	c := s.Receivers["hook"][origin]
	w.mu.Lock()
	var lost []uint64
	for _, ack := range w.acks {
		if ack.Index < c.Size && !w.told[ack.Index] {
			lost = append(lost, ack.Index)
		}
	}
	w.mu.Unlock()
	if len(lost) > 0 {
		w.violate("the monitor says that it has told up to size %d, and the receiver was not told of %d", c.Size, lost)
	}
	return c
}
