package verify_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/standing-log/standing/personality/verify"
)

// fuzzed are the bundles that are fuzzed, and what is true of them. They are
// the same bytes in every process.
type fuzzed struct {
	seeds  [][]byte
	truth  truth
	reader verify.Options
}

func newFuzzed(t testing.TB) *fuzzed {
	s := newScene(t, origin)
	f := &fuzzed{truth: truth{}, reader: s.Reader()}
	f.seeds = [][]byte{
		s.bundle("active"), s.bundle("void and revoked"), s.bundle("revoked", "of another", "superseded", "held"),
		s.bundle("under a programme", "partial", "in range of its package"), s.bundle("withdrawn by the operator"),
		s.absent(s.make("never", s.steward.Keys[0], nil), "active"), s.early,
	}
	s.releases()
	f.seeds = append(f.seeds, s.answer(release+"@1.0"), s.answer("pkg:generic/none@1.0"), s.answer(release+"@2.0", "pkg:generic/revoked@2.0"))
	for _, seed := range f.seeds {
		f.truth.add(t, seed, f.reader)
	}
	return f
}

// check says what is wrong with how judge treats data: what is ACTIVE, and what
// is said to be all, may be only what honest bundles say, and the whole is as bad
// as its worst part.
func (f *fuzzed) check(judge func([]byte, verify.Options) *verify.Report, data []byte) error {
	r := judge(data, f.reader)
	if r.Err != nil {
		if r.Verdict.ExitCode() < 3 || len(r.Results)+len(r.Subjects) > 0 {
			return fmt.Errorf("verdict %v, %v", r.Verdict, r.Err)
		}
		return nil
	}
	worst, incomplete := verify.None, false
	for _, a := range r.Results {
		worst = min(worst, a.Verdict)
		if a.Verdict == verify.Active && f.truth[string(r.Root[:])][a.ID] != "ACTIVE" {
			return fmt.Errorf("%s is ACTIVE, which no honest bundle shows", a.ID)
		}
	}
	for _, s := range r.Subjects {
		if incomplete = incomplete || s.Incomplete != ""; s.Incomplete != "" {
			continue
		}
		if all, ok := f.truth[string(r.Root[:])][s.Data]; !ok || all != fmt.Sprintf("%x", s.Events) || len(s.Results)+len(s.Opened) != len(s.Events) {
			return fmt.Errorf("%s has %d events, which no honest bundle shows", s.Data, len(s.Events))
		}
	}
	if incomplete && worst != verify.Invalid && worst.ExitCode() != 1 {
		worst = verify.NoEvidence
	}
	if len(r.Results)+len(r.Subjects) == 0 || r.Verdict != worst || incomplete && r.ExitCode(true) == 0 {
		return fmt.Errorf("verdict %v of %d results and %d subjects, want %v", r.Verdict, len(r.Results), len(r.Subjects), worst)
	}
	return nil
}

func FuzzBundle(f *testing.F) {
	z := newFuzzed(f)
	for _, s := range z.seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := z.check(verify.Bundle, data); err != nil {
			t.Error(err)
		}
	})
}

// TestPlanted checks that the fuzz target would find faults: each verifier here
// has one.
func TestPlanted(t *testing.T) {
	z := newFuzzed(t)
	// lenient takes the verdict of a kind for good.
	lenient := func(forgiven verify.Verdict) func([]byte, verify.Options) *verify.Report {
		return func(data []byte, o verify.Options) *verify.Report {
			r := verify.Bundle(data, o)
			r.Verdict = verify.Active
			for i := range r.Results {
				if r.Results[i].Verdict == forgiven {
					r.Results[i].Verdict = verify.Active
				}
				r.Verdict = min(r.Verdict, r.Results[i].Verdict)
			}
			if r.Err != nil {
				r.Verdict = verify.Invalid
			}
			return r
		}
	}
	for name, tt := range map[string]struct {
		judge func([]byte, verify.Options) *verify.Report
		found bool
	}{
		"believes what proofs do not show": {lenient(verify.Invalid), true},
		"takes revoked for active":         {lenient(verify.Revoked), true},
		"takes not logged for active":      {lenient(verify.NotLogged), true},
		"takes held for active":            {lenient(verify.Suspended), true},
		"takes partial for active":         {lenient(verify.Partial), true},
		"forgets the worst": {func(data []byte, o verify.Options) *verify.Report {
			r := verify.Bundle(data, o)
			if len(r.Results) > 1 && r.Err == nil {
				r.Verdict = r.Results[1].Verdict
			}
			return r
		}, true},
		"takes what is not shown for nothing": {func(data []byte, o verify.Options) *verify.Report {
			r := verify.Bundle(data, o)
			for i := range r.Subjects {
				r.Subjects[i].Incomplete = ""
			}
			return r
		}, true},
		"is verify.Bundle": {verify.Bundle, false},
	} {
		if err := z.found(tt.judge); (err != nil) != tt.found {
			t.Errorf("one that %s: %v", name, err)
		}
	}
}

// found returns what the check says of the first of many changed seeds that
// fails it.
func (f *fuzzed) found(judge func([]byte, verify.Options) *verify.Report) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 1000 / every {
		if err := f.check(judge, f.mutate(rng, f.seeds[n%len(f.seeds)])); err != nil {
			return err
		}
	}
	return nil
}

// mutate exchanges a value with another bundle's, changes a character, or does
// nothing.
func (f *fuzzed) mutate(rng *rand.Rand, seed []byte) []byte {
	out := bytes.Clone(seed)
	switch rng.IntN(8) {
	case 0:
	case 1, 2, 3:
		// A string for a string: a proof for a proof, often.
		strings, others := quoted(out), quoted(f.seeds[rng.IntN(len(f.seeds))])
		i := rng.IntN(len(strings))
		old, other := strings[i], others[min(i, len(others)-1)]
		out = bytes.Replace(out, old, other, 1)
	default:
		for range 1 + rng.IntN(3) {
			i := rng.IntN(len(out))
			out[i] = "0123456789abcdefABCDEF/+"[rng.IntN(24)]
		}
	}
	return out
}

// quoted returns the strings of a file, in order.
func quoted(file []byte) (all [][]byte) {
	parts := bytes.Split(file, []byte(`"`))
	for i := 1; i < len(parts); i += 2 {
		all = append(all, append(append([]byte(`"`), parts[i]...), '"'))
	}
	return all
}
