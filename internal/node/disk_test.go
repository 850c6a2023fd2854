package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.yaml.in/yaml/v3"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func TestRoom(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		reserve, free, total uint64
		err                  error
		want                 reason.Code
	}{
		"a large disk":              {0, gib, 1000 * gib, nil, ""},
		"a large disk, nearly full": {0, gib - 1, 1000 * gib, nil, reason.NoSpace},
		"a small disk":              {0, gib / 20, gib, nil, ""},
		"a small disk, nearly full": {0, gib/20 - 1, gib, nil, reason.NoSpace},
		"configured":                {2 * gib, 2 * gib, 1000 * gib, nil, ""},
		"configured, nearly full":   {2 * gib, 2*gib - 1, 1000 * gib, nil, reason.NoSpace},
		"full":                      {1, 0, 1000 * gib, nil, reason.NoSpace},
		"unknown":                   {0, 0, 0, errors.New("no such call"), ""},
	} {
		d := &disk{reserve: c.reserve, log: slog.New(slog.DiscardHandler), statfs: func(string) (free, total uint64, err error) {
			return c.free, c.total, c.err
		}}
		if got := reason.CodeOf(d.room()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	free, total, err := statfs(t.TempDir())
	if err != nil || free == 0 || free > total {
		t.Errorf("%d bytes of %d, %v", free, total, err)
	}
	if _, _, err := statfs("/no/such/directory"); err == nil {
		t.Error("a directory that is not there has room")
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "4096": 4096, "2KiB": 2048, "512MiB": 512 << 20, "1GiB": 1 << 30, "3 GiB": 3 << 30,
	} {
		var b Bytes
		if err := yaml.Unmarshal([]byte(text), &b); err != nil || uint64(b) != want {
			t.Errorf("%s: %d, %v", text, b, err)
		}
		again, err := yaml.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var c Bytes
		if err := yaml.Unmarshal(again, &c); err != nil || c != b {
			t.Errorf("%s: again %d, %v", text, c, err)
		}
	}
	for _, text := range []string{"much", "-1", "1GB", "GiB", "1.5GiB", "99999999999999GiB", "[1]"} {
		var b Bytes
		if err := yaml.Unmarshal([]byte(text), &b); err == nil {
			t.Errorf("%s is %d bytes", text, b)
		}
	}
}

// full is a disk without room, once it is on: what is written is cut short.
type full struct{ on atomic.Bool }

func (f *full) String() string { return "full" }

func (f *full) MaybeError(op errorfs.Op) error {
	if f.on.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		return syscall.ENOSPC
	}
	return nil
}

// TestDiskFull fills the disk under a node. First the reserve is touched:
// attestations are refused and withdrawals are taken. Then nothing can be
// written: the node ends and says what to do. Once there is room a start finds
// all that was acknowledged.
func TestDiskFull(t *testing.T) {
	dir := made(t)
	cfg, err := ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	var free atomic.Uint64
	free.Store(1 << 40)
	disk := new(full)
	n := &Node{cfg: cfg, log: slog.New(slog.DiscardHandler), fs: errorfs.Wrap(vfs.Default, disk),
		statfs: func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }}
	if err := n.open(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	l, url := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(t.Context(), l) }()
	post := func(url string, e *entry.Entry) (int, string) {
		body, err := json.Marshal(map[string]any{"envelope": e.Leaf})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(url+"/v1/entries", "application/json", bytes.NewReader(body))
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body) // a node that ends may cut it short
		return resp.StatusCode, string(answer)
	}
	party := testlog.NewParty("steward", 1)
	enrol, err := entry.Parse(enrolment(t, dir, party))
	if err != nil {
		t.Fatal(err)
	}
	party.ID = enrol.ID
	attest := func(i int) *entry.Entry {
		return testlog.Attest(party.Keys[0], testlog.Claims(testOrigin, uint64(time.Now().Unix()), 3),
			testlog.Component(fmt.Sprintf("pkg:npm/left@1.0.%d", i)))
	}
	kept := []*entry.Entry{enrol, attest(1), attest(2)}
	for _, e := range kept {
		if code, text := post(url, e); code != http.StatusOK {
			t.Fatalf("with room: %d %s", code, text)
		}
	}
	free.Store(1 << 20)
	time.Sleep(roomFor)
	if code, text := post(url, attest(3)); code != http.StatusServiceUnavailable || !strings.Contains(text, string(reason.NoSpace)) {
		t.Errorf("an attestation into the reserve: %d %s", code, text)
	}
	withdrawal := testlog.Revoke(testOrigin, 0, party.Keys[0], kept[1].ID)
	if code, text := post(url, withdrawal); code != http.StatusOK {
		t.Errorf("a withdrawal into the reserve: %d %s", code, text)
	}
	kept = append(kept, withdrawal)
	disk.on.Store(true)
	if code, text := post(url, testlog.Revoke(testOrigin, 0, party.Keys[0], kept[2].ID)); code == http.StatusOK {
		t.Errorf("acknowledged on a full disk: %s", text)
	}
	if err := <-ended; !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("ended with %v", err)
	}
	_ = n.Close() // the store says once more that it has failed

	// A failed store keeps its directory until the process ends: go on with a
	// copy of what is on the disk.
	next := filepath.Join(t.TempDir(), "node")
	if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{logKeyFile, mldsaKeyFile, witnessFile} {
		if err := os.Chmod(filepath.Join(next, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Fsck(t.Context(), next, slog.New(slog.DiscardHandler), func(_, _ uint64) {}); err != nil {
		t.Errorf("fsck: %v", err)
	}
	l, url = listen(t)
	start(t, next, l)
	for i, e := range kept {
		if code, text := post(url, e); code != http.StatusOK || !strings.Contains(text, `"duplicate":true`) {
			t.Errorf("acknowledged entry %d is not there: %d %s", i, code, text)
		}
	}
	if code, text := post(url, attest(3)); code != http.StatusOK {
		t.Errorf("with room again: %d %s", code, text)
	}
}
