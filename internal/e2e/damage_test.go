package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/standing-log/standing/internal/keyfile"
	"github.com/standing-log/standing/internal/node"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// golden is a stopped node that is in order, and what it answers.
type golden struct {
	*testing.T
	dir     string
	unclean string // a copy taken while it ran
	policy  *trust.Policy
	party   *testlog.Party
	leaves  [][]byte                  // all, seals included
	entries map[string]*entry.Entry   // by printed id
	places  map[string]client.Result  // of entries
	stands  map[string]verify.Verdict // of attestations
	tiles   map[string][]byte
}

var quietLog = slog.New(slog.DiscardHandler)

// newGolden makes a node with some of everything.
func newGolden(t *testing.T) *golden {
	t.Helper()
	g := &golden{
		T: t, dir: filepath.Join(t.TempDir(), "node"), unclean: filepath.Join(t.TempDir(), "node"),
		party:   testlog.NewParty("steward", 2),
		entries: map[string]*entry.Entry{}, places: map[string]client.Result{}, stands: map[string]verify.Verdict{}, tiles: map[string][]byte{},
	}
	g.must(node.Init(t.Context(), g.dir, origin, quietLog))
	config := filepath.Join(g.dir, "standingd.yaml")
	b, err := os.ReadFile(config)
	g.must(err)
	g.must(os.WriteFile(config, append(b, fast...), 0o644))
	g.policy, err = node.ReadPolicy(g.dir)
	g.must(err)
	s := g.serve(g.dir)
	registrar, err := keyfile.Load(filepath.Join(g.dir, "registrar.key"))
	g.must(err)
	enrol, err := entry.Sign(g.party.Enrol(origin, testlog.NewKey("any", false)).Payload, registrar)
	g.must(err)
	g.log(s, enrol)
	for i := range 16 { // a row of events
		a := g.attest(i)
		g.log(s, a)
		g.stands[a.IDString()] = verify.Active
		if i%4 == 1 {
			g.log(s, testlog.Revoke(origin, 0, g.party.Keys[0], a.ID))
			g.stands[a.IDString()] = verify.Revoked
		}
	}
	g.learn(s)
	g.must(os.CopyFS(g.unclean, os.DirFS(g.dir)))
	s.stop()
	return g
}

func (g *golden) must(err error) {
	if err != nil {
		g.Helper()
		g.Fatal(err)
	}
}

func (g *golden) attest(n int) *entry.Entry {
	return testlog.Attest(g.party.Keys[n%2], testlog.Claims(origin, uint64(time.Now().Unix()), 3),
		testlog.Component(fmt.Sprintf("pkg:npm/left@1.0.%d", n)))
}

// log logs an entry.
func (g *golden) log(s *server, e *entry.Entry) {
	g.Helper()
	res, err := s.Submit(g.Context(), e.Leaf, true)
	g.must(err)
	g.entries[res.ID], g.places[res.ID] = e, *res
}

// learn reads what can be read.
func (g *golden) learn(s *server) {
	g.Helper()
	cp, err := s.Checkpoint(g.Context())
	g.must(err)
	opened, err := g.policy.Open(cp, time.Now())
	g.must(err)
	for e, err := range s.Entries(g.Context(), 0) {
		g.must(err)
		g.leaves = append(g.leaves, e.Leaf)
	}
	if uint64(len(g.leaves)) != opened.Size {
		g.Fatalf("%d leaves, size %d", len(g.leaves), opened.Size)
	}
	for _, path := range []string{fmt.Sprintf("/tile/0/000.p/%d", opened.Size), fmt.Sprintf("/tile/entries/000.p/%d", opened.Size), "/tile/entries/000.p/3"} {
		code, body := s.get(path)
		if code != http.StatusOK {
			g.Fatalf("%s: %d", path, code)
		}
		g.tiles[path] = body
	}
}

// server is a node that serves, in this process.
type server struct {
	*client.Client
	t    *testing.T
	url  string
	stop func() error
}

func (g *golden) serve(dir string) *server {
	g.Helper()
	s, err := serve(g.T, dir)
	g.must(err)
	return s
}

func serve(t *testing.T, dir string) (*server, error) {
	t.Helper()
	n, err := node.Open(t.Context(), dir, quietLog)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(ctx, l) }()
	s := &server{t: t, url: "http://" + l.Addr().String()}
	var stopped bool
	s.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		err := <-ended
		_ = n.Close() // a failed store says so here, too
		return err
	}
	t.Cleanup(func() { _ = s.stop() })
	s.Client, err = client.New(s.url, client.Config{Timeout: 20 * time.Second, Attempts: 1})
	return s, err
}

