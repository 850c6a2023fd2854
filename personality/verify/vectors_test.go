package verify_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

var update = flag.Bool("update", false, "write testdata again")

// vector is one row of testdata/vectors.json.
type vector struct {
	Name string `json:"name"`
	// Bundle is testdata/<bundle>.standing.json; absent, it is <name>.
	Bundle string `json:"bundle,omitempty"`
	Why    string `json:"why"`
	Policy string `json:"policy"` // file of testdata
	Now    int64  `json:"now"`    // Unix seconds
	// Seen is the size of the largest tree that the reader has seen; 0: none.
	Seen uint64 `json:"seen,omitempty"`
	// Pins beside the trust file, the reader's time in place of now, and what
	// size he asks for.
	Pins    string `json:"pins,omitempty"`
	At      int64  `json:"at,omitempty"`
	MinSize uint64 `json:"minSize,omitempty"`
	// Revocations are leaves at hand.
	Revocations []string `json:"revocations,omitempty"`
	// Claims are those that the reader relies on.
	Claims []string `json:"claims,omitempty"`

	Verdict string `json:"verdict"`
	// Causes are all that speaks against the first attestation, in order.
	Causes []string `json:"causes,omitempty"`
	// Subjects are, for each, whether all is shown about it, and how many events.
	Subjects []string `json:"subjects,omitempty"`
	// Notes is how many revocations at hand change no verdict.
	Notes int `json:"notes,omitempty"`
	Exit  int `json:"exit"`

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
	asOf := func(x vector, at int64) vector { x.At = at; return x }
	pinned := func(x vector, pins string) vector { x.Pins = pins; return x }
	hand := func(x vector, entries ...*entry.Entry) vector {
		for _, e := range entries {
			x.Revocations = append(x.Revocations, string(e.Leaf))
		}
		return x
	}
	relying := func(x vector, claims ...string) vector { x.Claims = claims; return x }
	partial, programme := s.bundle("partial"), s.bundle("under a programme")
	revoke := func(by *testlog.Key) *entry.Entry { return testlog.Revoke(s.Origin, 3, by, s.att["active"].ID) }
	cp := s.checkpoint(good)
	closed := func(size uint64, root [32]byte) string {
		return fmt.Sprintf("close %s %d %s\n", s.Origin, size, base64.StdEncoding.EncodeToString(root[:]))
	}
	seenLater := asOf(v("seen-later", s.early, "ACTIVE", "as of then, what was seen since is no rollback"), now)
	seenLater.Seen = sizeOf(s, early) + 1
	small := v("too-small", good, "NO_EVIDENCE", "smaller than the reader asks for")
	small.MinSize = cp.Size + 1
	lone := v("unwitnessed", good, "ACTIVE", "quorum none: the log's own word, exit code 3")
	lone.Policy = unwitnessed
	rollback := v("rollback", s.early, "ROLLBACK", "the reader has seen a larger tree")
	rollback.Seen = sizeOf(s, early) + 1
	return shared(append([]vector{
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

		v("partial", partial, "PARTIAL", "one of its claims is withdrawn"),
		relying(v("partial-untouched", partial, "PARTIAL", "the reader relies on the other claim: exit code 0"), "BR.02"),
		relying(v("partial-touched", partial, "PARTIAL", "the reader relies on what is withdrawn too"), "BR.01", "BR.02"),
		relying(v("partial-never-claimed", partial, "PARTIAL", "the reader relies on what was never claimed"), "BR.02", "XX.99"),
		at(relying(v("partial-untouched-and-stale", partial, "PARTIAL", "and too old: exit code 3"), "BR.02"), late),
		v("partial-reinstated", s.bundle("partial and reinstated"), "PARTIAL", "a hold was lifted since: the claim stays withdrawn"),
		v("partial-superseded", s.bundle("partial and superseded"), "SUPERSEDED", "partial, and a newer one in its place"),
		relying(v("partial-suspended", s.bundle("partial and held"), "SUSPENDED", "held first: untouched claims are held too"), "BR.01"),
		v("in-a-range", s.bundle("in range"), "REVOKED", "a range of its key is void"),
		v("behind-a-range", s.bundle("behind the range"), "ACTIVE", "the end of a range is not in it"),
		v("in-a-range-of-its-package", s.bundle("in range of its package", "of another package"), "REVOKED", "a range names a package; another of the same time and key stands"),
		v("under-a-programme", programme, "ACTIVE", "the rules were amended"),
		v("withdrawn-by-the-operator", s.bundle("withdrawn by the operator"), "REVOKED", "by the operator of its programme"),
		v("programme-not-shown", edit(programme, func(b *bundle.Bundle) { b.Programmes = nil }), "ACTIVE", "programmes may be absent"),

		v("programme-not-named", edit(good, func(b *bundle.Bundle) { b.Programmes = parse(s.t, programme).Programmes }), "INVALID", "a programme that the attestation does not name"),
		v("programme-under-another-id", edit(programme, func(b *bundle.Bundle) { b.Programmes[0].ID[31] ^= 1 }), "INVALID", "the id is not the one that the proof is of"),
		v("programme-of-old-rules", edit(programme, func(b *bundle.Bundle) { b.Programmes[0].Entry = s.published.Leaf }), "INVALID", "the rules before the amendment"),
		v("programme-twice", edit(s.bundle("under a programme", "withdrawn by the operator"), func(b *bundle.Bundle) {
			b.Programmes = append(b.Programmes, b.Programmes[0])
		}), "INVALID", "one programme twice"),
		v("claims-not-withdrawn", edit(partial, func(b *bundle.Bundle) {
			b.Attestations[0].Record = bytes.Replace(b.Attestations[0].Record, []byte(`,"withdrawn":["BR.01"]`), nil, 1)
			b.Causes = nil
		}), "INVALID", "the record without its withdrawn claims"),
		v("range-not-void", edit(s.bundle("in range of its package"), func(b *bundle.Bundle) {
			b.Keys[0].Record = b.Keys[0].Record[:bytes.Index(b.Keys[0].Record, []byte(`,"voids"`))]
			b.Keys[0].Record = append(bytes.Clone(b.Keys[0].Record), '}')
			b.Causes = nil
		}), "INVALID", "the record of the key without its ranges"),
		v("range-of-another-key", edit(s.bundle("in range of its package"), func(b *bundle.Bundle) {
			b.Causes = parse(s.t, s.bundle("void")).Causes
		}), "INVALID", "the event behind another key's verdict"),

		asOf(at(v("as-of-then", good, "ACTIVE", "a year later, judged as of then"), now+365*86400), now),
		asOf(v("as-of-before", good, "NO_EVIDENCE", "the cosignatures are later than the time asked about"), now-3600),
		asOf(v("as-of-much-later", good, "STALE", "nothing shows how it stood then"), late),
		seenLater,
		small,
		pinned(v("pinned-map-function", good, "NO_EVIDENCE", "the reader asks for a newer map function"), "min-mapfn 65535\n"),
		pinned(v("closed-here", good, "ACTIVE", "the log is closed at this tree"), closed(cp.Size, cp.Root)),
		pinned(v("closed-before", good, "INVALID", "the log is closed at a smaller tree"), closed(cp.Size-1, cp.Root)),
		hand(v("revocation-at-hand", good, "REVOKED", "by the attestation's key, and not logged"), revoke(s.steward.Keys[0])),
		hand(v("revocation-by-another-key", s.bundle("active", "by retired key", "before cutoff"), "ACTIVE", "by keys of the party that are retired and compromised"),
			revoke(s.steward.Keys[1]), revoke(s.steward.Keys[2])),
		hand(v("revocation-by-a-stranger", s.bundle("active", "of another"), "ACTIVE", "by an active key, of another party"), revoke(s.other.Keys[0])),
		hand(v("revocation-not-shown", good, "ACTIVE", "by a key that the bundle does not show"), revoke(s.steward.Keys[2])),
		hand(v("hold-at-hand", good, "ACTIVE", "only revoke counts"), testlog.Hold(s.Origin, s.Unix()+1000, s.steward.Keys[0], testlog.Target{ID: s.att["active"].ID, Last: 1})),

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
	}, completenessVectors(s, v)...))
}

