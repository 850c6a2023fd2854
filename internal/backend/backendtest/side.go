package backendtest

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/backend"
)

func write(key, value string) backend.Write {
	return backend.Write{Key: []byte(key), Value: []byte(value)}
}

func remove(key string) backend.Write { return backend.Write{Key: []byte(key)} }

// testSideOnly writes without leaves.
func testSideOnly(t *testing.T, mk Maker) {
	s := open(t, mk)
	s.Grow(t, nil, write("a", "1"))
	leaves, _ := Batch(0, 3, 50)
	s.Grow(t, leaves)
	s.Grow(t, nil, write("a", "2"), write("b", ""))
	s.Grow(t, nil)
	s.Check(t)
}

// testSideWrites sets, overwrites and deletes, in the order given.
func testSideWrites(t *testing.T, mk Maker) {
	s := open(t, mk)
	leaf := func() [][]byte { l, _ := Batch(uint64(len(s.Appended)), 1, 50); return l }
	s.Grow(t, leaf(), write("a", "1"), write("b", "2"), write("\x00", "3"), write("\xff\xff", "4"), write("empty", ""))
	s.Check(t)
	s.Grow(t, leaf(), write("a", "first"), remove("a"), write("a", "last"), remove("b"), remove("never was"))
	s.Check(t)
	s.Grow(t, leaf(), write("c", "5"), remove("c"), remove("empty"), write("\xff", string(make([]byte, 1<<20))))
	s.Check(t)

	// The caller may reuse what it handed over.
	w := write("mine", "before")
	s.Grow(t, leaf(), w)
	copy(w.Key, "your")
	copy(w.Value, "behind")
	s.Check(t)

	v := s.View()
	defer v.Close()
	got, err := backend.Get(v, []byte("mine"))
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "yours!") // the caller owns it
	if again, err := backend.Get(v, []byte("mine")); err != nil || string(again) != "before" {
		t.Errorf("mine is %q, %v", again, err)
	}
	if got, err := backend.Get(v, []byte("absent")); err != nil || got != nil {
		t.Errorf("absent is %q, %v", got, err)
	}
}

// testViews looks at ranges, and at old views while the store moves on.
func testViews(t *testing.T, mk Maker) {
	s := open(t, mk)
	leaves, _ := Batch(0, 1, 50)
	s.Grow(t, leaves, write("a", "1"), write("ab", "2"), write("b", "3"), write("c", "4"))
	before := maps.Clone(s.Side)
	old := s.View()
	for _, c := range []struct {
		from, to string
		stop     int
		want     []string
	}{
		{"", "", 0, []string{"a", "ab", "b", "c"}},
		{"a", "b", 0, []string{"a", "ab"}},
		{"a\x00", "c", 0, []string{"ab", "b"}},
		{"ab", "", 0, []string{"ab", "b", "c"}},
		{"", "ab", 0, []string{"a"}},
		{"b", "b", 0, nil},
		{"c", "a", 0, nil},
		{"d", "", 0, nil},
		{"", "", 2, []string{"a", "ab"}},
	} {
		var got []string
		err := old.Scan([]byte(c.from), []byte(c.to), func(key, _ []byte) bool {
			got = append(got, string(key))
			return len(got) != c.stop
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("scan %q to %q: %q, %v, want %q", c.from, c.to, got, err, c.want)
		}
	}
	more, _ := Batch(1, 1, 50)
	s.Grow(t, more, write("a", "changed"), remove("b"), write("d", "new"))
	if err := s.Swap(t.Context(), []byte("c"), []byte("4"), []byte("swapped")); err != nil {
		t.Fatal(err)
	}
	s.Side["c"] = []byte("swapped")
	checkView(t, old, before)
	s.Check(t)
	if err := old.Close(); err != nil {
		t.Errorf("closing the old view: %v", err)
	}
	s.Check(t)
}

func testSwap(t *testing.T, mk Maker) {
	s := open(t, mk)
	k := []byte("signed")
	one, two, empty := []byte("1"), []byte("2"), []byte{}
	for i, c := range []struct {
		old, new []byte
		want     error
	}{
		{one, two, backend.ErrConflict},
		{empty, two, backend.ErrConflict}, // absent is not empty
		{nil, empty, nil},
		{nil, one, backend.ErrConflict},
		{empty, one, nil},
		{two, one, backend.ErrConflict},
		{nil, two, backend.ErrConflict},
		{empty, two, backend.ErrConflict},
		{one, one, nil},
		{one, two, nil},
	} {
		err := s.Swap(t.Context(), k, c.old, c.new)
		wantErr(t, "swap", err, c.want)
		if err == nil {
			s.Side[string(k)] = bytes.Clone(c.new)
		} else if c.want == nil {
			t.Fatalf("swap %d failed", i)
		}
		if s.Side[string(k)] != nil {
			s.Check(t)
		}
	}
	if err := s.Swap(t.Context(), k, two, nil); err == nil {
		t.Error("swapping in nothing: no error")
	}
	if err := s.Swap(t.Context(), nil, nil, one); err == nil {
		t.Error("swapping an empty key: no error")
	}
	leaves, _ := Batch(0, 1, 50)
	s.Grow(t, leaves, backend.Write{Key: k, Value: []byte("appended")})
	wantErr(t, "swap behind an append", s.Swap(t.Context(), k, two, one), backend.ErrConflict)
	s.Check(t)
}

func testReopen(t *testing.T, mk Maker) {
	opener := mk(t)
	b, err := opener()
	if err != nil {
		t.Fatal(err)
	}
	s := NewStore(b)
	for round := range 4 {
		for range 3 {
			leaves, side := Batch(uint64(len(s.Appended)), 7+round, 100)
			s.Grow(t, leaves, append(side, write("last", string(leaves[0][:8])))...)
		}
		key := []byte("swapped")
		if err := s.Swap(t.Context(), key, s.Side["swapped"], []byte{byte(round)}); err != nil {
			t.Fatal(err)
		}
		s.Side["swapped"] = []byte{byte(round)}
		v := s.View() // one that outlives the store
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := backend.Get(v, key); err == nil {
			t.Error("a view of a closed store answers")
		}
		if err := v.Close(); err != nil {
			t.Errorf("closing a view after its store: %v", err)
		}
		if s.Backend, err = opener(); err != nil {
			t.Fatal(err)
		}
		s.Check(t)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
