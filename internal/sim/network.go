package sim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/trust"
)

// cosigner is a witness on a machine of its own.
type cosigner struct {
	w     *World
	name  string
	store *witness.MemStore // what it has recorded: survives
	now   atomic.Pointer[witness.Witness]
	down  atomic.Bool
	skew  atomic.Int64 // nanoseconds

	mu   sync.Mutex
	last backend.Root // cosigned last
}

// start starts the witness again.
func (c *cosigner) start() {
	if c.w.Forgetful {
		c.store = new(witness.MemStore)
	}
	seed := sha256.Sum256([]byte("sim witness " + c.name))
	signer, err := witness.NewEd25519Signer(c.name+".example/witness", ed25519.NewKeyFromSeed(seed[:]))
	must(err)
	now, err := witness.New(witness.Config{
		Signers: []witness.Signer{signer}, Store: c.store,
		Now:  func() time.Time { return time.Now().Add(time.Duration(c.skew.Load())) },
		Logs: []witness.Log{{Origin: origin, Vkeys: []string{logVkey()}}},
	})
	must(err)
	c.now.Store(now)
}

// maxSkew is how far clocks are wrong: two of them, together, by less than
// readers tolerate in one direction and more than they do in the other.
const maxSkew = 4 * time.Minute

// live lets the witness be down now and then, and its clock wander.
func (c *cosigner) live(ctx context.Context) {
	for {
		r := c.w.draw(c.name, "lives")
		if c.w.net > 0 && r.IntN(3) == 0 {
			c.skew.Store(int64(2*maxSkew)*int64(r.IntN(101))/100 - int64(maxSkew))
		}
		up, down := between(r, time.Second, time.Minute), between(r, 10*time.Millisecond, 20*time.Second)
		if c.w.net == 0 {
			up = time.Hour
		}
		if !sleep(ctx, up) {
			return
		}
		c.down.Store(true)
		c.w.tell(c.name, "down")
		sleep(ctx, down)
		c.start()
		c.down.Store(false)
		c.w.tell(c.name, "up")
	}
}

// heal puts the witness right.
func (c *cosigner) heal() {
	c.down.Store(false)
	c.skew.Store(0)
}

var errDown = errors.New("connection refused")

// serve answers a request that has arrived.
func (c *cosigner) serve(body []byte) (*http.Response, error) {
	if c.down.Load() {
		return nil, errDown
	}
	rec := httptest.NewRecorder()
	c.now.Load().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(body)))
	_, note, _ := bytes.Cut(body, []byte("\n\n"))
	root, err := rootOfNote(note)
	must(err)
	c.w.tell(c.name, "%.8q at size %d, root %x: %d", body, root.Size, root.Hash[:4], rec.Code)
	if rec.Code == http.StatusOK {
		c.mu.Lock()
		old := c.last
		c.last = root
		c.mu.Unlock()
		c.w.cosigned(c, old, root)
	}
	return rec.Result(), nil
}

// holds returns the tree that the witness has recorded.
func (c *cosigner) holds() backend.Root {
	cp, err := c.now.Load().Latest(context.Background(), origin)
	must(err)
	if cp == nil {
		return backend.Root{}
	}
	root, err := rootOfNote(cp)
	must(err)
	return root
}

// rootOfNote reads the tree of a checkpoint.
func rootOfNote(note []byte) (backend.Root, error) {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	body, err := trust.ParseBody(string(text) + "\n")
	return backend.Root{Size: body.Size, Hash: body.Root}, err
}

// link is the network between a process and a witness. What is on its way
// arrives, whether or not somebody still waits for it.
type link struct {
	p *process
	c *cosigner
}

// RoundTrip implements http.RoundTripper.
func (l link) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	w := l.p.w
	replies := make(chan func() (*http.Response, error), 2)
	for n := range w.copies(l) {
		r := w.draw(l.p.name, l.c.name, "request", n)
		there, back := between(r, 100*time.Microsecond, 200*time.Millisecond), between(r, 100*time.Microsecond, 200*time.Millisecond)
		slow := func(d *time.Duration, what string) {
			if !w.calm() && r.Float64() < w.net/4 {
				*d = between(r, time.Second, 10*time.Second)
				w.happened(what)
			}
		}
		slow(&there, "slow request")
		slow(&back, "slow reply")
		w.goes(func() {
			time.Sleep(there)
			resp, err := l.c.serve(body)
			time.Sleep(back)
			if !w.calm() && r.Float64() < w.net/4 {
				w.happened("lost reply")
				return
			}
			replies <- func() (*http.Response, error) { return resp, err }
		})
	}
	select {
	case reply := <-replies:
		return reply()
	case <-q.Context().Done():
		return nil, q.Context().Err()
	case <-l.p.ended:
		return nil, errCrashed
	}
}

// copies says how many of a request arrive.
func (w *World) copies(l link) int {
	if w.calm() {
		return 1
	}
	switch n := w.draw(l.p.name, l.c.name, "copies").Float64(); {
	case n < w.net/4:
		w.happened("lost request")
		return 0
	case n < w.net/3:
		w.happened("doubled request")
		return 2
	}
	return 1
}

func (c *cosigner) String() string { return fmt.Sprintf("%s at size %d", c.name, c.holds().Size) }
