package auditor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
)

// TestCosigns: what is cosigned is held, over restarts; the copy that is served
// is the log.
func TestCosigns(t *testing.T) {
	for _, oracle := range []bool{false, true} {
		t.Run(fmt.Sprintf("oracle %t", oracle), func(t *testing.T) {
			w := newWorld(t)
			w.oracle = oracle
			ids := w.attest(3)
			a := w.open()
			for _, size := range []uint64{2, 4, 4, 8, 10} {
				if err := a.ask(size); err != nil || a.cosigned() != size {
					t.Fatalf("size %d: %v, cosigned is %d", size, err, a.cosigned())
				}
				if held, err := a.follower().mirror.Held(t.Context()); err != nil || held < size {
					t.Errorf("cosigned %d, held %d, %v", size, held, err)
				}
			}
			if _, err := a.served().Checkpoint(t.Context()); err == nil {
				t.Error("a checkpoint is served that nobody has shown")
			}
			a.close()

			a = w.open()
			ids = append(ids, w.attest(300)...)
			size := w.Sequencer.PublishedSize()
			if err := a.ask(size); err != nil || a.cosigned() != size {
				t.Fatalf("size %d: %v, cosigned is %d", size, err, a.cosigned())
			}
			w.Submit(testlog.Revoke(origin, 1, w.party.Keys[0], ids[0]))
			a.follower().poll(t.Context())
			copied, err := mirror.Open(t.Context(), mirror.Config{Dir: "again", FS: vfs.NewMem(), Origin: origin, Policy: w.Policy, Now: w.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer copied.Close()
			if err := copied.Sync(t.Context(), a.served(), nil); err != nil {
				t.Fatal(err)
			}
			s, err := copied.State(t.Context())
			if err != nil || s.Size != w.Sequencer.PublishedSize() {
				t.Fatalf("the copy of the copy: %v", err)
			}
			s.Close()
			n := 0
			for _, err := range a.served().Withdrawals(t.Context(), s.Seal, tlog.Tree{}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 1 {
				t.Errorf("%d withdrawals, want 1", n)
			}
			a.close()
		})
	}
}

// TestFalseSeal: a revoked attestation is active in one seal, and revoked again
// in the next. From the lie on nothing is cosigned, also after a restart; what
// was cosigned before stays served.
func TestFalseSeal(t *testing.T) {
	for _, how := range []string{"asked", "followed"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			id := w.attest(3)[0]
			active := w.record(id)
			w.Submit(testlog.Revoke(origin, 1, w.party.Keys[0], id))
			revoked := w.record(id)
			good := w.Sequencer.PublishedSize()
			a := w.open()
			if err := a.ask(good); err != nil {
				t.Fatal(err)
			}
			w.Tamper(mapfn.Change{NS: mapfn.NSAttestation, Data: id[:], Record: active})
			w.Tamper(mapfn.Change{NS: mapfn.NSAttestation, Data: id[:], Record: revoked})
			if how == "followed" {
				a.follower().poll(t.Context())
			}
			refused(t, a.ask(good+4), 403, "not cosigned any more: false-seal")
			refused(t, a.ask(good+2), 403, "false-seal")
			refused(t, a.ask(good), 403, "false-seal")
			a.close()
			a = w.open()
			defer a.close()
			w.asked = 0
			refused(t, a.ask(good+4), 403, fmt.Sprintf("leaf %d is a false seal", good+1))
			a.follower().poll(t.Context())
			if w.asked > 0 || a.cosigned() != good {
				t.Errorf("%d requests after the lie; cosigned is %d", w.asked, a.cosigned())
			}
			if _, err := a.served().Tile(t.Context(), tlog.Tile{H: 8, L: -1, N: 0, W: int(good)}); err != nil {
				t.Errorf("what was cosigned is not served: %v", err)
			}
			evidenceOf(t, w, mirror.FalseSeal)
			proven(t, w, evidence.KindFalseSeal)
		})
	}
}

// evidenceOf reads what an auditor has written down.
func evidenceOf(t *testing.T, w *world, kind string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, EvidenceDir, mirror.DirName(origin)+".stopped"))
	if err != nil || !strings.HasPrefix(string(b), kind+": ") {
		t.Errorf("written down is %q, %v", b, err)
	}
	return string(b)
}

