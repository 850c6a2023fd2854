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
type Image struct {
	FS   *vfs.MemFS
	What string // it came before
	Mark uint64 // what Camera.Mark was told last
}

// Camera takes the images. It is an errorfs.Injector.
type Camera struct {
	fs *vfs.MemFS

	mu     sync.Mutex // also held while files are renamed; see recycler
	rng    *rand.Rand
	mark   uint64
	images []Image
}

// New returns a camera before fs, which is crashable.
func New(fs *vfs.MemFS, seed uint64) *Camera {
	return &Camera{fs: fs, rng: rand.New(rand.NewPCG(seed, seed+1))}
}

// FS returns the file system that is watched.
func (c *Camera) FS() vfs.FS { return errorfs.Wrap(recycler{c.fs, c}, c) }

// Mark says what is promised to be there from now on.
func (c *Camera) Mark(v uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = v
}

// Images returns what was taken, and forgets it.
func (c *Camera) Images() []Image {
	c.mu.Lock()
	defer c.mu.Unlock()
	images := c.images
	c.images = nil
	return images
}

func (c *Camera) String() string { return "camera" }

// MaybeError implements errorfs.Injector.
func (c *Camera) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Mostly the extremes: all that was not synced is lost, or none of it.
	kept := []int{0, 0, 100, 50, 1 + c.rng.IntN(99)}[c.rng.IntN(5)]
	c.images = append(c.images, Image{
		What: fmt.Sprintf("operation %d on %s, %d %% kept", op.Kind, op.Path, kept), Mark: c.mark,
		FS: c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: c.rng}),
	})
	return nil
}

// recycler wraps files that are reused, which errorfs leaves out, and keeps the
// camera still meanwhile: MemFS takes a lock twice there.
type recycler struct {
	vfs.FS
	c *Camera
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