// get returns status and body, or 0 if there is no answer.
func (s *server) get(path string) (int, []byte) {
	resp, err := http.Get(s.url + path)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, b
}

// try lets a damaged node do everything that it will do, and checks what it
// says. It returns why it did not start, or stopped, or "".
func (g *golden) try(t *testing.T, dir string) string {
	t.Helper()
	s, err := serve(t, dir)
	if err != nil {
		return err.Error()
	}
	g.read(t, s)
	// Everything again, which is answered as before, and more of it.
	for id, e := range g.entries {
		res, err := s.Submit(t.Context(), e.Leaf, false)
		if want := g.places[id]; err == nil && (res.Index != want.Index || res.SealedSize != want.SealedSize) {
			t.Errorf("%s again: %d, sealed at %d; was %d, sealed at %d", id, res.Index, res.SealedSize, want.Index, want.SealedSize)
		}
	}
	for i := range 3 {
		e := g.attest(100 + i)
		res, err := s.Submit(t.Context(), e.Leaf, true)
		if err != nil {
			continue
		}
		if got := verify.Bundle(res.Bundle, verify.Options{Policy: g.policy, Now: time.Now()}).Verdict; got != verify.Active {
			t.Errorf("a new attestation is %s", got)
		}
		_, _ = s.Submit(t.Context(), testlog.Revoke(origin, 0, g.party.Keys[0], e.ID).Leaf, true) // it may refuse
	}
	g.read(t, s)
	_, why := s.get("/healthz")
	cp, _ := s.Checkpoint(t.Context())
	stopped := ""
	if err := s.stop(); err != nil {
		stopped = err.Error()
	} else if text := string(why); !strings.HasPrefix(text, "ok") {
		stopped = text
	}
	if cp != nil {
		g.recompute(t, dir, cp)
	}
	return stopped
}

// read reads tiles and bundles: they are what they were, or are not served.
func (g *golden) read(t *testing.T, s *server) {
	t.Helper()
	for path, want := range g.tiles {
		if code, got := s.get(path); code == http.StatusOK && !bytes.Equal(got, want) {
			t.Errorf("%s has changed", path)
		}
	}
	for id, want := range g.stands {
		b, err := s.Bundle(t.Context(), id)
		if err != nil {
			continue
		}
		if r := verify.Bundle(b, verify.Options{Policy: g.policy, Now: time.Now()}); r.Verdict != want {
			t.Errorf("%s is %s, was %s", id, r.Verdict, want)
		}
	}
	if code, cp := s.get("/checkpoint"); code == http.StatusOK {
		if _, err := g.policy.Open(cp, time.Now()); err != nil {
			t.Errorf("checkpoint: %v", err)
		}
	}
}

// recompute compares a checkpoint with the leaves that were there before and
// those that came since, and replays them: every seal is right.
func (g *golden) recompute(t *testing.T, dir string, cp []byte) {
	t.Helper()
	opened, err := g.policy.Open(cp, time.Now())
	if err != nil {
		t.Errorf("checkpoint: %v", err)
		return
	}
	leaves := slices.Clone(g.leaves)
	if opened.Size > uint64(len(leaves)) {
		leaves = append(leaves, newLeaves(t, dir, len(leaves))...)
	}
	if opened.Size > uint64(len(leaves)) {
		t.Errorf("size %d was published, there are %d leaves", opened.Size, len(leaves))
		return
	}
	leaves = leaves[:opened.Size]
	l := replay.New(origin, func(index uint64) ([]byte, error) { return leaves[index], nil })
	for _, leaf := range leaves {
		if _, err := l.Add(leaf); err != nil {
			t.Errorf("what was signed at size %d: %v", opened.Size, err)
			return
		}
	}
	if root, err := l.Root(); err != nil || root != opened.Root || l.Stats().Strays > 0 {
		t.Errorf("root %x was signed at size %d; the leaves give %x, with %d strays: %v", opened.Root, opened.Size, root, l.Stats().Strays, err)
	}
}

