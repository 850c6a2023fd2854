package e2e_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/recovery"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

func remake(t *testing.T, dir, from string, without ...string) (*recovery.Result, error) {
	return node.Recover(t.Context(), dir, from, without, quietLog, nil, nil)
}

// export writes the log of a stopped node into a directory.
func export(t *testing.T, dir string) (out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "out")
	if _, err := node.Export(t.Context(), dir, out, "", quietLog, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

// intact checks that a node serves and proves what it did, and takes more.
func (g *golden) intact(t *testing.T, what, dir string) {
	t.Helper()
	if err := fsck(t, dir); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if why := g.try(t, dir); why != "" {
		t.Errorf("%s: stopped by %s", what, why)
	}
}

// TestAttackEditedStore flips a bit of everything that is stored, once, and then
// has the store made again from a mirror and from itself. What comes of it is
// whole and goes on, or it was refused and nothing was touched: from the mirror
// only where the store says that something else was signed.
func TestAttackEditedStore(t *testing.T) {
	g := newGolden(t)
	mirror := export(t, g.copy(t, g.dir))
	damages := g.damages()
	refused := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(damages)) {
		if !strings.Contains(name, "middle") {
			continue
		}
		for how, run := range map[string]func(dir string) error{
			"recover": func(dir string) error { _, err := remake(t, dir, mirror); return err },
			"rebuild": func(dir string) error { _, err := node.Rebuild(t.Context(), dir, quietLog, nil, nil); return err },
		} {
			dir := g.copy(t, g.dir)
			damages[name].flip(t, dir)
			if err := run(dir); err != nil {
				refused[how] = append(refused[how], class(damages[name].key))
				if !errors.Is(err, backend.ErrDamaged) && !errors.Is(err, embedded.ErrLayout) && !errors.Is(err, recovery.ErrContradiction) && !errors.Is(err, recovery.ErrBehind) {
					t.Errorf("%s, %s: %v", name, how, err)
				}
				if _, err := os.Stat(filepath.Join(dir, "store")); err != nil {
					t.Errorf("%s, %s: %v", name, how, err)
				}
				continue
			}
			g.intact(t, name+", "+how, dir)
		}
	}
	// What says which tree was signed has to be believed.
	for _, class := range refused["recover"] {
		if !slices.Contains([]string{"layout", "root", "nodes", "leaf", "reservation", "tree"}, class) {
			t.Errorf("not recovered from a damaged %s", class)
		}
	}
	for _, class := range []string{"head", "version", "map leaf", "record", "page of records", "events", "withdrawal", "key", "place of an event"} {
		if slices.Contains(refused["rebuild"], class) {
			t.Errorf("not rebuilt from a damaged %s", class)
		}
	}
	// Where the store is not to be read at all, it is set aside by hand.
	dir := g.copy(t, g.dir)
	if err := os.Rename(filepath.Join(dir, "store"), filepath.Join(dir, "store.unreadable")); err != nil {
		t.Fatal(err)
	}
	if _, err := remake(t, dir, mirror); err != nil {
		t.Fatal(err)
	}
	g.intact(t, "without a store", dir)
}

// TestIncidentRestored starts yesterday's backup, whose witness is newer: it
// halts. Recovered from a mirror it goes on, in the same tree: what was published
// before is part of what is published after. (TrustAsia 2021 signed two trees.)
func TestIncidentRestored(t *testing.T) {
	g := newGolden(t)
	backup := filepath.Join(t.TempDir(), "store")
	g.must(os.CopyFS(backup, os.DirFS(filepath.Join(g.dir, "store"))))
	s := g.serve(g.dir)
	late := g.attest(50)
	g.log(s, late)
	g.stands[late.IDString()] = verify.Active
	before, err := s.Checkpoint(t.Context())
	g.must(err)
	g.must(s.stop())
	mirror := export(t, g.copy(t, g.dir))
	replace(t, filepath.Join(g.dir, "store"), backup)

	s = g.serve(g.dir)
	if _, err := s.Submit(t.Context(), g.attest(51).Leaf, true); err == nil {
		t.Error("a restored backup takes entries")
	}
	if code, why := s.get("/healthz"); code != 503 || !strings.Contains(string(why), "a cosigner has seen more") {
		t.Errorf("health: %d %s", code, why)
	}
	g.must(s.stop())
	res, err := remake(t, g.dir, mirror)
	g.must(err)
	if res.Before.Size >= res.Root.Size {
		t.Errorf("%+v", res)
	}
	s = g.serve(g.dir)
	defer s.stop()
	g.log(s, g.attest(52))
	g.read(t, s)
	g.consistent(t, s, before)
}

// consistent checks that what a node publishes extends an older checkpoint.
func (g *golden) consistent(t *testing.T, s *server, before []byte) {
	t.Helper()
	old, err := g.policy.Open(before, time.Now())
	g.must(err)
	after, err := s.Checkpoint(t.Context())
	g.must(err)
	cp, err := g.policy.Open(after, time.Now())
	g.must(err)
	if cp.Size <= old.Size {
		t.Fatalf("size %d, was %d", cp.Size, old.Size)
	}
	var leaves [][]byte
	l := replay.New(origin, func(index uint64) ([]byte, error) { return leaves[index], nil })
	for leaf, err := range s.AllEntries(t.Context(), tlog.Tree{N: int64(cp.Size), Hash: cp.Root}, 0) {
		g.must(err)
		leaves = append(leaves, leaf.Data)
		_, err := l.Add(leaf.Data)
		g.must(err)
		if root, err := l.Root(); l.Size() == old.Size && (err != nil || root != old.Root) {
			t.Errorf("of the first %d leaves the root is %x, and was %x: %v", old.Size, root, old.Root, err)
		}
	}
}

