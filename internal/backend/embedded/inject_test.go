package embedded_test

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// inject returns fs with inj asked before each operation. No file is renamed
// for reuse while mu is held: MemFS takes a lock twice there, and a crash clone
// that came in between would wait for ever.
func inject(fs vfs.FS, inj errorfs.Injector, mu *sync.Mutex) vfs.FS {
	return errorfs.Wrap(recycler{fs, inj, mu}, inj)
}

// recycler adds what errorfs leaves out: operations on files that are reused,
// as write-ahead logs are.
type recycler struct {
	vfs.FS
	inj errorfs.Injector
	mu  *sync.Mutex
}

func (r recycler) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := r.FS.ReuseForWrite(from, to, c)
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
