package mirror_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/crashcam"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
)

// signed returns the checkpoint of the first size leaves, by the log alone.
func (s *static) signed(size int) []byte {
	s.tb.Helper()
	return s.Sign(trust.Body{Origin: s.Origin, Size: uint64(size), Root: s.root(size)}, 0, 0)
}

// hold has m hold the first size leaves of s.
func (s *static) hold(m *mirror.Mirror, size int) error {
	last, err := m.Hold(s.tb.Context(), s, s.signed(size), nil)
	if err == nil && (last == nil || last.Index+1 != uint64(size)) {
		err = fmt.Errorf("size %d ends in seal %v", size, last)
	}
	return err
}

// show makes size the published one.
func (s *static) show(size int) { s.size = size }

// served returns a log of n attestations, all of them shown, and their ids.
func served(t *testing.T, n int) (*log, *static, []mirror.Hash) {
	t.Helper()
	l := newLog(t)
	ids := l.attest(n)
	s := newStatic(t, l.Node)
	s.add(leavesOf(t, l.Node)...)
	return l, s, ids
}

func stateSize(t *testing.T, m *mirror.Mirror) uint64 {
	t.Helper()
	st, err := m.State(t.Context())
	if errors.Is(err, mirror.ErrEmpty) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Map.Check(t.Context()); err != nil {
		t.Error(err)
	}
	return st.Size
}

