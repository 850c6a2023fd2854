package mapstore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/standing-log/standing/internal/backend"
)

// used returns every key that the versions from keep on have a use for.
func used(t *testing.T, s *store, keep uint64) map[string]bool {
	t.Helper()
	out := map[string]bool{string(headKey()): true}
	for v := range s.versions {
		if v < keep || v == 0 {
			continue
		}
		view := &reads{memory: s.mem}
		snap, err := OpenAt(view, nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, k := range view.keys {
			out[k] = true
		}
	}
	return out
}

// After pruning there is nothing but what the retained versions use.
func TestPruneLeavesNothing(t *testing.T) {
	const names = 20
	for _, lag := range []int{0, 1, 4} {
		s, src := newStore(t), newSource(t, 31, names)
		versions := []uint64{0}
		for i := range 30 {
			version := uint64(3*i + 3)
			versions = append(versions, version)
			s.commit(src, src.r.IntN(8), version, versions[max(0, len(versions)-1-lag)])
		}
		// What the last commits left is deleted by the next ones.
		keep := versions[len(versions)-1-lag]
		for i := range uint64(3) {
			s.commit(src, 0, 1000+i, keep)
		}
		want := used(t, s, keep)
		for k := range s.mem {
			switch kind := k[1]; {
			case kind == kindEvent || kind == kindWithdrawal || kind == kindPage:
			case kind == kindPrune:
				if until := slices.Compare([]byte(k), pruneKey(keep+1, 0)); until < 0 {
					t.Errorf("lag %d: prune list %x is left", lag, k)
				}
			case !want[k]:
				t.Errorf("lag %d: %c %x is left", lag, kind, k[2:])
			}
		}
		for k := range want {
			if _, ok := s.mem[k]; !ok && k[1] != kindShortcut { // there never was one
				t.Errorf("lag %d: %q is gone", lag, k)
			}
		}
		checkVersion(t, s.mem, s.cache, keep, s.versions[keep], names)
		for _, v := range versions {
			_, opened := OpenAt(s.mem, nil, v)
			if v < keep && !errors.Is(opened, ErrNoVersion) {
				t.Errorf("lag %d: version %d: %v", lag, v, opened)
			}
			if err := Kept(s.mem, v); errors.Is(err, ErrNoVersion) != errors.Is(opened, ErrNoVersion) || (err == nil) != (opened == nil) {
				t.Errorf("lag %d: version %d is kept: %v; opened: %v", lag, v, err, opened)
			}
		}
	}
}

// A published version that is far behind holds everything since, and its
// release is worked off a little with each commit.
func TestPruneIsBounded(t *testing.T) {
	const names = 60
	s, src := newStore(t), newSource(t, 32, names)
	s.commit(src, 50, 50, 50)
	version := uint64(50)
	for range 60 {
		version += 20
		s.commit(src, 20, version, 50)
	}
	checkVersion(t, s.mem, nil, 50, s.versions[50], names)
	full := len(s.mem)
	commits := 0
	for s.mem.kinds()[kindVersion] > 2 {
		if commits++; commits > 200 {
			t.Fatalf("never done: %v", s.mem.kinds())
		}
		b := s.batch()
		if err := b.Apply(src.leaf()); err != nil {
			t.Fatal(err)
		}
		version++
		_, writes, err := b.Commit(version, version-1)
		if err != nil {
			t.Fatal(err)
		}
		deletes := 0
		for _, w := range writes {
			if w.Value == nil {
				deletes++
			}
		}
		if limit := 2*(len(writes)-deletes) + 3*staleChunk; deletes > limit {
			t.Errorf("%d deletions with %d writes", deletes, len(writes)-deletes)
		}
		s.mem.apply(writes)
		s.versions[version] = src.clone()
		checkVersion(t, s.mem, nil, version, src.model, 3)
	}
	if commits < 5 {
		t.Errorf("all at once: %d commits", commits)
	}
	t.Logf("%d keys, then %d after %d commits", full, len(s.mem), commits)
}

// What was let go does not come back, and an open view is not disturbed.
func TestKeepOnlyRises(t *testing.T) {
	s, src := newStore(t), newSource(t, 33, 5)
	s.commit(src, 5, 5, 5)
	view, before := maps.Clone(s.mem), src.clone()
	s.commit(src, 5, 10, 10)
	s.commit(src, 5, 15, 0)
	if _, err := OpenAt(s.mem, nil, 5); !errors.Is(err, ErrNoVersion) {
		t.Errorf("version 5: %v", err)
	}
	checkVersion(t, s.mem, s.cache, 10, s.versions[10], 5)
	checkVersion(t, view, s.cache, 5, before, 5)
}

// A prune list cannot be made to delete a list, a head, or other keys of the
// side store.
func TestPruneListKinds(t *testing.T) {
	for _, k := range [][]byte{headKey(), eventKey(Hash{1}, 0), withdrawalKey(0), pruneKey(1, 0), {prefix, 'x'}, {prefix}} {
		w := appendStale(nil, 9, [][]byte{k})
		if got, err := parseStale(w[0].Key, w[0].Value); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %q, %v", k, got, err)
		}
	}
	var keys [][]byte
	for i := range uint64(150) {
		keys = append(keys, versionKey(i), leafKey(Hash{byte(i)}, i), recordKey(i, Hash{byte(i)}))
	}
	var got [][]byte
	for _, w := range appendStale([]backend.Write{}, 9, keys) {
		part, err := parseStale(w.Key, w.Value)
		if err != nil || len(part) > staleChunk {
			t.Fatalf("%d keys, %v", len(part), err)
		}
		got = append(got, part...)
	}
	if fmt.Sprint(got) != fmt.Sprint(keys) {
		t.Error("other keys after a round trip")
	}
}

func FuzzParseStale(f *testing.F) {
	f.Add([]byte{1, 9, kindVersion, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseStale(pruneKey(1, 2), addSum(pruneKey(1, 2), slices.Clone(b)))
		if err != nil || len(keys) == 0 || len(keys) > staleChunk {
			return
		}
		if w := appendStale(nil, 1, keys); string(w[0].Value[:len(b)]) != string(b) {
			t.Fatalf("%x has a second form", b)
		}
	})
}

func FuzzControlValues(f *testing.F) {
	f.Add(head{7, 3, 2}.marshal())
	f.Add(meta{7, Hash{1}, 9, list{3, []Hash{{1}, {2}}}}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHead(b); err == nil && string(h.marshal()) != string(b) {
			t.Fatalf("head %x has a second form", b)
		}
		if m, err := parseMeta(7, b); err == nil && string(m.marshal()) != string(b) {
			t.Fatalf("version %x has a second form", b)
		}
		// Whatever the bytes are, a sum makes them reach the parser.
		if n := len(b) - 32; n > 0 {
			b[0] = format
			if m, err := parseMeta(7, addSum(versionKey(7), slices.Clone(b[:n]))); err == nil {
				_, _ = m.list.root()
			}
		}
	})
}
