package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	tessera "github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/export"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
)

const origin = "log.example/exported"

// log is a log that grows, and its directory.
type log struct {
	*testnode.Node
	t     *testing.T
	party *testlog.Party
	dir   string
	next  int
	cut   int                                   // tiles until reading fails; 0: it does not
	flip  func(t tlog.Tile, data []byte) []byte // nil: nothing
}

func newLog(t *testing.T) *log {
	l := &log{Node: testnode.New(t, origin), t: t, dir: filepath.Join(t.TempDir(), "out")}
	l.party = l.Enrol("steward", 1)
	return l
}

// grow adds n attestations, of which it withdraws every third.
func (l *log) grow(n int) {
	l.t.Helper()
	for range n {
		l.next++
		a := testlog.Attest(l.party.Keys[0], testlog.Claims(origin, l.Unix(), 5), testlog.Component(fmt.Sprintf("pkg:npm/left@1.0.%d", l.next)))
		l.Submit(a)
		if l.next%3 == 0 {
			l.Submit(revocation(l, a))
		}
	}
}

func revocation(l *log, a *entry.Entry) *entry.Entry {
	return testlog.Revoke(origin, 1, l.party.Keys[0], a.ID)
}

// source reads one of the lists.
type source struct {
	*log
	list tiles.List
}

var errCut = errors.New("cut off")

func (s source) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if s.cut--; s.cut == 0 {
		return nil, errCut
	}
	data, err := tiles.Read(ctx, s.list, t)
	if s.flip != nil && err == nil {
		data = s.flip(t, bytes.Clone(data))
	}
	return data, err
}

