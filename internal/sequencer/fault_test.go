package sequencer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

var errDisk = errors.New("the disk is on fire")

// TestFaults lets the store fail, or lie, during one turn. The writer stops,
// says so to the submitters, and has not signed; what is published can be read;
// the next start either goes on or refuses.
func TestFaults(t *testing.T) {
	side := func(prefix string, change func(*backend.Write)) func(*faulty) {
		return func(f *faulty) {
			f.append = func(_ [][]byte, side []backend.Write) error {
				for i := range side {
					if bytes.HasPrefix(side[i].Key, []byte(prefix)) && side[i].Value != nil {
						change(&side[i])
						return nil
					}
				}
				return fmt.Errorf("no %s in this batch", prefix)
			}
		}
	}
	flip := func(w *backend.Write) {
		w.Value = bytes.Clone(w.Value)
		w.Value[len(w.Value)/2] ^= 4
	}
	lose := func(w *backend.Write) { w.Value = nil }
	for name, c := range map[string]struct {
		break_ func(*faulty)
		want   string // in the reason
		// restart is in the error of the next start, or "" if it goes on: the
		// seal is true whatever has become of a tile or a record, and who
		// reads those compares them with it. (A node does not start again
		// before fsck has found nothing.)
		restart string
	}{
		"append fails": {func(f *faulty) {
			f.append = func([][]byte, []backend.Write) error { return errDisk }
		}, "on fire", ""},
		"append fails after all was written": {func(f *faulty) {
			f.appended = func(*backend.Root) error { return errDisk }
		}, "on fire", ""},
		"append by another writer": {func(f *faulty) {
			f.append = func([][]byte, []backend.Write) error { return backend.ErrConflict }
		}, "moved on", ""},
		"another root": {func(f *faulty) {
			f.appended = func(r *backend.Root) error { r.Hash[3] ^= 1; return nil }
		}, "the store has root", ""},
		"another size": {func(f *faulty) {
			f.appended = func(r *backend.Root) error { r.Size--; return nil }
		}, "the store has root", ""},
		"an entry changed on its way": {func(f *faulty) {
			f.append = func(leaves [][]byte, _ []backend.Write) error { leaves[0][100] ^= 1; return nil }
		}, "the store has root", "is not a live seal"},
		"the seal changed on its way": {func(f *faulty) {
			f.append = func(leaves [][]byte, _ []backend.Write) error { leaves[len(leaves)-1][30] ^= 1; return nil }
		}, "the store has root", "is not a live seal"},
		"an entry read back is another": {func(f *faulty) {
			f.leaves = func(leaves [][]byte) {
				if len(leaves) > 1 { // start-up reads them one by one
					leaves[0][100] ^= 1
				}
			}
		}, "differs from the one admitted", ""},
		"a map leaf changed":         {side("ml", flip), "differs from what was written", "corrupt"},
		"a map leaf lost":            {side("ml", lose), "differs from what was written", "corrupt"},
		"a record changed":           {side("mr", flip), "differs from what was written", ""},
		"a page changed":             {side("mf", flip), "differs from what was written", ""},
		"a version changed":          {side("mv", flip), "differs from what was written", "corrupt"},
		"the map's head changed":     {side("mh", flip), "differs from what was written", "corrupt"},
		"the seal's place lost":      {side("s", lose), "differs from what was written", again},
		"reservation fails":          {func(f *faulty) { f.swap = only(reservedKey, errDisk) }, "on fire", ""},
		"reservation by another one": {func(f *faulty) { f.swap = only(reservedKey, backend.ErrConflict) }, "moved on", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := r.store(r.fs)
			defer b.Close()
			f := &faulty{Backend: b}
			s := r.run(f, nil)
			s.enrol()
			s.must(s.WaitPublished(t.Context(), s.SignedSize()))
			size := r.largest()
			s.stop()

			c.break_(f)
			s = r.run(f, nil)
			e := r.attest(1)
			if err := s.refused(e, reason.ReadOnly); !strings.Contains(err.Error(), c.want) {
				t.Errorf("submitter is told %v, want %q", err, c.want)
			}
			s.refused(r.attest(2), reason.ReadOnly)
			if err := s.halted(); !strings.Contains(err.Error(), c.want) {
				t.Errorf("stopped by %v, want %q", err, c.want)
			}
			if got := r.largest(); got != size || s.SignedSize() != size {
				t.Errorf("signed size %d", got)
			}
			if cp, err := Published(b); err != nil || cp == nil {
				t.Errorf("published: %s, %v", cp, err)
			}
			s.stop()
			r.restart(b, e, c.restart)
		})
	}
}

