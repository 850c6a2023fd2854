package tiles

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/standing-log/standing/internal/metric"
)

// Metrics are the numbers of one Handler.
type Metrics struct {
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
}

// NewMetrics makes the metrics of one Handler.
func NewMetrics(set *metric.Set) *Metrics {
	return &Metrics{
		requests: set.Counters("tile_requests_total", "Requests for the checkpoint (kind checkpoint), tiles of hashes (tile), of entries (entries), and what is none of them (other), by HTTP status.",
			"kind", "code"),
		bytes: set.Counters("tile_bytes_total", "Bytes of the answers, as sent.", "kind"),
	}
}

// Measured returns h with its requests counted.
func (m *Metrics) Measured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counted{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(c, r)
		kind := kindOf(r.URL.Path)
		m.requests.WithLabelValues(kind, strconv.Itoa(c.status)).Inc()
		m.bytes.WithLabelValues(kind).Add(float64(c.bytes))
	})
}

// kindOf returns what a path asks for, by its beginning.
func kindOf(path string) string {
	switch {
	case path == "/checkpoint":
		return "checkpoint"
	case strings.HasPrefix(path, "/tile/entries/"):
		return "entries"
	case strings.HasPrefix(path, "/tile/"):
		return "tile"
	}
	return "other"
}

// counted remembers what was answered.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.bytes += n
	return n, err
}
