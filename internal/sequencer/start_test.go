package sequencer

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// TestStartFinishes stops a log between append and reserve: the next start
// signs what was appended, and the log goes on.
func TestStartFinishes(t *testing.T) {
	r := newRig(t)
	b := r.store(r.fs)
	s := r.run(b, nil)
	s.enrol()
	s.stop()
	size := r.largest()

	broken := &faulty{Backend: b, swap: func(key []byte) error {
		if string(key) == string(reservedKey) {
			return errors.New("power failure")
		}
		return nil
	}}
	s = r.run(broken, nil)
	s.refused(r.attest(1), reason.ReadOnly)
	s.stop()
	if got := r.largest(); got != size {
		t.Errorf("signed size %d without having reserved it", got)
	}
	r.must(b.Close())

	b = r.store(r.fs)
	defer b.Close()
	s = r.run(b, nil)
	defer s.stop()
	if got := s.SignedSize(); got != size+2 {
		t.Errorf("start-up signed size %d, want %d", got, size+2)
	}
	if res := s.submit(r.attest(1)); !res[0].Duplicate || res[0].Index != size {
		t.Errorf("what was appended is answered with %+v", res[0])
	}
	s.submit(r.attest(2))
	s.replay()
}

// TestStartRefuses damages the store of a stopped log in ways that no crash
// does. Each start is refused, names what differs, and signs nothing.
func TestStartRefuses(t *testing.T) {
	swap := func(t *testing.T, b backend.Backend, key, new []byte) {
		old, err := get(b, key)
		if err == nil {
			err = b.Swap(t.Context(), key, old, new)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add := func(t *testing.T, b backend.Backend, leaf []byte, side ...backend.Write) {
		root, err := b.Root(t.Context())
		if err == nil {
			var leaves [][]byte
			if leaf != nil {
				leaves = append(leaves, leaf)
			}
			_, err = b.Append(t.Context(), root.Size, leaves, side)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		damage func(*testing.T, backend.Backend)
		want   string
	}{
		"fewer leaves than were signed": {func(t *testing.T, b backend.Backend) {
			swap(t, b, reservedKey, marshalRoot(backend.Root{Size: 11, Hash: Hash{1}}))
		}, "size 11 was signed and the store holds only 6 leaves"},
		"another root": {func(t *testing.T, b backend.Backend) {
			swap(t, b, reservedKey, marshalRoot(backend.Root{Size: 6, Hash: Hash{1}}))
		}, "does not extend the one signed at size 6"},
		"another root at a smaller size": {func(t *testing.T, b backend.Backend) {
			swap(t, b, reservedKey, marshalRoot(backend.Root{Size: 4, Hash: Hash{1}}))
		}, "does not extend the one signed at size 4"},
		"malformed reservation": {func(t *testing.T, b backend.Backend) {
			swap(t, b, reservedKey, []byte("6"))
		}, "malformed reservation"},
		"no seal at the end": {func(t *testing.T, b backend.Backend) {
			add(t, b, []byte("leaf"))
		}, "leaf 6, the last one, is not a live seal"},
		"a seal that is not live": {func(t *testing.T, b backend.Backend) {
			add(t, b, (&seal.Seal{Origin: testOrigin, Index: 6, MapFn: 1}).Marshal())
		}, "leaf 6, the last one, is not a live seal"},
		"a map of another size": {func(t *testing.T, b backend.Backend) {
			// A true head, of the version before.
			add(t, b, nil, backend.Write{Key: []byte("mh"), Value: headBefore})
		}, "is not the one that seal 5 says"},
		"a damaged map": {func(t *testing.T, b backend.Backend) {
			add(t, b, nil, backend.Write{Key: []byte("mh"), Value: []byte("head")})
		}, "corrupt status map"},
		"no map": {func(t *testing.T, b backend.Backend) {
			add(t, b, nil, backend.Write{Key: []byte("mh")})
		}, "corrupt status map"},
		"more published than there is": {func(t *testing.T, b backend.Backend) {
			swap(t, b, publishedKey, []byte((trust.Body{Origin: testOrigin, Size: 7}).String()+"\n"))
		}, "the published checkpoint: malformed"},
		"a broken chain of seals": {func(t *testing.T, b backend.Backend) {
			forgeSeal(t, b, add)
		}, "is not the seal that a later one names"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			keepHead(t, s.b)
			s.submit(s.attest(1))
			s.stop()
			size := s.largest()
			c.damage(t, s.b)
			_, err := Open(t.Context(), s.config(s.b))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if got := s.largest(); got != size {
				t.Errorf("signed size %d", got)
			}
		})
	}
}

// headBefore is set by keepHead: tests of this package do not run in parallel.
var headBefore []byte

func keepHead(t *testing.T, b backend.Backend) {
	t.Helper()
	var err error
	if headBefore, err = get(b, []byte("mh")); err != nil {
		t.Fatal(err)
	}
}

// forgeSeal appends a leaf and a live seal that names that leaf as the seal
// before it.
func forgeSeal(t *testing.T, b backend.Backend, add func(*testing.T, backend.Backend, []byte, ...backend.Write)) {
	t.Helper()
	add(t, b, []byte("leaf"))
	root, err := b.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	prev := root.Size - 1
	add(t, b, (&seal.Seal{Origin: testOrigin, Index: root.Size, MapFn: 1, Prev: &prev, PrefixRoot: root.Hash}).Marshal())
}

// TestStartEmpty starts on a store without a log.
func TestStartEmpty(t *testing.T) {
	r := newRig(t)
	b := r.store(vfs.NewMem())
	defer b.Close()
	if _, err := Open(t.Context(), r.config(b)); err == nil || !strings.Contains(err.Error(), "standingd init") {
		t.Errorf("error %v", err)
	}
}

// TestRestoredBackup starts an old copy of the store beside the witness that
// has cosigned more. It stops writing before it has signed anything new, and
// goes on being read.
func TestRestoredBackup(t *testing.T) {
	r := newRig(t)
	b := r.store(r.fs)
	s := r.run(b, nil)
	s.enrol()
	before := s.submit(r.attest(1))[0]
	r.must(s.WaitPublished(t.Context(), before.Sealed))
	s.stop()
	r.must(b.Close())
	backup := r.fs.CrashClone(vfs.CrashCloneCfg{}) // all of it is synced

	b = r.store(r.fs)
	s = r.run(b, nil)
	after := s.submit(r.attest(2))[0]
	r.must(s.WaitPublished(t.Context(), after.Sealed))
	s.stop()
	r.must(b.Close())
	size := r.largest()

	b = r.store(backup)
	defer b.Close()
	s = r.run(b, nil)
	defer s.stop()
	if err := s.halted(); !errors.Is(err, ErrRestored) {
		t.Errorf("stopped by %v", err)
	}
	s.refused(r.attest(3), reason.ReadOnly)
	s.refused(r.revoke(r.attest(1)), reason.ReadOnly)
	if got := r.largest(); got != size || s.SignedSize() != before.Sealed {
		t.Errorf("signed size %d, then %d", got, s.SignedSize())
	}
	if got := leaves(t, b); uint64(len(got)) != before.Sealed {
		t.Errorf("%d leaves can be read, want %d", len(got), before.Sealed)
	}
	if cp, err := Published(b); err != nil || cp == nil {
		t.Errorf("published: %s, %v", cp, err)
	}
}

// TestQuorumFirst starts beside cosigners that do not answer: entries wait, and
// nothing new is signed until they do.
func TestQuorumFirst(t *testing.T) {
	s := start(t, nil)
	s.submit(s.attest(1))
	s.stop()
	size := s.largest()

	asked, answer := make(chan struct{}), new(atomic.Bool)
	again := s.rig.run(s.b, func(c *Config) {
		inner := c.Cosign
		c.Cosign = func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			if answer.Load() {
				return inner(ctx, cp, size)
			}
			select {
			case asked <- struct{}{}:
			case <-ctx.Done():
			}
			return nil, errors.New("no answer")
		}
	})
	defer again.stop()
	e, done := s.attest(2), make(chan error, 1)
	go func() {
		_, err := again.Submit(t.Context(), e)
		done <- err
	}()
	for range 5 {
		<-asked
	}
	if got := s.largest(); got != size {
		t.Errorf("signed size %d before a quorum has answered", got)
	}
	answer.Store(true)
	for {
		select {
		case <-asked:
			continue
		case err := <-done:
			s.must(err)
		}
		break
	}
	if got := s.largest(); got != size+2 {
		t.Errorf("signed size %d, want %d", got, size+2)
	}
}

// TestSealedStates takes many turns while nothing is published: the published
// state and the last 64 sealed ones can be read, also after a restart.
func TestSealedStates(t *testing.T) {
	r := newRig(t)
	b := r.store(r.fs)
	defer func() { r.must(b.Close()) }()
	run := r.run(b, nil)
	run.enrol()
	first := run.submit(r.attest(0))[0].Sealed
	r.must(run.WaitPublished(t.Context(), first))
	run.stop()

	s := r.open(b)
	var sealed []uint64
	check := func(also ...uint64) {
		t.Helper()
		view := b.View()
		defer view.Close()
		last := sealed[max(0, len(sealed)-keptVersions):]
		for _, size := range append(also, last...) {
			if _, err := mapstore.OpenAt(view, nil, size); err != nil {
				t.Errorf("after %d turns, size %d: %v", len(sealed), size, err)
			}
		}
	}
	for n := 1; n <= keptVersions+20; n++ {
		sealed = append(sealed, r.takes(s, r.attest(n))[0].Sealed)
		check(first)
	}
	s = r.open(b)
	sealed = append(sealed, r.takes(s, r.attest(1000))[0].Sealed)
	check(first)
	// Once it is published, what is older than the last 64 goes.
	r.must(s.publishOne(t.Context(), s.signed))
	sealed = append(sealed, r.takes(s, r.attest(1001))[0].Sealed)
	view := b.View()
	defer view.Close()
	if _, err := mapstore.OpenAt(view, nil, first); !errors.Is(err, mapstore.ErrNoVersion) {
		t.Errorf("size %d, long replaced: %v", first, err)
	}
	// A start knows the sizes sealed before it.
	s = r.open(b)
	r.must(s.publishOne(t.Context(), s.signed))
	sealed = append(sealed, r.takes(s, r.attest(1002))[0].Sealed)
	check()
}

// TestShortcut lets a log seem to have grown since the last shortcut to its map:
// the next turn writes one, which a start finds, and the one after it does not.
func TestShortcut(t *testing.T) {
	s := start(t, nil)
	s.stop()
	w := s.rig.open(s.b)
	version := func() uint64 {
		view := s.b.View()
		defer view.Close()
		v, err := mapstore.ShortcutVersion(view)
		s.must(err)
		return v
	}
	if got := version(); got != 0 {
		t.Errorf("a small log has a shortcut, of version %d", got)
	}
	w.shortcut = w.SignedSize() - shortcutMin // below zero, but only the distance counts
	s.takes(w, s.attest(1))
	size := w.SignedSize()
	s.takes(w, s.attest(2))
	if got := version(); got != size {
		t.Errorf("shortcut of version %d, want %d", got, size)
	}
	w = s.rig.open(s.b)
	s.takes(w, s.attest(3))
	if got := version(); w.shortcut != size || got != size {
		t.Errorf("shortcut of version %d, remembered as %d, want %d", got, w.shortcut, size)
	}
	replay(t, s.b)
}
