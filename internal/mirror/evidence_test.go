package mirror_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// verified says what an evidence file proves to somebody who has nothing else.
func verified(file []byte, p *trust.Policy, now time.Time) (*evidence.Finding, error) {
	e, err := evidence.Parse(file)
	if err != nil {
		return nil, err
	}
	return e.Verify(p, now)
}

// liar is the golden log up to the n-th last seal, which is false.
func liar(t *testing.T, filler int) (n *testnode.Node, leaves [][]byte) {
	t.Helper()
	name, lines := readGolden(t, "../../testdata/golden/log.jsonl")
	last := 0
	for i, l := range lines {
		leaves = append(leaves, l.bytes())
		if l.Is == "seal" {
			last = i
		}
	}
	leaves = leaves[:last]
	for range filler {
		leaves = append(leaves, []byte("ignored"))
	}
	n = testnode.New(t, name)
	s := newStatic(t, n)
	s.add(leaves...)
	right, err := seal.Parse(lines[last].bytes())
	if err != nil {
		t.Fatal(err)
	}
	right.Index, right.PrefixRoot = uint64(len(leaves)), s.root(len(leaves))
	right.MapRoot[7] ^= 1
	return n, append(leaves, right.Marshal())
}

// TestFalseSeal: wherever the seals before it lie, and wherever a Sync was cut off
// before, a false seal is proven by a file; what is right before it is held.
func TestFalseSeal(t *testing.T) {
	for name, filler := range map[string]int{"a batch within a chunk": 0, "a batch of several chunks": 700} {
		for how, sizes := range map[string][]int{"in one go": nil, "seal by seal": {12, 70, 99}, "under a later checkpoint": {-3}} {
			t.Run(name+" "+how, func(t *testing.T) {
				n, leaves := liar(t, filler)
				m, err := mirror.Open(t.Context(), mirror.Config{Dir: "copy", FS: vfs.NewMem(), Origin: n.Origin, Policy: n.Policy, Now: n.Now})
				if err != nil {
					t.Fatal(err)
				}
				defer close_(t, m)
				m.SetChunk(1)
				s := newStatic(t, n)
				for i, leaf := range leaves {
					s.add(leaf)
					for _, size := range sizes {
						if seal.Is(leaf) && i > size {
							_ = s.sync(m) // of a stray it fails
						}
					}
				}
				for _, size := range sizes {
					for ; size < 0; size++ {
						s.add([]byte("more"))
					}
				}
				err = s.sync(m)
				e, ok := errors.AsType[*mirror.EvidenceError](err)
				if !ok || e.Kind != mirror.FalseSeal {
					t.Fatal(err)
				}
				found, err := verified(e.File, n.Policy, n.Now())
				if err != nil || found.Line != 8 || found.Index != uint64(len(leaves)-1) {
					t.Fatalf("%+v, %v: %v", found, err, e)
				}
				// What is kept ends in the seal before, and the next Sync proves it again.
				root, err := m.Backend().Root(t.Context())
				if err != nil || root.Size == 0 || root.Size >= uint64(len(leaves)) {
					t.Fatal(root, err)
				}
				if again, ok := errors.AsType[*mirror.EvidenceError](s.sync(m)); !ok || len(again.File) == 0 {
					t.Errorf("the second time: %v", again)
				}
			})
		}
	}
}

// TestForged: what somebody in between has put in place of the last seal says
// nothing against the log.
func TestForged(t *testing.T) {
	l := newLog(t)
	l.attest(3)
	s := newStatic(t, l.Node)
	s.add(leavesOf(t, l.Node)...)
	leaf := s.leaves[len(s.leaves)-1]
	last, err := seal.Parse(leaf)
	if err != nil {
		t.Fatal(err)
	}
	last.MapRoot[0] ^= 1
	forged := last.Marshal()
	s.tamper = func(tile tlogTile, b []byte) []byte {
		if tile.L < 0 {
			b = bytes.Replace(b, leaf, forged, 1)
		}
		return b
	}
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	if err := s.sync(m); !errors.Is(err, mirror.ErrTiles) {
		t.Errorf("%v, want %v", err, mirror.ErrTiles)
	}
	s.tamper = nil
	if err := s.sync(m); err != nil {
		t.Error(err)
	}
}

