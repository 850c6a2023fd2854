package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/torchwood"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/auditor"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/client"
)

// audit is what makes a cosigner an auditor: the real one, its copies on a disk
// that loses what was not synced. A nil audit is that of a witness.
type audit struct {
	c   *cosigner
	dir string // of what is no copy

	mu   sync.Mutex
	disk *vfs.MemFS // under mu
	now  *life      // under mu
	n    int        // lives so far; under mu
}

// life of an auditor, from its start to a crash.
type life struct {
	*audit
	name  string
	ended chan struct{}
	once  sync.Once
	close func() // ends what runs; waits
}

func newAudit(c *cosigner, dir string) *audit {
	return &audit{c: c, dir: filepath.Join(dir, c.name), disk: vfs.NewCrashableMem()}
}

func (a *audit) life() *life {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// start begins a life.
func (a *audit) start() http.Handler {
	a.mu.Lock()
	a.n++
	l := &life{audit: a, name: fmt.Sprintf("%s/%d", a.c.name, a.n), ended: make(chan struct{})}
	disk := a.disk
	a.now = l
	a.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	log, err := client.New("http://log.example", client.Config{
		HTTP:     &http.Client{Transport: link{a.c.w, l.name, "log", l.ended, a.c.w.serve}},
		Attempts: 1, Timeout: 3 * time.Second, // no pauses of random length
	})
	must(err)
	now, err := auditor.Open(ctx, auditor.Config{
		Dir: a.dir, FS: a.c.w.auditorDisk(disk), Signers: []witness.Signer{a.c.signer()}, Store: recorder{a.c.store, l},
		Logs: []auditor.Log{{Origin: origin, Policy: a.c.w.policy, Source: log}},
		Wait: 2 * time.Second, Poll: 10 * time.Minute, Now: a.c.clock,
	})
	if err != nil {
		a.c.w.violate(l.name, "does not start: %v", err)
		must(err)
	}
	var runs sync.WaitGroup
	runs.Go(func() { must(now.Run(ctx)) })
	l.close = func() { stop(); runs.Wait(); must(now.Close()) }
	if a.c.w.Unheld {
		mux := http.NewServeMux()
		mux.Handle("/", now.Handler())
		mux.Handle("/auditor/", http.StripPrefix("/auditor", a.c.witness()))
		return mux
	}
	return now.Handler()
}

func (w *World) auditorDisk(fs vfs.FS) vfs.FS {
	if w.AuditorDisk != nil {
		return w.AuditorDisk(fs)
	}
	return fs
}

// crash ends the life, with all, some or nothing of what was not synced.
func (l *life) crash(why string) {
	if l == nil {
		return
	}
	l.once.Do(func() {
		l.c.w.tell(l.name, "crash: %s", why)
		l.c.w.happened("auditor crashes")
		r := l.c.w.draw(l.name, "kept")
		l.mu.Lock()
		l.disk = l.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: pick(r, 0, 0, 50, 100), RNG: rand.New(rand.NewPCG(r.Uint64(), 0))})
		l.mu.Unlock()
		close(l.ended)
		l.c.w.goes(l.close)
	})
}

func (l *life) crashed() bool {
	select {
	case <-l.end():
		return true
	default:
		return false
	}
}

// end is closed by a crash; nil of a witness.
func (l *life) end() <-chan struct{} {
	if l == nil {
		return nil
	}
	return l.ended
}

// recorder keeps what an auditor has cosigned, and lets it crash before or after
// that: when it holds the leaves, and when nobody was answered.
type recorder struct {
	*witness.MemStore
	*life
}

func (r recorder) Update(ctx context.Context, origin string, change func([]byte) ([]byte, error)) error {
	// The disk takes its time: of two requests that waited for the same leaves,
	// one comes first.
	rng := r.c.w.draw(r.name, "records", ctx.Value(request{}))
	time.Sleep(between(rng, time.Microsecond, 5*time.Millisecond))
	crashes := !r.c.w.calm() && rng.Float64() < r.c.w.crashes
	if crashes && rng.IntN(2) == 0 {
		r.crash("before it records")
	}
	if r.crashed() {
		return errCrashed
	}
	if err := r.MemStore.Update(ctx, origin, change); err != nil {
		return err
	}
	if crashes {
		r.crash("after it has recorded")
		return errCrashed
	}
	return nil
}

// holding looks whether an auditor serves every leaf of what it has cosigned.
func (w *World) holding(c *cosigner) {
	at := c.holds()
	if at.Size == 0 {
		return
	}
	root, err := c.audit.root(*c.now.Load(), at.Size)
	if err != nil || root != at {
		w.violate(c.name, "has cosigned size %d, and does not hold it: %v", at.Size, err)
	}
}

// serves reports whether a leaf is in the copy; a witness has none.
func (a *audit) serves(h http.Handler, index uint64) bool {
	if a == nil {
		return true
	}
	t := tlog.Tile{H: torchwood.TileHeight, L: -1, N: int64(index / torchwood.TileWidth), W: int(index%torchwood.TileWidth + 1)}
	return call(context.Background(), h, http.MethodGet, "/mirror/"+origin+"/"+torchwood.TilePath(t), nil).Code == http.StatusOK
}

// root hashes the first leaves of the copy.
func (a *audit) root(h http.Handler, size uint64) (backend.Root, error) {
	tree := ranges.NewEmptyRange(0)
	for n := uint64(0); n*torchwood.TileWidth < size; n++ {
		t := tlog.Tile{H: torchwood.TileHeight, L: -1, N: int64(n), W: int(min(torchwood.TileWidth, size-n*torchwood.TileWidth))}
		rec := call(context.Background(), h, http.MethodGet, "/mirror/"+origin+"/"+torchwood.TilePath(t), nil)
		if rec.Code != http.StatusOK {
			return backend.Root{}, fmt.Errorf("%s: %d %s", torchwood.TilePath(t), rec.Code, rec.Body)
		}
		for rest := rec.Body.Bytes(); len(rest) > 0; {
			var leaf []byte
			var err error
			if leaf, rest, err = torchwood.ReadTileEntry(rest); err != nil {
				return backend.Root{}, err
			}
			must(tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
		}
	}
	root, err := tree.GetRootHash(nil)
	return backend.Root{Size: tree.End(), Hash: Hash(root)}, err
}

// given reports whether an auditor has given up the log for good.
func (a *audit) given() bool {
	if a == nil {
		return false
	}
	_, err := os.Stat(filepath.Join(a.dir, auditor.EvidenceDir, mirror.DirName(origin)+".stopped"))
	return err == nil
}