// pebbleDB opens the store past everything that checks it.
func pebbleDB(t *testing.T, dir string) *pebble.DB {
	t.Helper()
	db, err := pebble.Open(filepath.Join(dir, "store"), &pebble.Options{
		FormatMajorVersion: pebble.FormatNewest, Logger: silence{t},
		DisableAutomaticCompactions: true, // a merge would meet the damage
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

type silence struct{ t *testing.T }

func (silence) Infof(string, ...any)             {}
func (silence) Errorf(string, ...any)            {}
func (s silence) Fatalf(format string, a ...any) { s.t.Errorf(format, a...) }

// newLeaves reads the leaves from first on, as they are stored.
func newLeaves(t *testing.T, dir string, first int) (leaves [][]byte) {
	t.Helper()
	db := pebbleDB(t, dir)
	defer db.Close()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("L"), UpperBound: []byte("M")})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if binary.BigEndian.Uint64(it.Key()[9:]) < uint64(first) {
			continue
		}
		v := it.Value() // the provider's package doc has the layout
		v = v[50+int(v[49]):]
		leaves = append(leaves, bytes.Clone(v[4:]))
	}
	return leaves
}

// class names what is stored under a key of Pebble's.
func class(key []byte) string {
	names := map[string]string{
		"V": "layout", "T": "tree", "R": "root", "L": "leaf", "N": "nodes",
		"Si": "place of an event", "Sk": "key", "Sr": "reservation", "Sc": "checkpoint",
		"Smh": "head", "Smv": "version", "Sml": "map leaf", "Smr": "record", "Smf": "page of records", "Sme": "events", "Smw": "withdrawal", "Smp": "prune list",
	}
	for n := 3; n > 0; n-- {
		if name, ok := names[string(key[:min(n, len(key))])]; ok {
			return name
		}
	}
	return fmt.Sprintf("%q", key[:min(3, len(key))])
}

// damage is a bit of a value, or of a key that has none.
type damage struct {
	key, value []byte
	at         int
}

// damages returns, for each class, flips at the ends and in the middle of the
// first value, one in the middle, and the last.
func (g *golden) damages() map[string]damage {
	db := pebbleDB(g.T, g.copy(g.T, g.dir))
	defer db.Close()
	it, err := db.NewIter(nil)
	g.must(err)
	defer it.Close()
	var stale []byte // the prune lists name what is superseded, without the m
	for ok := it.SeekGE([]byte("Smp")); ok && bytes.HasPrefix(it.Key(), []byte("Smp")); ok = it.Next() {
		stale = append(stale, it.Value()...)
	}
	all := map[string][]damage{}
	for ok := it.First(); ok; ok = it.Next() {
		c := class(it.Key())
		if bytes.Contains(stale, it.Key()[min(2, len(it.Key())):]) && bytes.HasPrefix(it.Key(), []byte("Sm")) {
			c = "superseded " + c
		}
		all[c] = append(all[c], damage{key: bytes.Clone(it.Key()), value: bytes.Clone(it.Value())})
	}
	out := map[string]damage{}
	for c, values := range all {
		for where, i := range map[string]int{"first": 0, "middle": len(values) / 2, "last": len(values) - 1} {
			d := values[i]
			n := max(len(d.value), 1)
			d.at = map[string]int{"first": 0, "middle": n / 2, "last": n - 1}[where]
			out[fmt.Sprintf("%s, the %s one", c, where)] = d
		}
	}
	return out
}

