package chaos

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// link is one way through the network, with an address of its own.
type link struct {
	w        *world
	name     string
	from, to *machine // from: nil for people
	server   *httptest.Server
	client   *http.Client
	swallows bool // says that all is well and carries nothing

	mu    sync.Mutex
	state state         // under mu
	calm  chan struct{} // closed when the state changes; under mu
}

// state is what a link does to requests.
type state int

const (
	well  state = iota
	cut         // refuses
	hangs       // keeps them until the state changes
	slow        // takes its time, both ways
	flaky       // does any of these, or worse, to some
	states
)

func (w *world) newLink(name string, from, to *machine) *link {
	l := &link{w: w, name: name, from: from, to: to, calm: make(chan struct{}), client: &http.Client{Transport: &http.Transport{}}}
	l.server = httptest.NewServer(l)
	w.links = append(w.links, l)
	return l
}

func (l *link) set(s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
	close(l.calm)
	l.calm = make(chan struct{})
}

// fault is what becomes of one request.
type fault struct {
	cut, hang, lost, half, double bool
	there, back                   time.Duration
}

func (l *link) draw() (f fault, changes <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state {
	case cut:
		f.cut = true
	case hangs:
		f.hang = true
	case slow:
		f.there, f.back = l.w.between(0, 300*time.Millisecond), l.w.between(0, 300*time.Millisecond)
	case flaky:
		f.cut, f.lost, f.half, f.double = l.w.chance(0.15), l.w.chance(0.15), l.w.chance(0.15), l.w.chance(0.1)
		f.there = l.w.between(0, 30*time.Millisecond)
	}
	return f, l.calm
}

// ServeHTTP carries a request to the node and its answer back, or not.
func (l *link) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f, changes := l.draw()
	if f.hang {
		select {
		case <-changes:
		case <-r.Context().Done():
		}
	}
	if f.cut || f.hang {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(f.there)
	resp, answer := l.carry(r, body)
	if f.double {
		resp, answer = l.carry(r, body)
	}
	time.Sleep(f.back)
	if f.lost {
		panic(http.ErrAbortHandler)
	}
	for k, v := range resp.Header {
		rw.Header()[k] = v
	}
	rw.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	rw.WriteHeader(resp.StatusCode)
	if f.half {
		_, _ = rw.Write(answer[:len(answer)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = rw.Write(answer)
}

// carry makes one request of the node, unless either end is dead, and takes
// down what was cosigned. Neither end dies meanwhile.
func (l *link) carry(r *http.Request, body []byte) (*http.Response, []byte) {
	for _, m := range []*machine{l.from, l.to} {
		if m == nil {
			continue
		}
		m.life.RLock()
		defer m.life.RUnlock()
		if m.url == "" {
			panic(http.ErrAbortHandler)
		}
	}
	if l.swallows {
		return &http.Response{StatusCode: http.StatusOK}, nil
	}
	q, err := http.NewRequestWithContext(r.Context(), r.Method, l.to.url+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	q.Header = r.Header.Clone()
	resp, err := l.client.Do(q)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if resp.StatusCode == http.StatusOK && strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		_, note, _ := bytes.Cut(body, []byte("\n\n"))
		l.w.cosigned(l.to, note)
	}
	return resp, answer
}
