package testnode

import (
	"net/http"

	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/client"
)

// Client returns a client of the log's tiles, without a network.
func (n *Node) Client() *client.Client {
	n.tb.Helper()
	c, err := client.New("http://log.invalid", client.Config{HTTP: inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := tiles.Handler{
			List: tiles.Leaves{Backend: n.Backend, Signed: n.Sequencer.Signed}, Checkpoint: n.Prover.Checkpoint,
			Fail: func(err error) { n.tb.Error(err) },
		}
		h.ServeHTTP(w, r)
	}))})
	n.check(err)
	return c
}