func (g *golden) copy(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "node")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	// CopyFS makes files that others can read.
	for _, name := range []string{"log.key", "log-mldsa.key", "witness.key"} {
		if err := os.Chmod(filepath.Join(to, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// flip writes the damage past every check but Pebble's.
func (d damage) flip(t *testing.T, dir string) {
	t.Helper()
	db := pebbleDB(t, dir)
	key, value := bytes.Clone(d.key), bytes.Clone(d.value)
	if len(value) > 0 {
		value[d.at] ^= 1 << (d.at % 8)
	} else {
		key[len(key)-10] ^= 4
		if err := db.Delete(d.key, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Set(key, value, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func fsck(t *testing.T, dir string) error {
	_, _, err := node.Fsck(t.Context(), dir, quietLog, func(_, _ uint64) {})
	return err
}

// TestDamagedStore flips bits of every structure that is stored, behind Pebble's
// back. Fsck finds each. The node does not start, or stops when it meets it and
// does not start again, or goes on without ever reading it; whatever it serves
// verifies and whatever it signs is right.
func TestDamagedStore(t *testing.T) {
	g := newGolden(t)
	if err := fsck(t, g.copy(t, g.dir)); err != nil {
		t.Fatalf("before: %v", err)
	}
	if why := g.try(t, g.copy(t, g.dir)); why != "" {
		t.Fatalf("before: %s", why)
	}
	damages := g.damages()
	classes := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(damages)) {
		d := damages[name]
		classes[class(d.key)] = true
		t.Run(name, func(t *testing.T) {
			dir := g.copy(t, g.dir)
			d.flip(t, dir)
			found := fsck(t, g.copy(t, dir))
			// Trillian's own description of the tree says nothing of the log;
			// who reads an older version compares it with its root.
			if found == nil && class(d.key) != "tree" && !strings.HasPrefix(name, "superseded") {
				t.Error("fsck finds nothing")
			}
			why := g.try(t, dir)
			t.Logf("fsck: %v\nnode: %s", found, why)
			if why == "" {
				return
			}
			if _, err := serve(t, dir); err == nil {
				t.Errorf("it starts again after %s", why)
			}
		})
	}
	for _, c := range []string{"layout", "root", "leaf", "nodes", "place of an event", "key", "reservation", "checkpoint", "head", "version",
		"map leaf", "record", "page of records", "events", "withdrawal", "prune list"} {
		if !classes[c] {
			t.Errorf("no %s was damaged", c)
		}
	}
}

// TestDamagedFiles flips bits of the files of the store: of one that was
// stopped and of one that was killed. What Pebble's checksums find stops the
// node; a write-ahead log that seems to end early is a restored backup, which
// the witness finds.
func TestDamagedFiles(t *testing.T) {
	g := newGolden(t)
	for _, from := range []string{g.dir, g.unclean} {
		files, err := os.ReadDir(filepath.Join(from, "store"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(from, "store", f.Name()))
			if err != nil || len(b) == 0 {
				continue
			}
			for _, at := range []int{0, len(b) / 3, len(b) / 2, len(b) - 1} {
				t.Run(fmt.Sprintf("%s byte %d", f.Name(), at), func(t *testing.T) {
					dir := g.copy(t, from)
					flipped := bytes.Clone(b)
					flipped[at] ^= 16
					if err := os.WriteFile(filepath.Join(dir, "store", f.Name()), flipped, 0o600); err != nil {
						t.Fatal(err)
					}
					t.Logf("fsck: %v", fsck(t, g.copy(t, dir)))
					t.Logf("node: %s", g.try(t, dir))
				})
			}
		}
	}
}

// TestDamagedKeys flips a bit of each byte of each file that a start reads: no
// node starts with a key that is not the one it was given, or a policy that does
// not name it.
func TestDamagedKeys(t *testing.T) {
	g := newGolden(t)
	for _, name := range []string{"log.key", "log-mldsa.key", "witness.key", "log.vkey", "log-mldsa.vkey"} {
		b, err := os.ReadFile(filepath.Join(g.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		dir, from := g.copy(t, g.dir), 0
		if name == "log-mldsa.key" { // its key ID is computed anew, not read
			from = bytes.LastIndexByte(b, '+')
		}
		for at := from; at < len(b)-1; at += 1 + len(b)/40 {
			flipped := bytes.Clone(b)
			flipped[at] ^= 1
			if err := os.WriteFile(filepath.Join(dir, name), flipped, 0o600); err != nil {
				t.Fatal(err)
			}
			n, err := node.Open(t.Context(), dir, quietLog)
			if err == nil {
				t.Errorf("%s: byte %d is another, and the node starts", name, at)
				_ = n.Close()
				continue
			}
			if strings.Contains(err.Error(), string(b[len(b)/2:len(b)-1])) {
				t.Errorf("%s: key material in %v", name, err)
			}
		}
	}
}

// TestDamagedWitness flips a bit of what the local witness has cosigned: it
// never counts as nothing, so the log publishes nothing new and says so.
func TestDamagedWitness(t *testing.T) {
	g := newGolden(t)
	dir := g.copy(t, g.dir)
	path := filepath.Join(dir, "witness", fmt.Sprintf("%x", sha256.Sum256([]byte(origin))))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s := g.serve(dir)
	before, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if res, err := s.Submit(ctx, g.attest(100).Leaf, true); err == nil {
		t.Errorf("published at size %d", res.SealedSize)
	}
	after, err := s.Checkpoint(t.Context())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("another checkpoint: %s, %v", after, err)
	}
}

// replace puts a directory into the place of another.
func replace(t *testing.T, dir, by string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(by)); err != nil {
		t.Fatal(err)
	}
}
