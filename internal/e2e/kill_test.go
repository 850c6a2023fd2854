package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

const (
	origin  = "log.example/kill"
	rounds  = 20
	writers = 4
)

// fast is what standingd.yaml says of time: otherwise a round would take
// seconds.
const fast = "batch: {interval: 5ms, first: 2ms}\ncosign: {grace: 1ms, refresh: 50ms}\n"

// world is a node's directory and what the world knows of its log.
type world struct {
	*testing.T
	dir    string
	binary string
	policy *trust.Policy
	party  *testlog.Party

	mu    sync.Mutex
	acked map[uint64]string            // id by index, as submitters were told
	seen  map[uint64][sha256.Size]byte // published roots by size
	large uint64                       // the largest sealed size told
	count int                          // of attestations made
}

// TestKill kills a node under load, again and again. Each time it starts by
// itself, everything it acknowledged is there, a sample of it proves, and no
// checkpoint that anybody has ever seen contradicts another.
func TestKill(t *testing.T) {
	w := newWorld(t)
	var slowest, sum time.Duration
	for round := range rounds {
		n := w.start()
		sum, slowest = sum+n.took, max(slowest, n.took)
		if round == 0 {
			w.enrol(n)
		}
		w.expect(n)
		var load sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range writers {
			load.Go(func() { w.write(ctx, n) })
		}
		load.Go(func() { w.watch(ctx, n) })
		time.Sleep(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		n.kill()
		cancel()
		load.Wait()
	}
	n := w.start()
	w.expect(n)
	w.consistent(n)
	n.kill()
	if len(w.acked) < 5*rounds {
		t.Errorf("%d entries acknowledged: hardly a load", len(w.acked))
	}
	t.Logf("%d entries acknowledged, %d checkpoints seen; from start to first answer %v, at most %v",
		len(w.acked), len(w.seen), (sum / rounds).Round(time.Millisecond), slowest.Round(time.Millisecond))
	_, log, err := node.Fsck(t.Context(), w.dir, slog.New(slog.DiscardHandler), func(_, _ uint64) {})
	if err != nil {
		t.Fatalf("fsck: %v", err)
	}
	if got := log.Stats(); got.Ignored != 0 || got.Strays != 0 || got.Entries < uint64(len(w.acked)) {
		t.Errorf("fsck: %+v", got)
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

// newWorld builds standingd and makes a node.
func newWorld(t *testing.T) *world {
	tmp := t.TempDir()
	w := &world{
		T: t, dir: filepath.Join(tmp, "node"), binary: filepath.Join(tmp, "standingd"),
		party: testlog.NewParty("steward", 2), acked: map[uint64]string{}, seen: map[uint64][sha256.Size]byte{},
	}
	w.run("go", "build", "-o", w.binary, "github.com/standing-log/standing/cmd/standingd")
	w.run(w.binary, "init", "--dir", w.dir, "--origin", origin)
	config := filepath.Join(w.dir, "standingd.yaml")
	b, err := os.ReadFile(config)
	w.must(err)
	w.must(os.WriteFile(config, append(b, fast...), 0o644))
	w.policy, err = node.ReadPolicy(w.dir)
	w.must(err)
	return w
}

func (w *world) run(name string, args ...string) {
	w.Helper()
	if out, err := exec.CommandContext(w.Context(), name, args...).CombinedOutput(); err != nil {
		w.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// process is a standingd that serves.
type process struct {
	*client.Client
	cmd    *exec.Cmd
	took   time.Duration // from exec to the first answer
	stderr bytes.Buffer
}

// start starts the node and waits until it answers.
func (w *world) start() *process {
	w.Helper()
	began := time.Now()
	n := &process{cmd: exec.Command(w.binary, "serve", "--dir", w.dir, "--listen", "127.0.0.1:0")}
	n.cmd.Stderr = &n.stderr
	out, err := n.cmd.StdoutPipe()
	w.must(err)
	w.must(n.cmd.Start())
	w.Cleanup(n.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = n.cmd.Wait()
		w.Fatalf("start: %v\n%s", err, &n.stderr)
	}
	address := strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	n.Client, err = client.New(address, client.Config{Timeout: 10 * time.Second, Attempts: 1})
	w.must(err)
	if _, err := n.Info(w.Context()); err != nil {
		w.Fatalf("start: %v\n%s", err, &n.stderr)
	}
	n.took = time.Since(began)
	return n
}

// kill kills the process: no handler runs, nothing is flushed.
func (n *process) kill() {
	_ = n.cmd.Process.Kill() // it may have been killed before
	_ = n.cmd.Wait()
}

// enrol lets the node's registrar enrol the party.
func (w *world) enrol(n *process) {
	w.Helper()
	registrar, err := keyfile.Load(filepath.Join(w.dir, "registrar.key"))
	w.must(err)
	// The proofs of possession do not depend on who is the registrar.
	e, err := entry.Sign(w.party.Enrol(origin, testlog.NewKey("any", false)).Payload, registrar)
	w.must(err)
	w.party.ID = e.ID
	res, err := n.Submit(w.Context(), e.Leaf, true)
	w.must(err)
	w.acknowledge(res)
}

func (w *world) acknowledge(r *client.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.acked[r.Index]; ok && old != r.ID {
		w.Errorf("index %d was acknowledged for %s and for %s", r.Index, old, r.ID)
	}
	w.acked[r.Index] = r.ID
	w.large = max(w.large, r.SealedSize)
}

// attest returns an attestation never made before.
func (w *world) attest() *entry.Entry {
	w.mu.Lock()
	w.count++
	n := w.count
	w.mu.Unlock()
	k, purl := w.party.Keys[n%2], fmt.Sprintf("pkg:npm/left@1.0.%d", n)
	return testlog.Attest(k, testlog.Claims(origin, uint64(time.Now().Unix()), 5), testlog.Component(purl))
}

// write submits attestations, and now and then revokes one, until the node has
// gone.
func (w *world) write(ctx context.Context, n *process) {
	for i := 0; ; i++ {
		e := w.attest()
		if i%5 == 4 {
			if id, ok := w.some(); ok {
				e = testlog.Revoke(origin, 0, w.party.Keys[0], id)
			}
		}
		res, err := n.Submit(ctx, e.Leaf, i%7 == 0)
		if refused, ok := errors.AsType[*client.RefusedError](err); ok {
			// Two writers may revoke the same.
			if e.Kind != entry.KindRevocation {
				w.Errorf("%s refused: %v", e.Kind, refused)
			}
			continue
		}
		if err != nil {
			return
		}
		w.acknowledge(res)
	}
}

// some returns an acknowledged attestation.
func (w *world) some() (id entry.Hash, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, printed := range w.acked {
		if h, is := strings.CutPrefix(printed, "att:"); is {
			b, err := hex.DecodeString(h)
			return entry.Hash(b), err == nil
		}
	}
	return id, false
}

// watch collects checkpoints until the node has gone.
func (w *world) watch(ctx context.Context, n *process) {
	for {
		cp, err := n.Checkpoint(ctx)
		if err != nil {
			return
		}
		w.see(cp)
		select {
		case <-time.After(3 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// see opens a checkpoint and compares it with all others of its size.
func (w *world) see(cp []byte) uint64 {
	opened, err := w.policy.Open(cp, time.Now())
	if err != nil {
		w.Errorf("checkpoint: %v\n%s", err, cp)
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.seen[opened.Size]; ok && old != opened.Root {
		w.Errorf("two roots at size %d", opened.Size)
	}
	w.seen[opened.Size] = opened.Root
	return opened.Size
}

// expect waits until what was acknowledged is published again, and looks for
// all of it.
func (w *world) expect(n *process) {
	w.Helper()
	for {
		cp, err := n.Checkpoint(w.Context())
		if err == nil && w.see(cp) >= w.large {
			break
		}
		select {
		case <-time.After(time.Millisecond):
		case <-w.Context().Done():
			w.Fatalf("size %d is not published: %v\n%s", w.large, err, &n.stderr)
		}
	}
	found := 0
	for e, err := range n.Entries(w.Context(), 0) {
		w.must(err)
		want, ok := w.acked[e.Index]
		if ok && e.ID != want {
			w.Errorf("entry %d is %s, acknowledged was %s", e.Index, e.ID, want)
		}
		if ok {
			found++
		}
	}
	if found != len(w.acked) {
		w.Fatalf("%d acknowledged entries of %d are there", found, len(w.acked))
	}
	w.prove(n)
}

// prove fetches and judges bundles of some acknowledged attestations.
func (w *world) prove(n *process) {
	w.Helper()
	left := 5
	for _, id := range w.acked {
		if !strings.HasPrefix(id, "att:") {
			continue
		}
		b, err := n.Bundle(w.Context(), id)
		w.must(err)
		report := verify.Bundle(b, verify.Options{Policy: w.policy, Now: time.Now()})
		if got := report.Verdict; got != verify.Active && got != verify.Revoked {
			w.Errorf("%s: %v", id, got)
		}
		if left--; left == 0 {
			return
		}
	}
}

// consistent reads the whole log and compares every checkpoint ever seen with
// its prefix of that size.
func (w *world) consistent(n *process) {
	w.Helper()
	cp, err := n.Checkpoint(w.Context())
	w.must(err)
	opened, err := w.policy.Open(cp, time.Now())
	w.must(err)
	tree := tlog.Tree{N: int64(opened.Size), Hash: tlog.Hash(opened.Root)}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for leaf, err := range n.AllEntries(w.Context(), tree, 0) {
		w.must(err)
		hashes, err := tlog.StoredHashes(int64(leaf.Index), leaf.Data, reader)
		w.must(err)
		stored = append(stored, hashes...)
	}
	for size, root := range w.seen {
		got, err := tlog.TreeHash(int64(size), reader)
		w.must(err)
		if [sha256.Size]byte(got) != root {
			w.Errorf("a checkpoint of size %d had root %x, the log has %x", size, root, got)
		}
	}
}
