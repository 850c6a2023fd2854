package embedded_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/backendtest"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/crashcam"
)

// fault fails the operations that match, once it is on.
type fault struct {
	on    atomic.Bool
	match func(errorfs.Op) bool
	err   error
}

func (f *fault) String() string { return "fault" }

func (f *fault) MaybeError(op errorfs.Op) error {
	if f.on.Load() && f.match(op) {
		return f.err
	}
	return nil
}

func on(file string, kinds ...errorfs.OpKind) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		for _, k := range kinds {
			if op.Kind == k && strings.Contains(op.Path, file) {
				return true
			}
		}
		return false
	}
}

// TestFailure breaks the disk in all the places where Pebble has its own idea
// of what to do about it: exit, panic, or try for ever. Here the store fails
// once and for all, nobody hangs, and what was acknowledged is there when the
// directory is opened after a crash.
func TestFailure(t *testing.T) {
	for name, match := range map[string]func(errorfs.Op) bool{
		"log write":       on(".log", errorfs.OpFileWrite),
		"log sync":        on(".log", errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo),
		"log creation":    on(".log", errorfs.OpCreate, errorfs.OpReuseForWrite),
		"table creation":  on(".sst", errorfs.OpCreate),
		"table write":     on(".sst", errorfs.OpFileWrite),
		"table sync":      on(".sst", errorfs.OpFileSync, errorfs.OpFileSyncData),
		"values creation": on(".blob", errorfs.OpCreate),
		"values write":    on(".blob", errorfs.OpFileWrite),
		"values sync":     on(".blob", errorfs.OpFileSync, errorfs.OpFileSyncData),
		"manifest write":  on("MANIFEST", errorfs.OpFileWrite),
		"manifest sync":   on("MANIFEST", errorfs.OpFileSync, errorfs.OpFileSyncData),
		"everything":      func(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite },
	} {
		t.Run(name, func(t *testing.T) { testFailure(t, &fault{match: match, err: syscall.ENOSPC}) })
	}
}

