package embedded_test

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/backendtest"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/crashcam"
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

// image is what a crash could leave, and how many steps were done by then: it may
// have the next one, too.
type image crashcam.Image[int64]

// shoot runs the steps against a store under the camera.
func shoot(t *testing.T, steps []step) (images []image) {
	var done atomic.Int64
	c := crashcam.New(vfs.NewCrashableMem(), 1, done.Load)
	b, err := embedded.Open(t.Context(), small(c.FS()))
	if err != nil {
		t.Fatal(err)
	}
	s := backendtest.NewStore(b)
	var signed []byte
	for _, st := range steps {
		if st.swap == nil {
			s.Grow(t, st.leaves, st.side...)
		} else if err := s.Swap(t.Context(), []byte("signed"), signed, st.swap); err != nil {
			t.Fatal(err)
		} else {
			signed = st.swap
		}
		done.Add(1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, img := range c.Images() {
		images = append(images, image(img))
	}
	return images
}

// TestCrash opens the store as every crash could leave it: whatever was
// acknowledged is there and proves, what was under way is there or not, wholly,
// and the log goes on.
func TestCrash(t *testing.T) {
	steps := script(45)
	images := shoot(t, steps)
	if len(images) < 300 {
		t.Errorf("%d crash images, want 300", len(images))
	}
	t.Logf("%d crash images", len(images))
	for i, img := range images {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			t.Logf("%d steps done: %s", img.Promised, img.What)
			img.check(t, steps)
		})
	}
}

func (img image) check(t *testing.T, steps []step) {
	b, err := embedded.Open(t.Context(), small(img.FS))
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
	signed, err := backend.Get(v, []byte("signed"))
	if err != nil {
		t.Fatal(err)
	}
	size, swapped := uint64(0), []byte(nil)
	for n := int64(0); n <= min(img.Promised+1, int64(len(steps))); n++ {
		if n > 0 {
			size += uint64(len(steps[n-1].leaves))
			if st := steps[n-1]; st.swap != nil {
				swapped = st.swap
			}
		}
		if n >= img.Promised && root.Size == size && bytes.Equal(signed, swapped) {
			return n
		}
	}
	t.Fatalf("size %d, signed %q: not the state after step %d or the next", root.Size, signed, img.Promised)
	return 0
}