// shared lets vectors of the same bundle share its file.
func shared(vectors []vector) []vector {
	first := map[string]string{}
	for i := range vectors {
		v := &vectors[i]
		if name, ok := first[string(v.file)]; ok {
			v.Bundle = name
		} else {
			first[string(v.file)] = v.Name
		}
	}
	return vectors
}

// bundleFile is the name of the vector's bundle.
func (v vector) bundleFile() string { return cmp.Or(v.Bundle, v.Name) + ".standing.json" }

// checkpoint returns the body of a bundle's checkpoint.
func (s *scene) checkpoint(file []byte) trust.Body {
	s.t.Helper()
	cp, err := s.Policy.OpenLogSigned([]byte(parse(s.t, file).Checkpoint))
	if err != nil {
		s.t.Fatal(err)
	}
	return cp.Body
}

// sizeOf is the size of the checkpoint of b.
func sizeOf(s *scene, b *bundle.Bundle) uint64 { return s.checkpoint(write(s.t, b)).Size }

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
		file := read(t, v.bundleFile())
		if v.Bundle == "" {
			total += len(file)
		}
		if v.Name != made[i].Name || !bytes.Equal(file, made[i].file) {
			t.Errorf("%s: not what is made here: run with -update", v.Name)
		}
		judgeVector(t, v, file)
	}
	if total > 800<<10 {
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
	if r.Verdict.String() != v.Verdict || r.ExitCode(false) != v.Exit || strings.Join(causes, " ") != strings.Join(v.Causes, " ") || !slices.Equal(complete(r), v.Subjects) || len(r.Notes) != v.Notes {
		t.Errorf("%s: %v, exit code %d, causes %v, notes %v (%v); want %s, %d, %v, %d", v.Name, r.Verdict, r.ExitCode(false), causes, r.Notes, r.Err, v.Verdict, v.Exit, v.Causes, v.Notes)
	}
}

