package cli

import (
	"bytes"
	"crypto/rand"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/auditor"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

// TestSubmitTo brings an auditor what a log owes, and what it does not.
func TestSubmitTo(t *testing.T) {
	const origin = "log.example/owing"
	n := testnode.New(t, origin)
	party := n.Enrol("steward", 1)
	attestation := testlog.Attest(party.Keys[0], testlog.Claims(origin, n.Unix(), 5), testlog.Component("pkg:npm/left@1.0.0"))
	n.Submit(attestation)
	logged := testlog.Revoke(origin, 1, party.Keys[0], attestation.ID)
	kept := promise.Promise{Origin: origin, ID: attestation.IDString(), LeafHash: [32]byte(rfc6962.DefaultHasher.HashLeaf(attestation.Leaf)), Index: 4, Size: 6}
	notes, err := promise.Sign(n.LogKey, kept)
	if err != nil {
		t.Fatal(err)
	}
	url, hold := servedAuditor(t, n)
	hold()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policy := file("trust.policy", []byte(n.Trust))
	for _, c := range []struct {
		content []byte
		code    int
		out     string
	}{
		{logged.Leaf, 0, "the auditor holds " + logged.IDString() + ", and cosigns " + origin + " up to size 20006 without it"},
		{notes[0], 0, attestation.IDString() + " is in " + origin + ", at index 4"},
		{attestation.Leaf, 1, "is no withdrawal: bring the log's promise"},
		{[]byte("{}"), 1, "envelope"},
	} {
		var out bytes.Buffer
		code := Main(t.Context(), []string{"submit", file("x", c.content), "--to", url, "--trust", policy}, strings.NewReader(""), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.out) {
			t.Errorf("exit %d, %s; want %d, %s", code, &out, c.code, c.out)
		}
	}
	n.Submit(logged)
	hold()
	var out bytes.Buffer
	if code := Main(t.Context(), []string{"submit", file("x", logged.Leaf), "--to", url, "--trust", policy, "-o", "json"}, strings.NewReader(""), &out, &out); code != 0 || !strings.Contains(out.String(), `"state": "logged"`) {
		t.Errorf("exit %d, %s", code, &out)
	}
}

// servedAuditor serves an auditor of the log; hold has it hold what is published.
func servedAuditor(t *testing.T, n *testnode.Node) (url string, hold func()) {
	t.Helper()
	skey, _, err := witness.GenerateKey(rand.Reader, "auditor.example/one")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := witness.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	a, err := auditor.Open(t.Context(), auditor.Config{
		Dir: t.TempDir(), FS: vfs.NewMem(), Signers: []witness.Signer{signer}, Store: new(witness.MemStore), Now: n.Now,
		Logs: []auditor.Log{{Origin: n.Origin, Policy: n.Policy, Source: n.Client()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv.URL + "/auditor", func() {
		t.Helper()
		cp, err := n.Prover.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		// It holds before it looks at the old size, which is wrong the second time.
		resp, err := srv.Client().Post(srv.URL+"/auditor/add-checkpoint", "text/plain", bytes.NewReader(append([]byte("old 0\n\n"), logLines(t, n, cp)...)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 && resp.StatusCode != 409 {
			t.Fatalf("the auditor does not hold it: %s", resp.Status)
		}
	}
}

// logLines is a checkpoint with the log's signature only.
func logLines(t *testing.T, n *testnode.Node, checkpoint []byte) []byte {
	t.Helper()
	cp, err := n.Policy.OpenLogSigned(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	return n.Sign(trust.Body{Origin: cp.Origin, Size: cp.Size, Root: cp.Root}, 0, 0)
}
