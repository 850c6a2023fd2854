package evidence_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/seal"
)

// liars are the golden logs that end in a false seal.
func liars(t testing.TB) map[string]*world {
	t.Helper()
	files, err := filepath.Glob("../../testdata/golden/false-seal/*.jsonl")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d logs: %v", len(files), err)
	}
	all := map[string]*world{}
	for _, f := range files {
		name := filepath.Base(f)
		all[strings.TrimSuffix(name, ".jsonl")] = golden(t, "false-seal/"+name)
	}
	return all
}

// TestFalseSeal: every false seal of the golden logs is proven from a file, also
// under a checkpoint of a larger tree, in which a true one follows.
func TestFalseSeal(t *testing.T) {
	for name, w := range liars(t) {
		at := len(w.leaves) - 1
		line := w.line
		found, err := verify(w.accuse(at, at+1), w.policy)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if found.Kind != evidence.KindFalseSeal || found.Origin != w.origin || found.Index != uint64(at) || found.Line != line {
			t.Errorf("%s: %+v, want line %d of leaf %d", name, found, line, at)
		}
		w.add([]byte("more"), "ignored")
		w.add([]byte("and more"), "ignored")
		if later, err := verify(w.accuse(at, at+3), w.policy); err != nil || later.Line != line {
			t.Errorf("%s, under a later checkpoint: %+v, %v", name, later, err)
		}
	}
}

// TestEveryBatch: behind every batch of the golden log, which has every kind of
// entry, a seal with any line wrong is proven to be false.
func TestEveryBatch(t *testing.T) {
	whole := golden(t, "log.jsonl")
	for _, at := range whole.live(len(whole.leaves)) {
		if whole.is[at] != "seal" {
			continue
		}
		for line, spoil := range map[int]func(*seal.Seal){
			4:  func(s *seal.Seal) { zero := uint64(0); s.Prev = &zero },
			5:  func(s *seal.Seal) { s.MapFn++ },
			7:  func(s *seal.Seal) { s.Keys++ },
			8:  func(s *seal.Seal) { s.MapRoot[0] ^= 1 },
			9:  func(s *seal.Seal) { s.Withdrawals++ },
			10: func(s *seal.Seal) { s.WithdrawalRoot[31] ^= 1 },
		} {
			w := golden(t, "log.jsonl")
			w.truncate(at)
			s, err := seal.Parse(whole.leaves[at])
			if err != nil {
				t.Fatal(err)
			}
			spoil(s)
			w.add(s.Marshal(), "false-seal")
			if found, err := verify(w.accuse(at, at+1), w.policy); err != nil || found.Line != line || found.Index != uint64(at) {
				t.Errorf("line %d of the seal at %d: %+v, %v", line, at, found, err)
			}
		}
	}
}

// TestHonest: of no seal of a log that keeps the rules is the file confirmed,
// under whichever checkpoint, nor about two seals with another between.
func TestHonest(t *testing.T) {
	for _, path := range []string{"log.jsonl", "no-log.jsonl", "function-2.jsonl"} {
		w := golden(t, path)
		seals := w.live(len(w.leaves))
		for n, at := range seals {
			if w.is[at] != "seal" {
				// Under a map function that is not known there is no file.
				first := seals[n-1]
				if _, err := evidence.FalseSeal(w.lie(first, at, at+1)); err == nil {
					t.Errorf("%s: a file about leaf %d", path, at)
				}
				continue
			}
			for _, size := range []int{at + 1, len(w.leaves)} {
				_, err := verify(w.accuse(at, size), w.policy)
				if !errors.Is(err, evidence.ErrNotProven) || !strings.Contains(err.Error(), "follows") {
					t.Errorf("%s: the seal at %d: %v", path, at, err)
				}
			}
			for _, older := range seals[:max(n-1, 0)] {
				_, err := verify(w.file(evidence.FalseSeal(w.lie(older, at, at+1))), w.policy)
				if !errors.Is(err, evidence.ErrNotProven) || !strings.Contains(err.Error(), "between") {
					t.Errorf("%s: the seal at %d, after the one at %d: %v", path, at, older, err)
				}
			}
		}
		if len(seals) == 0 {
			t.Fatal(path, "has no seals")
		}
	}
}
