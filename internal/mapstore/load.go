package mapstore

import (
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/standing-log/standing/internal/backend"
)

// loadTop makes the tiles of a version, and checks them against the root in m:
// from a shortcut if there is one, or from all leaves.
func loadTop(view backend.View, m meta) (*tile, error) {
	// Whatever is wrong with a shortcut, the leaves decide.
	if root, err := loadShortcut(view, m); err == nil && root != nil && root.top() == m.root {
		return root, nil
	}
	root, err := loadLeaves(view, m.version)
	if err != nil {
		return nil, fmt.Errorf("reading the map: %w", err)
	}
	if root.top() != m.root {
		return nil, fmt.Errorf("%w: the leaves of version %d give root %x, not %x", ErrCorrupt, m.version, root.top(), m.root)
	}
	return root, nil
}

// loadLeaves makes the tiles of a version from all its leaves. At times as many
// sixteenths of them are in memory as there are cores.
func loadLeaves(view backend.View, version uint64) (*tile, error) {
	root := new(tile)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range root.slots {
		group.Go(func() error { return root.reread(view, i, path{}.child(i), version) })
	}
	err := group.Wait()
	root.sum(0xffff)
	return root, err
}

// reread fills slot i of t, which is at p, with the leaves of a version.
func (t *tile) reread(view backend.View, i int, p path, version uint64) error {
	leaves, err := readLeaves(view, p, version, -1)
	if err == nil {
		place(t, i, p, leaves, nil)
	}
	return err
}
