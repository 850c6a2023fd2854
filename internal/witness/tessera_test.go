package witness

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"

	"github.com/standing-log/standing/personality/trust"
)

// TestTessera lets a Tessera log publish two checkpoints, which it does only
// once the witness client it has built in got our cosignature, and reads them
// with our policy and with torchwood's.
func TestTessera(t *testing.T) {
	l := newTestLog(t, "tessera.example/log", 0)
	w := newTestWitness(t, openDir(t, t.TempDir()), &clock{time.Now().Unix()}, l)
	server := httptest.NewServer(w)
	defer server.Close()
	text := fmt.Sprintf("log %s\nwitness w %s %s\nquorum w\n", l.vkey, w.Vkeys()[0], server.URL)
	ours, err := trust.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := torchwood.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}

	group, err := tessera.NewWitnessGroupFromPolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	driver, err := posix.New(t.Context(), posix.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	opts := tessera.NewAppendOptions().
		WithCheckpointSigner(l.signer).
		WithCheckpointInterval(100*time.Millisecond).
		WithBatching(1, 10*time.Millisecond).
		WithWitnesses(group, nil)
	appender, shutdown, _, err := tessera.NewAppender(t.Context(), driver, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer shutdown(context.Background())

	for i := range 2 {
		index, err := appender.Add(t.Context(), tessera.NewEntry(fmt.Append(nil, "entry ", i)))()
		if err != nil {
			t.Fatal(err)
		}
		cp := awaitCheckpoint(t, ours, filepath.Join(dir, "checkpoint"), index.Index+1)
		if _, _, err := torchwood.VerifyCheckpoint(cp, theirs); err != nil {
			t.Errorf("torchwood: %v\n%s", err, cp)
		}
	}
	shown, err := w.Latest(t.Context(), l.origin)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ours.Open(shown, time.Now()); err != nil || c.Size != 2 {
		t.Errorf("witness shows %s: %v", shown, err)
	}
}

// awaitCheckpoint polls until the published checkpoint covers size leaves, and
// requires each one that it sees to be witnessed.
func awaitCheckpoint(t *testing.T, p *trust.Policy, path string, size uint64) []byte {
	t.Helper()
	for {
		cp, err := os.ReadFile(path)
		if err == nil {
			c, err := p.Open(cp, time.Now())
			if err != nil && !emptyTree(cp) {
				t.Fatalf("published: %v\n%s", err, cp)
			}
			if err == nil && c.Witnessed && c.Size >= size {
				return cp
			}
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no checkpoint")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// emptyTree: Tessera publishes the empty tree at start without its witnesses.
func emptyTree(cp []byte) bool {
	return bytes.HasPrefix(cp, []byte("tessera.example/log\n0\n"))
}
