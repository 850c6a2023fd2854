package mapstore

import "testing"

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
