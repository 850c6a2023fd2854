package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

var update = flag.Bool("update", false, "write the vectors in testdata again")

// vector says what a file of testdata is; those that are not confirmed prove
// nothing.
type vector struct {
	File      string        `json:"file"`
	Why       string        `json:"why"`
	Confirmed bool          `json:"confirmed"`
	Kind      evidence.Kind `json:"kind,omitempty"`
	Index     uint64        `json:"index,omitempty"`
	Line      int           `json:"line,omitempty"`
}

// made returns the files of all vectors by name, each with why it is one.
func made(t testing.TB) (files map[string][]byte, why map[string]string, p *trust.Policy) {
	t.Helper()
	files, why = map[string][]byte{}, map[string]string{}
	add := func(name, because string, file []byte) {
		files[name+".evidence.json"], why[name+".evidence.json"] = file, because
	}
	for name, w := range liars(t) {
		at := len(w.leaves) - 1
		add("false-seal-"+name, "of the golden log of that name", w.accuse(at, at+1))
		if name == "line-8" {
			w.add([]byte("more"), "ignored")
			add("false-seal-later", "under the checkpoint of a larger tree", w.accuse(at, at+2))
		}
	}
	w := golden(t, "log.jsonl")
	seals := w.live(len(w.leaves))
	add("honest-seal", "every line is right", w.accuse(seals[4], seals[4]+1))
	add("honest-between", "not the live seal before the one accused", w.file(evidence.FalseSeal(w.lie(seals[3], seals[5], seals[5]+1))))
	l := w.lie(seals[1], seals[2], seals[2]+1)
	l.Leaves = slices.Delete(slices.Clone(l.Leaves), 1, 2)
	add("honest-leaf-left-out", "a leaf between the seals is missing", w.file(evidence.FalseSeal(l)))
	root := w.root(8)
	root[0] ^= 1
	fork := w.sign(w.signer, trust.Body{Origin: w.origin, Size: 8, Root: root}.String())
	add("split-view-same-size", "two roots", w.file(evidence.SplitView(w.checkpoint(8), fork, hash{}, nil), nil))
	add("split-view", "the larger tree does not extend the smaller", w.file(evidence.SplitView(fork, w.checkpoint(21), w.root(8), w.path(8, 21)), nil))
	add("honest-trees", "the larger tree extends the smaller", w.file(evidence.SplitView(w.checkpoint(8), w.checkpoint(21), w.root(8), w.path(8, 21)), nil))
	for name, of := range map[string]hash{"broken-promise": {1}, "kept-promise": w.leafHash(6)} {
		note := w.promise(w.signer, promise.Promise{Origin: w.origin, ID: "att:" + strings.Repeat("0a", 32), LeafHash: of, Index: 6, Size: 8})
		add(name, "leaf 6, promised with this hash", w.file(evidence.BrokenPromise(note, w.checkpoint(21), w.leafHash(6), w.inclusion(6, 21)), nil))
	}
	return files, why, w.policy
}

// TestVectors writes the files with -update, and otherwise compares them with
// what is made now; and each is judged as written.
func TestVectors(t *testing.T) {
	files, why, policy := made(t)
	var list []vector
	for _, name := range slices.Sorted(maps.Keys(files)) {
		v := vector{File: name, Why: why[name]}
		switch found, err := verify(files[name], policy); {
		case err == nil:
			v.Confirmed, v.Kind, v.Index, v.Line = true, found.Kind, found.Index, found.Line
		case !errors.Is(err, evidence.ErrNotProven):
			t.Fatal(name, err)
		}
		if want := !strings.HasPrefix(name, "honest") && !strings.HasPrefix(name, "kept"); v.Confirmed != want {
			t.Errorf("%s: confirmed %t", name, v.Confirmed)
		}
		list = append(list, v)
	}
	b, err := json.MarshalIndent(list, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	files["vectors.json"], files["trust"] = append(b, '\n'), []byte(policy.String())
	for name, want := range files {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what this test writes: run go test -update, and look at what changed: %v", path, err)
		}
	}
	if all, err := os.ReadDir("testdata"); err != nil || len(all) != len(files) {
		t.Errorf("%d files in testdata, want %d: %v", len(all), len(files), err)
	}
}

// TestRoundTrip: a file that is read is written again as it was.
func TestRoundTrip(t *testing.T) {
	files, _, _ := made(t)
	for name, file := range files {
		e, err := evidence.Parse(file)
		if err != nil {
			t.Fatal(name, err)
		}
		if again, err := e.Marshal(); err != nil || !bytes.Equal(again, file) {
			t.Errorf("%s: written as %.200s: %v", name, again, err)
		}
	}
}

// TestMalformed: what is no file of evidence is refused before anything else.
func TestMalformed(t *testing.T) {
	head := `{"mediaType":"` + evidence.MediaType + `","checkpoint":"x"`
	for name, file := range map[string]string{
		"empty":          "",
		"another type":   `{"mediaType":"application/json","checkpoint":"x","splitView":{"checkpoint":"y"}}`,
		"nothing":        head + `}`,
		"two kinds":      head + `,"splitView":{"checkpoint":"y"},"falseSeal":{"first":0,"leaves":["eA=="]}}`,
		"null":           head + `,"splitView":null}`,
		"unknown member": head + `,"splitView":{"checkpoint":"y"},"more":1}`,
		"twice":          head + `,"splitView":{"checkpoint":"y"},"splitView":{"checkpoint":"y"}}`,
		"case":           head + `,"SplitView":{"checkpoint":"y"}}`,
		"no leaves":      head + `,"falseSeal":{"first":0,"leaves":[]}}`,
		"leaves missing": head + `,"falseSeal":{"first":0}}`,
		"far leaf":       head + `,"falseSeal":{"first":9007199254740991,"leaves":["eA=="]}}`,
		"many leaves":    head + `,"falseSeal":{"first":0,"leaves":[` + strings.Repeat(`"",`, evidence.MaxLeaves) + `""]}}`,
		"long leaf":      head + `,"falseSeal":{"first":0,"leaves":["` + strings.Repeat("A", 4*21846) + `"]}}`,
		"long path":      head + `,"splitView":{"checkpoint":"y","path":"` + strings.Repeat("A", 44*100) + `"}}`,
		"too large":      head + strings.Repeat(" ", evidence.MaxSize) + `}`,
	} {
		if e, err := evidence.Parse([]byte(file)); !errors.Is(err, evidence.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

// FuzzVerify: from files about a log that keeps the rules nothing comes that is
// confirmed; and what parses is written as it is read.
func FuzzVerify(f *testing.F) {
	files, _, policy := made(f)
	for name, file := range files {
		if strings.HasPrefix(name, "honest") || strings.HasPrefix(name, "kept") {
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := evidence.Parse(file)
		if err != nil {
			return
		}
		if found, err := e.Verify(policy, now); err == nil {
			t.Fatalf("confirmed: %+v", found)
		}
		once, err := e.Marshal()
		if err != nil {
			return // longer than it was
		}
		again, err := evidence.Parse(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Marshal(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s\n%s\n%v", once, twice, err)
		}
	})
}