// again stands for a start that goes on until the same entry comes again.
const again = "again"

func only(key []byte, err error) func([]byte) error {
	return func(k []byte) error {
		if bytes.Equal(k, key) {
			return err
		}
		return nil
	}
}

// restart starts the log on a store that works again.
func (r *rig) restart(b backend.Backend, e *entry.Entry, want string) {
	r.Helper()
	size := r.largest()
	s, err := Open(r.Context(), r.config(b))
	if want == again {
		r.must(err)
		if err := s.turn(r.Context(), itemsOf([]*entry.Entry{e})); !errors.Is(err, backend.ErrDamaged) {
			r.Errorf("the same entry again: %v", err)
		}
		return
	}
	if want != "" {
		if err == nil || !strings.Contains(err.Error(), want) {
			r.Errorf("start: %v, want %q", err, want)
		}
		if got := r.largest(); got != size {
			r.Errorf("signed size %d of a damaged store", got)
		}
		return
	}
	r.must(err)
	r.takes(s, e)
	replay(r, b)
}

// TestMemory flips a bit of an entry between admission and sequencing.
func TestMemory(t *testing.T) {
	s := start(t, nil)
	size := s.largest()
	e := s.attest(1)
	e.Leaf[200] ^= 1
	s.refused(e, reason.ReadOnly)
	if got := s.largest(); got != size {
		t.Errorf("signed size %d", got)
	}
}

// TestTwinsOfFailure lets a turn fail whose batch has entries that stand in it
// twice: everybody is answered, once.
func TestTwinsOfFailure(t *testing.T) {
	for range 30 {
		r := newRig(t)
		b := r.store(r.fs)
		f := &faulty{Backend: b}
		s := r.run(f, func(c *Config) { c.Interval, c.FirstInterval = c.Interval*5, c.FirstInterval*5 })
		s.enrol()
		f.append = func([][]byte, []backend.Write) error { return errDisk }
		var batch []*entry.Entry
		for n := range 20 {
			batch = append(batch, r.attest(n%3))
		}
		_, errs := s.SubmitAll(t.Context(), batch)
		for n, err := range errs {
			if reason.CodeOf(err) != reason.ReadOnly {
				t.Errorf("entry %d: %v", n, err)
			}
		}
		s.stop()
		r.must(b.Close())
	}
}

