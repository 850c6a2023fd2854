package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/replay"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

const origin = "log.example/lost"

// log is a log with two witnesses, whose store will be lost.
type log struct {
	*testnode.Node
	t      *testing.T
	party  *testlog.Party
	next   int
	sealed []uint64                // sizes
	roots  map[uint64]backend.Root // of all sizes
}

func newLog(t *testing.T, attestations int) *log {
	t.Helper()
	l := &log{Node: testnode.NewWith(t, testnode.Options{Origin: origin, Witnesses: 2}), t: t}
	l.party = l.Enrol("steward", 1)
	l.attest(attestations)
	return l
}

// attest submits attestations, each with a seal of its own.
func (l *log) attest(n int) {
	l.t.Helper()
	for range n {
		l.next++
		l.Submit(testlog.Attest(l.party.Keys[0], testlog.Claims(origin, l.Unix(), 5), testlog.Component(fmt.Sprintf("pkg:npm/left@1.0.%d", l.next))))
	}
	l.read()
}

// read finds the sealed sizes and the roots.
func (l *log) read() {
	l.t.Helper()
	l.sealed, l.roots = nil, map[uint64]backend.Root{}
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	tree := f.NewEmptyRange(0)
	for size := uint64(1); size <= l.Sequencer.SignedSize(); size++ {
		leaf, err := l.Backend.Leaves(l.t.Context(), size-1, 1)
		l.check(err)
		l.check(tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf[0]), nil))
		root, err := tree.GetRootHash(nil)
		l.check(err)
		l.roots[size] = backend.Root{Size: size, Hash: backend.Hash(root)}
		if seal.Is(leaf[0]) {
			l.sealed = append(l.sealed, size)
		}
	}
}

func (l *log) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// size is that of the whole log.
func (l *log) size() uint64 { return l.sealed[len(l.sealed)-1] }

// mirror is a copy of the log as it was at size, cosigned by some.
func (l *log) mirror(size uint64, cosigners int) *copied {
	r := l.roots[size]
	return &copied{
		leaves: leaves{tiles.Leaves{Backend: l.Backend, Signed: func() backend.Root { return r }}},
		note:   l.Sign(trust.Body{Origin: origin, Size: size, Root: r.Hash}, cosigners, int64(l.Unix())),
	}
}

// copied is a mirror.Source that may lie.
type copied struct {
	leaves
	note   []byte
	tamper func(tlog.Tile, []byte) []byte // nil: it does not
	left   int                            // tiles until it is cut off; 0: it is not
}

func (c *copied) Checkpoint(context.Context) ([]byte, error) {
	if c.note == nil {
		return nil, errNothing
	}
	return c.note, nil
}

func (c *copied) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if c.left--; c.left == 0 {
		return nil, errCut
	}
	if size := c.list.Signed().Size; (uint64(t.N)*256+uint64(t.W))<<(8*max(t.L, 0)) > size {
		return nil, fmt.Errorf("no such tile at size %d", size)
	}
	data, err := c.leaves.Tile(ctx, t)
	if err == nil && c.tamper != nil {
		data = c.tamper(t, data)
	}
	return data, err
}

var (
	errCut     = errors.New("cut off")
	errNothing = errors.New("nothing is published")
)

// config is that of the log's node on fs.
func (l *log) config(fs vfs.FS) Config {
	return Config{Dir: "node", FS: fs, Origin: origin, Policy: l.Policy, Now: l.Now}
}

// disk returns a node's directory with a backup of the log at size in it, or
// without one if that is 0.
func (l *log) disk(size uint64) *vfs.MemFS {
	l.t.Helper()
	fs := vfs.NewCrashableMem()
	l.check(fs.MkdirAll("node", 0o700))
	l.syncRoot(fs)
	if size > 0 {
		_, err := Recover(l.t.Context(), l.config(fs), Request{From: l.mirror(size, 2), Without: []string{"w1", "w2"}})
		l.check(err)
	}
	return fs
}

func (l *log) syncRoot(fs vfs.FS) {
	d, err := fs.OpenDir("")
	l.check(err)
	l.check(d.Sync())
	l.check(d.Close())
}

// cosigners asks the witnesses of the log.
func (l *log) cosigners() (out []Cosigner) {
	l.t.Helper()
	for i, c := range l.Policy.Cosigners() {
		out = append(out, l.cosigner(c, l.Witnesses[i]))
	}
	return out
}

func (l *log) cosigner(c trust.Cosigner, h http.Handler) Cosigner {
	l.t.Helper()
	client, err := cosign.NewClient(cosign.Config{
		URL: "http://witness.invalid", Cosigners: []trust.Cosigner{c}, HTTP: inProcess(h), Now: l.Now,
	})
	l.check(err)
	return client
}

// inProcess returns a client whose requests h answers.
func inProcess(h http.Handler) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// recover recovers the node on fs.
func (l *log) recover(fs vfs.FS, from *copied) (*Result, error) {
	return Recover(l.t.Context(), l.config(fs), Request{From: from, Cosigners: l.cosigners()})
}

// opened opens the store of the node on fs.
func (l *log) opened(fs vfs.FS) *embedded.Store {
	l.t.Helper()
	s, err := embedded.Open(l.t.Context(), embedded.Options{Dir: "node/store", FS: fs, CacheSize: 8 << 20, MemTableSize: 1 << 20})
	l.check(err)
	return s
}

// whole checks that the store on fs is that of the log at size, in all its
// parts, and that a sequencer starts on it and would sign that tree again.
func (l *log) whole(fs vfs.FS, size uint64) error {
	ctx := l.t.Context()
	s := l.opened(fs)
	defer func() { l.check(s.Close()) }()
	root, err := s.Root(ctx)
	if err != nil || root != l.roots[size] {
		return fmt.Errorf("root %x at size %d, want size %d: %w", root.Hash, root.Size, size, err)
	}
	src, index := replay.Store{Backend: s}, sequencer.NewIndex()
	r, err := replay.Fsck(ctx, src, origin, root.Size, root.Hash, func(r *replay.Log, out replay.Outcome) {
		switch {
		case out.Seal != nil:
			index.Seal(out.Seal, l.roots[r.Size()].Hash)
		case out.Ignored == nil:
			index.Entry(out.Entry, r.Size()-1)
		}
	})
	for _, check := range []func() error{
		func() error { return err },
		func() error { return src.CheckNodes(ctx, size) },
		func() error { return src.CheckMap(ctx, r) },
		func() error { return index.Check(s, l.Policy) },
		func() error { return s.Check(ctx) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	q, err := sequencer.Open(ctx, sequencer.Config{
		Origin: origin, Backend: s, Signers: []note.Signer{l.LogKey}, Policy: l.Policy, Now: l.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil && q.Signed() != root {
		err = fmt.Errorf("it signs size %d", q.Signed().Size)
	}
	return err
}
