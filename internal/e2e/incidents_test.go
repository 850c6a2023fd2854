package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/verify"
)

// lying is a store that lies once it is told to.
type lying struct {
	backend.Backend
	on     atomic.Bool
	leaves func(first uint64, leaves [][]byte)
	root   func(*backend.Root)
	stored func(leaves [][]byte)
}

func (l *lying) Append(ctx context.Context, first uint64, leaves [][]byte, side []backend.Write) (backend.Root, error) {
	if l.stored != nil && l.on.Load() {
		leaves = slices.Clone(leaves)
		for i := range leaves {
			leaves[i] = bytes.Clone(leaves[i])
		}
		l.stored(leaves)
	}
	r, err := l.Backend.Append(ctx, first, leaves, side)
	if l.root != nil && l.on.Load() {
		l.root(&r)
	}
	return r, err
}

func (l *lying) Leaves(ctx context.Context, first, n uint64) ([][]byte, error) {
	leaves, err := l.Backend.Leaves(ctx, first, n)
	if err == nil && l.leaves != nil && l.on.Load() {
		l.leaves(first, leaves)
	}
	return leaves, err
}

// scene is a log with one attestation, and the next one admitted.
func scene(t *testing.T) (n *testnode.Node, old entry.Hash, next *entry.Entry) {
	t.Helper()
	n = testnode.New(t, "log.example/incident")
	p := n.Enrol("steward", 1)
	claims := func() *entry.Attestation { return testlog.Claims(n.Origin, n.Unix()-3600, 3) }
	a := testlog.Attest(p.Keys[0], claims(), testlog.Component("pkg:npm/left@1.0.0"))
	n.Submit(a)
	b := testlog.Attest(p.Keys[0], claims(), testlog.Component("pkg:npm/right@1.0.0"))
	next, err := admission.New(sequencer.KeyStore{Backend: n.Backend}, n.Now).Admit(b.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return n, a.ID, next
}

// wantHalted offers an entry: no receipt, nothing signed, and what was published
// stays good.
func wantHalted(t *testing.T, n *testnode.Node, old entry.Hash, next *entry.Entry) {
	t.Helper()
	size := n.Sequencer.SignedSize()
	if res, err := n.Sequencer.Submit(t.Context(), next); reason.CodeOf(err) != reason.ReadOnly {
		t.Errorf("receipt %+v, %v", res, err)
	}
	if err := n.Sequencer.Err(); !errors.Is(err, backend.ErrDamaged) {
		t.Errorf("stopped by %v", err)
	}
	if got := n.Sequencer.SignedSize(); got != size || n.Sequencer.PublishedSize() != size {
		t.Errorf("signed size %d, was %d", got, size)
	}
	if got := verify.Bundle(n.Bundle(old), n.Reader()).Verdict; got != verify.Active {
		t.Errorf("what was published is %s", got)
	}
}

// TestIncidentBitInLeafHash flips a bit between hashing and signing: of the leaf
// hash in memory, of the leaf as it is stored, or of the root that the store
// computes. (Yeti 2022 signed a tree with one wrong bit in a leaf hash.)
func TestIncidentBitInLeafHash(t *testing.T) {
	for name, lie := range map[string]func(*lying, *entry.Entry){
		"leaf hash in memory": func(_ *lying, e *entry.Entry) { e.LeafHash[7] ^= 4 },
		"stored leaf":         func(l *lying, _ *entry.Entry) { l.stored = func(leaves [][]byte) { leaves[0][100] ^= 4 } },
		"stored seal":         func(l *lying, _ *entry.Entry) { l.stored = func(leaves [][]byte) { leaves[1][30] ^= 4 } },
		"root":                func(l *lying, _ *entry.Entry) { l.root = func(r *backend.Root) { r.Hash[31] ^= 4 } },
		"leaf read back": func(l *lying, _ *entry.Entry) {
			l.leaves = func(first uint64, leaves [][]byte) {
				if len(leaves) > 1 {
					leaves[0][100] ^= 4
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, old, next := scene(t)
			l := &lying{Backend: n.Backend.Backend}
			n.Backend.Backend = l
			lie(l, next)
			l.on.Store(true)
			wantHalted(t, n, old, next)
		})
	}
}

// TestIncidentBitInEntry flips a bit of an entry: before admission, which
// refuses it, and after its signature was verified. (Nessie 2024 hashed, and
// logged, what nobody had signed.)
func TestIncidentBitInEntry(t *testing.T) {
	n, _, next := scene(t)
	admit := admission.New(sequencer.KeyStore{Backend: n.Backend}, n.Now)
	for at := range next.Leaf {
		flipped := bytes.Clone(next.Leaf)
		flipped[at] ^= 1 << (at % 8)
		if e, err := admit.Admit(flipped); err == nil {
			t.Errorf("byte %d is flipped, and entry %x admitted", at, e.ID)
		}
	}
	for _, part := range []float64{0, 0.3, 0.6, 0.99} {
		n, old, next := scene(t)
		next.Leaf[int(part*float64(len(next.Leaf)))] ^= 1
		wantHalted(t, n, old, next)
	}
}

// TestIncidentRowsDropped moves a log into a new store with rows dropped,
// duplicated, or swapped: no node starts on it, and fsck says that it is not the
// log. (Oak 2022 lost and duplicated rows when its shard was split.)
func TestIncidentRowsDropped(t *testing.T) {
	g := newGolden(t)
	n := len(g.leaves)
	for name, rows := range map[string][][]byte{
		"dropped":                slices.Delete(slices.Clone(g.leaves), 5, 6),
		"first dropped":          g.leaves[1:],
		"last dropped":           g.leaves[:n-1],
		"last batch dropped":     g.leaves[:n-2],
		"duplicated":             slices.Insert(slices.Clone(g.leaves), 5, g.leaves[5]),
		"last duplicated":        append(slices.Clone(g.leaves), g.leaves[n-1]),
		"last batch duplicated":  append(slices.Clone(g.leaves), g.leaves[n-2:]...),
		"two rows changed place": slices.Concat(g.leaves[:4], g.leaves[6:7], g.leaves[5:6], g.leaves[4:5], g.leaves[7:]),
	} {
		t.Run(name, func(t *testing.T) {
			dir := g.copy(t, g.dir)
			migrate(t, dir, rows)
			if s, err := serve(t, dir); err == nil {
				t.Errorf("it starts at %s", s.url)
			} else if text := err.Error(); !strings.Contains(text, "damaged") {
				t.Errorf("start: %v", err)
			}
			err := fsck(t, dir)
			if err == nil {
				t.Error("fsck finds nothing")
			}
			t.Logf("fsck: %v", err)
		})
	}
}

// migrate moves the side store, and the rows given, into a new store.
func migrate(t *testing.T, dir string, rows [][]byte) {
	t.Helper()
	old := pebbleDB(t, dir)
	it, err := old.NewIter(&pebble.IterOptions{LowerBound: []byte("S"), UpperBound: []byte("T")})
	if err != nil {
		t.Fatal(err)
	}
	var side []backend.Write
	for ok := it.First(); ok; ok = it.Next() {
		side = append(side, backend.Write{Key: bytes.Clone(it.Key()[1:]), Value: append([]byte{}, it.Value()...)})
	}
	if err := errors.Join(it.Close(), old.Close()); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "store")
	b, err := embedded.Open(t.Context(), embedded.Options{Dir: moved})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Append(t.Context(), 0, rows, side)
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	replace(t, filepath.Join(dir, "store"), moved)
}

// TestIncidentIndexLost loses what finds entries that are in the log already, or
// their seals. They are offered again: none is logged twice, and none changes.
func TestIncidentIndexLost(t *testing.T) {
	for lost, want := range map[string]string{"i": "place of event", "s": "places of"} {
		t.Run(lost, func(t *testing.T) { indexLost(t, lost, want) })
	}
}

func indexLost(t *testing.T, lost, want string) {
	g := newGolden(t)
	dir := g.copy(t, g.dir)
	db := pebbleDB(t, dir)
	if err := errors.Join(db.DeleteRange([]byte("S"+lost), []byte{'S', lost[0] + 1}, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := fsck(t, g.copy(t, dir)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("fsck: %v", err)
	}
	s := g.serve(dir)
	for id, e := range g.entries {
		if res, err := s.Submit(t.Context(), e.Leaf, true); err == nil && (res.Index >= uint64(len(g.leaves)) || !bytes.Equal(g.leaves[res.Index], e.Leaf)) {
			t.Errorf("%s was logged again, at %d", id, res.Index)
		}
	}
	g.read(t, s)
	cp, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.stop()
	g.recompute(t, dir, cp)
	if opened, err := g.policy.Open(cp, time.Now()); err != nil || opened.Size != uint64(len(g.leaves)) {
		t.Errorf("published: %+v, %v", opened, err)
	}
}

// TestIncidentClock steps the clocks of log and witness, and the reader's. Seals
// never go back, and no step makes an old answer look fresh. (Mammoth 2025h1
// served an entry that was newer than the tree over it.)
func TestIncidentClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, step := range []time.Duration{time.Second, -time.Second, time.Hour, -time.Hour, year, -year} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			n, old, next := scene(t)
			before, reader := n.Bundle(old), n.Reader()
			n.Advance(step) // between admission and sealing
			res, err := n.Sequencer.Submit(t.Context(), next)
			if err != nil {
				t.Fatal(err)
			}
			// A small step is bridged; a witness whose clock went far back does
			// not cosign, so that nothing is published.
			if step > -time.Minute {
				if err := n.Sequencer.WaitPublished(t.Context(), res.Sealed); err != nil {
					t.Fatal(err)
				}
				if got := verify.Bundle(n.Bundle(next.ID), n.Reader()).Verdict; got != verify.Active {
					t.Errorf("by the new clock it is %s", got)
				}
			}
			leaves, err := n.Backend.Leaves(t.Context(), 0, res.Sealed)
			if err != nil {
				t.Fatal(err)
			}
			last := uint64(0)
			for _, leaf := range leaves {
				if s, err := seal.Parse(leaf); err == nil {
					if s.SealedAt < last {
						t.Errorf("seal %d is dated %d, after %d", s.Index, s.SealedAt, last)
					}
					last = s.SealedAt
				}
			}
			// The reader's clock: ahead, it makes things stale; behind, it makes
			// them unknown.
			reader.Now = reader.Now.Add(step)
			want := verify.Active
			switch step {
			case year:
				want = verify.Stale
			case -time.Hour, -year:
				want = verify.NoEvidence
			}
			if got := verify.Bundle(before, reader).Verdict; got != want {
				t.Errorf("to a reader whose clock is %v off it is %s, want %s", step, got, want)
			}
		})
	}
}

