package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

// reader is somebody who reads the log n, with a trust file and an SBOM.
func reader(t *testing.T, n *testnode.Node) (run func(code int, args ...string) (stdout, stderr string), url string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	web := httptest.NewServer(&tiles.Handler{
		List: tiles.Leaves{Backend: n.Backend, Signed: n.Sequencer.Signed}, Checkpoint: n.Prover.Checkpoint,
		Fail: func(err error) { t.Error(err) },
	})
	t.Cleanup(web.Close)
	log, rest, _ := strings.Cut(n.Policy.String(), "\n")
	for name, text := range map[string]string{
		"trust": log + " " + web.URL + "\n" + rest,
		"sbom":  `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"left","purl":"pkg:npm/left@1.0.0"}]}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(code int, args ...string) (string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		args = append(args, "--trust", "trust")
		if got := Main(t.Context(), args, strings.NewReader(""), &out, &errs); got != code {
			t.Fatalf("standing %s: exit code %d, not %d\n%s%s", strings.Join(args, " "), got, code, &out, &errs)
		}
		return out.String(), errs.String()
	}, web.URL
}

func attested(n *testnode.Node) (*testlog.Party, mapfn.Hash) {
	p := n.Enrol("steward", 1)
	a := testlog.Attest(p.Keys[0], testlog.Claims(n.Origin, n.Unix(), 5), testlog.Component("pkg:npm/left@1.0.0"))
	n.Submit(a)
	return p, a.ID
}

// TestEvidenceFile: a log seals a revoked attestation as active, once. Whoever
// reads it all has a file then that proves it, to whoever has the same trust file
// and nothing else; any other file proves nothing.
func TestEvidenceFile(t *testing.T) {
	n := testnode.NewWith(t, testnode.Options{Origin: "log.example/liar", Start: time.Now()})
	p, id := attested(n)
	state := n.State()
	active, err := state.Map.Record(mapfn.NSAttestation, id[:])
	state.Close()
	if err != nil {
		t.Fatal(err)
	}
	n.Submit(testlog.Revoke(n.Origin, 0, p.Keys[0], id))
	n.Tamper(mapfn.Change{NS: mapfn.NSAttestation, Data: id[:], Record: active})
	run, url := reader(t, n)
	for _, args := range [][]string{{"fsck", "--oracle", url}, {"check", "sbom"}, {"check", "sbom"}, {"fsck", url}} {
		_, errs := run(exitEvidence, args...)
		files, err := filepath.Glob("*.evidence.json")
		if err != nil || len(files) != 1 || !strings.Contains(errs, "standing verify "+files[0]) {
			t.Fatalf("%s: files %v, %v: %s", args[0], files, err, errs)
		}
	}
	file := "log.example_liar-false-seal-9.evidence.json"
	out, errs := run(exitEvidence, "verify", file)
	if !strings.Contains(out, "EVIDENCE: log.example/liar signed a false seal, leaf 9: it says map root") || !strings.Contains(errs, "hint: do not rely on what log.example/liar says") {
		t.Errorf("%s%s", out, errs)
	}
	var said struct {
		Evidence   string
		Line, Exit int
	}
	out, _ = run(exitEvidence, "verify", file, "-o", "json")
	if err := json.Unmarshal([]byte(out), &said); err != nil || said.Evidence != "false-seal" || said.Line != 8 || said.Exit != exitEvidence {
		t.Errorf("%s: %v", out, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{`"first":6`, `"first":7,"first":7`, `"first":null`} {
		if err := os.WriteFile("spoilt", bytes.Replace(data, []byte(`"first":7`), []byte(other), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, errs := run(exitCannotTell, "verify", "spoilt"); !strings.Contains(errs, "spoilt proves nothing") {
			t.Error(errs)
		}
	}
	if err := os.WriteFile("trust", []byte(testnode.New(t, "log.example/else").Policy.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(exitCannotTell, "verify", file)
}

// TestFsckSplitView: a log shows fsck another tree than the one that the copy on
// this machine is of.
func TestFsckSplitView(t *testing.T) {
	n := testnode.NewWith(t, testnode.Options{Origin: "log.example/split", Start: time.Now()})
	attested(n)
	run, url := reader(t, n)
	run(exitStands, "fsck", url) // there is no copy
	run(exitStands, "check", "sbom")
	run(exitStands, "fsck", url)
	signed := n.Sequencer.Signed()
	signed.Hash[0] ^= 1
	forked, err := note.Sign(&note.Note{Text: trust.Body{Origin: n.Origin, Size: signed.Size, Root: signed.Hash}.String()}, n.LogKey)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/checkpoint" {
			_, _ = w.Write(forked)
			return
		}
		http.Redirect(w, r, url+r.URL.Path, http.StatusFound)
	}))
	defer web.Close()
	vkey, _, _ := strings.Cut(n.Policy.String(), "\n")
	if err := os.WriteFile("trust", []byte(vkey+"\nquorum none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs := run(exitEvidence, "fsck", web.URL)
	file := fmt.Sprintf("log.example_split-split-view-%d.evidence.json", signed.Size)
	if !strings.Contains(errs, "shows two trees") || !strings.Contains(errs, "standing verify "+file) || !strings.Contains(errs, "hint: do not rely on what log.example/split says") {
		t.Error(errs)
	}
	if out, _ := run(exitEvidence, "verify", file); !strings.Contains(out, "EVIDENCE: log.example/split signed two trees") {
		t.Error(out)
	}
}

// TestVerifyPromise: a promise is held against the copy of the log.
func TestVerifyPromise(t *testing.T) {
	n := testnode.NewWith(t, testnode.Options{Origin: "log.example/promises", Start: time.Now()})
	attested(n)
	run, _ := reader(t, n)
	write := func(name string, index uint64, change byte) {
		t.Helper()
		leaves, err := n.Backend.Leaves(t.Context(), min(index, 3), 1)
		if err != nil {
			t.Fatal(err)
		}
		p := promise.Promise{Origin: n.Origin, ID: "att:" + strings.Repeat("0a", 32), Index: index, Size: index + 2,
			LeafHash: promise.Hash(rfc6962.DefaultHasher.HashLeaf(leaves[0]))}
		p.LeafHash[0] ^= change
		files, err := promise.Sign(n.LogKey, p)
		if err == nil {
			err = os.WriteFile(name, files[0], 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("kept.promise", 2, 0)
	write("broken.promise", 2, 1)
	write("early.promise", 1000, 0)
	if _, errs := run(exitCannotTell, "verify", "kept.promise"); !strings.Contains(errs, "standing check") {
		t.Error("without a copy:", errs)
	}
	run(exitStands, "check", "sbom")
	if out, _ := run(exitStands, "verify", "kept.promise"); !strings.Contains(out, "and it does") {
		t.Error(out)
	}
	run(exitCannotTell, "verify", "early.promise")
	if _, errs := run(exitEvidence, "verify", "broken.promise"); !strings.Contains(errs, "log.example_promises-broken-promise-2.evidence.json") {
		t.Error(errs)
	}
	if out, _ := run(exitEvidence, "verify", "log.example_promises-broken-promise-2.evidence.json"); !strings.Contains(out, "EVIDENCE: log.example/promises promised") {
		t.Error(out)
	}
	spoilt, err := os.ReadFile("kept.promise")
	if err == nil {
		err = os.WriteFile("kept.promise", bytes.Replace(spoilt, []byte("\n2\n"), []byte("\n1\n"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(exitEvidence, "verify", "kept.promise")
}

// TestVerifyVectors: verify says of each vector of package evidence whether it
// proves something.
func TestVerifyVectors(t *testing.T) {
	dir := filepath.Join("..", "..", "personality", "evidence", "testdata")
	b, err := os.ReadFile(filepath.Join(dir, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		File      string
		Confirmed bool
	}
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) < 15 {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		var out, errs bytes.Buffer
		code := Main(t.Context(), []string{"verify", filepath.Join(dir, v.File), "--trust", filepath.Join(dir, "trust")}, strings.NewReader(""), &out, &errs)
		if want := map[bool]int{true: exitEvidence, false: exitCannotTell}[v.Confirmed]; code != want {
			t.Errorf("%s: exit code %d, want %d: %s%s", v.File, code, want, &out, &errs)
		}
	}
}
