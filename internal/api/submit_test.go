package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/verify"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// wantBundle checks a bundle as its reader does: ids in order, one verdict for
// each.
func (s *server) wantBundle(b []byte, verdicts []verify.Verdict, ids ...entry.Hash) {
	s.Helper()
	r := verify.Bundle(b, s.Reader())
	if r.Err != nil || len(r.Results) != len(ids) {
		s.Fatalf("bundle: %v, %d results", r.Err, len(r.Results))
	}
	for i, id := range ids {
		if got := r.Results[i]; got.Entry.ID != id || got.Verdict != verdicts[i] {
			s.Errorf("attestation %d: %x is %v, want %x, %v", i, got.Entry.ID, got.Verdict, id, verdicts[i])
		}
	}
}

var active = []verify.Verdict{verify.Active}

// TestSubmit submits the same attestation without waiting, waiting, and over
// REST.
func TestSubmit(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	a := good(s.Node, p, 0)
	size := s.size()
	resp, err := s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: a.Leaf})
	s.check(err)
	first := resp.GetResult()
	if first.GetId() != a.IDString() || first.GetIndex() != size || first.GetSealedSize() != size+2 ||
		first.GetDuplicate() || first.Bundle != nil || first.Refusal != nil {
		t.Errorf("first answer: %v", first)
	}
	resp, err = s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: a.Leaf, Wait: true})
	s.check(err)
	if r := resp.GetResult(); r.GetIndex() != first.GetIndex() || r.GetSealedSize() != first.GetSealedSize() || !r.GetDuplicate() {
		t.Errorf("second answer: %v", r)
	}
	s.wantBundle(resp.GetResult().GetBundle(), active, a.ID)
	var rest struct{ Result restResult }
	s.call("POST", "/v1/entries", map[string]any{"envelope": a.Leaf, "wait": true}, &rest)
	if r := rest.Result; r.ID != a.IDString() || r.Index != first.GetIndex() || !r.Duplicate {
		t.Errorf("over REST: %+v", r)
	}
	s.wantBundle(rest.Result.Bundle, active, a.ID)
	// Other events bring no bundle.
	resp, err = s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: testlog.Revoke(origin, 0, p.Keys[0], a.ID).Leaf, Wait: true})
	s.check(err)
	if r := resp.GetResult(); r.Bundle != nil || r.GetId()[:4] != "evt:" {
		t.Errorf("revocation: %v", r)
	}
	if s.Sequencer.PublishedSize() < resp.GetResult().GetSealedSize() {
		t.Error("wait did not wait")
	}
}

// TestSpelling: an envelope may be spelt freely, and is logged as a leaf.
func TestSpelling(t *testing.T) {
	s := serve(t)
	a := good(s.Node, s.Enrol("alpha", 1), 0)
	e := fmt.Sprintf("{ \"signatures\": [ {\"sig\": \"%[1]s\",\n\"keyid\": \"%[2]x\"} ], \"payloadType\":\"application\\/vnd.in-toto+json\",\"payload\":\"%[3]s\" }",
		leafPart(a.Leaf, `"sig":"`), a.KeyID, leafPart(a.Leaf, `"payload":"`))
	resp, err := s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: []byte(e)})
	s.check(err)
	leaves, err := s.Backend.Leaves(t.Context(), resp.GetResult().GetIndex(), 1)
	s.check(err)
	if string(leaves[0]) != string(a.Leaf) {
		t.Errorf("leaf %s", leaves[0])
	}
}

// TestSubmitBatch: results come in the order of the request, and the accepted
// entries keep it in the log, whatever stands between them.
func TestSubmitBatch(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 2)
	old := good(s.Node, p, 0)
	s.submit(old)
	bad := testlog.Revoke(origin, 0, p.Keys[0], entry.Hash{1})
	var envelopes [][]byte
	var want []string // id, or code
	for i := range 10 {
		a := good(s.Node, p, 10+i)
		envelopes, want = append(envelopes, a.Leaf, bad.Leaf), append(want, a.IDString(), string(reason.TargetUnknown))
	}
	twin := envelopes[0]
	withdrawal := testlog.Revoke(origin, 0, p.Keys[0], old.ID)
	envelopes = append(envelopes, twin, old.Leaf, []byte("{}"), withdrawal.Leaf)
	want = append(want, want[0], old.IDString(), string(reason.EnvelopeMalformed), withdrawal.IDString())

	resp, err := s.grpc.SubmitBatch(t.Context(), &standingv1.SubmitBatchRequest{Envelopes: envelopes, Wait: true})
	s.check(err)
	results := resp.GetResults()
	if len(results) != len(want) {
		t.Fatalf("%d results for %d envelopes", len(results), len(want))
	}
	var last uint64
	for i, r := range results {
		if r.GetId() != want[i] && r.GetRefusal().GetCode() != want[i] {
			t.Errorf("result %d: %v, want %s", i, r, want[i])
		}
		if isNew := i < 20 && i%2 == 0; isNew {
			if r.GetIndex() <= last || r.GetDuplicate() || r.GetSealedSize() <= r.GetIndex() {
				t.Errorf("result %d: %v, after index %d", i, r, last)
			}
			last = r.GetIndex()
		}
		if r.GetRefusal() != nil && (r.GetId() != "" || r.GetIndex() != 0 || r.GetSealedSize() != 0) {
			t.Errorf("result %d: refused and accepted: %v", i, r)
		}
	}
	n := len(results)
	if r := results[n-4]; !r.GetDuplicate() || r.GetIndex() != results[0].GetIndex() || r.GetSealedSize() != results[0].GetSealedSize() {
		t.Errorf("twin: %v, first: %v", r, results[0])
	}
	if r := results[n-3]; !r.GetDuplicate() || r.GetIndex() > results[0].GetIndex() {
		t.Errorf("known before: %v", r)
	}
	if s.Sequencer.PublishedSize() < results[n-1].GetSealedSize() {
		t.Error("wait did not wait")
	}
	if got := s.Record(old.ID).State; got != "revoked" {
		t.Errorf("old attestation is %s", got)
	}
}

