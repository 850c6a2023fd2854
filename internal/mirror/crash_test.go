package mirror_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/standing-log/standing/internal/mirror"
)

// camera takes an image of the file system before each operation that changes
// it: what a crash there could leave.
type camera struct {
	fs *vfs.MemFS

	mu     sync.Mutex // also held while files are renamed; see recycler
	rng    *rand.Rand
	held   uint64 // what Sync has said is held
	images []image
}

type image struct {
	fs   *vfs.MemFS
	what string
	held uint64
}

func (c *camera) String() string { return "camera" }

// MaybeError implements errorfs.Injector.
func (c *camera) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := []int{0, 0, 100, 50, 1 + c.rng.IntN(99)}[c.rng.IntN(5)]
	c.images = append(c.images, image{
		what: fmt.Sprintf("operation %d on %s, %d %% kept", op.Kind, op.Path, kept), held: c.held,
		fs: c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: c.rng}),
	})
	return nil
}

func (c *camera) progress(done, _ uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = done
}

// recycler wraps files that are reused, which errorfs leaves out, and keeps the
// camera still meanwhile: MemFS takes a lock twice there.
type recycler struct {
	vfs.FS
	c *camera
}

func (r recycler) ReuseForWrite(from, to string, k vfs.DiskWriteCategory) (vfs.File, error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	f, err := r.FS.ReuseForWrite(from, to, k)
	if err != nil {
		return nil, err
	}
	return errorfs.WrapFile(f, r.c), nil
}

func (r recycler) Link(from, to string) error {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return r.FS.Link(from, to)
}

// TestCrash opens the copy as each crash during several Syncs could leave it.
// What was held is held, a State is whole, and Sync goes on to the end.
func TestCrash(t *testing.T) {
	l := newLog(t)
	ids := l.attest(180)
	s := newStatic(t, l.Node)
	leaves := leavesOf(t, l.Node)
	c := &camera{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 2))}
	m := l.open(errorfs.Wrap(recycler{c.fs, c}, c))
	m.SetChunk(1)
	for _, size := range []int{4, 104, 300, 302, len(leaves)} {
		s.add(leaves[len(s.leaves):size]...)
		if err := m.Sync(t.Context(), s, c.progress); err != nil {
			t.Fatal(err)
		}
	}
	l.standing(m, ids[0], ids[179])
	close_(t, m)
	if len(c.images) < 40 {
		t.Fatalf("%d crash images, want 40", len(c.images))
	}
	for n, img := range c.images {
		check := func() error {
			m, err := mirror.Open(t.Context(), l.config(img.fs))
			if err != nil {
				return err
			}
			defer close_(t, m)
			root, err := m.Backend().Root(t.Context())
			if err != nil || root.Size < img.held {
				return fmt.Errorf("%d leaves of %d: %w", root.Size, img.held, err)
			}
			if st, err := m.State(t.Context()); err == nil {
				err = st.Map.Check(t.Context())
				st.Close()
				if err != nil {
					return err
				}
			} else if img.held > 4 {
				return err
			}
			first := uint64(0)
			err = m.Sync(t.Context(), s, func(done, _ uint64) {
				if first == 0 {
					first = done
				}
			})
			if err == nil && first < root.Size {
				err = fmt.Errorf("went on from %d, held %d", first, root.Size)
			}
			if err == nil {
				l.standing(m, ids[0], ids[179])
			}
			return err
		}
		if err := check(); err != nil {
			t.Fatalf("image %d, %d leaves held, %s: %v", n, img.held, img.what, err)
		}
		c.images[n].fs = nil
	}
}
