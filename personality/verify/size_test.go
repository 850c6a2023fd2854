package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/verify"
)

// TestSize measures the bundle of one attestation in a log of 20,000 leaves
// whose map is as large as that of a generated log.
func TestSize(t *testing.T) {
	const limit, perCause = 5 << 10, 720
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
	n.Submit(testlog.CompromiseKey(n.Origin, p.Keys[2].ID(), new(uint64), p.Recovery))
	n.Pad(20_000/every, 54_000/every)
	for _, tt := range []struct {
		name string
		id   testnode.Hash
		want verify.Verdict
	}{{"active", active.ID, verify.Active}, {"revoked", revoked.ID, verify.Revoked}, {"revoked and void", void.ID, verify.Revoked}} {
		file := n.Bundle(tt.id)
		if r := verify.Bundle(file, n.Reader()); r.Verdict != tt.want {
			t.Fatalf("%s: verdict %v, %v", tt.name, r.Verdict, r.Err)
		}
		rest, causes, parts := measure(t, file)
		t.Logf("%s: %d bytes, %d besides entries and signature lines: %s", tt.name, len(file), rest, parts)
		if n := len(parse(t, file).Causes); rest-causes > limit || causes > n*perCause {
			t.Errorf("%s: %d bytes besides entries, signature lines and causes, at most %d; %d for %d causes, at most %d each",
				tt.name, rest-causes, limit, causes, n, perCause)
		}
	}
}

// measure returns the length of a bundle without its entries and signature
// lines, that of its causes among it, and where the bytes are.
func measure(t *testing.T, file []byte) (rest, causes int, parts string) {
	t.Helper()
	b := parse(t, file)
	size := func(x any) int {
		raw, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return len(raw)
	}
	a := b.Attestations[0]
	entries := len(a.Entry) + len(b.Parties[0].Entry)
	for _, c := range b.Causes {
		entries += len(c.Entry)
		causes += size(c) - len(c.Entry)
	}
	signatures := 0
	for line := range strings.Lines(b.Checkpoint) {
		if strings.HasPrefix(line, "— ") {
			signatures += len(line) + 1 // the newline is two bytes in the file
		}
	}
	parts = fmt.Sprintf("entries %d, signature lines %d; body of checkpoint %d, seal %d + path %d, attestation path %d + record %d + proof %d, key %d (proof %d), party %d (proof %d), causes %d",
		entries, signatures, size(b.Checkpoint)-signatures, size(b.Seal.Leaf), size(b.Seal.Path),
		size(a.Path), len(a.Record), size(a.Proof), size(b.Keys[0]), size(b.Keys[0].Proof),
		size(b.Parties[0])-len(b.Parties[0].Entry), size(b.Parties[0].Proof), causes)
	return len(file) - entries - signatures, causes, parts
}
