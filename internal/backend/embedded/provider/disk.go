package provider

import (
	"bufio"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system as Pebble sees it. It never tells Pebble that a write
// failed: it marks the store failed and stops the goroutine there. Pebble would
// report some such errors as fatal and retry others for ever; it would panic on
// a goroutine of its own if it cannot sync the directory; and if it cannot close
// or create a write-ahead log, it would panic with a lock in a state in which
// unwinding ends the process.
//
// Errors of reading, of deleting, of making directories and of locking pass:
// Pebble returns them or copes.
type disk struct {
	vfs.FS
	h *health
}

func (d disk) checked(f vfs.File, err error) (vfs.File, error) {
	return file{f, d.h}, d.h.check(err)
}

// Create makes what a marker names durable before there is a marker. Pebble
// syncs the directory once, afterwards: a crash in between could leave the
// marker and not the manifest, on file systems that do not keep their order,
// and a store that cannot be opened.
func (d disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(d.FS.PathBase(name), "marker.") {
		if err := d.syncDir(d.FS.PathDir(name)); err != nil {
			return nil, err
		}
	}
	f, err := d.checked(d.FS.Create(name, c))
	if err == nil && (strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")) {
		f = &table{File: f, w: bufio.NewWriterSize(f, tableBuffer)}
	}
	return f, err
}

func (d disk) syncDir(name string) error {
	dir, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (d disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.checked(d.FS.OpenReadWrite(name, c, opts...))
}

func (d disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.checked(d.FS.ReuseForWrite(from, to, c))
}

func (d disk) OpenDir(name string) (vfs.File, error) { return d.checked(d.FS.OpenDir(name)) }

func (d disk) Link(from, to string) error { return d.h.check(d.FS.Link(from, to)) }

func (d disk) Rename(from, to string) error { return d.h.check(d.FS.Rename(from, to)) }

func (d disk) Unwrap() vfs.FS { return d.FS }

// file is a file or directory opened for writing.
type file struct {
	vfs.File
	h *health
}

func (f file) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, f.h.check(err)
}

func (f file) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	return n, f.h.check(err)
}

func (f file) Sync() error     { return f.h.check(f.File.Sync()) }
func (f file) SyncData() error { return f.h.check(f.File.SyncData()) }

func (f file) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.h.check(err)
}

func (f file) Close() error { return f.h.check(f.File.Close()) }

// tableBuffer is how much of a table, or a file of values, is written at once. Pebble
// writes 4 KiB, for which a system call costs five times as much a byte.
const tableBuffer = 128 << 10

// table is a file that is written from its beginning to its end, and read by
// nobody before it is synced. What a crash leaves of it, no manifest names.
type table struct {
	vfs.File
	w *bufio.Writer
}

func (t *table) Write(b []byte) (int, error) { return t.w.Write(b) }

func (t *table) Sync() error     { return errors.Join(t.w.Flush(), t.File.Sync()) }
func (t *table) SyncData() error { return errors.Join(t.w.Flush(), t.File.SyncData()) }
func (t *table) Close() error    { return errors.Join(t.w.Flush(), t.File.Close()) }

func (t *table) SyncTo(length int64) (bool, error) {
	if err := t.w.Flush(); err != nil {
		return false, err
	}
	return t.File.SyncTo(length)
}
