package api_test

import (
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// TestReplay offers again what was accepted: a reinstatement while a later hold
// is in force, and an attestation under another valid signature. Each is
// answered with the first result and has no effect.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	size := w.size()
	for _, c := range []struct {
		first *entry.Entry
		leaf  []byte
	}{
		{w.lifting, w.lifting.Leaf},
		{w.held, testlog.Envelope(w.held.Payload, w.held.KeyID, otherSignature(t, w.held.Signature))},
	} {
		resp, err := w.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: c.leaf, Wait: true})
		w.check(err)
		r := resp.GetResult()
		if !r.GetDuplicate() || r.GetId() != c.first.IDString() || r.GetIndex() >= w.Record(w.held.ID).Last {
			t.Errorf("replayed: %v", r)
		}
	}
	if got := w.Record(w.held.ID); got.State != "held" || entry.Hash(*got.Hold) != w.secondHold.ID {
		t.Errorf("record after the replay: %+v", got)
	}
	if got := w.size(); got != size {
		t.Errorf("size %d, was %d", got, size)
	}
}

// TestExpiredReplay: what was accepted is answered so for ever, though the rules
// of admission would refuse it today.
func TestExpiredReplay(t *testing.T) {
	s := serve(t)
	a := good(s.Node, s.Enrol("alpha", 1), 0)
	s.submit(a)
	s.Advance(2 * 365 * 24 * time.Hour)
	resp, err := s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: a.Leaf})
	s.check(err)
	if r := resp.GetResult(); !r.GetDuplicate() || r.GetId() != a.IDString() {
		t.Errorf("replayed: %v", r)
	}
}

// otherSignature returns the other P-256 signature of the same message, which
// everybody can compute: (r, n - s).
func otherSignature(t *testing.T, sig []byte) []byte {
	t.Helper()
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &v); err != nil {
		t.Fatal(err)
	}
	v.S.Sub(elliptic.P256().Params().N, v.S)
	other, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// TestClosedLog: a log that takes no more attestations takes withdrawals.
func TestClosedLog(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	a := good(s.Node, p, 0)
	var after uint64
	s.submit(a, testlog.Charter(origin, &after, "closed", []*testlog.Key{s.Registrar}, s.Root))
	_, err := s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: good(s.Node, p, 1).Leaf})
	wantRefusal(t, overGRPC(err), reason.IssuanceClosed, false)
	s.submit(testlog.Revoke(origin, 0, p.Keys[0], a.ID))
}
