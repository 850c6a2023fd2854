package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// DirStore keeps records in a directory, one file per log, named by the hex
// SHA-256 of its origin:
//
//	standing witness record v1
//	<origin>
//	<hex SHA-256 of the origin, a newline and the record>
//	<record, to the end>
//
// A file is only ever replaced whole. One process owns the directory, by a
// lock on the file "lock" that ends with the process. Removing a file makes the
// witness forget that log: never do so, and never restore an old copy, while
// the witness keeps its key.
type DirStore struct {
	dir  string
	lock *os.File
	sync func(*os.File) error // replaced in tests

	mu      sync.Mutex
	origins map[string]*sync.Mutex // under mu; held while its file is used
	failed  error                  // under mu; set by the first failed write
}

const (
	recordMagic = "standing witness record v1"
	maxRecord   = 1 << 20
)

// OpenDir opens the records in dir, which it makes if it is not there. It fails
// if another process has it open.
func OpenDir(dir string) (*DirStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making witness directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("locking witness directory %s (is another witness running?): %w", dir, err)
	}
	return &DirStore{dir: dir, lock: lock, sync: (*os.File).Sync, origins: make(map[string]*sync.Mutex)}, nil
}

// Close releases the directory. No other method may be running or follow.
func (s *DirStore) Close() error { return s.lock.Close() }

// Update implements [Store].
func (s *DirStore) Update(ctx context.Context, origin string, fn func([]byte) ([]byte, error)) error {
	unlock, err := s.acquire(origin)
	if err != nil {
		return err
	}
	defer unlock()
	current, err := s.read(origin)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	next, err := fn(current)
	if err != nil {
		return err
	}
	if len(next) == 0 || len(next) > maxRecord/2 {
		return fmt.Errorf("storing a record of %d bytes", len(next))
	}
	if err := s.write(origin, next); err != nil {
		return s.fail(err)
	}
	return nil
}

// Latest implements [Store].
func (s *DirStore) Latest(_ context.Context, origin string) ([]byte, error) {
	// No lock: rename is atomic, so this is the record before or after.
	return s.read(origin)
}

func (s *DirStore) acquire(origin string) (unlock func(), err error) {
	s.mu.Lock()
	m := s.origins[origin]
	if m == nil {
		m = new(sync.Mutex)
		s.origins[origin] = m
	}
	s.mu.Unlock()
	m.Lock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		m.Unlock()
		return nil, fmt.Errorf("store stopped by an earlier failure: %w", s.failed)
	}
	return m.Unlock, nil
}

// fail stops the store. After a failed write or sync the kernel may show a file
// that the disk does not hold, and report the next sync as good: a record built
// on it could vanish after its cosignature was given out. Opening the store
// anew is the operator's decision.
func (s *DirStore) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
	return err
}

func (s *DirStore) path(origin string) string {
	h := sha256.Sum256([]byte(origin))
	return filepath.Join(s.dir, hex.EncodeToString(h[:]))
}

func header(origin string, record []byte) []byte {
	h := sha256.New()
	h.Write([]byte(origin + "\n"))
	h.Write(record)
	return fmt.Appendf(nil, "%s\n%s\n%x\n", recordMagic, origin, h.Sum(nil))
}

func (s *DirStore) read(origin string) ([]byte, error) {
	f, err := os.Open(s.path(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading witness record: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return nil, fmt.Errorf("reading witness record: %w", err)
	}
	// The header's length follows from the origin, so the file is what write
	// makes if and only if it begins with the header of the rest.
	n := len(header(origin, nil))
	if len(data) <= n || len(data) > maxRecord || !bytes.Equal(data[:n], header(origin, data[n:])) {
		return nil, fmt.Errorf("corrupt witness record %s of %q: it must not be removed, only recovered", f.Name(), origin)
	}
	return data[n:], nil
}

func (s *DirStore) write(origin string, record []byte) error {
	path := s.path(origin)
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing witness record: %w", err)
	}
	_, err = f.Write(append(header(origin, record), record...))
	// If we crash up to here, a .tmp file is left, which the next write truncates.
	err = errors.Join(err, s.sync(f), f.Close())
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	// If we crash here, the record is the old or the new one; no cosignature has
	// left the process, so either is true.
	if err == nil {
		err = s.syncDir()
	}
	if err != nil {
		return fmt.Errorf("writing witness record: %w", err)
	}
	return nil
}

func (s *DirStore) syncDir() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(s.sync(d), d.Close())
}
