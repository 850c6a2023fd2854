package mapstore

import (
	"math/rand/v2"
	"testing"

	"github.com/standing-log/standing/personality/statusmap"
)

// TestRehearsal rehearses seals at random places of a batch: each is what the
// model says, the last one is what Commit says, and Commit is none the worse.
func TestRehearsal(t *testing.T) {
	for seed := range uint64(4) {
		const names = 150
		s, src := newStore(t), newSource(t, seed, names)
		for round := range uint64(4) {
			b := s.batch()
			r := b.Rehearse()
			for range 3 + src.r.IntN(12) {
				for range src.r.IntN(60) {
					w := src.leaf()
					if err := b.Apply(w); err != nil {
						t.Fatal(err)
					}
					r.Apply(w)
				}
				got, err := r.Result()
				if want := src.result(t); err != nil || got != want {
					t.Fatalf("seed %d, round %d: %+v, %v; want %+v", seed, round, got, err, want)
				}
			}
			version := 10*round + 5
			got, writes, err := b.Commit(version, version)
			if want := src.result(t); err != nil || got != want {
				t.Fatalf("seed %d, round %d: committed %+v, %v; want %+v", seed, round, got, err, want)
			}
			s.mem.apply(writes)
			b.Committed()
			checkVersion(t, s.mem, nil, version, src.model, names)
		}
	}
}

// TestRehearsalOfLikeTags does that with keys of which many have the same tag.
func TestRehearsalOfLikeTags(t *testing.T) {
	for seed := range uint64(12) {
		r, tr := rand.New(rand.NewPCG(seed, 2)), newTrie(t)
		tr.cache = new(Cache)
		all := []Hash{{}}
		for range 40 {
			all = append(all, near(r, all[r.IntN(len(all))]))
		}
		tr.put(all[:10])
		tr.put(all[5:20])
		base := tr.at(tr.latest)
		base.head.version = tr.latest.version
		b, err := base.Batch()
		if err != nil {
			t.Fatal(err)
		}
		rehearsal := b.Rehearse()
		for i := range 15 {
			for range r.IntN(5) {
				k := all[r.IntN(len(all))]
				called := name{data: string(k[:])}
				e := b.records[called]
				if e == nil {
					e = &entry{ns: 1, key: k, at: tr.addresses[k], changed: true}
					b.records[called] = e
				}
				e.record = []byte{byte(i)}
				tr.pairs[k] = statusmap.ValueHash(1, e.record)
				rehearsal.changed[e] = struct{}{}
			}
			got, err := rehearsal.Result()
			if want := statusmap.Root(tr.pairs); err != nil || got.Root != want || got.Keys != uint64(len(tr.pairs)) {
				t.Fatalf("seed %d, result %d: %d keys, %x, %v; want %d, %x", seed, i, got.Keys, got.Root, err, len(tr.pairs), want)
			}
		}
	}
}

// TestRehearsalOfNothing: a seal over ignored leaves says what the last one did.
func TestRehearsalOfNothing(t *testing.T) {
	s, src := newStore(t), newSource(t, 9, 5)
	if got, err := s.batch().Rehearse().Result(); err != nil || got != newModel().result(t) {
		t.Errorf("empty: %+v, %v", got, err)
	}
	want := s.commit(src, 10, 11, 0)
	if got, err := s.batch().Rehearse().Result(); err != nil || got != want {
		t.Errorf("after a commit: %+v, %v; want %+v", got, err, want)
	}
}

// BenchmarkRehearsal is one seal after each attestation, on a large map.
func BenchmarkRehearsal(b *testing.B) {
	s := newStore(b)
	src := newSource(b, 1, 1<<30)
	s.commit(src, 20000, 20000, 0)
	batch := s.batch()
	r := batch.Rehearse()
	for b.Loop() {
		w := src.leaf()
		if err := batch.Apply(w); err != nil {
			b.Fatal(err)
		}
		r.Apply(w)
		if _, err := r.Result(); err != nil {
			b.Fatal(err)
		}
	}
}
