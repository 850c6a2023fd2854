package recovery

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
	"github.com/standing-log/standing/internal/crashcam"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/prover"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
)

// TestWiped recovers a log of which only configuration and keys are left.
func TestWiped(t *testing.T) {
	l := newLog(t, 20)
	fs := l.disk(0)
	res, err := l.recover(fs, l.mirror(l.size(), 2))
	if err != nil {
		t.Fatal(err)
	}
	if res.Root != l.roots[l.size()] || res.Aside != "" || res.Before.Size != 0 {
		t.Errorf("result %+v", res)
	}
	if err := l.whole(fs, l.size()); err != nil {
		t.Error(err)
	}
}

// TestRestored recovers from backups of many ages. What is published in the new
// store is the mirror's checkpoint if that has its quorum, and nothing if not.
func TestRestored(t *testing.T) {
	l := newLog(t, 140)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 6 {
		size := l.sealed[rng.IntN(len(l.sealed))]
		cosigners := 1 + rng.IntN(2)
		fs := l.disk(size)
		res, err := l.recover(fs, l.mirror(l.size(), cosigners))
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if res.Before != l.roots[size] || res.Root.Size != l.size() || res.Aside != "node/store.before-1" {
			t.Errorf("size %d: %+v", size, res)
		}
		if err := l.whole(fs, l.size()); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
		s := l.opened(fs)
		note, err := sequencer.Published(s)
		l.check(err)
		if (note != nil) != (cosigners == 2) {
			t.Errorf("size %d, %d cosigners: published is %q", size, cosigners, note)
		}
		l.check(s.Close())
	}
}

// TestDamaged recovers a store in which a leaf has changed: the tree is that
// which was signed, so the mirror's leaf is right.
func TestDamaged(t *testing.T) {
	l := newLog(t, 10)
	fs := l.disk(l.size())
	flip(t, fs, "node/store", 7)
	if err := l.whole(fs, l.size()); err == nil {
		t.Fatal("nothing is wrong with the store")
	}
	if _, err := l.recover(fs, l.mirror(l.size(), 2)); err != nil {
		t.Fatal(err)
	}
	if err := l.whole(fs, l.size()); err != nil {
		t.Error(err)
	}
}

// TestGoesOn recovers twice, from a mirror that is not far enough and then from
// one that is.
func TestGoesOn(t *testing.T) {
	l := newLog(t, 30)
	fs := l.disk(0)
	short := l.mirror(l.sealed[10], 2)
	if _, err := l.recover(fs, short); !errors.Is(err, sequencer.ErrRestored) || !strings.Contains(err.Error(), fmt.Sprintf("size %d, and the mirror shows %d", l.size(), l.sealed[10])) || !strings.Contains(err.Error(), "/mirror/"+origin) {
		t.Fatalf("from a mirror that ends early: %v", err)
	}
	if _, err := fs.Stat("node/store"); err == nil {
		t.Error("there is a store")
	}
	// The leaves that are there are not fetched again.
	long := l.mirror(l.size(), 2)
	if _, err := l.recover(fs, long); err != nil {
		t.Fatal(err)
	}
	if err := l.whole(fs, l.size()); err != nil {
		t.Error(err)
	}
}

