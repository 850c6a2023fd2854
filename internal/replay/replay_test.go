package replay

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
)

// TestAgreesWithAltreader replays generated logs; at every seal both have the
// same state, and both find the seal right.
func TestAgreesWithAltreader(t *testing.T) {
	for seed, share := range []float64{0.1, 0.4} {
		g := testlog.New(origin, uint64(20+seed))
		g.Ignored = share
		m := newMaker(t)
		m.generate(g, 1000, 50)
		o, l := altreader.New(origin), m.fresh()
		for i, leaf := range m.leaves {
			want, err := o.Add(leaf)
			check(t, err)
			got, err := l.Add(leaf)
			check(t, err)
			if (got.Seal != nil) != want.Live || string(reason.CodeOf(got.Ignored)) != want.Code {
				t.Fatalf("leaf %d: %+v, to altreader %+v", i, got, want)
			}
			if want.Live && l.MapRoot() != o.Root() {
				t.Fatalf("leaf %d: map root %x, to altreader %x", i, l.MapRoot(), o.Root())
			}
		}
		root, err := l.Root()
		check(t, err)
		if root != o.TreeRoot() || l.mapKeys != o.Keys() {
			t.Errorf("tree %x with %d keys, to altreader %x with %d", root, l.mapKeys, o.TreeRoot(), o.Keys())
		}
		s := l.Stats()
		if s != m.Stats() || s.Seals != 21 || s.Strays != 0 || s.Entries+s.Ignored != 1000 || s.Ignored < 50 {
			t.Errorf("stats %+v", s)
		}
	}
}

// TestOutcome has one leaf of each sort.
func TestOutcome(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 1), 30, 10)
	e := m.leaves[0]
	if out := m.add(e); out.Entry == nil || out.Writes != nil || out.Seal != nil || reason.CodeOf(out.Ignored) != reason.AfterStale {
		t.Errorf("a charter again: %+v", out)
	}
	if out := m.add([]byte("hello")); out.Entry != nil || out.Writes != nil || reason.CodeOf(out.Ignored) != reason.EnvelopeMalformed {
		t.Errorf("no entry: %+v", out)
	}
	if out := m.add([]byte("standing/seal/v1\n")); out.Entry != nil || out.Writes != nil || out.Seal != nil || out.Ignored == nil {
		t.Errorf("a stray: %+v", out)
	}
	if out := m.add(m.due().Marshal()); out.Entry != nil || out.Writes != nil || out.Ignored != nil || out.Seal.Index != m.Size()-1 {
		t.Errorf("a seal: %+v", out)
	}
	first, err := m.fresh().Add(e)
	if err != nil || first.Entry == nil || first.Ignored != nil || len(first.Writes.Changes) == 0 {
		t.Errorf("a charter: %+v, %v", first, err)
	}
}

// TestFalseSeals changes each line of a right seal that is still live.
func TestFalseSeals(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 2), 120, 40)
	m.add([]byte("hello"))
	other := uint64(1)
	for name, test := range map[string]struct {
		change func(*seal.Seal)
		names  string
	}{
		"another previous":          {func(s *seal.Seal) { s.Prev = &other }, "previous"},
		"no previous":               {func(s *seal.Seal) { s.Prev = nil }, "previous"},
		"map function":              {func(s *seal.Seal) { s.MapFn = 2 }, "map function 2"},
		"earlier":                   {func(s *seal.Seal) { s.SealedAt = m.last.SealedAt - 1 }, "dated"},
		"one key more":              {func(s *seal.Seal) { s.Keys++ }, "map keys"},
		"one key less":              {func(s *seal.Seal) { s.Keys-- }, "map keys"},
		"map root":                  {func(s *seal.Seal) { s.MapRoot[31] ^= 1 }, "map root"},
		"one withdrawal more":       {func(s *seal.Seal) { s.Withdrawals++ }, "withdrawals"},
		"one withdrawal less":       {func(s *seal.Seal) { s.Withdrawals-- }, "withdrawals"},
		"withdrawal root":           {func(s *seal.Seal) { s.WithdrawalRoot[0] ^= 128 }, "withdrawal root"},
		"everything of an hour ago": {func(s *seal.Seal) { s.MapRoot, s.Keys = m.last.MapRoot, m.last.Keys-1 }, "map keys"},
	} {
		t.Run(name, func(t *testing.T) {
			l := m.fresh()
			for _, leaf := range m.leaves {
				_, err := l.Add(leaf)
				check(t, err)
			}
			s := m.due()
			test.change(s)
			_, err := l.Add(s.Marshal())
			wantFalse(t, err, m.Size(), test.names)
		})
	}
	// Nothing is wrong with a seal of the same second.
	s := m.due()
	s.SealedAt = m.last.SealedAt
	if out := m.add(s.Marshal()); out.Seal == nil {
		t.Errorf("a seal of the same second: %+v", out)
	}
	_, err := m.Add(m.due().Marshal())
	wantFalse(t, err, m.Size(), "the leaf before it is a live seal")
}

func wantFalse(t *testing.T, err error, index uint64, names string) {
	t.Helper()
	var f *FalseSealError
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, not a FalseSealError", err)
	}
	if f.Index != index || !strings.Contains(f.What, names) || !strings.Contains(f.Error(), fmt.Sprint(index)) {
		t.Errorf("error %q, want leaf %d and %q", f, index, names)
	}
}

// TestFirstSeal: there is no previous one, and no log either.
func TestFirstSeal(t *testing.T) {
	m := newMaker(t)
	s := m.due()
	other := uint64(0)
	s.Prev = &other
	_, err := m.fresh().Add(s.Marshal())
	wantFalse(t, err, 0, "previous")
	m.seal()
	m.add([]byte("hello"))
	m.seal()
	if s := m.Stats(); s != (Stats{Seals: 2, Ignored: 1}) || m.MapRoot() != (Hash{}) {
		t.Errorf("stats %+v, map root %x", s, m.MapRoot())
	}
}

// TestStrays: what only begins like a seal is counted, and changes nothing.
func TestStrays(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 3), 60, 20)
	before, last := m.MapRoot(), m.last.Index
	old := m.leaves[m.last.Index]
	for name, leaf := range map[string]func() []byte{
		"another log's": func() []byte { s := m.due(); s.Origin = "other.example"; return s.Marshal() },
		"another index": func() []byte { s := m.due(); s.Index--; return s.Marshal() },
		"other leaves":  func() []byte { s := m.due(); s.PrefixRoot[5] ^= 4; return s.Marshal() },
		"an old one":    func() []byte { return old },
		"malformed":     func() []byte { return bytes.TrimSuffix(m.due().Marshal(), []byte("\n")) },
		"newer version": func() []byte { return []byte("standing/seal/v2\n") },
	} {
		if out := m.add(leaf()); out.Seal != nil || out.Ignored == nil || out.Writes != nil {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if m.Stats().Strays != 6 || m.MapRoot() != before || m.last.Index != last {
		t.Errorf("stats %+v", m.Stats())
	}
	m.seal()
}

// TestLeafIsChecked: a leaf that is read again must be the one that was added.
func TestLeafIsChecked(t *testing.T) {
	m := newMaker(t)
	m.generate(testlog.New(origin, 4), 10, 5)
	h := Hash{1}
	if _, err := m.Leaf(0, h); !errors.Is(err, mapfn.ErrNoLeaf) {
		t.Errorf("Leaf = %v", err)
	}
	l := New(origin, func(uint64) ([]byte, error) { return nil, errSource })
	if _, err := l.Leaf(0, h); !errors.Is(err, errSource) {
		t.Errorf("Leaf = %v", err)
	}
}
