package verify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

var update = flag.Bool("update", false, "write testdata again")

// vector is one row of testdata/vectors.json. Its bundle is testdata/<name>.standing.json.
type vector struct {
	Name   string `json:"name"`
	Why    string `json:"why"`
	Policy string `json:"policy"` // file of testdata
	Now    int64  `json:"now"`    // Unix seconds
	// Seen is the size of the largest tree that the reader has seen; 0: none.
	Seen    uint64 `json:"seen,omitempty"`
	Verdict string `json:"verdict"`
	// Causes are all that speaks against the first attestation, in order.
	Causes []string `json:"causes,omitempty"`
	Exit   int      `json:"exit"`

	file []byte
}

// The trust files of the vectors.
const (
	witnessed   = "trust.policy"
	unwitnessed = "unwitnessed.policy"
)

// vectors makes the bundles, good and malicious.
func vectors(s *scene) []vector {
	now := s.Now().Unix()
	late := now + 86401
	good := s.bundle("active")
	never := s.make("never", s.steward.Keys[0], nil)
	edit := func(file []byte, f func(*bundle.Bundle)) []byte { return change(s.t, file, f) }
	other := parse(s.t, s.bundle("of another"))
	early := parse(s.t, s.early)
	revoked := parse(s.t, s.bundle("revoked"))
	forged := func(f func(*bundle.Bundle, *seal.Seal)) []byte {
		return edit(good, func(b *bundle.Bundle) {
			l, err := seal.Parse([]byte(b.Seal.Leaf))
			if err != nil {
				s.t.Fatal(err)
			}
			f(b, l)
			s.reseal(b, string(l.Marshal()), 1)
		})
	}
	v := func(name string, file []byte, verdict, why string) vector {
		return vector{Name: name, Why: why, Policy: witnessed, Now: now, Verdict: verdict, file: file}
	}
	at := func(x vector, now int64) vector { x.Now = now; return x }
	lone := v("unwitnessed", good, "ACTIVE", "quorum none: the log's own word, exit code 3")
	lone.Policy = unwitnessed
	rollback := v("rollback", s.early, "ROLLBACK", "the reader has seen a larger tree")
	rollback.Seen = sizeOf(s, early) + 1
	return []vector{
		v("active", good, "ACTIVE", "it stands"),
		lone,
		at(v("stale", good, "STALE", "a day and a second later"), late),
		v("revoked", s.bundle("revoked"), "REVOKED", "withdrawn by its party"),
		v("key-void", s.bundle("void"), "KEY_VOID", "issued at the cutoff of its key; it claims an older date"),
		v("superseded", s.bundle("superseded"), "SUPERSEDED", "a newer one stands in its place"),
		v("suspended", s.bundle("lapsed"), "SUSPENDED", "held"),
		at(v("lapsed", s.bundle("lapsed"), "LAPSED", "held beyond the end of the hold"), now+3600),
		at(v("expired", s.bundle("expired"), "EXPIRED", "outside its period of validity"), now+3600),
		at(v("several-causes", s.bundle("void and revoked"), "REVOKED", "revoked, key void, and stale"), late),
		v("several-attestations", s.bundle("active", "of another", "held"), "SUSPENDED", "shared parts; the worst verdict is that of the whole"),
		v("not-logged", s.absent(never, "active"), "NOT_LOGGED", "signed, and never accepted"),
		rollback,

		v("map-function-2", forged(func(_ *bundle.Bundle, l *seal.Seal) { l.MapFn = 2 }), "NO_EVIDENCE", "a map function that is not known"),
		v("seal-of-another-index", forged(func(_ *bundle.Bundle, l *seal.Seal) { l.Index-- }), "INVALID", "the log signs a seal that is not live"),
		v("unsealed", edit(good, func(b *bundle.Bundle) { s.reseal(b, string(s.att["active"].Leaf), 1) }), "INVALID", "the last leaf is an entry"),
		v("other-size", edit(good, func(b *bundle.Bundle) { s.sign(b, b.Seal.Leaf, sizeOf(s, early), 1) }), "INVALID", "the same root signed at another size"),
		v("no-quorum", edit(good, func(b *bundle.Bundle) {
			body, log, _ := splitCheckpoint(s.t, b.Checkpoint)
			b.Checkpoint = body + log
		}), "INVALID", "the witness has not cosigned"),
		v("old-record", edit(s.bundle("revoked"), func(b *bundle.Bundle) {
			b.Attestations[0].Record, b.Attestations[0].Proof, b.Causes = early.Attestations[0].Record, early.Attestations[0].Proof, nil
		}), "INVALID", "the record of before the revocation, under the checkpoint of after it"),
		v("denied", edit(s.absent(never, "active"), func(b *bundle.Bundle) { b.Attestations[0].Entry = revoked.Attestations[0].Entry }), "INVALID", "absence of another id"),
		v("inclusion-only", edit(good, func(b *bundle.Bundle) { b.Attestations[0].Record, b.Attestations[0].Proof = nil, nil }), "INVALID", "inclusion alone is never standing"),
		v("another-record", edit(good, func(b *bundle.Bundle) {
			b.Attestations[0].Record, b.Attestations[0].Proof = other.Attestations[0].Record, other.Attestations[0].Proof
		}), "INVALID", "the record of another attestation"),
		v("another-signer", edit(good, func(b *bundle.Bundle) { b.Attestations[0].Entry = s.make("active", s.other.Keys[0], nil).Leaf }), "INVALID", "the same statement by another key"),
		v("another-party", edit(good, func(b *bundle.Bundle) { b.Parties = other.Parties }), "INVALID", "a party that is not the signer's"),
		v("spoilt-payload", edit(good, func(b *bundle.Bundle) {
			e := s.att["active"]
			b.Attestations[0].Entry = testlog.Envelope(bytes.Replace(e.Payload, []byte(`"yes"`), []byte(`"no"`), 1), e.KeyID, e.Signature)
		}), "INVALID", "an answer was changed"),
		v("unused-cause", edit(good, func(b *bundle.Bundle) { b.Causes = revoked.Causes }), "INVALID", "an entry behind no verdict"),
		v("twice", edit(good, func(b *bundle.Bundle) { b.Attestations = append(b.Attestations, b.Attestations[0]) }), "INVALID", "one attestation twice"),
		v("unknown-member", bytes.Replace(good, []byte(`"seal":`), []byte(`"note":"verified","seal":`), 1), "INVALID", "a member that nobody checks"),
		v("duplicate-member", bytes.Replace(good, []byte(`"seal":`), []byte(`"keys":[],"seal":`), 1), "INVALID", "a member twice"),
	}
}

