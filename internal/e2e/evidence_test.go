package e2e_test

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/internal/tiles"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// history is one of those that an operator shows of a log: the same keys, and,
// under his coercion, the same witnesses.
type history struct {
	*testnode.Node
	t      *testing.T
	source *client.Client
	party  *testlog.Party
	att    *entry.Entry
}

// newHistory has an attestation, up to which all histories are the same.
func newHistory(t *testing.T) *history {
	t.Helper()
	n := testnode.New(t, "log.example/double")
	h := &history{Node: n, t: t, party: n.Enrol("steward", 1)}
	h.att = h.attest("pkg:npm/left@1.0.0")
	n.Submit(h.att)
	web := httptest.NewServer(&tiles.Handler{
		// A node has a new sequencer when it goes on.
		List:       tiles.Leaves{Backend: n.Backend, Signed: func() backend.Root { return n.Sequencer.Signed() }},
		Checkpoint: n.Prover.Checkpoint, Fail: func(err error) { t.Error(err) },
	})
	t.Cleanup(web.Close)
	var err error
	if h.source, err = client.New(web.URL, client.Config{Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *history) attest(purl string) *entry.Entry {
	return testlog.Attest(h.party.Keys[0], testlog.Claims(h.Origin, 1_795_000_000, 5), testlog.Component(purl))
}

// promised submits an entry by the log's interface, without waiting.
func (h *history) promised(e *entry.Entry) []byte {
	h.t.Helper()
	s := &api.Service{
		Origin: h.Origin, Backend: h.Backend, Admission: admission.New(sequencer.KeyStore{Backend: h.Backend}, h.Now),
		Sequencer: h.Sequencer, Prover: h.Prover, Policy: h.Policy, Promiser: api.NewPromiser(h.LogKey), Now: h.Now, Log: slog.New(slog.DiscardHandler),
	}
	r, err := s.Submit(h.t.Context(), &standingv1.SubmitRequest{Envelope: e.Leaf})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.Sequencer.WaitPublished(h.t.Context(), r.GetResult().GetSealedSize()); err != nil {
		h.t.Fatal(err)
	}
	return r.GetResult().GetPromise()
}

// reads returns the copy of a reader.
func (h *history) reads() *mirror.Mirror {
	h.t.Helper()
	m, err := mirror.Open(h.t.Context(), mirror.Config{Dir: "copy", FS: vfs.NewMem(), Origin: h.Origin, Policy: h.Policy, Now: h.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			h.t.Error(err)
		}
	})
	if err := m.Sync(h.t.Context(), h.source, nil); err != nil {
		h.t.Fatal(err)
	}
	return m
}

// yields checks that err has a file that proves the kind of thing to somebody who
// has the trust file and nothing else.
func yields(t *testing.T, err error, kind evidence.Kind, trustFile string, now time.Time) {
	t.Helper()
	e, ok := errors.AsType[*mirror.EvidenceError](err)
	if !ok || e.Kind != string(kind) {
		t.Fatalf("%v, want %s", err, kind)
	}
	policy, err := trust.Parse([]byte(trustFile))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := evidence.Parse(e.File)
	if err != nil {
		t.Fatal(err, e)
	}
	if found, err := parsed.Verify(policy, now); err != nil || found.Kind != kind {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestAttackFork: the operator, with all witnesses in his hand, shows one tree to
// some and another to others. Whoever meets both has evidence.
func TestAttackFork(t *testing.T) {
	one, two := newHistory(t), newHistory(t)
	one.Submit(testlog.Revoke(one.Origin, 0, one.party.Keys[0], one.att.ID))
	m := one.reads()
	two.Submit(two.attest("pkg:npm/other@1.0.0"))
	yields(t, m.Sync(t.Context(), two.source, nil), evidence.KindSplitView, one.Trust, one.Now())
	two.Submit(two.attest("pkg:npm/other@1.0.1")) // a larger tree
	yields(t, m.Sync(t.Context(), two.source, nil), evidence.KindSplitView, one.Trust, one.Now())
	// And whoever has seen the larger one first.
	yields(t, two.reads().Sync(t.Context(), one.source, nil), evidence.KindSplitView, one.Trust, one.Now())
	if err := m.Sync(t.Context(), one.source, nil); err != nil {
		t.Error("the first tree, again:", err)
	}
}

// TestAttackCensor: the log promises a revocation and drops it. The promise is
// evidence as soon as another leaf stands there; the revocation in hand counts
// before that.
func TestAttackCensor(t *testing.T) {
	one, two := newHistory(t), newHistory(t)
	revocation := testlog.Revoke(one.Origin, 0, one.party.Keys[0], one.att.ID)
	promised := one.promised(revocation)
	if err := one.reads().CheckPromise(t.Context(), promised); err != nil {
		t.Fatal("the promise was kept:", err)
	}
	two.Submit(two.attest("pkg:npm/other@1.0.0"))
	yields(t, two.reads().CheckPromise(t.Context(), promised), evidence.KindBrokenPromise, one.Trust, one.Now())
	o := two.Reader()
	if r := verify.Bundle(two.Bundle(two.att.ID), o); r.Err != nil || r.Results[0].Verdict != verify.Active {
		t.Errorf("without the revocation: %+v", r)
	}
	o.Revocations = [][]byte{revocation.Leaf}
	if r := verify.Bundle(two.Bundle(two.att.ID), o); r.Err != nil || r.Results[0].Verdict != verify.Revoked {
		t.Errorf("with the revocation in hand: %+v", r)
	}
}

// TestAttackFreeze: the log goes on having its last good tree cosigned. It is
// fresh, and what was promised is not in it: that it stands still is seen by
// whoever holds a promise; as soon as it moves another way, there is evidence.
func TestAttackFreeze(t *testing.T) {
	one, frozen := newHistory(t), newHistory(t)
	promised := one.promised(testlog.Revoke(one.Origin, 0, one.party.Keys[0], one.att.ID))
	frozen.Advance(48 * time.Hour)
	frozen.Refresh()
	if r := verify.Bundle(frozen.Bundle(frozen.att.ID), frozen.Reader()); r.Err != nil || r.Results[0].Verdict != verify.Active {
		t.Errorf("the frozen tree is not fresh: %+v", r)
	}
	m := frozen.reads()
	if err := m.CheckPromise(t.Context(), promised); !errors.Is(err, mirror.ErrEarly) {
		t.Error("the frozen tree reaches the promise:", err)
	}
	frozen.Submit(frozen.attest("pkg:npm/other@1.0.0"))
	if err := m.Sync(t.Context(), frozen.source, nil); err != nil {
		t.Fatal(err)
	}
	yields(t, m.CheckPromise(t.Context(), promised), evidence.KindBrokenPromise, one.Trust, frozen.Now())
}
