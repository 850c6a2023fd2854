package mapstore

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/backend"
)

// damaged returns stores that differ from good in one bit of a value, in one
// bit of a key, or by one key.
func damaged(good memory, try func(what string, m memory)) {
	for i, k := range slices.Sorted(maps.Keys(good)) {
		m := maps.Clone(good)
		delete(m, k)
		try("without "+printable(k), m)
		for j := range k {
			m := maps.Clone(good)
			delete(m, k)
			m[flip(k, j, i+j)] = good[k]
			try("moved "+printable(k), m)
		}
		for j := range good[k] {
			m := maps.Clone(good)
			m[k] = []byte(flip(string(good[k]), j, i+j))
			try("flipped "+printable(k), m)
		}
		m = maps.Clone(good)
		m[k] = append(slices.Clone(good[k]), 0)
		try("longer "+printable(k), m)
		m = maps.Clone(good)
		m[k] = []byte{}
		try("emptied "+printable(k), m)
	}
}

func flip(s string, i, bit int) string {
	b := []byte(s)
	b[i] ^= 1 << (bit % 8)
	return string(b)
}

func printable(k string) string { return strings.ToValidUTF8(k[:2], "?") + " key" }

// Whatever is wrong with what is stored, no version says anything but what it
// said when it was made.
func TestCorruptionIsFoundByReaders(t *testing.T) {
	const names = 2
	s, src := newStore(t), newSource(t, 21, names)
	s.commit(src, 3, 3, 0)
	s.commit(src, 2, 6, 3)
	found := 0
	damaged(s.mem, func(what string, m memory) {
		for version, model := range s.versions {
			if version == 0 {
				continue
			}
			err := compareVersion(t, m, nil, version, model, names)
			switch {
			case errors.Is(err, ErrCorrupt):
				found++
			case errors.Is(err, ErrNoVersion):
				// The version is not shown, rather than shown wrongly.
			case err != nil:
				t.Fatalf("%s: version %d: %v", what, version, err)
			}
		}
	})
	if found < len(s.mem) {
		t.Errorf("%d corruptions found", found)
	}
}

// Nor does a batch, which reads before it writes, make anything but what it
// would have made.
func TestCorruptionIsFoundByBatches(t *testing.T) {
	const names = 2
	s, src := newStore(t), newSource(t, 22, names)
	s.commit(src, 3, 3, 0)
	s.commit(src, 2, 6, 6)
	leaf := src.leaf()
	commit := func(view backend.View) (Result, error) {
		snap, err := Open(view, nil)
		if err != nil {
			return Result{}, err
		}
		// As a caller does that knows the seal.
		if root, err := snap.WithdrawalRoot(); err != nil || snap.Root() != statusRoot(s, 6) || root != s.versions[6].result(t).WithdrawalRoot {
			return Result{}, ErrCorrupt
		}
		b, err := snap.Batch()
		if err != nil {
			return Result{}, err
		}
		for _, c := range leaf.Changes { // as step does
			if _, err := b.Record(c.NS, c.Data); err != nil {
				return Result{}, err
			}
		}
		if err := b.Apply(leaf); err != nil {
			return Result{}, err
		}
		res, _, err := b.Commit(9, 6)
		return res, err
	}
	want := src.result(t)
	if got, err := commit(s.mem); got != want || err != nil {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	found := 0
	damaged(s.mem, func(what string, m memory) {
		got, err := commit(m)
		switch {
		case errors.Is(err, ErrCorrupt):
			found++
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case got != want:
			t.Fatalf("%s: %+v, want %+v", what, got, want)
		}
	})
	if found < len(s.mem) {
		t.Errorf("%d corruptions found", found)
	}
}

func statusRoot(s *store, version uint64) Hash { return s.versions[version].result(s.t).Root }

// Check finds what is wrong with the version it checks, without being told
// what to look for.
func TestCheckFindsCorruption(t *testing.T) {
	const names = 2
	s, src := newStore(t), newSource(t, 23, names)
	s.commit(src, 4, 4, 4)
	damaged(s.mem, func(what string, m memory) {
		snap, err := Open(m, nil)
		if err == nil {
			err = snap.Check(t.Context())
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%s: %v", what, err)
		}
		if err == nil {
			err := compareVersion(t, m, nil, 4, s.versions[4], names)
			if err != nil {
				t.Fatalf("%s: not found: %v", what, err)
			}
		}
	})
}

// A view that fails is not corrupt, and says so.
func TestFailingView(t *testing.T) {
	s, src := newStore(t), newSource(t, 24, 3)
	s.commit(src, 9, 9, 9)
	s.commit(src, 9, 18, 18)
	for n := range 200 {
		view := &failing{memory: s.mem, left: n}
		err := func() error {
			snap, err := OpenAt(view, nil, 18)
			if err != nil {
				return err
			}
			if err := snap.Check(t.Context()); err != nil {
				return err
			}
			b, err := snap.Batch()
			if err != nil {
				return err
			}
			if err := b.Apply((&source{t, src.r, 3, src.index, src.model.clone()}).leaf()); err != nil {
				return err
			}
			_, _, err = b.Commit(30, 30)
			return err
		}()
		if err == nil {
			if n < 20 {
				t.Errorf("no error after %d reads", n)
			}
			return
		}
		if !errors.Is(err, errBroken) || errors.Is(err, ErrCorrupt) {
			t.Fatalf("after %d reads: %v", n, err)
		}
	}
	t.Error("never succeeds")
}

var errBroken = errors.New("broken disk")

// failing is a View that breaks after a number of reads.
type failing struct {
	memory
	left int
}

func (f *failing) use() error {
	if f.left == 0 {
		return errBroken
	}
	f.left--
	return nil
}

func (f *failing) Read(key []byte, fn func([]byte) error) error {
	if err := f.use(); err != nil {
		return err
	}
	return f.memory.Read(key, fn)
}

func (f *failing) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	if err := f.use(); err != nil {
		return err
	}
	return f.memory.Scan(from, to, fn)
}
