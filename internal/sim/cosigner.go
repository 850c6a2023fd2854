package sim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/trust"
)

// cosigner is a witness, or an auditor, on a machine of its own.
type cosigner struct {
	w     *World
	name  string
	store *witness.MemStore // what it has recorded: survives
	audit *audit            // nil: a witness
	now   atomic.Pointer[http.Handler]
	down  atomic.Bool
	skew  atomic.Int64 // nanoseconds

	mu   sync.Mutex
	last backend.Root          // cosigned last
	all  map[backend.Root]bool // that it has cosigned
}

func newCosigner(w *World, name string) *cosigner {
	return &cosigner{w: w, name: name, store: new(witness.MemStore), all: map[backend.Root]bool{}}
}

func (c *cosigner) signer() witness.Signer {
	seed := sha256.Sum256([]byte("sim witness " + c.name))
	signer, err := witness.NewEd25519Signer(c.name+".example/witness", ed25519.NewKeyFromSeed(seed[:]))
	must(err)
	return signer
}

func (c *cosigner) clock() time.Time { return time.Now().Add(time.Duration(c.skew.Load())) }

// start starts the cosigner again.
func (c *cosigner) start() {
	if c.w.Forgetful {
		c.store = new(witness.MemStore)
	}
	var h http.Handler
	if c.audit != nil {
		h = c.audit.start()
	} else {
		h = c.witness()
	}
	c.now.Store(&h)
	if c.audit != nil {
		c.w.holding(c)
	}
}

// witness returns what cosigns without looking at leaves.
func (c *cosigner) witness() *witness.Witness {
	w, err := witness.New(witness.Config{
		Signers: []witness.Signer{c.signer()}, Store: c.store, Now: c.clock,
		Logs: []witness.Log{{Origin: origin, Vkeys: []string{logVkey()}}},
	})
	must(err)
	return w
}

// maxSkew is how far clocks are wrong: two of them, together, by less than
// readers tolerate in one direction and more than they do in the other.
const maxSkew = 4 * time.Minute

// live lets the cosigner be down now and then, and its clock wander.
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
		if !c.up(ctx, up) {
			return
		}
		c.down.Store(true)
		c.w.tell(c.name, "down")
		c.audit.life().crash("power failure")
		if !sleep(ctx, down) && c.audit != nil {
			return // not in this instant, in which all is put right
		}
		c.start()
		c.down.Store(false)
		c.w.tell(c.name, "up")
	}
}

// up waits for d, or until it crashes; false: until ctx ends.
func (c *cosigner) up(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.audit.life().end():
		return true
	case <-ctx.Done():
		return false
	}
}

// heal puts the cosigner right.
func (c *cosigner) heal() {
	c.down.Store(false)
	c.skew.Store(0)
	if c.audit.life().crashed() {
		c.start()
	}
}

// serve answers a request that has arrived.
func (c *cosigner) serve(q *http.Request, body []byte) (*http.Response, error) {
	life := c.audit.life()
	if c.down.Load() || life.crashed() {
		return nil, errDown
	}
	rec := call(q.Context(), *c.now.Load(), q.Method, q.URL.Path, body)
	if life.crashed() {
		return nil, errDown
	}
	_, note, _ := bytes.Cut(body, []byte("\n\n"))
	root, err := rootOfNote(note)
	must(err)
	c.w.tell(c.name, "%.8q at size %d, root %x: %d", body, root.Size, root.Hash[:4], rec.Code)
	if rec.Code == http.StatusOK {
		c.mu.Lock()
		old := c.last
		c.last = root
		c.all[root] = true
		c.mu.Unlock()
		c.w.cosigned(c, old, root)
		if !c.audit.serves(*c.now.Load(), root.Size-1) {
			c.w.violate(c.name, "cosigned size %d, and does not hold it", root.Size)
		}
	}
	return rec.Result(), nil
}

// prefix of what the cosigner answers.
func (c *cosigner) prefix() string {
	if c.audit != nil {
		return "/auditor"
	}
	return ""
}

// holds returns the tree that the cosigner has recorded.
func (c *cosigner) holds() backend.Root {
	rec := call(context.Background(), *c.now.Load(), http.MethodGet, fmt.Sprintf("%s/%x/checkpoint", c.prefix(), sha256.Sum256([]byte(origin))), nil)
	if rec.Code == http.StatusNotFound {
		return backend.Root{}
	}
	root, err := rootOfNote(rec.Body.Bytes())
	must(err)
	return root
}

// has reports whether the cosigner has cosigned a tree.
func (c *cosigner) has(r backend.Root) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[r]
}

// rootOfNote reads the tree of a checkpoint.
func rootOfNote(note []byte) (backend.Root, error) {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	body, err := trust.ParseBody(string(text) + "\n")
	return backend.Root{Size: body.Size, Hash: body.Root}, err
}

func (c *cosigner) String() string { return fmt.Sprintf("%s at size %d", c.name, c.holds().Size) }
