package cosign

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"

	"github.com/standing-log/standing/personality/trust"
)

func fixedNow() time.Time { return now }

func TestGather(t *testing.T) {
	l := newTestLog(t)
	a, b, c := honest(t, "a", l, fixedNow), honest(t, "b", l, fixedNow), honest(t, "c", l, fixedNow)
	broken := serve(t, "d", func(_ *peer, rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "no", 500) })
	p := policy(t, l, "group g 3 a b c d\nquorum g\n", c, a, broken, b)
	cs := clients(t, p, time.Minute)
	var first []byte
	for _, size := range []int64{8, 20, 20} {
		cp, consistency := l.at(t, size)
		res, err := Gather(t.Context(), Request{Policy: p, Clients: cs, Checkpoint: cp, Consistency: consistency, Now: now, Grace: -1})
		if err != nil {
			t.Fatal(err)
		}
		if res.Quorum != nil || !res.Opened.Witnessed || !res.Opened.Time.Equal(now) || res.Opened.Size != uint64(size) {
			t.Errorf("%+v", res)
		}
		var status *StatusError
		if len(res.Failures) != 1 || !slices.Equal(res.Failures[0].Names, []string{"d"}) || !errors.As(res.Failures[0].Err, &status) {
			t.Errorf("Failures = %+v", res.Failures)
		}
		var order []string
		for _, s := range res.Opened.Cosignatures {
			order = append(order, s.Name)
		}
		if !slices.Equal(order, []string{"c", "a", "b"}) || !strings.HasPrefix(string(res.Checkpoint), string(cp)) {
			t.Errorf("order %q\n%s", order, res.Checkpoint)
		}
		if size == 20 && first != nil && string(first) != string(res.Checkpoint) {
			t.Errorf("order of lines depends on chance:\n%s%s", first, res.Checkpoint)
		}
		if size == 20 {
			first = res.Checkpoint
		}
		theirs, err := torchwood.ParsePolicy([]byte(p.String()))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := torchwood.VerifyCheckpoint(res.Checkpoint, theirs); err != nil {
			t.Errorf("torchwood: %v", err)
		}
	}
}

// TestGatherTwice asks auditors, then witnesses.
func TestGatherTwice(t *testing.T) {
	l := newTestLog(t)
	a, b := honest(t, "a", l, fixedNow), honest(t, "b", l, fixedNow)
	p := policy(t, l, "group g all a b\nquorum g\n", a, b)
	cs := clients(t, p, time.Minute)
	cp, consistency := l.at(t, 8)
	res, err := Gather(t.Context(), Request{Policy: p, Clients: cs[1:], Checkpoint: cp, Consistency: consistency, Now: now})
	var qe *trust.QuorumError
	if err != nil || !errors.As(res.Quorum, &qe) || !slices.Equal(qe.Missing, []string{"a"}) || res.Opened.Witnessed || len(res.Opened.Cosignatures) != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	res, err = Gather(t.Context(), Request{Policy: p, Clients: cs[:1], Checkpoint: res.Checkpoint, Consistency: consistency, Now: now})
	if err != nil || res.Quorum != nil || !res.Opened.Witnessed {
		t.Fatalf("%+v, %v", res, err)
	}
}

// TestGatherGrace has a cosigner that never answers: the others suffice.
func TestGatherGrace(t *testing.T) {
	l := newTestLog(t)
	slow := serve(t, "slow", func(_ *peer, _ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	p := policy(t, l, "group g 2 a b slow\nquorum g\n", honest(t, "a", l, fixedNow), honest(t, "b", l, fixedNow), slow)
	cs := clients(t, p, time.Hour)
	for range restAfter + 1 {
		cp, consistency := l.at(t, 8)
		res, err := Gather(t.Context(), Request{Policy: p, Clients: cs, Checkpoint: cp, Consistency: consistency, Now: now, Grace: time.Millisecond})
		if err != nil || !res.Opened.Witnessed || len(res.Failures) != 1 || !errors.Is(res.Failures[0].Err, context.Canceled) || errors.Is(res.Failures[0].Err, ErrBackoff) {
			t.Fatalf("%+v, %v", res, err)
		}
	}
}

// TestGatherNone: without a quorum there is nothing to stop at.
func TestGatherNone(t *testing.T) {
	l := newTestLog(t)
	p := policy(t, l, "quorum none\n", honest(t, "a", l, fixedNow), honest(t, "b", l, fixedNow))
	cp, consistency := l.at(t, 8)
	res, err := Gather(t.Context(), Request{Policy: p, Clients: clients(t, p, time.Minute), Checkpoint: cp, Consistency: consistency, Now: now})
	if err != nil || res.Quorum != nil || res.Opened.Witnessed || len(res.Opened.Cosignatures) != 2 {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := Gather(t.Context(), Request{Policy: p, Checkpoint: cp, Now: now}); err != nil || string(res.Checkpoint) != string(cp) {
		t.Errorf("nobody asked: %+v, %v", res, err)
	}
}

func TestGatherRefuses(t *testing.T) {
	l := newTestLog(t)
	asked := serve(t, "a", func(*peer, http.ResponseWriter, *http.Request) { t.Error("asked") })
	p := policy(t, l, "quorum a\n", asked)
	b := l.body(t, 8)
	for name, cp := range map[string][]byte{
		"unsigned":  []byte(b.String()),
		"by others": []byte(b.String() + "\n" + asked.line(t, b, now.Unix())),
		"empty":     nil,
	} {
		if res, err := Gather(t.Context(), Request{Policy: p, Clients: clients(t, p, time.Minute), Checkpoint: cp, Now: now}); err == nil {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

func TestMerge(t *testing.T) {
	l := newTestLog(t)
	b := l.body(t, 8)
	cp := string(l.sign(t, b))
	dated := int64(0)
	p1 := serve(t, "a", func(p *peer, rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, p.line(t, b, dated)) })
	stranger := serve(t, "x", nil)
	p := policy(t, l, "quorum a\n", p1)
	ts := now.Unix()
	for _, tc := range []struct {
		name string
		had  []int64
		new  int64
		want int64
	}{
		{"nothing yet", nil, ts, ts},
		{"newer replaces", []int64{ts - 100}, ts, ts},
		{"older does not", []int64{ts}, ts - 100, ts},
		{"replaces the future", []int64{ts + 9999}, ts, ts},
		{"replaces zero", []int64{0}, ts, ts},
		{"replaces several", []int64{ts - 300, ts - 100, ts - 200}, ts - 50, ts - 50},
		{"new one is in the future", []int64{ts - 100}, ts + 9999, ts - 100},
	} {
		checkpoint := cp
		for _, unix := range tc.had {
			checkpoint += p1.line(t, b, unix)
		}
		checkpoint += stranger.line(t, b, ts) // unknown to the policy: dropped
		dated = tc.new
		res, err := Gather(t.Context(), Request{Policy: p, Clients: clients(t, p, time.Minute), Checkpoint: []byte(checkpoint), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if want := cp + p1.line(t, b, tc.want); string(res.Checkpoint) != want {
			t.Errorf("%s:\n%s\nwant\n%s", tc.name, res.Checkpoint, want)
		}
	}
}
