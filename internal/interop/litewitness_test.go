package interop

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	formats "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	theirs "github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
)

const origin = "log.example/interop"

// TestLitewitness runs a log whose quorum is its own witness and litewitness, a
// process built from torchwood's module. Nothing is published before litewitness
// has cosigned it: at first from nothing, then after a consistency proof. Then
// torchwood and transparency-dev/formats read the log.
func TestLitewitness(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := node.Init(t.Context(), dir, origin, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	logKey := strings.TrimSpace(read(t, filepath.Join(dir, "log.vkey")))
	witnessKey, address := litewitness(t, logKey)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	policy := strings.Replace(read(t, filepath.Join(dir, "trust.policy")), "quorum local\n",
		fmt.Sprintf("witness lite %s http://%s\ngroup both all local lite\nquorum both\n", witnessKey, address), 1)
	if err := os.WriteFile(filepath.Join(dir, "trust.policy"), []byte(policy), 0o644); err != nil {
		t.Fatal(err)
	}
	serve(t, dir, l)

	c, err := client.New(url, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// The second is waited for until a tree that extends the first is cosigned.
	for _, name := range []string{"alpha", "beta"} {
		if _, err := c.Submit(t.Context(), enrolment(t, dir, name), true); err != nil {
			t.Fatal(err)
		}
	}
	cp, err := c.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	readWithTorchwood(t, url, policy, cp)
	readWithFormats(t, policy, logKey, witnessKey, cp)
}

// readWithTorchwood verifies the checkpoint by torchwood's policies, fetches an
// entry with its client, and has it verify the tlog-proof of it.
func readWithTorchwood(t *testing.T, url, policy string, cp []byte) {
	t.Helper()
	p, err := torchwood.ParsePolicy([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, n, err := torchwood.VerifyCheckpoint(cp, p)
	if err != nil {
		t.Fatalf("%v\n%s", err, cp)
	}
	if checkpoint.Origin != origin || checkpoint.N < 6 || len(n.Sigs) != 3 {
		t.Errorf("%+v with %d signatures", checkpoint, len(n.Sigs))
	}
	fetcher, err := torchwood.NewTileFetcher(url)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := torchwood.NewClient(fetcher)
	if err != nil {
		t.Fatal(err)
	}
	const index = 2
	leaf, path, err := reader.Entry(t.Context(), checkpoint.Tree, index)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := entry.Parse(leaf); err != nil || e.Kind != entry.KindParty {
		t.Errorf("entry %d: %v", index, err)
	}
	spicy := torchwood.FormatProof(index, path, cp)
	if err := torchwood.VerifyProof(p, tlog.RecordHash(leaf), spicy); err != nil {
		t.Errorf("tlog-proof: %v\n%s", err, spicy)
	}
	if err := torchwood.VerifyProof(p, tlog.RecordHash(leaf[1:]), spicy); err == nil {
		t.Error("the tlog-proof of another entry verifies")
	}
	var parsed proof.TLogProof
	if err := parsed.Unmarshal(spicy); err != nil || parsed.Index != index || string(parsed.Checkpoint) != string(cp) {
		t.Errorf("formats: tlog-proof: %v", err)
	}
}

// readWithFormats parses the checkpoint and the cosignature, and asks whether the
// policy is satisfied.
func readWithFormats(t *testing.T, policy, logKey, witnessKey string, cp []byte) {
	t.Helper()
	ours, err := note.NewVerifier(logKey)
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := formats.NewVerifierForCosignatureV1(witnessKey)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, _, n, err := log.ParseCheckpoint(cp, origin, ours, cosigner)
	if err != nil {
		t.Fatal(err)
	}
	if checkpoint.Size < 6 || len(n.Sigs) != 2 {
		t.Errorf("%+v with %d signatures", checkpoint, len(n.Sigs))
	}
	for _, sig := range n.Sigs {
		if sig.Name == origin {
			continue
		}
		if at, err := formats.CoSigV1Timestamp(sig); err != nil || time.Since(at) > time.Hour {
			t.Errorf("cosigned at %v: %v", at, err)
		}
	}
	// Their policies have no log lines, and every witness has a URL.
	var lines []string
	for _, line := range strings.Split(policy, "\n") {
		if strings.HasPrefix(line, "witness local ") {
			line += " https://witness.example/local"
		}
		lines = append(lines, line)
	}
	group, err := theirs.ParsePolicy([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if !group.Satisfied(cp) {
		t.Errorf("formats: the policy is not satisfied by\n%s", cp)
	}
	if short := cp[:strings.LastIndex(strings.TrimSpace(string(cp)), "\n")+1]; group.Satisfied(short) {
		t.Errorf("formats: the policy is satisfied by\n%s", short)
	}
}

// litewitness starts the process, and another one that has its key. They end
// with the test.
func litewitness(t *testing.T, logKey string) (vkey, address string) {
	t.Helper()
	module := filepath.Join("..", "..", "tools", "litewitness")
	bin := t.TempDir()
	for name, pkg := range map[string]string{"helper": ".", "witness": "filippo.io/torchwood/cmd/litewitness"} {
		out, err := exec.CommandContext(t.Context(), "go", "build", "-C", module, "-o", filepath.Join(bin, name), pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	// The path of a socket must be short.
	run, err := os.MkdirTemp("", "lw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	db, socket := filepath.Join(run, "db"), filepath.Join(run, "agent")
	const name = "witness.example/lite"
	helper := exec.CommandContext(t.Context(), filepath.Join(bin, "helper"), db, socket, name, logKey)
	helper.Stderr = os.Stderr
	if _, err := helper.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, helper)
	lines := bufio.NewScanner(out)
	var said []string
	for len(said) < 2 && lines.Scan() {
		said = append(said, lines.Text())
	}
	if len(said) < 2 {
		t.Fatalf("%q: %v", said, lines.Err())
	}
	address = free(t)
	begin(t, exec.CommandContext(t.Context(), filepath.Join(bin, "witness"),
		"-db", db, "-ssh-agent", socket, "-name", name, "-key", said[1], "-listen", address))
	return said[0], address
}

// begin starts a process; when the test ends, so does its context, and that.
func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serve runs the node until the test ends.
func serve(t *testing.T, dir string, l net.Listener) {
	t.Helper()
	n, err := node.Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// enrolment enrols a party with the registrar's key in dir.
func enrolment(t *testing.T, dir, name string) []byte {
	t.Helper()
	registrar, err := keyfile.Load(filepath.Join(dir, "registrar.key"))
	if err != nil {
		t.Fatal(err)
	}
	// The proofs of possession do not depend on who is the registrar.
	e, err := entry.Sign(testlog.NewParty(name, 1).Enrol(origin, testlog.NewKey("any", false)).Payload, registrar)
	if err != nil {
		t.Fatal(err)
	}
	return e.Leaf
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
