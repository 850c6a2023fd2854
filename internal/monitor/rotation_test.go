package monitor_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/watch"
	"github.com/standing-log/standing/personality/trust"
)

// resigned is a log whose key was exchanged: the same trees, signed by another.
type resigned struct {
	mirror.Source
	by note.Signer
}

func (r resigned) Checkpoint(ctx context.Context) ([]byte, error) {
	old, err := r.Source.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	text, lines, _ := strings.Cut(string(old), "\n\n")
	signed, err := note.Sign(&note.Note{Text: text + "\n"}, r.by)
	for _, line := range strings.SplitAfter(lines, "\n") {
		if line != "" && !strings.HasPrefix(line, "— "+origin+" ") {
			signed = append(signed, line...)
		}
	}
	return signed, err
}

// TestRotation exchanges the key of a log while it is watched. Whoever does not
// know the new one learns nothing, and is not told that the log lies; whoever
// does, with the old one beside it or without, is told what has happened
// meanwhile, once, from where he was: no cursor begins anew.
func TestRotation(t *testing.T) {
	s := newScene(t)
	s.cfg.Daily = false
	p := s.Enrol("steward", 1)
	s.begin(watch.BeginAll)
	s.expect("charter-changed party-enrolled")

	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	before, right := s.cfg.Policy, s.source.Source
	s.source.Source = resigned{right, signer}
	attest(s.Node, p, "pkg:npm/a@1.0.0")
	for range 2 {
		s.Advance(2 * time.Hour)
		s.Refresh()
		if got, err := s.look(); got != "" || !errors.Is(err, trust.ErrNoLogSignature) {
			t.Errorf("a key that is not known: told %q; %v", got, err)
		}
	}
	old := strings.SplitAfterN(before.String(), "\n", 2)
	both, err := trust.Parse([]byte(old[0] + "log " + vkey + "\n" + old[1]))
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.Policy = both
	s.expect("issued")
	// The old key signs no more, and is taken out of the trust file.
	attest(s.Node, p, "pkg:npm/b@1.0.0")
	alone, err := trust.Parse([]byte("log " + vkey + "\n" + old[1]))
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.Policy = alone
	s.expect("issued")
	s.expect("")
	// What the copy holds is signed by the old key, and the log cannot be had.
	s.cfg.Policy, s.source.Source = both, right
	s.expect("")
	s.cfg.Policy, s.source.Source = alone, failing{errors.New("no route")}
	if got, err := s.look(); strings.Contains(got, "split") || err == nil {
		t.Errorf("told %q; %v", got, err)
	}
	s.source.Source = resigned{right, signer}
	attest(s.Node, p, "pkg:npm/c@1.0.0")
	s.expect("issued")
}
