package api_test

import (
	"errors"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/trust"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// wantPromise checks that the log has promised what it answered, and has kept it
// already.
func (s *server) wantPromise(r *standingv1.SubmitResult) *promise.Promise {
	s.Helper()
	p, err := promise.Open(s.Policy, r.GetPromise())
	if err != nil {
		s.Fatal(err)
	}
	if p.ID != r.GetId() || p.Index != r.GetIndex() || p.Size != r.GetSealedSize() || p.Origin != origin {
		s.Errorf("answer %v, promise %+v", r, p)
	}
	if signed := s.Sequencer.SignedSize(); signed < p.Size {
		s.Errorf("size %d is promised, size %d signed", p.Size, signed)
	}
	leaves, err := s.Backend.Leaves(s.Context(), p.Index, 1)
	s.check(err)
	if got := rfc6962.DefaultHasher.HashLeaf(leaves[0]); p.LeafHash != promise.Hash(got) {
		s.Errorf("leaf %d has hash %x, promised is %x", p.Index, got, p.LeafHash)
	}
	return p
}

// TestPromise: whoever does not wait gets a promise about the leaf that is in the
// log, also for an event that was accepted before; whoever waits gets none.
func TestPromise(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 2)
	a := good(s.Node, p, 0)
	submit := func(leaf []byte, wait bool) *standingv1.SubmitResult {
		resp, err := s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: leaf, Wait: wait})
		s.check(err)
		return resp.GetResult()
	}
	first := s.wantPromise(submit(a.Leaf, false))
	s.submit(good(s.Node, p, 1)) // the tree has grown
	again := submit(a.Leaf, false)
	if p := s.wantPromise(again); *p != *first || !again.GetDuplicate() {
		t.Errorf("the second promise is %+v, the first was %+v", p, first)
	}
	if r := submit(a.Leaf, true); len(r.GetPromise()) != 0 {
		t.Error("a promise beside the bundle")
	}
	// Another signature of the same event: the promise is about what is in the log.
	b := testlog.Attest(p.Keys[1], testlog.Claims(origin, s.Unix(), 5), testlog.Component("pkg:npm/b@1.0.0"))
	first = s.wantPromise(submit(b.Leaf, false))
	if p := s.wantPromise(submit(testlog.Envelope(b.Payload, b.KeyID, otherSignature(t, b.Signature)), false)); *p != *first {
		t.Errorf("under another signature the promise is %+v, the first was %+v", p, first)
	}
	bad := testlog.Revoke(origin, 0, p.Keys[0], entry.Hash{1})
	resp, err := s.grpc.SubmitBatch(t.Context(), &standingv1.SubmitBatchRequest{
		Envelopes: [][]byte{good(s.Node, p, 2).Leaf, bad.Leaf, a.Leaf, good(s.Node, p, 3).Leaf}})
	s.check(err)
	for i, r := range resp.GetResults() {
		if i == 1 {
			if r.GetRefusal().GetCode() != string(reason.TargetUnknown) || len(r.GetPromise()) != 0 {
				t.Errorf("refused: %v", r)
			}
			continue
		}
		s.wantPromise(r)
	}
}

// TestPromiseToClient: the client hands out promises that it has verified, and
// none otherwise.
func TestPromiseToClient(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	log, _ := s.Policy.Log(origin)
	other := testnode.New(t, "other.example/log")
	stranger, _ := other.Policy.Log(other.Origin)
	for name, c := range map[string]struct {
		log  trust.Log
		want error
		none bool
	}{
		"its keys":     {log: log},
		"no keys":      {none: true},
		"other keys":   {log: trust.Log{Origin: origin, Keys: stranger.Keys}, want: client.ErrPromise},
		"other origin": {log: stranger, want: client.ErrPromise},
	} {
		dialled, err := client.New(s.rest, client.Config{Attempts: 1, Log: c.log})
		s.check(err)
		a, b := good(s.Node, p, 10), good(s.Node, p, 11)
		r, err := dialled.Submit(t.Context(), a.Leaf, false)
		if !errors.Is(err, c.want) || err == nil && (len(r.Promise) == 0) != c.none {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		all, err := dialled.SubmitBatch(t.Context(), [][]byte{a.Leaf, b.Leaf}, false)
		if !errors.Is(err, c.want) || err == nil && (len(all[1].Promise) == 0) != c.none {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}
