package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/sequencer"
)

// mutant is a store that breaks its contract. Its functions may be nil.
type mutant struct {
	*Store
	append func(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error)
	swap   func(ctx context.Context, key, old, new []byte) error
}

func (m *mutant) Append(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
	if m.append == nil {
		return m.Store.Append(ctx, first, leaves, side)
	}
	return m.append(ctx, first, leaves, side)
}

func (m *mutant) Swap(ctx context.Context, key, old, new []byte) error {
	if m.swap == nil {
		return m.Store.Swap(ctx, key, old, new)
	}
	return m.swap(ctx, key, old, new)
}

// volatile is a store that keeps what it acknowledges in memory for a while.
type volatile struct {
	*Store // in memory
	w      *World
	real   *Disk
	ended  chan struct{}
}

func (v *volatile) later(commit func()) {
	v.w.goes(func() {
		t := time.NewTimer(300 * time.Millisecond)
		defer t.Stop()
		select {
		case <-t.C:
			commit()
		case <-v.ended:
		}
	})
}

func (v *volatile) Append(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
	root, err := v.Store.Append(ctx, first, leaves, side)
	if err == nil {
		v.later(func() { _, _ = v.real.append(first, leaves, side) })
	}
	return root, err
}

func (v *volatile) Swap(ctx context.Context, key, old, new []byte) error {
	err := v.Store.Swap(ctx, key, old, new)
	if err == nil {
		v.later(func() { _ = v.real.swap(key, old, new) })
	}
	return err
}

// unsynced is a disk that says that it has synced what it has not.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := u.FS.Create(name, c)
	if strings.HasSuffix(name, ".log") { // of entries: what is made of them later is synced
		f = lying{f}
	}
	return f, err
}

type lying struct{ vfs.File }

func (lying) Sync() error                         { return nil }
func (lying) SyncData() error                     { return nil }
func (lying) SyncTo(int64) (full bool, err error) { return true, nil }

// mutants are faults that the simulation has to find, and what it says then.
var mutants = map[string]struct {
	Options
	want string
}{
	"reserves in vain": {Options{Store: func(_ *World, s *Store) backend.Backend {
		return &mutant{Store: s, swap: func(ctx context.Context, key, old, new []byte) error {
			if string(key) == "r" {
				return nil
			}
			return s.Swap(ctx, key, old, new)
		}}
	}}, "without having reserved it"},
	"reserves after it has signed": {Options{Store: func(w *World, s *Store) backend.Backend {
		return &mutant{Store: s, swap: func(ctx context.Context, key, old, new []byte) error {
			if string(key) != "r" {
				return s.Swap(ctx, key, old, new)
			}
			w.goes(func() { _ = s.Swap(context.WithoutCancel(ctx), key, old, new) })
			return nil
		}}
	}}, "without having reserved it"},
	"publishes without comparing": {Options{Store: func(w *World, s *Store) backend.Backend {
		return &mutant{Store: s, swap: func(ctx context.Context, key, old, new []byte) error {
			if string(key) == "c" {
				// So that somebody else can come before.
				time.Sleep(between(w.draw("publishes"), time.Millisecond, 5*time.Second))
				old = s.disk.newest("c")
			}
			return s.Swap(ctx, key, old, new)
		}}
	}}, "published shrinks"},
	"answers before it is durable": {Options{Store: func(w *World, s *Store) backend.Backend {
		memory := s.disk.clone("memory")
		memory.watch = nil
		return &volatile{Store: &Store{disk: memory, ended: s.ended, kill: s.kill}, w: w, real: s.disk, ended: s.ended}
	}}, "that is not there"},
	"publishes what it has published before": {Options{Store: func(_ *World, s *Store) backend.Backend {
		var all [][]byte
		return &mutant{Store: s, swap: func(ctx context.Context, key, old, new []byte) error {
			if string(key) == "c" {
				if all = append(all, new); len(all)%3 == 0 {
					new = all[0]
				}
			}
			return s.Swap(ctx, key, old, new)
		}}
	}}, "published shrinks"},
	"does not publish": {Options{Store: func(_ *World, s *Store) backend.Backend {
		return &mutant{Store: s, swap: func(ctx context.Context, key, old, new []byte) error {
			if string(key) == "c" {
				return nil
			}
			return s.Swap(ctx, key, old, new)
		}}
	}}, "says that it has published"},
	"takes an error for a failure": {Options{Store: func(_ *World, s *Store) backend.Backend {
		return &mutant{Store: s, append: func(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
			root, err := s.Append(ctx, first, leaves, side)
			if errors.Is(err, errIO) {
				return s.Append(ctx, s.disk.size(), leaves, side)
			}
			return root, err
		}}
	}}, "all is well again"},
	"appends in two parts": {Options{Store: func(_ *World, s *Store) backend.Backend {
		return &mutant{Store: s, append: func(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
			n := len(leaves) / 2
			if _, err := s.Append(ctx, first, leaves[:n], nil); err != nil {
				return backend.Root{}, err
			}
			return s.Append(ctx, first+uint64(n), leaves[n:], side)
		}}
	}}, "is not a live seal"},
	"forgets what is beside the leaves": {Options{Store: func(_ *World, s *Store) backend.Backend {
		return &mutant{Store: s, append: func(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
			return s.Append(ctx, first, leaves, side[:len(side)-1])
		}}
	}}, "stopped without a cause"},
	"does not hear that cosigners know more": {Options{Cosign: func(ask Cosign) Cosign {
		return func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			cosigned, err := ask(ctx, cp, size)
			if err != nil {
				err = fmt.Errorf("no quorum: %v", err)
			}
			return cosigned, err
		}
	}}, "know more, and the log goes on"},
	"hears that cosigners know more where they do not": {Options{Cosign: func(ask Cosign) Cosign {
		return func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			cosigned, err := ask(ctx, cp, size)
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w: %w", sequencer.ErrRestored, err)
			}
			return cosigned, err
		}
	}}, "stopped without a cause"},
	"witnesses are asked first":             {Options{Audited: needed, Unordered: true}, "before the auditors"},
	"publishes without its auditors":        {Options{Audited: either, Trusting: true}, "published without a quorum"},
	"auditors cosign what they do not hold": {Options{Audited: needed, Unheld: true}, "does not hold it"},
	"auditors hold it in memory":            {Options{Audited: needed, AuditorDisk: func(fs vfs.FS) vfs.FS { return unsynced{fs} }}, "does not hold it"},
	"witnesses forget":                      {Options{Forgetful: true}, "contradicts"},
	"quorums that do not meet":              {Options{Quorum: 1}, "contradicts"},
}

// mutantSeeds is how many seeds a mutant has to be found in.
const mutantSeeds = 500

// TestMutants looks for each mutant.
func TestMutants(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := ""
			for seed := uint64(1); seed <= mutantSeeds; seed++ {
				for _, wrong := range run(t, seed, m.Options).Wrong {
					if strings.Contains(wrong, m.want) {
						t.Logf("found by seed %d: %s", seed, wrong)
						return
					}
					other = wrong
				}
			}
			t.Errorf("not found by %d seeds; they say %q", mutantSeeds, other)
		})
	}
}
