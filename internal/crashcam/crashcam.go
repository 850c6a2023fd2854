// Package crashcam is for tests of what a crash leaves: a file system in memory
// of which an image is taken before each operation that changes it, with all,
// some or nothing of what was not synced by then.
package crashcam

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Image is what a crash could leave.
type Image[T any] struct {
	FS       *vfs.MemFS
	What     string // it came before
	Promised T
}

// Camera takes the images. It is an errorfs.Injector.
type Camera[T any] struct {
	fs       *vfs.MemFS
	promised func() T

	mu     sync.Mutex // also held while files are renamed; see recycler
	rng    *rand.Rand
	images []Image[T]
}

// New returns a camera before fs, which is crashable. promised says what has to
// be in an image; it is asked before one is taken, and no operation begins until
// it is.
func New[T any](fs *vfs.MemFS, seed uint64, promised func() T) *Camera[T] {
	return &Camera[T]{fs: fs, promised: promised, rng: rand.New(rand.NewPCG(seed, seed+1))}
}

// FS returns the file system that is watched.
func (c *Camera[T]) FS() vfs.FS { return inject(c.fs, c, &c.mu) }

// Images returns what was taken, and forgets it.
func (c *Camera[T]) Images() []Image[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	images := c.images
	c.images = nil
	return images
}

func (c *Camera[T]) String() string { return "camera" }

// MaybeError implements errorfs.Injector.
func (c *Camera[T]) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Mostly the extremes: all that was not synced is lost, or none of it.
	kept := []int{0, 0, 100, 50, 1 + c.rng.IntN(99)}[c.rng.IntN(5)]
	img := Image[T]{Promised: c.promised(), What: fmt.Sprintf("operation %d on %s, %d %% kept", op.Kind, op.Path, kept)}
	img.FS = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: c.rng})
	c.images = append(c.images, img)
	return nil
}

// Inject returns fs with inj asked before each operation, also on files that are
// reused, as write-ahead logs are: errorfs leaves those out.
func Inject(fs vfs.FS, inj errorfs.Injector) vfs.FS { return inject(fs, inj, new(sync.Mutex)) }

func inject(fs vfs.FS, inj errorfs.Injector, mu *sync.Mutex) vfs.FS {
	return errorfs.Wrap(recycler{fs, inj, mu}, inj)
}

// recycler wraps files that are reused. None is renamed while mu is held: MemFS
// takes a lock twice there, and an image in between would wait for ever.
type recycler struct {
	vfs.FS
	inj errorfs.Injector
	mu  *sync.Mutex
}

func (r recycler) ReuseForWrite(from, to string, k vfs.DiskWriteCategory) (vfs.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := r.FS.ReuseForWrite(from, to, k)
	if err != nil {
		return nil, err
	}
	return errorfs.WrapFile(f, named{r.inj, to}), nil
}

func (r recycler) Link(from, to string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.FS.Link(from, to)
}

// named puts the path into operations on a wrapped file.
type named struct {
	errorfs.Injector
	path string
}

func (n named) MaybeError(op errorfs.Op) error {
	op.Path = n.path
	return n.Injector.MaybeError(op)
}