// TestAttackHole puts a row where the next leaf belongs: no start.
func TestAttackHole(t *testing.T) {
	g := newGolden(t)
	for ahead := range 2 {
		dir := g.copy(t, g.dir)
		db := pebbleDB(t, dir)
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("L"), UpperBound: []byte("M")})
		if err != nil || !it.Last() {
			t.Fatal(err)
		}
		key, value := bytes.Clone(it.Key()), bytes.Clone(it.Value())
		key[len(key)-1] += byte(1 + ahead)
		if err := errors.Join(it.Close(), db.Set(key, value, pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		n, err := node.Open(t.Context(), dir, quietLog)
		if err == nil {
			// A row that is not the next one is met when its turn has come.
			_ = n.Close()
			if why := g.try(t, dir); !strings.Contains(why, "read-only") {
				t.Errorf("a row %d ahead: %s", ahead, why)
			}
		} else if !errors.Is(err, backend.ErrDamaged) {
			t.Errorf("a row %d ahead: %v", ahead, err)
		}
	}
}

// TestAttackForeignRevocation: the steward of another component withdraws, and
// somebody forges; the operator logs it all the same. Nothing changes.
func TestAttackForeignRevocation(t *testing.T) {
	n := testnode.New(t, "log.example/attack")
	victim, thief := n.Enrol("victim", 1), n.Enrol("thief", 1)
	a := testlog.Attest(victim.Keys[0], testlog.Claims(n.Origin, n.Unix(), 3), testlog.Component("pkg:npm/left@1.0.0"))
	n.Submit(a)
	foreign := testlog.Revoke(n.Origin, 0, thief.Keys[0], a.ID)
	forged := bytes.Clone(testlog.Revoke(n.Origin, 0, victim.Keys[0], a.ID).Leaf)
	at := bytes.Index(forged, []byte(`"sig":"`)) + 20
	if forged[at] ^= 1; forged[at] == '"' {
		t.Fatal("another envelope")
	}
	if _, errs := n.Offer(foreign); reason.CodeOf(errs[0]) != reason.NotYours || reason.Lookup(reason.NotYours).HTTP != 403 {
		t.Errorf("offered: %v", errs[0])
	}
	before := n.State().Seal
	n.Force(foreign.Leaf, forged)
	after := n.State().Seal
	if after.Index == before.Index || after.MapRoot != before.MapRoot || after.WithdrawalRoot != before.WithdrawalRoot || after.Keys != before.Keys {
		t.Errorf("before: %+v\nafter: %+v", before, after)
	}
	if got := verify.Bundle(n.Bundle(a.ID), n.Reader()).Verdict; got != verify.Active {
		t.Errorf("the attestation is %s", got)
	}
}