func testFailure(t *testing.T, f *fault) {
	mem := vfs.NewCrashableMem()
	b, err := embedded.Open(t.Context(), small(crashcam.Inject(mem, f)))
	if err != nil {
		t.Fatal(err)
	}
	s := backendtest.NewStore(b)
	for range 5 {
		leaves, side := backendtest.Batch(uint64(len(s.Appended)), 20, 600)
		s.Grow(t, leaves, side...)
	}
	v := s.View()
	f.on.Store(true)
	leaves, side := growUntilFailure(t, s)
	wantFailure(t, s, v)

	// Reopen as after a power failure, with a whole disk. The last Append may
	// have arrived, or not: the root tells.
	img := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(3, 4))})
	if s.Backend, err = embedded.Open(t.Context(), small(img)); err != nil {
		t.Fatal(err)
	}
	root, err := s.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if root.Size > uint64(len(s.Appended)) {
		s.Expect(t, leaves, side...)
	}
	s.Check(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// growUntilFailure appends until that fails, and returns what failed.
func growUntilFailure(t *testing.T, s *backendtest.Store) ([][]byte, []backend.Write) {
	t.Helper()
	for range 500 {
		first := uint64(len(s.Appended))
		leaves, side := backendtest.Batch(first, 20, 600)
		_, err := s.Append(t.Context(), first, leaves, side)
		if err == nil {
			s.Expect(t, leaves, side...)
			continue
		}
		if !errors.Is(err, embedded.ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("appending to a full disk: error %v, want %v and %v", err, embedded.ErrFailed, syscall.ENOSPC)
		}
		return leaves, side
	}
	t.Fatal("a full disk never fills")
	return nil, nil
}

// wantFailure calls every method of a failed store.
func wantFailure(t *testing.T, s *backendtest.Store, v backend.View) {
	t.Helper()
	ctx := context.Background()
	for name, f := range map[string]func() error{
		"Root":             func() error { _, err := s.Root(ctx); return err },
		"Append":           func() error { _, err := s.Append(ctx, uint64(len(s.Appended)), [][]byte{{1}}, nil); return err },
		"Leaves":           func() error { _, err := s.Leaves(ctx, 0, 1); return err },
		"Hashes":           func() error { _, err := s.Hashes(ctx, 0, 0, 1); return err },
		"InclusionProof":   func() error { _, err := s.InclusionProof(ctx, 0, 1); return err },
		"ConsistencyProof": func() error { _, err := s.ConsistencyProof(ctx, 1, 2); return err },
		"Swap":             func() error { return s.Swap(ctx, []byte("k"), nil, []byte("v")) },
		"View":             func() error { _, err := backend.Get(s.View(), []byte("k")); return err },
		"View.Read":        func() error { _, err := backend.Get(v, []byte("k")); return err },
		"View.Scan":        func() error { return v.Scan(nil, nil, func(_, _ []byte) bool { return true }) },
		"Close":            func() error { return s.Close() },
	} {
		if err := f(); !errors.Is(err, embedded.ErrFailed) {
			t.Errorf("%s of a failed store: error %v, want %v", name, err, embedded.ErrFailed)
		}
	}
}

// TestFailedRead breaks reading only: calls fail while it lasts, and answer
// again behind it unless a compaction has met it, too.
func TestFailedRead(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fill(t, mem)
	tables, values := on(".sst", errorfs.OpOpen, errorfs.OpFileReadAt), on(".blob", errorfs.OpOpen, errorfs.OpFileReadAt)
	f := &fault{match: func(op errorfs.Op) bool { return tables(op) || values(op) }, err: syscall.EIO}
	o := small(crashcam.Inject(mem, f))
	f.on.Store(true)
	if _, err := embedded.Open(t.Context(), o); err == nil {
		t.Error("opening without reading: no error")
	}
	f.on.Store(false)
	// A failed store keeps its directory: go on with a copy.
	o = small(crashcam.Inject(mem.CrashClone(vfs.CrashCloneCfg{}), f))
	o.CacheSize = 1 // so that what opening has read is read again
	b, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f.on.Store(true)
	if got, err := b.Leaves(t.Context(), 0, 20); err == nil {
		t.Errorf("%d leaves from a broken disk", len(got))
	}
	f.on.Store(false)
	if got, err := b.Leaves(t.Context(), 0, 20); len(got) != 20 && !errors.Is(err, embedded.ErrFailed) {
		t.Errorf("%d leaves, %v", len(got), err)
	}
	if err := b.Close(); err != nil && !errors.Is(err, embedded.ErrFailed) {
		t.Error(err)
	}
}

// TestFailedOpen breaks each operation of the first Open and of a later one in
// turn, for good. Open fails or gets by without it; it does not hang.
func TestFailedOpen(t *testing.T) {
	for _, used := range []bool{false, true} {
		failures := 0
		for n := int64(1); ; n++ {
			mem := vfs.NewCrashableMem()
			if used {
				fill(t, mem)
			}
			var count atomic.Int64
			f := &fault{err: syscall.EIO, match: func(op errorfs.Op) bool {
				return op.Kind.ReadOrWrite() == errorfs.OpIsWrite && count.Add(1) >= n
			}}
			f.on.Store(true)
			b, err := embedded.Open(t.Context(), small(crashcam.Inject(mem, f)))
			if err == nil {
				f.on.Store(false)
				if err := b.Close(); err != nil && !errors.Is(err, embedded.ErrFailed) {
					t.Fatalf("closing: %v", err)
				}
				break
			}
			failures++
			s, err := embedded.Open(t.Context(), small(mem.CrashClone(vfs.CrashCloneCfg{})))
			if err != nil {
				t.Fatalf("opening after failure at operation %d: %v", n, err)
			}
			if root, err := s.Root(t.Context()); err != nil || used != (root.Size > 0) {
				t.Fatalf("root after failure at operation %d: %v, %v", n, root, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if failures < 5 {
			t.Errorf("only %d operations failed", failures)
		}
	}
}

func fill(t *testing.T, fs vfs.FS) {
	t.Helper()
	b, err := embedded.Open(t.Context(), small(fs))
	if err != nil {
		t.Fatal(err)
	}
	s := backendtest.NewStore(b)
	leaves, side := backendtest.Batch(0, 20, 600)
	s.Grow(t, leaves, side...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPairsOfFaults lets one write fail, and one more after the store was opened
// again; both pass. That is done for every first one with every fourth second. A third start finds all that was
// acknowledged, and nothing else but what was under way.
func TestPairsOfFaults(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fill(t, mem)
	whole := backendtest.NewStore(nil)
	leaves, side := backendtest.Batch(0, 20, 600)
	whole.Expect(t, leaves, side...)
	var last int64
	faulty(t, mem, whole, math.MaxInt64, &last)
	for i := int64(1); i <= last; i++ {
		for j := 1 + i%4; j <= last; j += 4 {
			mem := vfs.NewCrashableMem()
			fill(t, mem)
			s := backendtest.NewStore(nil)
			leaves, side := backendtest.Batch(0, 20, 600)
			s.Expect(t, leaves, side...)
			for _, n := range []int64{i, j} {
				mem = faulty(t, mem, s, n, &last)
			}
			b, err := embedded.Open(t.Context(), small(mem))
			if err != nil {
				t.Fatalf("after faults %d and %d: %v", i, j, err)
			}
			s.Backend = b
			s.Check(t)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last < 10 {
		t.Errorf("only %d writes", last)
	}
}

// faulty opens the store, whose n-th write fails, appends, and returns the disk
// as a crash leaves it. It sets last to the number of writes.
func faulty(t *testing.T, mem *vfs.MemFS, s *backendtest.Store, n int64, last *int64) *vfs.MemFS {
	t.Helper()
	var count atomic.Int64
	f := &fault{err: syscall.EIO, match: func(op errorfs.Op) bool {
		return op.Kind.ReadOrWrite() == errorfs.OpIsWrite && count.Add(1) == n
	}}
	f.on.Store(true)
	var under [][]byte // an append without an answer
	var side []backend.Write
	b, err := embedded.Open(t.Context(), small(crashcam.Inject(mem, f)))
	if err == nil {
		first := uint64(len(s.Appended))
		under, side = backendtest.Batch(first, 3, 200)
		if _, err = b.Append(t.Context(), first, under, side); err == nil {
			s.Expect(t, under, side...)
			under = nil
		}
		if err := b.Close(); err != nil && !errors.Is(err, embedded.ErrFailed) {
			t.Fatal(err)
		}
	}
	if n == math.MaxInt64 {
		*last = count.Load()
	}
	// All that was not synced is lost. (If an entry of a directory could survive
	// alone, Pebble's marker might name a manifest that is not there.)
	img := mem.CrashClone(vfs.CrashCloneCfg{})
	if under != nil {
		settle(t, img, s, under, side)
	}
	return img
}

// settle finds out whether an append without an answer has arrived.
func settle(t *testing.T, fs *vfs.MemFS, s *backendtest.Store, leaves [][]byte, side []backend.Write) {
	t.Helper()
	b, err := embedded.Open(t.Context(), small(fs.CrashClone(vfs.CrashCloneCfg{})))
	if err != nil {
		t.Fatal(err)
	}
	root, err := b.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if root.Size > uint64(len(s.Appended)) {
		s.Expect(t, leaves, side...)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
