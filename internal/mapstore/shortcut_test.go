package mapstore

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/backend"
)

// watched says whether all leaves were read.
type watched struct {
	backend.View
	all bool
}

func (w *watched) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	first, last := path{}.child(15).keys()
	w.all = w.all || bytes.Equal(from, first) && bytes.Equal(to, last)
	return w.View.Scan(from, to, fn)
}

// TestShortcut opens versions by a shortcut of them and of earlier ones, while
// buckets are split, superseded and pruned; and without, those it does not lead
// to.
func TestShortcut(t *testing.T) {
	const names = 1500
	for seed := range uint64(3) {
		s, src := newStore(t), newSource(t, seed, names)
		s.commit(src, 600, 10, 0)
		s.commit(src, 600, 20, 10)
		s.mem.apply(s.open().Shortcut())
		for i, n := range []int{0, 1, 3, 10, 2000} {
			version := uint64(30 + 10*i)
			s.commit(src, n, version, version-10)
			for _, v := range []uint64{version, version - 10} {
				view := &watched{View: s.mem.picture()}
				if err := compareVersion(t, view, nil, v, s.versions[v], 10); err != nil {
					t.Fatalf("seed %d, version %d: %v", seed, v, err)
				}
				if far := v == 70; view.all != far {
					t.Errorf("seed %d, version %d: all leaves read: %t", seed, v, view.all)
				}
			}
		}
		if v, err := ShortcutVersion(s.mem); v != 20 || err != nil {
			t.Errorf("shortcut of version %d, %v", v, err)
		}
		s.mem.apply(s.open().Shortcut())
		view := &watched{View: s.mem.picture()}
		if err := compareVersion(t, view, nil, 60, s.versions[60], 10); err != nil || !view.all {
			t.Errorf("a version before the shortcut: %v, all leaves read: %t", err, view.all)
		}
	}
}

// TestShortcutDamaged: whatever happens to a shortcut, the version is what it
// was; and Check finds it.
func TestShortcutDamaged(t *testing.T) {
	const names = 10
	s, src := newStore(t), newSource(t, 4, names)
	s.commit(src, 60, 10, 0)
	s.mem.apply(s.open().Shortcut())
	s.commit(src, 1, 20, 0)
	shortcut := memory{}
	for k, v := range s.mem {
		if k[1] == kindShortcut {
			shortcut[k] = v
		}
	}
	if len(shortcut) != 16 {
		t.Fatalf("%d values", len(shortcut))
	}
	tried := 0
	damaged(shortcut, func(what string, m memory) {
		tried++
		for k, v := range s.mem {
			if k[1] != kindShortcut {
				m[k] = v
			}
		}
		if tried%50 == 0 {
			checkVersion(t, m, nil, 20, s.versions[20], names)
		}
		snap, err := Open(m, nil)
		if err != nil || snap.Root() != s.versions[20].result(t).Root {
			t.Fatalf("%s: %v", what, err)
		}
		if strings.HasPrefix(what, "flipped") && !errors.Is(snap.Check(t.Context()), ErrCorrupt) {
			t.Fatalf("%s: not found", what)
		}
	})
	// One that is of another store, and right in itself.
	other, otherSrc := newStore(t), newSource(t, 5, names)
	other.commit(otherSrc, 60, 10, 0)
	m := maps.Clone(s.mem)
	m.apply(other.open().Shortcut())
	checkVersion(t, m, nil, 20, s.versions[20], names)
}

// FuzzShortcut: what is parsed is what would be written.
func FuzzShortcut(f *testing.F) {
	s, src := newStore(f), newSource(f, 6, 300)
	s.commit(src, 400, 10, 0)
	top := s.open().top
	for i := range top.slots {
		f.Add(top.appendSlot(nil, i))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		root := new(tile)
		rest, err := root.parseSlot(b, 0, 1)
		if err != nil {
			return
		}
		read := b[:len(b)-len(rest)]
		again := new(tile)
		if _, err := again.parseSlot(root.appendSlot(nil, 0), 0, 1); err != nil || !bytes.Equal(again.appendSlot(nil, 0), root.appendSlot(nil, 0)) {
			t.Errorf("%x: %v", read, err)
		}
	})
}