// TestHold holds trees ahead of their being published. State answers as of the
// published one, whatever is held; of what is held nothing is asked again.
func TestHold(t *testing.T) {
	_, s, _ := served(t, 300) // sizes 2, 4, 6 ... 604
	fs := vfs.NewMem()
	l := &log{Node: s.Node, tb: t}
	m := l.open(fs)
	requests := 0
	s.tamper = func(_ tlogTile, b []byte) []byte { requests++; return b }
	for i, step := range []struct {
		hold, publish int // 0: not
		state         uint64
		asks          bool
	}{
		{hold: 4, asks: true},
		{hold: 4},
		{hold: 2},
		{publish: 2},
		{publish: 4, state: 4},
		{hold: 104, state: 4, asks: true},
		{hold: 600, state: 4, asks: true},
		{hold: 300, state: 4},
		{publish: 4, state: 4},
		{publish: 300, state: 4}, // between those held: the next one will do
		{publish: 600, state: 600},
		{publish: 602, state: 602, asks: true},
		{hold: 602, state: 602},
		{hold: 604, state: 602, asks: true},
		{publish: 602, state: 602},
		{publish: 604, state: 604},
	} {
		requests = 0
		if step.hold > 0 {
			if err := s.hold(m, step.hold); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		if step.publish > 0 {
			s.show(step.publish)
			if err := s.sync(m); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		if got := stateSize(t, m); got != step.state {
			t.Errorf("step %d: State at size %d, want %d", i, got, step.state)
		}
		if (requests > 0) != step.asks {
			t.Errorf("step %d: %d requests", i, requests)
		}
		if i%3 == 2 { // whatever was held is, after a restart
			close_(t, m)
			m = l.open(fs)
		}
	}
	close_(t, m)
}

// TestHoldPublishedAlong follows a log as it goes, without a moment in which
// what is held and what is published are the same.
func TestHoldPublishedAlong(t *testing.T) {
	_, s, _ := served(t, 40)
	l := &log{Node: s.Node, tb: t}
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	for size := 4; size <= 80; size += 4 {
		if err := s.hold(m, size); err != nil {
			t.Fatal(err)
		}
		s.show(max(2, size-4))
		if err := s.sync(m); err != nil {
			t.Fatal(err)
		}
		if got := stateSize(t, m); got != uint64(size-4) {
			t.Fatalf("held %d, State at size %d", size, got)
		}
	}
}

// TestHoldRefuses: what does not fit is evidence, or nothing.
func TestHoldRefuses(t *testing.T) {
	l, s, ids := served(t, 200) // 404 leaves
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	s.show(100)
	if err := s.sync(m); err != nil {
		t.Fatal(err)
	}
	if err := s.hold(m, 300); err != nil {
		t.Fatal(err)
	}
	other := testnode.NewWith(t, testnode.Options{Origin: origin, Start: time.Unix(1_795_000_001, 0)})
	forked := func(at, size int) []byte {
		f := newStatic(t, l.Node)
		f.add(s.leaves[:at]...)
		f.add(leavesOf(t, other)...)
		for len(f.leaves) < size {
			f.add([]byte("more"))
		}
		return f.signed(size)
	}
	for name, note := range map[string][]byte{
		"smaller than what is published": forked(40, 60),
		"between":                        forked(100, 200),
		"as large":                       forked(200, 300),
		"larger":                         forked(200, 400),
		"larger, late fork":              forked(299, 310),
	} {
		_, err := m.Hold(t.Context(), s, note, nil)
		if errors.Is(err, mirror.ErrTiles) && len(name) > 5 && name[:6] == "larger" {
			// What is served is the other tree: without the proof that the log has
			// to give, this is no evidence.
			continue
		}
		c, ok := errors.AsType[*mirror.ConflictError](err)
		if !ok || c.Rollback || !bytes.Equal(c.Shown, note) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, note := range [][]byte{c.Held, c.Shown} {
			if _, err := l.Policy.OpenLogSigned(note); err != nil {
				t.Errorf("%s: evidence: %v", name, err)
			}
		}
	}
	for name, test := range map[string]struct {
		note []byte
		want error
	}{
		"no seal":             {s.signed(303), mirror.ErrUnsealed},
		"no seal, held":       {s.signed(205), mirror.ErrUnsealed},
		"nothing":             {s.signed(0), mirror.ErrUnsealed},
		"not the log's":       {bytes.Replace(s.signed(302), []byte("\n302\n"), []byte("\n304\n"), 1), trust.ErrBadSignature},
		"another log's":       {[]byte("other.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— x AAAAAAAA\n"), trust.ErrUnknownLog},
		"of more than it has": {append([]byte(nil), s.Sign(trust.Body{Origin: origin, Size: 1 << 40}, 0, 0)...), mirror.ErrTiles},
	} {
		s := newStatic(t, l.Node) // gives short tiles where it has none
		s.add(leavesOf(t, l.Node)...)
		s.tamper = func(_ tlogTile, b []byte) []byte { return b }
		if _, err := m.Hold(t.Context(), hostile{s}, test.note, nil); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if err := s.hold(m, 404); err != nil {
		t.Fatal(err)
	}
	s.show(404)
	if err := s.sync(m); err != nil {
		t.Fatal(err)
	}
	l.standing(m, ids...)
}

// TestHoldForkLarger: a log that signs a larger tree which does not extend the
// one that is held, and serves that, is caught.
func TestHoldForkLarger(t *testing.T) {
	l, s, _ := served(t, 200)
	for _, at := range []int{40, 200, 299} {
		m := l.open(vfs.NewMem())
		if err := s.hold(m, 300); err != nil {
			t.Fatal(err)
		}
		f := newStatic(t, l.Node)
		f.add(s.leaves[:at]...)
		for len(f.leaves) < 400 {
			f.add([]byte("another"))
		}
		err := f.hold(m, 400)
		if c, ok := errors.AsType[*mirror.ConflictError](err); !ok || c.Rollback {
			t.Errorf("forked at %d: %v", at, err)
		}
		close_(t, m)
	}
}

// TestHoldWithheld: a log that serves hashes and no leaves, or leaves up to the
// lying seal, is not held. What came before stays, and it may think better of it.
func TestHoldWithheld(t *testing.T) {
	l, s, ids := served(t, 300)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	m.SetChunk(1)
	for _, from := range []int64{0, 1, 2} { // bundles
		s.tamper = func(tile tlogTile, b []byte) []byte {
			if tile.L < 0 && tile.N >= from {
				return nil
			}
			return b
		}
		if err := s.hold(m, 604); !errors.Is(err, errCut) {
			t.Errorf("withheld from bundle %d on: %v", from, err)
		}
		if held, err := m.Held(t.Context()); err != nil || held != uint64(from)*256 {
			t.Errorf("%d leaves held, %v", held, err)
		}
	}
	// Another tree of which less is served cannot be slipped in, either.
	f := newStatic(t, l.Node)
	f.add(s.leaves[:400]...)
	f.add([]byte("another"))
	f.add(s.leaves[401:]...)
	f.tamper = func(tile tlogTile, b []byte) []byte { return b }
	for _, size := range []int{510, 604} {
		if err := f.hold(m, size); err == nil {
			t.Errorf("another tree of size %d is held", size)
		}
	}
	s.tamper = nil
	if err := s.hold(m, 540); err != nil { // smaller than what was begun
		t.Fatal(err)
	}
	if err := s.hold(m, 604); err != nil {
		t.Fatal(err)
	}
	if err := s.sync(m); err != nil {
		t.Fatal(err)
	}
	l.standing(m, ids...)
}

// TestHoldFalseSeal: a revoked attestation is active in one seal, and revoked
// again in the next. Nothing behind the lie is held, whatever size is asked for.
func TestHoldFalseSeal(t *testing.T) {
	l := newLog(t)
	id := l.attest(3)[0]
	active := l.rawRecord(id)
	l.Submit(testlog.Revoke(origin, 1, l.party.Keys[0], id))
	revoked := l.rawRecord(id)
	lie := l.Sequencer.PublishedSize()
	l.Tamper(mapfn.Change{NS: mapfn.NSAttestation, Data: id[:], Record: active})
	l.Tamper(mapfn.Change{NS: mapfn.NSAttestation, Data: id[:], Record: revoked})
	l.attest(3)
	s := newStatic(t, l.Node)
	s.add(leavesOf(t, l.Node)...)
	m := l.open(vfs.NewMem())
	defer close_(t, m)
	if err := s.hold(m, int(lie)); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{int(lie) + 2, len(s.leaves), int(lie) + 4} {
		err := s.hold(m, size)
		if f, ok := errors.AsType[*replay.FalseSealError](err); !ok || f.Index != lie+1 || f.Line != 8 {
			t.Errorf("size %d: %v", size, err)
		}
		if held, err := m.Held(t.Context()); err != nil || held < lie || held > lie+1 {
			t.Errorf("%d leaves held, %v", held, err)
		}
	}
}

// TestHoldCrash is TestCrash for what is held ahead: at any crash, what Hold has
// said is held is held, and State answers, as of what was published before.
func TestHoldCrash(t *testing.T) {
	l, s, ids := served(t, 180)
	var promised atomic.Uint64
	c := crashcam.New(vfs.NewCrashableMem(), 3, promised.Load)
	m := l.open(c.FS())
	m.SetChunk(1)
	for _, step := range []struct{ hold, publish int }{{4, 4}, {104, 4}, {300, 104}, {302, 302}, {len(s.leaves), 302}} {
		if _, err := m.Hold(t.Context(), s, s.signed(step.hold), func(done, _ uint64) { promised.Store(done) }); err != nil {
			t.Fatal(err)
		}
		s.show(step.publish)
		if err := s.sync(m); err != nil {
			t.Fatal(err)
		}
	}
	close_(t, m)
	images := c.Images()
	if len(images) < 40 {
		t.Fatalf("%d crash images, want 40", len(images))
	}
	sizes := []uint64{0, 4, 104, 302}
	for n, img := range images {
		m, err := mirror.Open(t.Context(), l.config(img.FS))
		if err != nil {
			t.Fatalf("image %d, %s: %v", n, img.What, err)
		}
		held, err := m.Held(t.Context())
		if state := stateSize(t, m); err != nil || held < img.Promised || !slices.Contains(sizes, state) || img.Promised > 4 && state == 0 {
			t.Errorf("image %d, %s: %d leaves of %d, State at %d, %v", n, img.What, held, img.Promised, state, err)
		}
		s.show(len(s.leaves))
		if err := errors.Join(s.hold(m, len(s.leaves)), s.sync(m)); err != nil {
			t.Fatalf("image %d, %s: %v", n, img.What, err)
		}
		l.standing(m, ids[0], ids[179])
		close_(t, m)
		images[n].FS = nil
	}
}
