package testnode_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

const origin = "log.example/testnode"

// build makes a small log and returns a bundle of its one attestation.
func build(t *testing.T) (*testnode.Node, []byte) {
	n := testnode.NewWith(t, testnode.Options{Origin: origin, Witnesses: 2})
	p := n.Enrol("steward", 2)
	a := testlog.Attest(p.Keys[1], testlog.Claims(origin, n.Unix(), 5), testlog.Component("pkg:npm/widget@1.0.0"))
	n.Submit(a)
	return n, n.Bundle(a.ID)
}

func verdict(t *testing.T, n *testnode.Node, b []byte) verify.Verdict {
	t.Helper()
	r := verify.Bundle(b, n.Reader())
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return r.Verdict
}

func TestDeterministic(t *testing.T) {
	n, a := build(t)
	if _, b := build(t); !bytes.Equal(a, b) {
		t.Error("the same calls give other bytes")
	}
	if got := verdict(t, n, a); got != verify.Active {
		t.Errorf("verdict %v", got)
	}
}

func TestClock(t *testing.T) {
	n, b := build(t)
	n.Advance(25 * time.Hour)
	if got := verdict(t, n, b); got != verify.Stale {
		t.Errorf("a day later: verdict %v", got)
	}
	n.Refresh()
	id := verify.Bundle(b, n.Reader()).Results[0].Entry.ID
	if got := verdict(t, n, n.Bundle(id)); got != verify.Active {
		t.Errorf("cosigned again: verdict %v", got)
	}
}

// TestForce forces leaves of each sort into a log, which goes on after them.
func TestForce(t *testing.T) {
	n, b := build(t)
	id := verify.Bundle(b, n.Reader()).Results[0].Entry.ID
	stranger := testlog.NewParty("stranger", 1)
	first, codes := n.Force(
		[]byte("no entry"),
		stranger.Enrol(origin, n.Registrar).Leaf,
		testlog.Revoke(origin, 0, stranger.Keys[0], id).Leaf,
	)
	want := []reason.Code{reason.EnvelopeMalformed, "", reason.NotYours}
	for i, c := range codes {
		if c != want[i] {
			t.Errorf("leaf %d: code %q, want %q", first+uint64(i), c, want[i])
		}
	}
	// What was forced and has effect is as good as what was submitted.
	a := testlog.Attest(stranger.Keys[0], testlog.Claims(origin, n.Unix(), 5), testlog.Component("pkg:npm/gadget@1.0.0"))
	n.Submit(a)
	if got := verdict(t, n, n.Bundle(id, a.ID)); got != verify.Active {
		t.Errorf("verdict %v", got)
	}
}

// TestFill makes a generated log.
func TestFill(t *testing.T) {
	g := testlog.New(origin, 1)
	n := testnode.NewWith(t, testnode.Options{Origin: origin, Charter: g.Next(0).Entry})
	n.Fill(1500, func(index uint64) []byte { return g.Next(index).Leaf })
	if s := n.State(); s.Size != 1500 {
		t.Errorf("size %d", s.Size)
	}
}

// TestPad checks that a padded log still proves what it holds.
func TestPad(t *testing.T) {
	n, b := build(t)
	id := verify.Bundle(b, n.Reader()).Results[0].Entry.ID
	n.Pad(3000, 1000)
	if s := n.State(); s.Size != 3000 || s.Map.Keys() < 1000 {
		t.Errorf("size %d, %d keys", s.Size, s.Map.Keys())
	}
	if got := verdict(t, n, n.Bundle(id)); got != verify.Active {
		t.Errorf("verdict %v", got)
	}
}

func TestSign(t *testing.T) {
	n, _ := build(t)
	body := trust.Body{Origin: origin, Size: 1 << 40}
	if _, err := n.Policy.Open(n.Sign(body, 2, n.Now().Unix()), n.Now()); err != nil {
		t.Errorf("signed by all: %v", err)
	}
	if _, err := n.Policy.Open(n.Sign(body, 1, n.Now().Unix()), n.Now()); err == nil {
		t.Error("signed by one of two: accepted")
	}
}