// judge reads a bundle as the vector says.
func (v vector) judge(t *testing.T, file []byte) *verify.Report {
	t.Helper()
	policy, err := trust.Parse(read(t, v.Policy))
	if err != nil {
		t.Fatal(err)
	}
	if policy, err = policy.Pin([]byte(v.Pins)); err != nil {
		t.Fatal(err)
	}
	o := verify.Options{Policy: policy, Now: time.Unix(v.Now, 0), MinSize: v.MinSize, Claims: v.Claims}
	if v.At != 0 {
		o.At = time.Unix(v.At, 0)
	}
	for _, leaf := range v.Revocations {
		o.Revocations = append(o.Revocations, []byte(leaf))
	}
	if v.Seen > 0 {
		o.Seen = map[string]trust.Body{policy.Logs()[0].Origin: {Size: v.Seen}}
	}
	return verify.Bundle(file, o)
}

// complete says of each subject whether all is shown about it.
func complete(r *verify.Report) (out []string) {
	for _, s := range r.Subjects {
		word := "all"
		if s.Incomplete != "" {
			word = "some"
		}
		out = append(out, fmt.Sprintf("%s %d", word, s.Count))
	}
	return out
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
		if v.Bundle == "" {
			writeFile(t, v.Name+".standing.json", v.file)
		}
		r := v.judge(t, v.file)
		v.Exit, v.Notes, v.Subjects = r.ExitCode(false), len(r.Notes), complete(r)
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
