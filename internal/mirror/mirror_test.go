package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/trust"
)

// TestSync follows a log, over restarts. What it asks for follows from what it
// holds, whatever it was asked in between.
func TestSync(t *testing.T) {
	l := newLog(t)
	c := dial(t, l)
	fs, idle := vfs.NewMem(), vfs.NewMem()
	var ids [][32]byte
	for _, step := range []struct{ attest, requests int }{
		{3, 2},   // checkpoint, bundle
		{1, 3},   // and a tile along the edge
		{300, 7}, // three bundles, three tiles
		{0, 1},   // checkpoint
		{7, 4},   // checkpoint, bundle, tiles of level 0 and 1
	} {
		ids = append(ids, l.attest(step.attest)...)
		m := l.open(fs)
		if err := m.Sync(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		asked := l.asked()
		l.standing(m, ids[0], ids[len(ids)-1])
		if more := l.asked(); len(more) > 0 {
			t.Errorf("answering asked for %q", more)
		}
		close_(t, m)
		m = l.open(fs)
		l.standing(m, ids...)
		close_(t, m)

		other := l.open(idle)
		if err := other.Sync(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		same := l.asked()
		close_(t, other)
		slices.Sort(asked) // several at a time
		slices.Sort(same)
		if !slices.Equal(asked, same) || len(asked) != step.requests {
			t.Errorf("%d requests: %q; another copy: %q", step.requests, asked, same)
		}
	}
}

// TestSameAsLog: the side values of a copy are those of the log itself.
func TestSameAsLog(t *testing.T) {
	l := generated(t, 300)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	if err := m.Sync(t.Context(), dial(t, l), nil); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range "iks" {
		want, got := scan(t, l.Backend, byte(prefix)), scan(t, m.Backend(), byte(prefix))
		if !slices.Equal(got, want) || len(want) < 3 {
			t.Errorf("%c: %d values, want %d", prefix, len(got), len(want))
		}
	}
	// And they are what anybody computes.
	root, err := m.Backend().Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store := replay.Store{Backend: m.Backend()}
	r, err := replay.Fsck(t.Context(), store, origin, root.Size, root.Hash, nil)
	if err == nil {
		err = errors.Join(store.CheckMap(t.Context(), r), store.CheckNodes(t.Context(), root.Size))
	}
	if err != nil || r.Stats().Ignored == 0 || r.Stats().Strays == 0 {
		t.Errorf("%v; %+v", err, r.Stats())
	}
}

// generated returns a generated log, with entries that are ignored, and strays.
func generated(t *testing.T, n int) *log {
	t.Helper()
	g := testlog.New(origin, 7)
	l := &log{Node: testnode.NewWith(t, testnode.Options{Origin: origin, Charter: g.Next(0).Entry}), tb: t}
	for range n / 20 {
		root, err := l.Backend.Root(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leaves := [][]byte{[]byte("standing/seal/v1\nstray\n"), {}, []byte("no entry")}
		for range 20 {
			leaves = append(leaves, g.Next(root.Size+uint64(len(leaves))).Leaf)
		}
		l.Force(leaves...)
	}
	return l
}

// scan returns keys and values that begin with prefix.
func scan(t *testing.T, b backend.Backend, prefix byte) (out []string) {
	t.Helper()
	v := b.View()
	defer v.Close()
	if err := v.Scan([]byte{prefix}, []byte{prefix + 1}, func(key, value []byte) bool {
		out = append(out, fmt.Sprintf("%x %x", key, value))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestConflict: a log that shows less than before, or something else, is caught,
// with both checkpoints; what is held stays.
func TestConflict(t *testing.T) {
	l := newLog(t)
	ids := l.attest(200)
	good := newStatic(t, l.Node)
	good.add(leavesOf(t, l.Node)...)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	if err := good.sync(m); err != nil {
		t.Fatal(err)
	}
	other := testnode.NewWith(t, testnode.Options{Origin: origin, Start: time.Unix(1_795_000_001, 0)})
	for name, s := range map[string]*static{
		"smaller": func() *static { s := newStatic(t, l.Node); s.add(good.leaves[:104]...); return s }(),
		"same size": func() *static {
			s := newStatic(t, l.Node)
			s.add(good.leaves[:len(good.leaves)-1]...)
			s.add([]byte("another"))
			return s
		}(),
		"larger": func() *static {
			s := newStatic(t, l.Node)
			s.add(leavesOf(t, other)...)
			s.add(good.leaves...)
			return s
		}(),
		"larger, late fork": func() *static {
			s := newStatic(t, l.Node)
			s.add(good.leaves[:len(good.leaves)-1]...)
			s.add([]byte("another"), []byte("and more"))
			return s
		}(),
	} {
		err := s.sync(m)
		c, ok := errors.AsType[*mirror.ConflictError](err)
		if !ok || c.Rollback != (name == "smaller") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kind := mirror.SplitView
		if c.Rollback {
			kind = mirror.Rollback
		}
		if e, ok := errors.AsType[*mirror.EvidenceError](err); !ok || e.Kind != kind {
			t.Errorf("%s is no evidence of %s: %v", name, kind, err)
		} else if found, err := verified(e.File, l.Policy, l.Now()); (err == nil) != (kind == mirror.SplitView) || err == nil && found.Kind != evidence.KindSplitView {
			t.Errorf("%s: the file says %+v, %v: %v", name, found, err, e)
		}
		for _, note := range [][]byte{c.Held, c.Shown} {
			if _, err := l.Policy.Open(note, l.Now()); err != nil {
				t.Errorf("%s: evidence: %v", name, err)
			}
		}
		l.standing(m, ids[0])
	}
}

// TestTamper: what does not belong to the tree is not taken from whoever serves
// it, and is no evidence.
func TestTamper(t *testing.T) {
	l := newLog(t)
	ids := l.attest(400)
	s := newStatic(t, l.Node)
	s.add(leavesOf(t, l.Node)...)
	var tiles []string
	s.tamper = func(tile tlogTile, b []byte) []byte { tiles = append(tiles, fmt.Sprint(tile)); return b }
	first := l.open(vfs.NewMem())
	if err := s.sync(first); err != nil || len(tiles) < 6 {
		t.Fatal(err, tiles)
	}
	close_(t, first)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	m.SetChunk(2)
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped":  func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"short":    func(b []byte) []byte { return b[:len(b)-1] },
		"long":     func(b []byte) []byte { return append(b, 0, 0) },
		"no bytes": func(b []byte) []byte { return []byte{} },
	} {
		for _, at := range tiles {
			s.tamper = func(tile tlogTile, b []byte) []byte {
				if fmt.Sprint(tile) == at {
					return spoil(b)
				}
				return b
			}
			fresh := l.open(vfs.NewMem())
			if err := s.sync(fresh); !errors.Is(err, mirror.ErrTiles) {
				t.Errorf("tile %s %s: %v", at, name, err)
			}
			close_(t, fresh)
			// One that goes on from what it has.
			if err := s.sync(m); !errors.Is(err, mirror.ErrTiles) && err != nil {
				t.Errorf("tile %s %s, going on: %v", at, name, err)
			}
		}
	}
	s.tamper = nil
	if err := s.sync(m); err != nil {
		t.Fatal(err)
	}
	l.standing(m, ids[0], ids[399])
}

// TestCut cuts the connection behind each bundle in turn. Each time, whatever came
// whole is kept, and not fetched again; until the end the copy answers as
// before.
func TestCut(t *testing.T) {
	l := newLog(t)
	old := l.attest(1)
	c, fs := dial(t, l), vfs.NewMem()
	m := l.open(fs)
	m.SetChunk(1)
	if err := m.Sync(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	before := l.Sequencer.PublishedSize()
	ids := l.attest(900)
	held, bundles := before, 0
	for range 100 {
		next := fmt.Sprintf("/tile/entries/%03d", held/256)
		l.lie(func(path string, b []byte) []byte {
			if !strings.HasPrefix(path, "/tile/entries/") {
				return b
			}
			if !strings.HasPrefix(path, next) {
				return nil
			}
			bundles++
			return b
		})
		err := m.Sync(t.Context(), c, func(done, size uint64) {
			if done < held || size != l.Sequencer.PublishedSize() {
				t.Errorf("%d of %d leaves held, were %d", done, size, held)
			}
			held = done
		})
		if err == nil {
			break
		}
		s, stateErr := m.State(t.Context())
		if stateErr != nil || s.Size != before {
			t.Fatalf("after %v: %v", err, stateErr)
		}
		s.Close()
		close_(t, m)
		m = l.open(fs)
		m.SetChunk(1)
	}
	l.standing(m, append(old, ids[0], ids[899])...)
	close_(t, m)
	if want := int(held/256) + 1; bundles != want {
		t.Errorf("%d bundles came, of %d", bundles, want)
	}
}

// TestCancel: a Sync whose context ends says so and leaves the copy as it was.
func TestCancel(t *testing.T) {
	l := newLog(t)
	ids := l.attest(300)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	m.SetChunk(1)
	c := dial(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	err := m.Sync(ctx, c, func(done, _ uint64) {
		if done > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Sync = %v", err)
	}
	if _, err := m.State(t.Context()); !errors.Is(err, mirror.ErrEmpty) {
		t.Errorf("State = %v", err)
	}
	if err := m.Sync(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	l.standing(m, ids...)
	v := m.Backend().View()
	defer v.Close()
	if short, err := mapstore.ShortcutVersion(v); err != nil || short != l.Sequencer.PublishedSize() {
		t.Errorf("shortcut of version %d, %v", short, err)
	}
}

// TestRefresh: the same tree, cosigned later, is fresher; earlier, it is not
// taken.
func TestRefresh(t *testing.T) {
	l := newLog(t)
	l.attest(1)
	s := newStatic(t, l.Node)
	s.add(leavesOf(t, l.Node)...)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	start := s.unix
	for _, step := range []struct{ at, want int64 }{{0, 0}, {50, 50}, {20, 50}, {51, 51}} {
		s.unix = start + step.at
		l.Advance(time.Minute)
		if err := s.sync(m); err != nil {
			t.Fatal(err)
		}
		note, err := m.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		if cp, err := l.Policy.Open(note, l.Now()); err != nil || cp.Time.Unix() != start+step.want {
			t.Errorf("cosigned at %d: held is one of %v (%v), want %d", step.at, cp, err, step.want)
		}
	}
}

// TestUnacceptable: checkpoints that no reader accepts.
func TestUnacceptable(t *testing.T) {
	l := newLog(t)
	l.attest(2)
	all := leavesOf(t, l.Node)
	for name, test := range map[string]struct {
		leaves    [][]byte
		cosigners int
		later     int64
		want      error
	}{
		"no quorum":        {all, 0, 0, trust.ErrQuorum},
		"from the future":  {all, 1, 301, trust.ErrQuorum},
		"no seal":          {all[:len(all)-1], 1, 0, mirror.ErrUnsealed},
		"a stray":          {append(slices.Clip(all), []byte("standing/seal/v1\n")), 1, 0, mirror.ErrUnsealed},
		"an old seal":      {append(slices.Clip(all), all[1]), 1, 0, mirror.ErrUnsealed},
		"nothing":          {nil, 1, 0, mirror.ErrUnsealed},
		"a seal too early": {append(slices.Clip(all), all[len(all)-1]), 1, 0, mirror.ErrUnsealed},
	} {
		s := newStatic(t, l.Node)
		s.add(test.leaves...)
		s.cosigners, s.unix = test.cosigners, s.unix+test.later
		m := l.open(vfs.NewMem())
		if err := s.sync(m); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if _, err := m.State(t.Context()); !errors.Is(err, mirror.ErrEmpty) {
			t.Errorf("%s: State = %v", name, err)
		}
		close_(t, m)
	}
}

// TestOpen: what Open refuses.
func TestOpen(t *testing.T) {
	l := newLog(t)
	ids := l.attest(3)
	fs := vfs.NewMem()
	m := l.open(fs)
	if _, err := m.State(t.Context()); !errors.Is(err, mirror.ErrEmpty) {
		t.Errorf("State of nothing: %v", err)
	}
	if _, err := mirror.Open(t.Context(), l.config(fs)); !errors.Is(err, mirror.ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	if err := m.Sync(t.Context(), dial(t, l), nil); err != nil {
		t.Fatal(err)
	}
	close_(t, m)
	cfg := l.config(fs)
	cfg.Origin = "other.example/log"
	if _, err := mirror.Open(t.Context(), cfg); !errors.Is(err, mirror.ErrOtherLog) {
		t.Errorf("another log's: %v", err)
	}
	m = l.open(fs)
	l.standing(m, ids...)
	close_(t, m)
}

// TestDamage changes side values of the copy: it is found, and the message says
// what to do; nothing is answered.
func TestDamage(t *testing.T) {
	l := newLog(t)
	ids := l.attest(40)
	note, err := l.Prover.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Replace(note, []byte("\n84\n"), []byte("\n82\n"), 1)
	for name, side := range map[string][]backend.Write{
		"no target":            {{Key: []byte("t")}},
		"target malformed":     {{Key: []byte("t"), Value: []byte("x")}},
		"published malformed":  {{Key: []byte("c"), Value: []byte("x\n\ny")}},
		"published of another": {{Key: []byte("c"), Value: other}},
		"no head":              {{Key: []byte("mh")}},
		"head":                 {{Key: []byte("mh"), Value: []byte("x")}},
	} {
		fs := vfs.NewMem()
		m := l.open(fs)
		if err := m.Sync(t.Context(), dial(t, l), nil); err != nil {
			t.Fatal(err)
		}
		root, err := m.Backend().Root(t.Context())
		if err == nil {
			_, err = m.Backend().Append(t.Context(), root.Size, nil, side)
		}
		if err != nil {
			t.Fatal(err)
		}
		close_(t, m)
		m, err = mirror.Open(t.Context(), l.config(fs))
		if err == nil {
			_, err = m.State(t.Context())
			close_(t, m)
		}
		if !errors.Is(err, mirror.ErrDamaged) || !strings.Contains(err.Error(), "delete copy") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A record that is changed is found when it is asked for.
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	if err := m.Sync(t.Context(), dial(t, l), nil); err != nil {
		t.Fatal(err)
	}
	var side []backend.Write
	v := m.Backend().View()
	err = v.Scan([]byte("mf"), []byte("ms"), func(key, value []byte) bool {
		value = bytes.ReplaceAll(value, []byte(`"active"`), []byte(`"revoke"`))
		side = append(side, backend.Write{Key: bytes.Clone(key), Value: value})
		return true
	})
	v.Close()
	if err == nil {
		_, err = m.Backend().Append(t.Context(), l.Sequencer.PublishedSize(), nil, side)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Bundle(ids[:1]); !errors.Is(m.Explain(err), mirror.ErrDamaged) {
		t.Errorf("Bundle = %v", err)
	}
}

// TestDirName: every origin has a directory of its own, in which nothing else
// is named.
func TestDirName(t *testing.T) {
	seen := map[string]string{}
	for _, o := range []string{"log.example/main", "log.example_main", "log.example/main/", "..", "../..", ".", "a", "-", strings.Repeat("a", 255), strings.Repeat("a", 254) + "b"} {
		name := mirror.DirName(o)
		if other, ok := seen[name]; ok || strings.ContainsAny(name, "/\\") || len(name) > 100 || len(name) < 17 {
			t.Errorf("%s: %s (%s)", o, name, other)
		}
		seen[name] = o
	}
}

// TestRead reads the copy as those do who follow it.
func TestRead(t *testing.T) {
	l := newLog(t)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	if _, err := m.Leaves(t.Context(), 0, 1); !errors.Is(err, backend.ErrOutOfRange) {
		t.Errorf("leaves of nothing: %v", err)
	}
	ids := l.attest(200)
	if err := m.Sync(t.Context(), dial(t, l), nil); err != nil {
		t.Fatal(err)
	}
	all := leavesOf(t, l.Node)
	s := newStatic(t, l.Node)
	s.add(all...)
	for _, first := range []int{0, 1, 255, 256, len(all) - 1} {
		got, err := m.Leaves(t.Context(), uint64(first), 1<<40)
		if err != nil || len(got) == 0 || !bytes.Equal(got[0], all[first]) {
			t.Errorf("leaf %d: %d leaves, %v", first, len(got), err)
		}
		if root, err := m.RootAt(t.Context(), uint64(first)); err != nil || first > 0 && root != s.root(first) {
			t.Errorf("root at %d: %x, %v", first, root, err)
		}
	}
	if _, err := m.RootAt(t.Context(), uint64(len(all))+1); !errors.Is(err, backend.ErrOutOfRange) {
		t.Errorf("root beyond the end: %v", err)
	}
	index, ok, err := m.Place(ids[7])
	if err != nil || !ok || index != l.Record(ids[7]).Issued {
		t.Errorf("place %d, %t, %v", index, ok, err)
	}
	if _, ok, err := m.Place(mirror.Hash{1}); ok || err != nil {
		t.Errorf("place of nothing: %t, %v", ok, err)
	}
}
