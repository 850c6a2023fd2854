package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

func fsck(m *maker, src Source) (*Log, error) {
	m.t.Helper()
	root, err := m.Root()
	check(m.t, err)
	return Fsck(context.Background(), src, origin, m.Size(), root, nil)
}

func TestFsck(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 10), 40, 10)
	for i := range 1000 {
		m.add(fmt.Appendf(nil, "padding %d", i))
	}
	m.seal()
	root, err := m.Root()
	check(t, err)
	var done []uint64
	l, err := Fsck(t.Context(), source{leaves: m.leaves}, origin, m.Size(), root, func(l *Log, _ Outcome) { done = append(done, l.Size()) })
	if err != nil || l.Size() != m.Size() || l.MapRoot() != m.MapRoot() || l.Stats() != m.Stats() {
		t.Errorf("Fsck: %v; %+v, want %+v", err, l.Stats(), m.Stats())
	}
	for i, size := range done {
		if size != uint64(i)+1 {
			t.Fatalf("leaf %d is seen at size %d", i, size)
		}
	}
	if uint64(len(done)) != m.Size() {
		t.Errorf("%d leaves seen of %d", len(done), m.Size())
	}
	other := root
	other[7] ^= 1
	for name, test := range map[string]struct {
		src    Source
		origin string
		size   uint64
		root   Hash
		says   string
	}{
		"wrong root":      {source{leaves: m.leaves}, origin, m.Size(), other, "the checkpoint says root"},
		"size too large":  {source{leaves: m.leaves}, origin, m.Size() + 1, root, fmt.Sprintf("%d leaves", m.Size())},
		"size too small":  {source{leaves: m.leaves}, origin, m.Size() - 1, root, fmt.Sprintf("%d leaves", m.Size()-1)},
		"another log":     {source{leaves: m.leaves}, "other.example", m.Size(), root, "is not a live seal"},
		"no leaves":       {source{}, origin, 0, Hash{}, "0 leaves"},
		"source fails":    {source{leaves: m.leaves, at: 77, fail: errSource}, origin, m.Size(), root, "reading leaf 77: " + errSource.Error()},
		"source fails ii": {source{leaves: m.leaves, at: 0, fail: errSource}, origin, m.Size(), root, "reading leaf 0"},
	} {
		if _, err := Fsck(t.Context(), test.src, test.origin, test.size, test.root, nil); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: Fsck = %v, want %q", name, err, test.says)
		}
	}
	empty, err := treehash.Root(treehash.Empty())
	check(t, err)
	if _, err := Fsck(t.Context(), source{}, origin, 0, empty, nil); err == nil || !strings.Contains(err.Error(), "no leaves") {
		t.Errorf("empty log: Fsck = %v", err)
	}
}

// TestFsckNoSealLast: leaves behind the last seal are not sealed.
func TestFsckNoSealLast(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 11), 20, 10)
	m.add([]byte("hello"))
	if _, err := fsck(m, source{leaves: m.leaves}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the last leaf, %d, is not", m.Size()-1)) {
		t.Errorf("Fsck = %v", err)
	}
}

// TestFsckFlipped flips a bit of each leaf in turn. The first thing that
// breaks is a seal: the leaf itself, or the next one. (A seal may say another
// second and still be right, but the tree is another.)
func TestFsckFlipped(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 12), 30, 8)
	for i := range m.leaves {
		src := source{leaves: m.leaves, at: uint64(i), change: func(leaf []byte) []byte {
			leaf = bytes.Clone(leaf)
			leaf[(i*31)%len(leaf)] ^= 1
			return leaf
		}}
		next := i + 1
		for next < len(m.leaves) && !seal.Is(m.leaves[next]) {
			next++
		}
		_, err := fsck(m, src)
		if err == nil {
			t.Errorf("leaf %d is flipped, and Fsck finds nothing", i)
			continue
		}
		var f *FalseSealError
		named := errors.As(err, &f) && f.Index == uint64(i)
		for _, n := range []int{i, next} {
			named = named || strings.HasSuffix(err.Error(), fmt.Sprintf("is leaf %d", n))
		}
		if !named && next < len(m.leaves) {
			t.Errorf("leaf %d is flipped: %v; want leaf %d named", i, err, next)
		}
	}
}

// store is a backend of nothing but leaves and a side store.
type store struct {
	backend.Backend
	leaves [][]byte
	side   map[string][]byte
	batch  uint64 // leaves in a reply
}

