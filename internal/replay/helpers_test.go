package replay

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/treehash"
)

const (
	origin = "log.example/test"
	now    = 1_795_000_000
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// maker makes a log and replays it.
type maker struct {
	t testing.TB
	*Log
	leaves [][]byte
}

func newMaker(t testing.TB) *maker {
	m := &maker{t: t}
	m.Log = m.fresh()
	return m
}

// fresh is the empty state of the log.
func (m *maker) fresh() *Log {
	return New(origin, func(i uint64) ([]byte, error) { return m.leaves[i], nil })
}

func (m *maker) add(leaf []byte) Outcome {
	m.t.Helper()
	out, err := m.Add(leaf)
	check(m.t, err)
	m.leaves = append(m.leaves, leaf)
	return out
}

// due is the seal that is right now.
func (m *maker) due() *seal.Seal {
	m.t.Helper()
	prefix, err := m.Root()
	check(m.t, err)
	list, err := treehash.Root(m.withdrawals)
	check(m.t, err)
	s := &seal.Seal{
		Origin: origin, Index: m.Size(), MapFn: mapfn.Version, SealedAt: now + m.Size(),
		Keys: m.mapKeys, MapRoot: m.MapRoot(), Withdrawals: m.withdrawals.End(), WithdrawalRoot: list, PrefixRoot: prefix,
	}
	if m.last != nil {
		prev := m.last.Index
		s.Prev = &prev
	}
	return s
}

func (m *maker) seal() {
	m.t.Helper()
	if out := m.add(m.due().Marshal()); out.Seal == nil {
		m.t.Fatalf("the seal at %d is not live", m.Size()-1)
	}
}

// generate adds n generated leaves, with a seal behind the first and behind
// each batch.
func (m *maker) generate(g *testlog.Generator, n, batch int) {
	m.t.Helper()
	for i := range n {
		item := g.Next(m.Size())
		if out := m.add(item.Leaf); reason.CodeOf(out.Ignored) != item.Want {
			m.t.Fatalf("leaf %d: %v, want %q", m.Size()-1, out.Ignored, item.Want)
		}
		if i%batch == 0 || i == n-1 {
			m.seal()
		}
	}
}

// source is a log to be read; change, if it is not nil, changes leaf at.
type source struct {
	leaves [][]byte
	at     uint64
	change func([]byte) []byte
	fail   error // instead of leaf at
}

func (s source) Leaf(_ context.Context, i uint64) ([]byte, error) {
	leaf := s.leaves[i]
	if i == s.at && s.change != nil {
		leaf = s.change(leaf)
	}
	if i == s.at {
		return leaf, s.fail
	}
	return leaf, nil
}

func (s source) Leaves(ctx context.Context, size uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := range min(size, uint64(len(s.leaves))) {
			leaf, err := s.Leaf(ctx, i)
			if !yield(leaf, err) || err != nil {
				return
			}
		}
	}
}

var errSource = errors.New("tile not found")
