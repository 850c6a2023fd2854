package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/backend/embedded"
)

// TestDamaged finds a store damaged, in which fsck then finds nothing: no log
// starts in between.
func TestDamaged(t *testing.T) {
	dir := made(t)
	n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n.sequencer.Halt(fmt.Errorf("reading:\n%w", backend.ErrDamaged))
	n.sequencer.Halt(errors.New("later"))
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err = open(t, dir)
		if err == nil || !strings.Contains(err.Error(), "(reading: store is damaged)") || !strings.Contains(err.Error(), "standing fsck "+dir) {
			t.Errorf("start: %v", err)
		}
	}
	if err := fsckErr(t, dir); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir); err != nil {
		t.Errorf("start after fsck: %v", err)
	}
}

// TestNoStore checks and starts a node whose store is gone: both say so, and make no
// empty one in its place, with which the log would begin anew.
func TestNoStore(t *testing.T) {
	dir := made(t)
	if err := os.RemoveAll(filepath.Join(dir, storeDir)); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"start": open(t, dir), "fsck": fsckErr(t, dir), "start after fsck": open(t, dir)} {
		if !errors.Is(err, backend.ErrDamaged) || !strings.Contains(err.Error(), "standingd recover") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func fsckErr(t *testing.T, dir string) error {
	_, _, err := Fsck(t.Context(), dir, slog.New(slog.DiscardHandler), func(_, _ uint64) {})
	return err
}

// TestNotDamaged halts for a reason that the next start judges by itself.
func TestNotDamaged(t *testing.T) {
	dir := made(t)
	n, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n.sequencer.Halt(context.DeadlineExceeded)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, damagedFile)); err == nil {
		t.Error("the store counts as damaged")
	}
	if err := open(t, dir); err != nil {
		t.Error(err)
	}
}

// TestOtherFormat starts a node whose map another version of this program wrote.
func TestOtherFormat(t *testing.T) {
	dir, key := made(t), []byte("mh")
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(t.Context(), embedded.Options{Dir: filepath.Join(dir, storeDir)})
	if err != nil {
		t.Fatal(err)
	}
	view := store.View()
	head, err := backend.Get(view, key)
	if err != nil || len(head) < 33 {
		t.Fatalf("head %x, %v", head, err)
	}
	older := bytes.Clone(head[:len(head)-32])
	older[0]--
	sum := sha256.Sum256(append(bytes.Clone(key), older...))
	if err := errors.Join(view.Close(), store.Swap(t.Context(), key, head, append(older, sum[:]...)), store.Close()); err != nil {
		t.Fatal(err)
	}
	err = open(t, dir)
	for _, want := range []string{"written in format 3, and not 4", "standingd rebuild --dir " + dir} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("start: %v, want %q", err, want)
		}
	}
}