func (s *store) Leaves(_ context.Context, first, n uint64) ([][]byte, error) {
	if first >= uint64(len(s.leaves)) {
		return nil, backend.ErrOutOfRange
	}
	return s.leaves[first:min(first+min(n, s.batch), uint64(len(s.leaves)))], nil
}

func (s *store) View() backend.View { return view(s.side) }

type view map[string][]byte

func (v view) Read(key []byte, fn func([]byte) error) error { return fn(v[string(key)]) }
func (v view) Close() error                                 { return nil }

func (v view) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	var keys []string
	for k := range v {
		if k >= string(from) && (len(to) == 0 || k < string(to)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !fn([]byte(k), v[k]) {
			break
		}
	}
	return nil
}

// keep makes what a node would store of m's log; spoil, unless nil, changes
// what the leaf at index does.
func keep(m *maker, spoil func(index uint64, out *Outcome)) *store {
	m.t.Helper()
	s := &store{leaves: m.leaves, side: map[string][]byte{}, batch: 7}
	l := m.fresh()
	snapshot, err := mapstore.Open(s.View(), nil)
	check(m.t, err)
	b, err := snapshot.Batch()
	check(m.t, err)
	for i, leaf := range m.leaves {
		out, err := l.Add(leaf)
		check(m.t, err)
		if out.Writes == nil {
			continue
		}
		if spoil != nil {
			spoil(uint64(i), &out)
		}
		check(m.t, b.Apply(*out.Writes))
	}
	_, writes, err := b.Commit(m.Size(), m.Size())
	check(m.t, err)
	for _, w := range writes {
		s.side[string(w.Key)] = w.Value
	}
	return s
}

func TestStore(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 13), 150, 40)
	s := Store{keep(m, nil)}
	l, err := fsck(m, s)
	check(t, err)
	check(t, s.CheckMap(t.Context(), l))
	if _, err := s.Leaf(t.Context(), m.Size()); !errors.Is(err, backend.ErrOutOfRange) {
		t.Errorf("Leaf = %v", err)
	}
	root, err := m.Root()
	check(t, err)
	if _, err := Fsck(t.Context(), s, origin, m.Size()+3, root, nil); !errors.Is(err, backend.ErrOutOfRange) {
		t.Errorf("a store that is too short: %v", err)
	}
	// A map of another size is another map, whatever is in it.
	short := m.fresh()
	for _, leaf := range m.leaves[:m.Size()-1] {
		_, err := short.Add(leaf)
		check(t, err)
	}
	if err := s.CheckMap(t.Context(), short); err == nil {
		t.Error("the map of another size passes")
	}
}

// TestCheckMapConsistent has stores that are in order by themselves, and hold
// another state than the leaves give.
func TestCheckMapConsistent(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 14), 120, 50)
	for name, spoil := range map[string]func(uint64, *Outcome){
		"a revocation is missing": func(_ uint64, out *Outcome) {
			if r := out.Entry.Revocation; r != nil {
				out.Writes.Changes = nil
			}
		},
		"a record is changed": func(_ uint64, out *Outcome) {
			for i, c := range out.Writes.Changes {
				out.Writes.Changes[i].Record = bytes.Replace(c.Record, []byte(`"state":"revoked","reason":10`), []byte(`"state":"active"`), 1)
			}
		},
		"a withdrawal is missing": func(_ uint64, out *Outcome) { out.Writes.Withdrawals = nil },
		"a withdrawal is changed": func(_ uint64, out *Outcome) {
			for i := range out.Writes.Withdrawals {
				out.Writes.Withdrawals[i].Reason ^= 1
			}
		},
	} {
		if err := (Store{keep(m, spoil)}).CheckMap(t.Context(), m.Log); err == nil {
			t.Errorf("%s: CheckMap finds nothing", name)
		}
	}
}

// TestCheckMapDamaged flips a bit of everything that is stored.
func TestCheckMapDamaged(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 15), 40, 10)
	s := keep(m, nil)
	n := 0
	for key, value := range s.side {
		if len(value) == 0 {
			continue
		}
		s.side[key] = bytes.Clone(value)
		s.side[key][(n*37)%len(value)] ^= 16
		if err := (Store{s}).CheckMap(t.Context(), m.Log); err == nil {
			t.Errorf("key %q is damaged, and CheckMap finds nothing", key)
		}
		delete(s.side, key)
		if err := (Store{s}).CheckMap(t.Context(), m.Log); err == nil && !strings.HasPrefix(key, "mp") {
			t.Errorf("key %q is missing, and CheckMap finds nothing", key)
		}
		s.side[key] = value
		n++
	}
	if n < 100 {
		t.Errorf("only %d keys in the store", n)
	}
}