// TestUnpublished recovers what a witness has cosigned, and the mirror holds and
// has not published: as an auditor's copy is ahead of the quorum.
func TestUnpublished(t *testing.T) {
	l := newLog(t, 30)
	fs := l.disk(0)
	from := l.mirror(l.sealed[10], 2)
	from.list = l.mirror(l.size(), 2).list
	if res, err := l.recover(fs, from); err != nil || res.Root.Size != l.size() {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := l.whole(fs, l.size()); err != nil {
		t.Error(err)
	}
	// A mirror that has nothing to show yet, and holds all.
	none := *from
	none.note = nil
	other := l.disk(0)
	if res, err := l.recover(other, &none); err != nil || res.Root.Size != l.size() {
		t.Errorf("%+v, %v", res, err)
	}
	check(t, l.whole(other, l.size()))
	if _, err := Recover(t.Context(), l.config(l.disk(0)), Request{From: &none, Without: []string{"w1", "w2"}}); !errors.Is(err, errNothing) {
		t.Errorf("without anybody: %v", err)
	}
	s := l.opened(fs)
	defer func() { check(t, s.Close()) }()
	// One witness alone shows the larger one: the mirror's stays published.
	if note, err := sequencer.Published(s); err != nil || !bytes.Equal(note, from.note) {
		t.Errorf("published is %q, %v", note, err)
	}
	p := prover.New(s, l.Policy, new(mapstore.Cache))
	if state, err := p.Open(t.Context()); err != nil || state.Size != l.sealed[10] {
		t.Errorf("state: %v", err)
	} else {
		state.Close()
	}
}

// TestLyingMirrors: nothing comes of a mirror that lies, and the store stays as
// it was.
func TestLyingMirrors(t *testing.T) {
	l := newLog(t, 140)
	other := newLog(t, 0)
	other.next = 1000
	other.attest(150)
	at := l.sealed[5]
	flipped := func(is func(tlog.Tile) bool) *copied {
		m := l.mirror(l.size(), 2)
		m.tamper = func(t tlog.Tile, data []byte) []byte {
			if is(t) {
				data = bytes.Clone(data)
				data[len(data)/2] ^= 4
			}
			return data
		}
		return m
	}
	unsealed := l.mirror(l.size(), 2)
	r := l.roots[l.size()-1]
	unsealed.list.Signed = func() backend.Root { return r }
	unsealed.note = l.Sign(trust.Body{Origin: origin, Size: r.Size, Root: r.Hash}, 2, int64(l.Unix()))
	otherRoot := l.mirror(l.size(), 2)
	otherRoot.note = l.Sign(trust.Body{Origin: origin, Size: l.size(), Root: r.Hash}, 2, int64(l.Unix()))
	foreign := l.mirror(l.size(), 2)
	foreign.note = bytes.Replace(foreign.note, []byte(origin), []byte("log.example/else"), 1)
	unsigned := l.mirror(l.size(), 2)
	text, _, _ := bytes.Cut(unsigned.note, []byte("\n\n"))
	unsigned.note = append(text, "\n\n— "+origin+" AAAAAAAA\n"...)
	for name, c := range map[string]struct {
		from *copied
		want error
		says string
	}{
		"a bundle with a wrong bit":   {flipped(func(t tlog.Tile) bool { return t.L == -1 && t.N == 1 }), mirror.ErrTiles, ""},
		"the last with a wrong bit":   {flipped(func(t tlog.Tile) bool { return t.L == -1 && t.W < 256 }), mirror.ErrTiles, ""},
		"a hash with a wrong bit":     {flipped(func(t tlog.Tile) bool { return t.L >= 0 }), mirror.ErrTiles, ""},
		"unsealed":                    {unsealed, mirror.ErrUnsealed, ""},
		"another root":                {otherRoot, mirror.ErrTiles, ""},
		"another log":                 {foreign, trust.ErrUnknownLog, ""},
		"signed by nobody":            {unsigned, trust.ErrNoLogSignature, ""},
		"older than the store":        {l.mirror(l.sealed[3], 2), sequencer.ErrRestored, "the mirror shows 8"},
		"another history":             {other.mirror(other.size(), 2), ErrContradiction, "leaf 4 is the first that differs; keep both, node/store and node/store.recovering"},
		"it ends before a cosigner's": {l.mirror(l.sealed[9], 2), sequencer.ErrRestored, "the mirror shows"},
	} {
		fs := l.disk(at)
		_, err := l.recover(fs, c.from)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err := l.whole(fs, at); err != nil {
			t.Errorf("%s: the store: %v", name, err)
		}
	}
}

// TestBehind: a mirror that ends before the store is no help, and nobody is asked.
func TestBehind(t *testing.T) {
	l := newLog(t, 10)
	fs := l.disk(l.sealed[5])
	if _, err := Recover(t.Context(), l.config(fs), Request{From: l.mirror(l.sealed[3], 2), Without: []string{"w1", "w2"}}); !errors.Is(err, ErrBehind) || !strings.Contains(err.Error(), "use another mirror") {
		t.Error(err)
	}
	check(t, l.whole(fs, l.sealed[5]))
}

// TestFalseSeal: a mirror of a log that sealed a false state is right, and the
// log is not.
func TestFalseSeal(t *testing.T) {
	l := newLog(t, 3)
	l.Tamper(mapfn.Change{NS: mapfn.NSAttestation, Data: make([]byte, 32), Record: []byte("{}")})
	l.attest(1)
	fs := l.disk(0)
	if _, err := l.recover(fs, l.mirror(l.size(), 2)); err == nil || !strings.Contains(err.Error(), "seal") {
		t.Error(err)
	}
}

// TestCosigners: what each says decides; what it does not say has to be named.
func TestCosigners(t *testing.T) {
	l := newLog(t, 20)
	policy := l.Policy.Cosigners()
	honest := l.cosigners()
	answer := func(code int, body []byte) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write(body)
		})
	}
	w2 := func(h http.Handler) []Cosigner { return []Cosigner{honest[0], l.cosigner(policy[1], h)} }
	forked := l.roots[l.sealed[4]]
	forked.Hash[3] ^= 1
	mute := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // without a monitoring endpoint
		if r.Method == http.MethodGet {
			http.NotFound(w, r)
			return
		}
		l.Witnesses[1].ServeHTTP(w, r)
	})
	for name, c := range map[string]struct {
		cosigners []Cosigner
		size      int // of the mirror, in seals from the end
		without   []string
		want      error
		says      string
	}{
		"all agree":                         {honest, 1, nil, nil, ""},
		"one has no monitoring":             {w2(mute), 1, nil, nil, ""},
		"one without monitoring is ahead":   {w2(mute), 3, nil, sequencer.ErrRestored, "the mirror shows"},
		"one is ahead, and named":           {honest, 3, []string{"w1", "w2"}, sequencer.ErrRestored, "the mirror shows"},
		"one is down":                       {w2(answer(500, nil)), 1, nil, ErrSilent, "w2: a cosigner does not say what it holds: cosigner answered 500"},
		"one is down, and named":            {w2(answer(500, nil)), 1, []string{"w2"}, nil, ""},
		"one is down, and another is named": {w2(answer(500, nil)), 1, []string{"w1"}, ErrSilent, "w2"},
		"a stranger is named":               {honest, 1, []string{"w3"}, errAny, `"w3" is no cosigner`},
		"one has forgotten":                 {w2(answer(404, nil)), 1, nil, ErrSilent, "w2"},
		"one has an older state":            {w2(answer(200, l.mirror(l.sealed[3], 2).note)), 1, nil, ErrSilent, "remembers only"},
		"one has another history": {w2(answer(200, l.Sign(trust.Body{Origin: origin, Size: forked.Size, Root: forked.Hash}, 2, int64(l.Unix())))), 1,
			[]string{"w2"}, ErrContradiction, "both signed by this log"},
		"one shows what nobody signed": {w2(answer(200, []byte("hello\n"))), 1, nil, ErrSilent, "w2"},
		"one has no URL":               {honest[:1], 1, nil, ErrSilent, "w2: a cosigner does not say what it holds: the trust file has no URL"},
	} {
		fs := l.disk(0)
		_, err := Recover(t.Context(), l.config(fs), Request{
			From: l.mirror(l.sealed[len(l.sealed)-c.size], 2), Cosigners: c.cosigners, Without: c.without,
		})
		if c.want == nil && err != nil || c.want != nil && (err == nil || c.want != errAny && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := fs.Stat("node/store"); (err == nil) != (c.want == nil) {
			t.Errorf("%s: store: %v", name, err)
		}
	}
}