// TestFirstSealFalse: there is no seal before it.
func TestFirstSealFalse(t *testing.T) {
	name, lines := readGolden(t, "../../testdata/golden/log.jsonl")
	n := testnode.New(t, name)
	s := newStatic(t, n)
	s.add(lines[0].bytes())
	first, err := seal.Parse(lines[1].bytes())
	if err != nil {
		t.Fatal(err)
	}
	first.Keys++
	s.add(first.Marshal())
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: "copy", FS: vfs.NewMem(), Origin: name, Policy: n.Policy, Now: n.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer close_(t, m)
	e, ok := errors.AsType[*mirror.EvidenceError](s.sync(m))
	if !ok {
		t.Fatal(e)
	}
	if found, err := verified(e.File, n.Policy, n.Now()); err != nil || found.Line != 7 || found.Index != 1 {
		t.Errorf("%+v, %v: %v", found, err, e)
	}
}

// TestInterrupted: after a Sync that was cut off within a batch, the false seal at
// its end is proven all the same.
func TestInterrupted(t *testing.T) {
	n, leaves := liar(t, 700)
	s := newStatic(t, n)
	s.add(leaves...)
	m, err := mirror.Open(t.Context(), mirror.Config{Dir: "copy", FS: vfs.NewMem(), Origin: n.Origin, Policy: n.Policy, Now: n.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer close_(t, m)
	m.SetChunk(1)
	s.tamper = func(t tlogTile, b []byte) []byte {
		if t.L < 0 && t.N == 3 {
			return nil
		}
		return b
	}
	if err := s.sync(m); err == nil || errors.Is(err, mirror.ErrDamaged) {
		t.Fatal(err)
	}
	s.tamper = nil
	if e, ok := errors.AsType[*mirror.EvidenceError](s.sync(m)); !ok || len(e.File) == 0 {
		t.Errorf("%v", e)
	}
}

// TestPromise: a promise is kept, broken, or not due yet.
func TestPromise(t *testing.T) {
	l := newLog(t)
	l.attest(20)
	s := newStatic(t, l.Node)
	leaves := leavesOf(t, l.Node)
	s.add(leaves[:20]...)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	if err := s.sync(m); err != nil {
		t.Fatal(err)
	}
	made := func(index int, change byte) []byte {
		p := promise.Promise{Origin: l.Origin, ID: "att:" + strings.Repeat("0a", 32), Index: uint64(index), Size: uint64(index) + 2, LeafHash: mirror.Hash(rfc6962.DefaultHasher.HashLeaf(leaves[index]))}
		p.LeafHash[0] ^= change
		files, err := promise.Sign(l.LogKey, p)
		if err != nil {
			t.Fatal(err)
		}
		return files[0]
	}
	if err := m.CheckPromise(t.Context(), made(6, 0)); err != nil {
		t.Error("kept:", err)
	}
	if err := m.CheckPromise(t.Context(), made(20, 0)); !errors.Is(err, mirror.ErrEarly) {
		t.Error("not due:", err)
	}
	e, ok := errors.AsType[*mirror.EvidenceError](m.CheckPromise(t.Context(), made(6, 1)))
	if !ok || e.Kind != mirror.BrokenPromise {
		t.Fatal("broken:", e)
	}
	if found, err := verified(e.File, l.Policy, l.Now()); err != nil || found.Kind != evidence.KindBrokenPromise || found.Index != 6 {
		t.Errorf("%+v, %v", found, err)
	}
	if err := m.CheckPromise(t.Context(), []byte("no promise")); !errors.Is(err, promise.ErrMalformed) {
		t.Error(err)
	}
}