// leafPart returns the string in a leaf that begins after head.
func leafPart(leaf []byte, head string) string {
	_, rest, _ := strings.Cut(string(leaf), head)
	part, _, _ := strings.Cut(rest, `"`)
	return part
}

// TestCounts: calls about no items or too many are refused, those about as many
// as allowed are not.
func TestCounts(t *testing.T) {
	s := serve(t)
	call := map[string]func(n int) error{
		"SubmitBatch": func(n int) error {
			_, err := s.grpc.SubmitBatch(t.Context(), &standingv1.SubmitBatchRequest{Envelopes: make([][]byte, n), Wait: true})
			return err
		},
		"GetBundle": func(n int) error {
			_, err := s.grpc.GetBundle(t.Context(), &standingv1.GetBundleRequest{Ids: make([]string, n)})
			return err
		},
		"CheckStatus": func(n int) error {
			_, err := s.grpc.CheckStatus(t.Context(), &standingv1.CheckStatusRequest{Subjects: make([]string, n)})
			return err
		},
		"ProveStatus": func(n int) error {
			_, err := s.grpc.ProveStatus(t.Context(), &standingv1.ProveStatusRequest{Subjects: make([]string, n)})
			return err
		},
		"ListEntries": func(n int) error {
			_, err := s.grpc.ListEntries(t.Context(), &standingv1.ListEntriesRequest{Limit: uint32(n)})
			return err
		},
	}
	for name, f := range call {
		wantRefusal(t, overGRPC(f(api.MaxBatch+1)), reason.RequestTooLarge, false)
		if name == "ListEntries" {
			continue // 0 means no limit of the caller's
		}
		wantRefusal(t, overGRPC(f(0)), reason.RequestMalformed, false)
	}
	s.check(call["SubmitBatch"](api.MaxBatch))
	s.check(call["CheckStatus"](api.MaxBatch))
	s.check(call["ListEntries"](api.MaxBatch))
	wantRefusal(t, overGRPC(call["GetBundle"](api.MaxBatch)), reason.SubjectUnknown, false)
	wantRefusal(t, overGRPC(call["ProveStatus"](api.MaxBatch)), reason.SubjectUnknown, false)
}

// TestCancelled: a call whose context has ended is told so, one by one in a
// batch, and may be repeated.
func TestCancelled(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, b := good(s.Node, p, 0), good(s.Node, p, 1)
	_, err := s.service.Submit(ctx, &standingv1.SubmitRequest{Envelope: a.Leaf, Wait: true})
	wantRefusal(t, overGRPC(err), reason.ShuttingDown, false)
	resp, err := s.service.SubmitBatch(ctx, &standingv1.SubmitBatchRequest{Envelopes: [][]byte{b.Leaf, {}}})
	s.check(err)
	for i, want := range []reason.Code{reason.ShuttingDown, reason.EnvelopeMalformed} {
		if got := resp.GetResults()[i].GetRefusal().GetCode(); got != string(want) {
			t.Errorf("item %d: %q, want %s", i, got, want)
		}
	}
	_, err = s.service.GetBundle(ctx, &standingv1.GetBundleRequest{Ids: []string{a.IDString()}})
	wantRefusal(t, overGRPC(err), reason.ShuttingDown, false)
	s.submit(a, b)
}

// TestHalted: once the writer has stopped, submissions are told that the node
// is read-only; what is published can be read.
func TestHalted(t *testing.T) {
	s := serve(t)
	p := s.Enrol("alpha", 1)
	a := good(s.Node, p, 0)
	s.submit(a)
	// Something else writes: the next turn finds a leaf where it wanted to.
	_, err := s.Backend.Append(t.Context(), s.size(), [][]byte{[]byte("not ours")}, nil)
	s.check(err)
	for _, e := range []*entry.Entry{good(s.Node, p, 1), good(s.Node, p, 2), testlog.Revoke(origin, 0, p.Keys[0], a.ID), a} {
		_, err := s.grpc.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: e.Leaf, Wait: true})
		wantRefusal(t, overGRPC(err), reason.ReadOnly, false)
		code, body := s.do("POST", "/v1/entries", map[string]any{"envelope": e.Leaf})
		wantRefusal(t, overREST(t, code, body), reason.ReadOnly, true)
	}
	resp, err := s.grpc.SubmitBatch(t.Context(), &standingv1.SubmitBatchRequest{Envelopes: [][]byte{good(s.Node, p, 3).Leaf, {}}, Wait: true})
	s.check(err)
	for i, want := range []reason.Code{reason.ReadOnly, reason.EnvelopeMalformed} {
		if got := resp.GetResults()[i].GetRefusal().GetCode(); got != string(want) {
			t.Errorf("item %d: %q, want %s", i, got, want)
		}
	}
	b, err := s.client.Bundle(t.Context(), a.IDString())
	s.check(err)
	s.wantBundle(b, active, a.ID)
	st, err := s.client.Status(t.Context(), a.IDString())
	s.check(err)
	if st.Results[0].Total != 1 || st.Results[0].Attestations[0].Verdict != "ACTIVE" {
		t.Errorf("status %+v", st.Results[0])
	}
	info, err := s.client.Info(t.Context())
	s.check(err)
	n := uint64(0)
	for _, err := range s.client.Entries(t.Context(), 0) {
		s.check(err)
		n++
	}
	if n != info.PublishedSize {
		t.Errorf("%d entries listed, %d published", n, info.PublishedSize)
	}
}
