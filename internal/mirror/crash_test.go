package mirror_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/crashcam"
	"github.com/standing-log/standing/internal/mirror"
)

// TestCrash opens the copy as each crash during several Syncs could leave it.
// What was held is held, a State is whole, and Sync goes on to the end.
func TestCrash(t *testing.T) {
	l := newLog(t)
	ids := l.attest(180)
	s := newStatic(t, l.Node)
	leaves := leavesOf(t, l.Node)
	var held atomic.Uint64
	c := crashcam.New(vfs.NewCrashableMem(), 1, held.Load)
	m := l.open(c.FS())
	m.SetChunk(1)
	for _, size := range []int{4, 104, 300, 302, len(leaves)} {
		s.add(leaves[len(s.leaves):size]...)
		if err := m.Sync(t.Context(), s, func(done, _ uint64) { held.Store(done) }); err != nil {
			t.Fatal(err)
		}
	}
	l.standing(m, ids[0], ids[179])
	close_(t, m)
	images := c.Images()
	if len(images) < 40 {
		t.Fatalf("%d crash images, want 40", len(images))
	}
	for n, img := range images {
		check := func() error {
			m, err := mirror.Open(t.Context(), l.config(img.FS))
			if err != nil {
				return err
			}
			defer close_(t, m)
			root, err := m.Backend().Root(t.Context())
			if err != nil || root.Size < img.Promised {
				return fmt.Errorf("%d leaves of %d: %w", root.Size, img.Promised, err)
			}
			if st, err := m.State(t.Context()); err == nil {
				err = st.Map.Check(t.Context())
				st.Close()
				if err != nil {
					return err
				}
			} else if img.Promised > 4 {
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
			t.Fatalf("image %d, %d leaves held, %s: %v", n, img.Promised, img.What, err)
		}
		images[n].FS = nil
	}
}