var errAny = errors.New("any")

// roomy is a file system with so many bytes free.
type roomy struct {
	vfs.FS
	free uint64
}

func (r roomy) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: r.free, TotalBytes: 1 << 40}, nil
}

// TestRoom: what a run takes is said before a leaf is fetched; without room for
// it nothing is, and with more room the same call goes on.
func TestRoom(t *testing.T) {
	l := newLog(t, 20)
	fs := l.disk(l.sealed[3])
	var told []Room
	run := func(free uint64, left int) error {
		cfg := l.config(roomy{fs, free})
		cfg.Starts = func(r Room) { told = append(told, r) }
		from := l.mirror(l.size(), 2)
		from.left = left
		_, err := Recover(t.Context(), cfg, Request{From: from, Cosigners: l.cosigners()})
		return err
	}
	need := l.size() * leafRoom
	if err := run(need-1, 1); !errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), fmt.Sprint(l.size(), " leaves are to be read")) || len(told) > 0 {
		t.Fatalf("%v, told %v", err, told)
	}
	if err := run(need, 1); !errors.Is(err, errCut) || len(told) != 1 || told[0] != (Room{l.size(), need, need}) {
		t.Fatalf("%v, told %v", err, told)
	}
	if err := run(need, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.whole(fs, l.size()); err != nil {
		t.Error(err)
	}
}