func (l *log) export() (*export.Result, error) {
	l.t.Helper()
	note, err := l.Prover.Checkpoint()
	check(l.t, err)
	signed := l.Sequencer.Signed()
	return export.Write(l.t.Context(), export.Config{
		Out: l.dir, Checkpoint: note, Policy: l.Policy, Now: l.Now(), TrustFile: []byte(l.Trust),
		Log:         source{l, tiles.Leaves{Backend: l.Backend, Signed: func() backend.Root { return signed }}},
		Withdrawals: source{l, prover.Withdrawals{Prover: l.Prover}},
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read replays what is in the directory, as a reader with the trust file would,
// and returns its size.
func (l *log) read() (uint64, error) {
	ctx := l.t.Context()
	c, err := client.NewDir(l.dir)
	if err != nil {
		return 0, err
	}
	note, err := c.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	cp, err := l.Policy.Open(note, l.Now())
	if err != nil {
		return 0, err
	}
	r := replay.New(origin, func(index uint64) ([]byte, error) {
		return c.Entry(ctx, tlog.Tree{N: int64(cp.Size), Hash: cp.Root}, index)
	})
	for leaf, err := range c.AllEntries(ctx, tlog.Tree{N: int64(cp.Size), Hash: cp.Root}, 0) {
		if err != nil {
			return 0, err
		}
		if _, err := r.Add(leaf.Data); err != nil {
			return 0, err
		}
	}
	n := uint64(0)
	for _, err := range c.Withdrawals(ctx, r.Seal(), tlog.Tree{}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	if n != r.Seal().Withdrawals {
		return 0, fmt.Errorf("%d withdrawals of %d", n, r.Seal().Withdrawals)
	}
	return cp.Size, nil
}

// TestWrite exports a log as it grows, each time into the same directory: past
// the ends of tiles of both lists. Each export reads well, for our own client and
// for Tessera's fsck over a plain file server.
func TestWrite(t *testing.T) {
	l := newLog(t)
	last := uint64(0)
	for _, n := range []int{0, 1, 100, 2, 120, 0} {
		l.grow(n)
		res, err := l.export()
		check(t, err)
		if want := l.Sequencer.PublishedSize(); res.Size != want || res.New != want-last || res.Origin != origin {
			t.Errorf("result %+v, want size %d, %d new", res, want, want-last)
		}
		last = res.Size
		if size, err := l.read(); err != nil || size != last {
			t.Errorf("after %d: size %d, %v", n, size, err)
		}
		l.tessera()
	}
	if last < 512 {
		t.Errorf("only %d leaves", last)
	}
	// Only the last tiles are partial ones.
	check(t, filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && strings.HasSuffix(path, ".p") {
			if _, err := os.Stat(strings.TrimSuffix(path, ".p")); err == nil {
				t.Errorf("%s is left, beside the full tile", path)
			}
		}
		return err
	}))
}

// tessera runs Tessera's fsck on the directory.
func (l *log) tessera() {
	l.t.Helper()
	srv := httptest.NewServer(http.FileServer(http.Dir(l.dir)))
	defer srv.Close()
	root, err := url.Parse(srv.URL)
	check(l.t, err)
	f, err := tessera.NewHTTPFetcher(root, srv.Client())
	check(l.t, err)
	log, _ := l.Policy.Log(origin)
	verifier, err := note.NewVerifier(log.Keys[0].Vkey)
	check(l.t, err)
	hashes := func(raw []byte) (out [][]byte, err error) {
		var b api.EntryBundle
		if err := b.UnmarshalText(raw); err != nil {
			return nil, err
		}
		for _, e := range b.Entries {
			out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
		}
		return out, nil
	}
	if err := fsck.New(origin, verifier, f, hashes, fsck.Opts{N: 2}).Check(l.t.Context()); err != nil {
		l.t.Errorf("Tessera: %v", err)
	}
}

// TestInterrupted cuts an export off at each tile that is read: the one before
// stays good, and the next one ends well.
func TestInterrupted(t *testing.T) {
	l := newLog(t)
	l.grow(20)
	first, err := l.export()
	check(t, err)
	l.grow(80)
	for at := 1; ; at++ {
		l.cut = at
		_, err := l.export()
		l.cut = 0
		if err == nil {
			if at < 5 {
				t.Errorf("done after %d tiles", at)
			}
			break
		}
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if size, err := l.read(); err != nil || size != first.Size {
			t.Fatalf("cut off at tile %d: size %d, %v", at, size, err)
		}
	}
	if size, err := l.read(); err != nil || size != l.Sequencer.PublishedSize() {
		t.Errorf("size %d, %v", size, err)
	}
}

// TestTampered flips a bit of each kind of tile: nothing of it is published.
func TestTampered(t *testing.T) {
	l := newLog(t)
	l.grow(100)
	for name, is := range map[string]func(tlog.Tile) bool{
		"a bundle":      func(t tlog.Tile) bool { return t.L == -1 && t.N == 0 },
		"the last":      func(t tlog.Tile) bool { return t.L == -1 && t.N == 1 },
		"hashes":        func(t tlog.Tile) bool { return t.L == 0 },
		"hashes of 256": func(t tlog.Tile) bool { return t.L == 1 },
	} {
		l.flip = func(t tlog.Tile, data []byte) []byte {
			if is(t) {
				data[len(data)-1] ^= 1
			}
			return data
		}
		if _, err := l.export(); !errors.Is(err, export.ErrTiles) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(l.dir, "checkpoint")); err == nil {
			t.Errorf("%s: there is a checkpoint", name)
		}
	}
}

// TestOther exports into a directory with a tree that the log does not extend.
func TestOther(t *testing.T) {
	long, short, other := newLog(t), newLog(t), newLog(t)
	long.grow(9)
	short.grow(6)
	other.next = 100
	other.grow(3)
	_, err := long.export()
	check(t, err)
	before, err := os.ReadFile(filepath.Join(long.dir, "checkpoint"))
	check(t, err)
	other.grow(20)
	for name, l := range map[string]*log{"smaller": short, "another": other} {
		l.dir = long.dir
		if _, err := l.export(); !errors.Is(err, export.ErrOther) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := os.ReadFile(filepath.Join(long.dir, "checkpoint")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the checkpoint has changed, %v", err)
	}
	if _, err := long.read(); err != nil {
		t.Error(err)
	}
}
