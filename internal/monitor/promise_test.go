package monitor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
)

// TestPromises holds the log to what it signed: what it kept is quiet, what it
// does not come to is told after a while, and what it broke with the proof.
func TestPromises(t *testing.T) {
	s := newScene(t)
	s.cfg.Promises, s.cfg.Daily = t.TempDir(), false
	promised := func(name string, index, size uint64, leaf []byte) string {
		p := promise.Promise{Origin: origin, ID: "att:" + strings.Repeat("0a", 32), Index: index, Size: size}
		copy(p.LeafHash[:], rfc6962.DefaultHasher.HashLeaf(leaf))
		files, err := promise.Sign(s.LogKey, p)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.cfg.Promises, name)
		if err := os.WriteFile(path, files[0], 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	leaves, err := s.Backend.Leaves(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(watch.BeginNow)
	promised("kept.promise", 0, 2, leaves[0])
	promised("no-promise.txt", 0, 2, []byte("another"))
	s.expect("")
	early := promised("early.promise", 2, 4, []byte("a leaf that never came"))
	s.expect("")
	s.Advance(time.Hour)
	s.expect("promise-overdue")
	s.expect("")
	p := s.Enrol("steward", 1) // at index 2
	s.expect("promise-broken party-enrolled")
	s.confirmed(evidence.KindBrokenPromise)
	s.expect("")
	// It is remembered, whatever becomes of the file, and told once.
	if err := os.Remove(early); err != nil {
		t.Fatal(err)
	}
	attest(s.Node, p, "pkg:npm/a@1.0.0")
	s.expect("issued")
	// What cannot be read is said, and hinders nothing.
	if err := os.WriteFile(filepath.Join(s.cfg.Promises, "bad.promise"), []byte("promise me"), 0o600); err != nil {
		t.Fatal(err)
	}
	attest(s.Node, p, "pkg:npm/b@1.0.0")
	got, err := s.look()
	if got != "issued" || err == nil || !strings.Contains(err.Error(), "bad.promise") {
		t.Errorf("told %q; %v", got, err)
	}
	if n := len(s.kept()); n != 1 {
		t.Errorf("kept %v", fmt.Sprint(s.kept()))
	}
}
