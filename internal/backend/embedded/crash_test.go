package embedded_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/backendtest"
	"github.com/standing-log/standing/internal/backend/embedded"
)

// step is an Append, or a Swap if it has no leaves.
type step struct {
	leaves [][]byte
	side   []backend.Write
	swap   []byte // the value swapped in at "signed"
}

// script makes steps: appends of various sizes, each followed by a swap, as
// the sequencer's turns are.
func script(turns int) []step {
	var steps []step
	size := uint64(0)
	for i := range turns {
		n := 1 + i*i%13
		leaves, side := backendtest.Batch(size, n, 40+i*97%700)
		size += uint64(n)
		steps = append(steps, step{leaves: leaves, side: side}, step{swap: fmt.Append(nil, size)})
	}
	return steps
}

// camera takes an image of the file system, as a crash could leave it, before
// each operation that changes it.
type camera struct {
	mem *vfs.MemFS
	// begun and done count steps: a crash may lose those between them.
	begun, done atomic.Int64

	mu     sync.Mutex
	rng    *rand.Rand
	images []image
}

type image struct {
	fs          *vfs.MemFS
	done, begun int64
	what        string
}

func (c *camera) String() string { return "camera" }

func (c *camera) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Mostly the extremes: all that was not synced is lost, or none of it.
	kept := []int{0, 0, 100, 50, 1 + c.rng.IntN(99)}[c.rng.IntN(5)]
	img := image{done: c.done.Load(), what: fmt.Sprintf("operation %d on %s, %d %% kept", op.Kind, op.Path, kept)}
	img.fs = c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: c.rng})
	img.begun = c.begun.Load()
	c.images = append(c.images, img)
	return nil
}

// shoot runs the steps against a store under the camera.
func (c *camera) shoot(t *testing.T, steps []step) {
	b, err := embedded.Open(t.Context(), small(inject(c.mem, c, &c.mu)))
	if err != nil {
		t.Fatal(err)
	}
	s := backendtest.NewStore(b)
	var signed []byte
	for _, st := range steps {
		c.begun.Add(1)
		if st.swap == nil {
			s.Grow(t, st.leaves, st.side...)
		} else if err := s.Swap(t.Context(), []byte("signed"), signed, st.swap); err != nil {
			t.Fatal(err)
		} else {
			signed = st.swap
		}
		c.done.Add(1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCrash opens the store as every crash could leave it: whatever was
// acknowledged is there and proves, what was under way is there or not, wholly,
// and the log goes on.
func TestCrash(t *testing.T) {
	c := &camera{mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 2))}
	steps := script(35)
	c.shoot(t, steps)
	if len(c.images) < 300 {
		t.Errorf("%d crash images, want 300", len(c.images))
	}
	t.Logf("%d crash images", len(c.images))
	for i, img := range c.images {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			t.Logf("%d of %d steps done: %s", img.done, img.begun, img.what)
			img.check(t, steps)
		})
	}
}

func (img image) check(t *testing.T, steps []step) {
	b, err := embedded.Open(t.Context(), small(img.fs))
	if err != nil {
		t.Fatal(err)
	}
	s := backendtest.NewStore(b)
	for _, st := range steps[:img.reached(t, b, steps)] {
		st.expect(t, s)
	}
	s.Check(t)
	leaves, side := backendtest.Batch(uint64(len(s.Appended)), 3, 50)
	s.Grow(t, leaves, side...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func (st step) expect(t *testing.T, s *backendtest.Store) {
	side := st.side
	if st.swap != nil {
		side = []backend.Write{{Key: []byte("signed"), Value: st.swap}}
	}
	s.Expect(t, st.leaves, side...)
}

// reached returns how many steps b has taken; they must be among those that
// the crash allows.
func (img image) reached(t *testing.T, b backend.Backend, steps []step) int64 {
	root, err := b.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := b.View()
	defer v.Close()
	signed, err := v.Get([]byte("signed"))
	if err != nil {
		t.Fatal(err)
	}
	size, swapped := uint64(0), []byte(nil)
	for n := int64(0); n <= img.begun; n++ {
		if n > 0 {
			size += uint64(len(steps[n-1].leaves))
			if st := steps[n-1]; st.swap != nil {
				swapped = st.swap
			}
		}
		if n >= img.done && root.Size == size && bytes.Equal(signed, swapped) {
			return n
		}
	}
	t.Fatalf("size %d, signed %q: no state from step %d to %d", root.Size, signed, img.done, img.begun)
	return 0
}