// TestPins: of a log that a pin closes, or whose seals are under an older map
// function than a pin asks for, nothing is cosigned; what was held is served.
func TestPins(t *testing.T) {
	w := newWorld(t)
	w.attest(2)
	size := w.Sequencer.PublishedSize()
	for pins, want := range map[string]string{
		"close " + strings.Join(strings.Fields(trust.Body{Origin: origin, Size: size, Root: w.Sequencer.Signed().Hash}.String()), " "): "a pin says that this log is closed",
		"min-mapfn 2": "it is under map function 1, a pin asks for 2",
		"min-mapfn 1": "",
	} {
		policy, err := w.Policy.Pin([]byte(pins + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		a := w.open(func(cfg *Config) { cfg.Logs[0].Policy = policy })
		a.follower().poll(t.Context())
		if err := a.ask(size); want != "" {
			refused(t, err, 403, want)
		} else if err != nil {
			t.Errorf("%s: %v", pins, err)
		}
		if _, err := a.served().Checkpoint(t.Context()); err != nil {
			t.Errorf("%s: the copy is not served: %v", pins, err)
		}
		a.close()
	}
}

// TestSplitView: another tree that the log has signed ends it, whatever its size
// and whoever sends it.
func TestSplitView(t *testing.T) {
	for _, size := range []uint64{6, 10} {
		w := newWorld(t)
		w.attest(3)
		a := w.open()
		if err := a.ask(10); err != nil {
			t.Fatal(err)
		}
		another := w.Sign(trust.Body{Origin: origin, Size: size, Root: [32]byte{1}}, 0, 0)
		refused(t, a.askFor(another, size), 403, "split-view")
		refused(t, a.ask(10), 403, "split-view")
		proven(t, w, evidence.KindSplitView)
		text := evidenceOf(t, w, mirror.SplitView)
		for _, note := range [][]byte{another, w.signed(10)} {
			if !strings.Contains(text, string(note)) {
				t.Errorf("size %d: %q is not written down", size, note)
			}
		}
		a.close()
	}
}

// TestWithheld: a log that serves no leaves behind a lying seal gets no
// cosignature and learns why. It gets one once it serves them.
func TestWithheld(t *testing.T) {
	w := newWorld(t)
	w.attest(300)
	size := w.Sequencer.PublishedSize()
	a := w.open()
	defer a.close()
	for name, tamper := range map[string]func(tlog.Tile, []byte) []byte{
		"no leaves": func(t tlog.Tile, b []byte) []byte {
			if t.L < 0 {
				return nil
			}
			return b
		},
		"no hashes":    func(t tlog.Tile, b []byte) []byte { return nil },
		"other leaves": func(t tlog.Tile, b []byte) []byte { return bytes.ToUpper(b) },
	} {
		w.set(func() { w.tamper = tamper })
		refused(t, a.ask(size), 503, "the leaves are not served")
		if a.cosigned() != 0 {
			t.Errorf("%s: cosigned", name)
		}
	}
	w.set(func() { w.tamper = nil })
	fresh := a.w.openAgain(a)
	defer fresh.close()
	if err := fresh.ask(size); err != nil || fresh.cosigned() != size {
		t.Errorf("served again: %v", err)
	}
}

// openAgain closes a and opens another, of whom nobody remembers failures.
func (w *world) openAgain(a *audited) *audited {
	a.close()
	a.logs = nil // closed
	return w.open()
}

// TestNotYet: what will be cosigned later, or by the log's own doing never.
func TestNotYet(t *testing.T) {
	w := newWorld(t)
	w.attest(2) // size 8
	w.ahead = -301 * time.Second
	a := w.open()
	defer a.close()
	refused(t, a.ask(8), 503, "ahead of our clock")
	w.ahead = -300 * time.Second
	if err := a.ask(8); err != nil {
		t.Error(err)
	}
	refused(t, a.ask(7), 503, "does not end in a live seal")
	if a.cosigned() != 8 {
		t.Errorf("cosigned is %d", a.cosigned())
	}
}

// TestStrangers: for a checkpoint that the log has not signed nothing is
// fetched, and nothing of what strangers add is kept.
func TestStrangers(t *testing.T) {
	w := newWorld(t)
	w.attest(2)
	a := w.open()
	defer a.close()
	forged := bytes.Replace(w.signed(8), []byte("\n8\n"), []byte("\n10\n"), 1)
	refused(t, a.askFor(forged, 10), 403, "not signed by a trusted key")
	other := bytes.Replace(w.signed(8), []byte(origin), []byte("log.example/strange"), 1)
	refused(t, a.askFor(other, 8), 404, "unknown log")
	if w.asked > 0 {
		t.Errorf("%d requests to the log", w.asked)
	}
	if err := a.askFor(append(w.signed(8), "— stranger AAAAAAAA\n"...), 8); err != nil {
		t.Error(err)
	}
}

// TestFirstCopy: while the copy is being made, requests end, and say how far it
// is; what they have begun goes on without them, once for all of them.
func TestFirstCopy(t *testing.T) {
	w := newWorld(t)
	w.attest(300)
	size := w.Sequencer.PublishedSize()
	reached, go_ := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.wait = func(ctx context.Context, t tlog.Tile) error {
		once.Do(func() { close(reached) })
		select {
		case <-go_:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a := w.open()
	defer a.close()
	f, note := a.follower(), w.signed(size)
	ctx, leave := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	var left error
	waiting.Go(func() { left = f.hold(ctx, note) })
	<-reached
	for range maxWaiting - 1 {
		f.seats <- struct{}{}
	}
	if err := f.hold(t.Context(), note); err == nil || !strings.Contains(err.Error(), "others wait") {
		t.Errorf("one too many: %v", err)
	}
	leave()
	waiting.Wait()
	if left == nil || !strings.Contains(left.Error(), "leaves are held") {
		t.Errorf("one that has left: %v", left)
	}
	close(go_)
	if err := a.ask(size); err != nil {
		t.Error(err)
	}
}

// TestFarBehind: nobody waits for a long copy.
func TestFarBehind(t *testing.T) {
	w := newWorld(t)
	a := w.open()
	defer a.close()
	f := a.follower()
	<-f.turn // somebody copies
	f.told(1000, 1000+farBehind+1)
	refused(t, a.ask(2), 503, fmt.Sprintf("1000 of %d leaves are held", 1001+farBehind))
	f.release() // and has failed: whoever comes next tries again
	if err := a.ask(2); err != nil {
		t.Error(err)
	}
}

// TestDisagree: if the second implementation does not agree, nothing is cosigned
// until somebody has looked.
func TestDisagree(t *testing.T) {
	w := newWorld(t)
	w.attest(2)
	w.oracle = true
	a := w.open()
	defer a.close()
	if err := a.ask(6); err != nil {
		t.Fatal(err)
	}
	if _, err := a.follower().oracle.log.Add([]byte("a leaf that the log does not have")); err != nil {
		t.Fatal(err)
	}
	refused(t, a.ask(8), 503, "implementations")
	refused(t, a.ask(8), 503, "implementations")
	if a.cosigned() != 6 {
		t.Errorf("cosigned is %d", a.cosigned())
	}
}

// TestDiskFull: a copy that cannot be written is not cosigned upon, and ends Run
// with what to do.
func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	w.attest(2)
	full := false
	disk := vfs.NewCrashableMem()
	w.fs = errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	a := w.open()
	if err := a.ask(6); err != nil {
		t.Fatal(err)
	}
	full = true
	refused(t, a.ask(8), 500, "internal error")
	if a.cosigned() != 6 {
		t.Errorf("cosigned is %d", a.cosigned())
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is full; make room") {
		t.Errorf("Run = %v", err)
	}
	full = false
	w.fs = disk.CrashClone(vfs.CrashCloneCfg{}) // another process
	_ = a.Close()                               // of a store that has failed
	a = w.open()
	defer a.close()
	if err := a.ask(8); err != nil || a.cosigned() != 8 {
		t.Errorf("with room again: %v", err)
	}
}

// TestOpenRefuses: what cannot be audited.
func TestOpenRefuses(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Config){
		"a log twice":              func(c *Config) { c.Logs = append(c.Logs, c.Logs...) },
		"not in the trust file":    func(c *Config) { c.Logs[0].Origin = "log.example/other" },
		"no key":                   func(c *Config) { c.Signers = nil },
		"evidence cannot be found": func(c *Config) { c.Dir = "/dev/null/x" },
	} {
		cfg := Config{Dir: t.TempDir(), FS: vfs.NewMem(), Store: w.store, Logs: []Log{{Origin: origin, Policy: w.Policy, Source: w}}}
		cfg.Signers = append(cfg.Signers, w.signer())
		change(&cfg)
		if a, err := Open(t.Context(), cfg); err == nil {
			t.Errorf("%s: opened", name)
			_ = a.Close()
		}
	}
}

// TestReport: what is wrong with a log is told when it begins and ends.
func TestReport(t *testing.T) {
	w := newWorld(t)
	a := w.open()
	defer a.close()
	w.set(func() {
		w.shown = func(context.Context) ([]byte, error) { return nil, errors.New("connection refused") }
	})
	f := a.follower()
	f.poll(t.Context())
	if f.trouble == "" {
		t.Error("no trouble")
	}
	w.set(func() { w.shown = nil })
	f.poll(t.Context())
	if f.trouble != "" {
		t.Errorf("trouble: %s", f.trouble)
	}
	if cp, err := a.served().Checkpoint(t.Context()); err != nil || len(cp) == 0 {
		t.Errorf("served: %v", err)
	}
}