// TestInUse: a running node has the store open; nothing is touched.
func TestInUse(t *testing.T) {
	l := newLog(t, 3)
	fs := l.disk(l.sealed[2])
	s := l.opened(fs)
	if _, err := l.recover(fs, l.mirror(l.size(), 2)); !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), "stop the node first") {
		t.Errorf("%v", err)
	}
	l.check(s.Close())
	if err := l.whole(fs, l.sealed[2]); err != nil {
		t.Error(err)
	}
}

// TestCutOff ends a recovery at each tile that is fetched; the next one goes on.
func TestCutOff(t *testing.T) {
	l := newLog(t, 140)
	for left := 1; ; left++ {
		fs := l.disk(l.sealed[2])
		cut := l.mirror(l.size(), 2)
		cut.left = left
		_, err := l.recover(fs, cut)
		if err == nil {
			if left < 4 {
				t.Errorf("done after %d tiles", left)
			}
			return
		}
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if err := l.whole(fs, l.sealed[2]); err != nil {
			t.Errorf("cut off at tile %d: the store: %v", left, err)
		}
		if _, err := l.recover(fs, l.mirror(l.size(), 2)); err != nil {
			t.Errorf("after being cut off at tile %d: %v", left, err)
		}
		if err := l.whole(fs, l.size()); err != nil {
			t.Errorf("after being cut off at tile %d: %v", left, err)
		}
	}
}

// TestCrash recovers a backup, and then once more as each crash on the way could
// leave it. There is always the old store, or the new one, or both; and in the
// end the new one is there, and the old one beside it.
func TestCrash(t *testing.T) {
	l := newLog(t, 40)
	for name, run := range map[string]func(fs vfs.FS) error{
		"recover": func(fs vfs.FS) error { _, err := l.recover(fs, l.mirror(l.size(), 2)); return err },
		"rebuild": func(fs vfs.FS) error { _, err := Rebuild(context.Background(), l.config(fs)); return err },
	} {
		size := l.sealed[7]
		want := map[string]uint64{"recover": l.size(), "rebuild": size}[name]
		mem := l.disk(size)
		c := crashcam.New(mem, 5, func() (nothing struct{}) { return })
		if err := run(c.FS()); err != nil {
			t.Fatal(err)
		}
		images := c.Images()
		if len(images) < 40 {
			t.Fatalf("%d crash images, want 40", len(images))
		}
		for n, img := range images {
			if n%3 != 0 && !strings.Contains(img.What, "node/store.") && n < len(images)-6 {
				continue
			}
			fs := img.FS
			if err := run(fs); err != nil {
				t.Errorf("%s: image %d, %s: %v", name, n, img.What, err)
				continue
			}
			if err := l.whole(fs, want); err != nil {
				t.Errorf("%s: image %d, %s: %v", name, n, img.What, err)
			}
			if _, err := fs.Stat("node/store.before-1"); err != nil {
				t.Errorf("%s: image %d, %s: the old store: %v", name, n, img.What, err)
			}
			images[n].FS = nil
		}
	}
}

// flip changes a bit of what the store in dir keeps as the leaf at index, with
// Pebble's checksums.
func flip(t *testing.T, fs vfs.FS, dir string, index uint64) {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest})
	check(t, err)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("L"), UpperBound: []byte("M")})
	check(t, err)
	for it.First(); it.Valid(); it.Next() {
		if key := it.Key(); binary.BigEndian.Uint64(key[len(key)-8:]) == index {
			value := bytes.Clone(it.Value())
			value[len(value)/2] ^= 1
			check(t, db.Set(key, value, pebble.Sync))
		}
	}
	check(t, it.Close())
	check(t, db.Close())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
