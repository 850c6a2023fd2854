package sequencer_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/altreader"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
)

const (
	bigOrigin = "log.example/big"
	// runEntries of them go through Submit and Run, whose order of a batch
	// must then be the generator's; the others are given turns directly.
	runEntries = 200
)

// TestBigLog grows a log of entries of all kinds, with what the map ignores
// among them, serves it as a node does, and reads it back as others do.
func TestBigLog(t *testing.T) {
	began := time.Now()
	lap := func(what string) {
		t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	dir := filepath.Join(t.TempDir(), "node")
	kinds := grow(t, dir)
	lap("grown")
	for _, k := range []entry.Kind{entry.KindCharter, entry.KindParty, entry.KindKey, entry.KindProgramme, entry.KindAttestation, entry.KindRevocation} {
		if kinds[k] < 3 {
			t.Errorf("%d entries of kind %s", kinds[k], k)
		}
	}
	url := serveNode(t, dir)
	lap("opened, cosigned and served")
	tree, leaves := download(t, dir, url)
	t.Logf("%d leaves", len(leaves))
	lap("read with torchwood")
	t.Run("replay", func(t *testing.T) { replayBoth(t, tree, leaves) })
	lap("replayed")
	t.Run("tessera", func(t *testing.T) { tesseraReads(t, dir, url, tree, leaves) })
	lap("read with Tessera")
}

// grower feeds generated entries to a sequencer and compares its answers.
type grower struct {
	*testing.T
	*testlog.Generator
	seq      *sequencer.Sequencer
	keys     map[sequencer.Hash]entry.PublicKey
	kinds    map[entry.Kind]int
	places   map[sequencer.Hash]sequencer.Result
	accepted int
	again    int
	next     uint64 // index, if what waits is accepted as it should be

	batch []*entry.Entry
	want  []reason.Code
}

// grow makes a node in dir whose log is generated, and counts its entries.
func grow(t *testing.T, dir string) map[entry.Kind]int {
	t.Helper()
	check(t, node.Init(t.Context(), dir, bigOrigin, slog.New(slog.DiscardHandler)))
	// The generator knows the keys of its own charter only.
	store := filepath.Join(dir, "store")
	check(t, os.RemoveAll(store))
	b, err := embedded.Open(t.Context(), embedded.Options{Dir: store})
	check(t, err)
	defer func() { check(t, b.Close()) }()
	cfg := sequencer.Config{
		Origin: bigOrigin, Backend: b, Signers: signers(t, dir),
		Cosign:   func(_ context.Context, cp []byte, _ uint64) ([]byte, error) { return cp, nil },
		Interval: time.Millisecond, FirstInterval: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	cfg.Policy, err = trust.Parse(fmt.Appendf(nil, "log %s\nquorum none\n", read(t, dir, "log.vkey")))
	check(t, err)
	g := &grower{
		T: t, Generator: testlog.New(bigOrigin, 20), keys: map[sequencer.Hash]entry.PublicKey{},
		kinds: map[entry.Kind]int{}, places: map[sequencer.Hash]sequencer.Result{},
	}
	charter, code := g.admit(g.Next(0))
	if code != "" {
		t.Fatal(code)
	}
	check(t, sequencer.Init(t.Context(), cfg, charter))
	g.kinds[entry.KindCharter]++
	g.accepted, g.next = 1, 2
	g.seq, err = sequencer.Open(t.Context(), cfg)
	check(t, err)
	g.throughRun()
	// A sequencer is run once.
	g.seq, err = sequencer.Open(t.Context(), cfg)
	check(t, err)
	for g.accepted < bigSize {
		for len(g.batch) < min(300, bigSize-g.accepted) {
			g.wait(g.Next(g.next))
		}
		g.flush(g.seq.TurnInOrder)
	}
	t.Logf("%v, and %d submitted again", g.kinds, g.again)
	return g.kinds
}

// throughRun submits the first entries, one at a time: in a batch withdrawals
// would overtake the others, and stand where the generator does not know them.
func (g *grower) throughRun() {
	ctx, cancel := context.WithCancel(g.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = g.seq.Run(ctx) }) // it returns nil
	defer running.Wait()
	defer cancel()
	for g.accepted < runEntries {
		g.wait(g.Next(g.next))
		g.flush(g.seq.SubmitAll)
	}
}

// wait puts an item into the batch, unless admission refuses it.
func (g *grower) wait(item testlog.Item) {
	g.Helper()
	e, code := g.admit(item)
	if code != "" {
		if code != item.Want {
			g.Fatalf("refused at admission with %q, should be with %q: %.300q", code, item.Want, item.Leaf)
		}
		return
	}
	g.batch, g.want = append(g.batch, e), append(g.want, item.Want)
	if item.Want == "" {
		g.next++
	}
}

// admit does what admission does, but for lint, and with the keys that wait in
// the batch.
func (g *grower) admit(item testlog.Item) (*entry.Entry, reason.Code) {
	e, err := entry.Parse(item.Leaf)
	if err != nil {
		return nil, reason.CodeOf(err)
	}
	if item.Want == "" {
		for _, k := range e.NewKeys() {
			g.keys[k.ID()] = k
		}
	}
	key, ok := g.keys[e.KeyID]
	if !ok {
		return nil, reason.KeyUnknown
	}
	if err := e.Verify(key); err != nil {
		return nil, reason.CodeOf(err)
	}
	return e, ""
}

// flush submits the batch and compares each answer.
func (g *grower) flush(submit func(context.Context, []*entry.Entry) ([]sequencer.Result, []error)) {
	g.Helper()
	if len(g.batch) == 0 {
		return
	}
	results, errs := submit(g.Context(), g.batch)
	next := g.seq.SignedSize()
	for n, e := range g.batch {
		// What the generator replays is ignored by the map, and answered by
		// the sequencer as it was the first time.
		if first, ok := g.places[e.ID]; ok && errs[n] == nil && g.want[n] != "" {
			if first.Duplicate = true; results[n] != first {
				g.Fatalf("submitted again: %+v, want %+v", results[n], first)
			}
			g.again++
			continue
		}
		if got := reason.CodeOf(errs[n]); got != g.want[n] || (errs[n] != nil) != (got != "") {
			g.Fatalf("%s %x: %v, want code %q: %s", e.Kind, e.ID[:4], errs[n], g.want[n], e.Payload)
		}
		if errs[n] != nil {
			continue
		}
		if results[n].Sealed != next || results[n].Duplicate {
			g.Fatalf("answer %+v, signed size is %d", results[n], next)
		}
		g.places[e.ID] = results[n]
		g.accepted++
		g.kinds[e.Kind]++
	}
	if next != g.next && next != g.next+1 {
		g.Fatalf("signed size %d, want %d", next, g.next+1)
	}
	g.batch, g.want, g.next = nil, nil, next
}

func check(t *testing.T, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// read returns a file of the node, trimmed.
func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	check(t, err)
	return strings.TrimSpace(string(b))
}

func signers(t *testing.T, dir string) []note.Signer {
	t.Helper()
	ed, err := note.NewSigner(read(t, dir, "log.key"))
	check(t, err)
	mldsa, err := formats.NewMLDSASigner(read(t, dir, "log-mldsa.key"))
	check(t, err)
	return []note.Signer{ed, mldsa}
}

// serveNode serves the node until the test ends, and returns its URL once the
// whole log is published.
func serveNode(t *testing.T, dir string) string {
	t.Helper()
	n, err := node.Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := n.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		serving.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	check(t, n.WaitPublished(t.Context(), bigSize))
	return "http://" + l.Addr().String() + "/"
}

// download reads the whole log with torchwood's client, which verifies every
// entry against the checkpoint.
func download(t *testing.T, dir, url string) (tlog.Tree, [][]byte) {
	t.Helper()
	policy, err := torchwood.ParsePolicy([]byte(read(t, dir, "trust.policy") + "\n"))
	check(t, err)
	fetcher, err := torchwood.NewTileFetcher(url)
	check(t, err)
	signed, err := fetcher.ReadEndpoint(t.Context(), "checkpoint")
	check(t, err)
	cp, _, err := torchwood.VerifyCheckpoint(signed, policy)
	check(t, err)
	client, err := torchwood.NewClient(fetcher)
	check(t, err)
	var leaves [][]byte
	for _, leaf := range client.AllEntries(t.Context(), cp.Tree, 0) {
		leaves = append(leaves, leaf)
	}
	check(t, client.Err())
	if int64(len(leaves)) != cp.N {
		t.Fatalf("%d leaves of %d", len(leaves), cp.N)
	}
	for _, n := range []int64{0, 1, 255, 256, bigSize / 2, cp.N - 1} {
		leaf, path, err := client.Entry(t.Context(), cp.Tree, n)
		check(t, err)
		if string(leaf) != string(leaves[n]) {
			t.Errorf("entry %d differs", n)
		}
		check(t, tlog.CheckRecord(path, cp.N, cp.Hash, n, tlog.RecordHash(leaf)))
	}
	return cp.Tree, leaves
}

// replayBoth computes every seal again, with the map function and with
// altreader.
func replayBoth(t *testing.T, tree tlog.Tree, leaves [][]byte) {
	var wg sync.WaitGroup
	seals := 0
	wg.Go(func() {
		log, err := replay.Fsck(t.Context(), served(leaves), bigOrigin, uint64(tree.N), replay.Hash(tree.Hash), nil)
		if err != nil {
			t.Errorf("map function: %v", err)
			return
		}
		if got := log.Stats(); got.Entries != bigSize || got.Ignored != 0 || got.Strays != 0 {
			t.Errorf("map function: %+v", got)
		}
	})
	wg.Go(func() {
		o := altreader.New(bigOrigin)
		for n, leaf := range leaves {
			out, err := o.Add(leaf)
			if err != nil || out.Ignored || out.Stray {
				t.Errorf("altreader: leaf %d: %+v, %v", n, out, err)
				return
			}
			if out.Live {
				seals++
			}
		}
	})
	wg.Wait()
	t.Logf("%d seals", seals)
	if seals != len(leaves)-bigSize {
		t.Errorf("%d seals among %d leaves", seals, len(leaves))
	}
}

// served is a log that was read: a replay.Source.
type served [][]byte

func (s served) Leaves(_ context.Context, size uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, leaf := range s[:size] {
			if !yield(leaf, nil) {
				return
			}
		}
	}
}

func (s served) Leaf(_ context.Context, index uint64) ([]byte, error) {
	if index >= uint64(len(s)) {
		return nil, errors.New("beyond the tree")
	}
	return s[index], nil
}