// TestIncidentTwoHeads runs two clones of a whole node, witness and all, which
// only witnesses elsewhere could keep apart: there are two trees, both signed.
// Neither is recovered from the other: both stay as they are, and what differs
// is named.
func TestIncidentTwoHeads(t *testing.T) {
	g := newGolden(t)
	var dirs, outs [2]string
	for i := range dirs {
		dirs[i] = g.copy(t, g.dir)
		s := g.serve(dirs[i])
		if _, err := s.Submit(t.Context(), g.attest(60+i).Leaf, true); err != nil {
			t.Fatal(err)
		}
		g.must(s.stop())
		outs[i] = export(t, dirs[i])
	}
	for i := range dirs {
		_, err := remake(t, dirs[i], outs[1-i])
		if !errors.Is(err, recovery.ErrContradiction) || !strings.Contains(err.Error(), fmt.Sprintf("leaf %d is the first that differs", len(g.leaves))) {
			t.Errorf("%v", err)
		}
		if _, err := node.Export(t.Context(), dirs[i], outs[1-i], "", quietLog, nil); err == nil {
			t.Error("one tree was exported over the other")
		}
		g.must(fsck(t, dirs[i]))
	}
	// A witness elsewhere, whose state is the other's, keeps a wiped one from it.
	wiped := g.copy(t, dirs[0])
	replace(t, filepath.Join(wiped, "witness"), filepath.Join(dirs[1], "witness"))
	g.must(errors.Join(os.RemoveAll(filepath.Join(wiped, "store")), os.RemoveAll(filepath.Join(wiped, "store.recovering"))))
	if _, err := remake(t, wiped, outs[0]); !errors.Is(err, recovery.ErrContradiction) || !strings.Contains(err.Error(), "both signed by this log") {
		t.Errorf("%v", err)
	}
	if _, err := remake(t, wiped, outs[1]); !errors.Is(err, recovery.ErrContradiction) || !strings.Contains(err.Error(), "keep "+filepath.Join(wiped, "store.recovering")) {
		t.Errorf("after another mirror: %v", err)
	}
	g.must(os.RemoveAll(filepath.Join(wiped, "store.recovering")))
	// One that has seen more keeps it from an older mirror, whoever is named.
	if _, err := remake(t, wiped, export(t, g.copy(t, g.dir)), "local"); !errors.Is(err, sequencer.ErrRestored) {
		t.Errorf("%v", err)
	}
}

// TestIncidentKeyStolen is the drill: the log's key is stolen at size N, and
// readers close the log there. What was proven by then stays good, all else is
// nothing, whoever cosigns it; the log begins anew under another origin. (CT2 was
// retired when its key may have been stolen.)
func TestIncidentKeyStolen(t *testing.T) {
	n := testnode.New(t, "log.example/stolen")
	p := n.Enrol("steward", 1)
	attest := func(name string) [32]byte {
		a := testlog.Attest(p.Keys[0], testlog.Claims(n.Origin, n.Unix()-3600, 3), testlog.Component(name))
		n.Submit(a)
		return a.ID
	}
	good := attest("pkg:npm/left@1.0.0")
	proven := n.Bundle(good)
	cp, err := n.Prover.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	last, err := n.Policy.Open(cp, n.Now())
	if err != nil {
		t.Fatal(err)
	}
	// The thief goes on, and even has the witness.
	stolen := attest("pkg:npm/right@1.0.0")
	forged := n.Sign(trust.Body{Origin: n.Origin, Size: last.Size, Root: [32]byte{1}}, 1, int64(n.Unix()))

	pin := fmt.Sprintf("close %s %d %s\n", n.Origin, last.Size, base64.StdEncoding.EncodeToString(last.Root[:]))
	policy, err := n.Policy.Pin([]byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	reader := verify.Options{Policy: policy, Now: n.Now()}
	if r := verify.Bundle(proven, reader); r.Verdict != verify.Active {
		t.Errorf("proven before: %v, %v", r.Verdict, r.Err)
	}
	for name, b := range map[string][]byte{"attested after": n.Bundle(stolen), "proven after": n.Bundle(good)} {
		if r := verify.Bundle(b, verify.Options{Policy: n.Policy, Now: n.Now()}); r.Verdict != verify.Active {
			t.Errorf("%s, to those who know nothing: %v, %v", name, r.Verdict, r.Err)
		}
		if r := verify.Bundle(b, reader); r.Verdict != verify.Invalid {
			t.Errorf("%s: %v, %v", name, r.Verdict, r.Err)
		}
	}
	if _, err := policy.Open(forged, n.Now()); err == nil {
		t.Error("another tree of that size is believed")
	}
	// One command, and the party is welcome there.
	dir := filepath.Join(t.TempDir(), "node")
	if err := node.Init(t.Context(), dir, "log.example/anew", quietLog); err != nil {
		t.Fatal(err)
	}
	s, err := serve(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := s.Info(t.Context()); err != nil || info.Origin != "log.example/anew" {
		t.Errorf("%+v, %v", info, err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