// TestCosigners lets cosigners fail and lie. The log goes on, and publishes
// what has its quorum, and nothing else.
func TestCosigners(t *testing.T) {
	for name, lie := range map[string]func(cosigned []byte) ([]byte, error){
		"no answer":        func([]byte) ([]byte, error) { return nil, errDisk },
		"nothing":          func([]byte) ([]byte, error) { return nil, nil },
		"no cosignature":   func(cp []byte) ([]byte, error) { return cp[:bytes.LastIndexByte(cp[:len(cp)-1], '\n')+1], nil },
		"a wrong one":      func(cp []byte) ([]byte, error) { return flipped(cp, len(cp)-20), nil },
		"another root":     func(cp []byte) ([]byte, error) { return flipped(cp, bytes.Index(cp, []byte("\n\n"))-20), nil },
		"an old one of us": func([]byte) ([]byte, error) { return []byte("log.example/sequencer\n2\n"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			var honest atomic.Bool
			honest.Store(true)
			lied := make(chan struct{}, 1000)
			s := start(t, func(c *Config) {
				inner := c.Cosign
				c.Cosign = func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
					cosigned, err := inner(ctx, cp, size)
					if err != nil || honest.Load() {
						return cosigned, err
					}
					select {
					case lied <- struct{}{}:
					case <-ctx.Done():
					}
					return lie(cosigned)
				}
			})
			s.must(s.WaitPublished(t.Context(), s.SignedSize()))
			size := s.PublishedSize()
			honest.Store(false)
			res := s.submit(s.attest(1))[0]
			<-lied
			<-lied // the first lie has been weighed
			if got := s.PublishedSize(); got != size {
				t.Errorf("published size %d", got)
			}
			honest.Store(true)
			s.must(s.WaitPublished(t.Context(), res.Sealed))
			s.must(s.Err())
		})
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// TestPublishFails lets the write of the published checkpoint fail: the store
// is in doubt, so the writer stops.
func TestPublishFails(t *testing.T) {
	for name, fault := range map[string]error{"failure": errDisk, "another writer": backend.ErrConflict} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b := r.store(r.fs)
			defer b.Close()
			s := r.run(&faulty{Backend: b, swap: only(publishedKey, fault)}, nil)
			defer s.stop()
			if err := s.halted(); !errors.Is(err, fault) {
				t.Errorf("stopped by %v", err)
			}
			if cp, err := Published(b); cp != nil || err != nil || s.PublishedSize() != 0 {
				t.Errorf("published: %s, %v", cp, err)
			}
		})
	}
}

// TestAheadDuringTurn tells the publisher that a cosigner is ahead while a turn
// is under way: the turn does not sign.
func TestAheadDuringTurn(t *testing.T) {
	var ahead atomic.Bool
	r := newRig(t)
	b := r.store(r.fs)
	defer b.Close()
	f := &faulty{Backend: b}
	s := r.run(f, func(c *Config) {
		c.Refresh = c.Retry
		inner := c.Cosign
		c.Cosign = func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			if ahead.Load() {
				return nil, ErrRestored
			}
			return inner(ctx, cp, size)
		}
	})
	defer s.stop()
	s.enrol()
	size := r.largest()
	f.append = func([][]byte, []backend.Write) error {
		ahead.Store(true)
		_ = s.halted()
		return nil
	}
	s.refused(r.attest(1), reason.ReadOnly)
	if got := r.largest(); got != size {
		t.Errorf("signed size %d", got)
	}
}

// gone is a backend that cannot even be read any more, once append has failed.
type gone struct {
	backend.Backend
	dead atomic.Bool
}

func (g *gone) Append(context.Context, uint64, [][]byte, []backend.Write) (backend.Root, error) {
	g.dead.Store(true)
	return backend.Root{}, errDisk
}

func (g *gone) Root(ctx context.Context) (backend.Root, error) {
	if g.dead.Load() {
		return backend.Root{}, errDisk
	}
	return g.Backend.Root(ctx)
}

// TestStoreGone lets the whole store fail: Run ends with the reason, so that
// whoever supervises the node starts it again.
func TestStoreGone(t *testing.T) {
	r := newRig(t)
	b := r.store(r.fs)
	defer b.Close()
	r.party = testlog.NewParty("steward", 2)
	s, err := Open(t.Context(), r.config(&gone{Backend: b}))
	r.must(err)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	if _, err := s.Submit(t.Context(), r.verified(r.party.Enrol(testOrigin, r.registrar), r.registrar)); reason.CodeOf(err) != reason.ReadOnly {
		t.Errorf("submitted to a store that is gone: %v", err)
	}
	if err := <-ended; !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "start the node again") {
		t.Errorf("Run ended with %v", err)
	}
}
