package verify_test

import (
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/verify"
)

// shape is how large a log is.
type shape struct{ leaves, keys float64 }

// full is a log of 100,000 attestations, each in a seal of its own, of a
// component, version and artifact of its own: more than that many have.
var full = shape{200_000, 400_000}

// b64 is the length of n bytes in base64.
func b64(n float64) float64 { return 4 * math.Ceil(n/3) }

// path is the length of an audit path: at most a hash for each doubling.
func (l shape) path() float64 { return b64(32 * math.Ceil(math.Log2(l.leaves))) }

// seal is the length of the seal's path, on average over all sizes like this:
// half the peaks that there can be.
func (l shape) seal() float64 { return b64(32 * math.Ceil(math.Log2(l.leaves)) / 2) }

// proof is the length of a map proof, on average over all keys: a sibling at
// depth d is there with probability 1 - (1 - 2^-(d+1))^(keys-1).
func (l shape) proof() float64 {
	siblings := 0.0
	for d := 1.0; d < 64; d++ {
		siblings -= math.Expm1((l.keys - 1) * math.Log1p(-math.Exp2(-d)))
	}
	return b64(4 + math.Ceil(siblings/8) + 32*siblings)
}

// TestSize measures bundles in a small log, and computes what they are in a
// full one: all that grows are the hashes, by one in each path and proof, and
// half a one in the seal's path, when the log doubles.
func TestSize(t *testing.T) {
	const limit = 5 << 10
	small := shape{2000, 5400}
	n := testnode.New(t, "log.example/size")
	p := n.Enrol("steward", 3)
	at := func(i int) *entry.Entry {
		return testlog.Attest(p.Keys[i], testlog.Claims(n.Origin, n.Unix(), 10), testlog.Component("pkg:npm/widget@1.0.0"))
	}
	active, revoked, void := at(0), at(1), at(2)
	n.Submit(active)
	n.Submit(revoked)
	n.Submit(void)
	n.Submit(testlog.Revoke(n.Origin, 3, p.Keys[0], revoked.ID, void.ID))
	rules := testnode.Hash{1}
	programme := testlog.Sign(p.Keys[0], &entry.Programme{Log: n.Origin, Action: entry.ActionPublish, Rules: rules, Link: "https://rules.example/1",
		Catalogues: []string{"orc-template-lite"}, Roles: []string{"steward"}, MaxValidity: 400 * 86400}, entry.RulesSubject(rules))
	n.Submit(programme)
	a := testlog.Claims(n.Origin, n.Unix(), 10)
	a.Programme = &programme.ID
	under := testlog.Attest(p.Keys[1], a, testlog.Component("pkg:npm/widget@1.0.0"))
	n.Submit(under)
	n.Submit(testlog.CompromiseKey(n.Origin, p.Keys[2].ID(), new(uint64), p.Recovery))
	n.Pad(uint64(small.leaves), int(small.keys))
	for _, tt := range []struct {
		name  string
		id    testnode.Hash
		want  verify.Verdict
		limit float64
	}{
		{"active", active.ID, verify.Active, limit},
		// Each entry behind bad news takes a path of its own.
		{"revoked", revoked.ID, verify.Revoked, limit + full.path()},
		{"revoked and void", void.ID, verify.Revoked, limit + 2*full.path()},
		// A programme takes a proof, and 300 bytes of id and record.
		{"under a programme", under.ID, verify.Active, limit + full.proof() + 300},
	} {
		file := n.Bundle(tt.id)
		if r := verify.Bundle(file, n.Reader()); r.Verdict != tt.want {
			t.Fatalf("%s: verdict %v, %v", tt.name, r.Verdict, r.Err)
		}
		m := measure(t, file)
		if got, want := m.hashes, m.model(small); math.Abs(got-want) > 9*b64(32) {
			t.Errorf("%s: %v bytes of hashes, and by the formula %v", tt.name, got, want)
		}
		// Indexes and sizes have more digits.
		grown := m.fixed + m.model(full) + 16
		t.Logf("%s: %d bytes, %v besides entries and signature lines; %v in a full log", tt.name, len(file), m.fixed+m.hashes, grown)
		if grown > tt.limit {
			t.Errorf("%s: %v bytes in a full log, at most %v", tt.name, grown, tt.limit)
		}
	}
}

// measures are those of a bundle, in bytes, without entries and signature lines.
type measures struct {
	fixed, hashes float64 // of hashes: paths and proofs
	paths, proofs float64 // how many there are, without the seal's
}

// model is what the hashes of such a bundle take in a log like l.
func (m measures) model(l shape) float64 {
	return l.seal() + m.paths*l.path() + m.proofs*l.proof()
}

func measure(t *testing.T, file []byte) (m measures) {
	t.Helper()
	b := parse(t, file)
	size := func(x any) float64 {
		raw, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return float64(len(raw) - 2) // the quotes
	}
	path := func(p bundle.Path) { m.hashes, m.paths = m.hashes+size(p), m.paths+1 }
	proof := func(p bundle.Base64) { m.hashes, m.proofs = m.hashes+size(p), m.proofs+1 }
	other := 0
	m.hashes = size(b.Seal.Path)
	for _, a := range b.Attestations {
		path(a.Path)
		proof(a.Proof)
		other += len(a.Entry)
	}
	for _, k := range b.Keys {
		proof(k.Proof)
	}
	for _, p := range b.Parties {
		proof(p.Proof)
		other += len(p.Entry)
	}
	for _, p := range b.Programmes {
		proof(p.Proof)
		other += len(p.Entry)
	}
	for _, c := range b.Causes {
		path(c.Path)
		other += len(c.Entry)
	}
	for line := range strings.Lines(b.Checkpoint) {
		if strings.HasPrefix(line, "— ") {
			other += len(line) + 1 // the newline is two bytes in the file
		}
	}
	m.fixed = float64(len(file)-other) - m.hashes
	return m
}