// sizeOf is the size of the checkpoint of b.
func sizeOf(s *scene, b *bundle.Bundle) uint64 {
	cp, err := s.Policy.OpenLogSigned([]byte(b.Checkpoint))
	if err != nil {
		s.t.Fatal(err)
	}
	return cp.Size
}

// TestVectors judges the files of testdata, which other implementations read
// too, and compares them with what is made here.
func TestVectors(t *testing.T) {
	s := newScene(t, "log.example/vectors")
	made := vectors(s)
	policies := map[string]string{witnessed: s.Trust, unwitnessed: s.policy("quorum none\n").String()}
	if *update {
		writeVectors(t, made, policies)
	}
	var listed []vector
	if err := json.Unmarshal(read(t, "vectors.json"), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != len(made) {
		t.Fatalf("%d vectors, want %d: run with -update", len(listed), len(made))
	}
	total := 0
	for i, v := range listed {
		file := read(t, v.Name+".standing.json")
		total += len(file)
		if v.Name != made[i].Name || !bytes.Equal(file, made[i].file) {
			t.Errorf("%s: not what is made here: run with -update", v.Name)
		}
		judgeVector(t, v, file)
	}
	if total > 300<<10 {
		t.Errorf("%d bytes of vectors", total)
	}
	for name, text := range policies {
		if string(read(t, name)) != text {
			t.Errorf("%s: run with -update", name)
		}
	}
}

// judgeVector compares a bundle's verdict with what the vector says.
func judgeVector(t *testing.T, v vector, file []byte) {
	t.Helper()
	r := v.judge(t, file)
	causes := []string{}
	if len(r.Results) > 0 {
		causes = names(r.Results[0].Causes)
	}
	if r.Verdict.String() != v.Verdict || r.ExitCode(false) != v.Exit || strings.Join(causes, " ") != strings.Join(v.Causes, " ") {
		t.Errorf("%s: %v, exit code %d, causes %v (%v); want %s, %d, %v", v.Name, r.Verdict, r.ExitCode(false), causes, r.Err, v.Verdict, v.Exit, v.Causes)
	}
}

// judge reads a bundle as the vector says.
func (v vector) judge(t *testing.T, file []byte) *verify.Report {
	t.Helper()
	policy, err := trust.Parse(read(t, v.Policy))
	if err != nil {
		t.Fatal(err)
	}
	o := verify.Options{Policy: policy, Now: time.Unix(v.Now, 0)}
	if v.Seen > 0 {
		o.Seen = map[string]trust.Body{policy.Logs()[0].Origin: {Size: v.Seen}}
	}
	return verify.Bundle(file, o)
}

func names(causes []verify.Cause) []string {
	out := []string{}
	for _, c := range causes {
		out = append(out, c.Verdict.String())
	}
	return out
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeVectors writes testdata. Exit codes and causes are what comes out; the
// verdict is what was expected.
func writeVectors(t *testing.T, made []vector, policies map[string]string) {
	t.Helper()
	for name, text := range policies {
		writeFile(t, name, []byte(text))
	}
	for i := range made {
		v := &made[i]
		writeFile(t, v.Name+".standing.json", v.file)
		r := v.judge(t, v.file)
		v.Exit = r.ExitCode(false)
		if len(r.Results) > 0 {
			v.Causes = names(r.Results[0].Causes)
		}
	}
	var index bytes.Buffer
	enc := json.NewEncoder(&index)
	enc.SetIndent("", "  ")
	if err := enc.Encode(made); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "vectors.json", index.Bytes())
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}
