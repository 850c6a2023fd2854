package cosign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
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

// TestAuditorsFirst looks at who has been asked when somebody is.
func TestAuditorsFirst(t *testing.T) {
	l := newTestLog(t)
	for _, tc := range []struct {
		quorum string
		broken string // cosigners that answer 503
		first  string // of whom one has cosigned before a witness is asked
		asked  string
		err    string // who is wanting
	}{
		{"group g all x w v\nquorum g\n", "", "x", "vwx", ""},
		{"group g all x w v\nquorum g\n", "x", "x", "x", "x"},
		{"group g all x w v\nquorum g\n", "w", "x", "vwx", "w"},
		{"group a any x y\ngroup g all a w\nquorum g\n", "", "xy", "wxy", ""},
		{"group a any x y\ngroup g all a w\nquorum g\n", "x", "y", "wxy", ""},
		{"group a all x y\ngroup g all a w\nquorum g\n", "y", "", "xy", "y"},
		{"group g 2 w v x\nquorum g\n", "x", "", "vwx", ""}, // no auditor is needed
		{"quorum x\n", "", "", "vwx", ""},
		{"quorum w\n", "x", "", "vwx", ""},
	} {
		t.Run(tc.quorum+tc.broken, func(t *testing.T) {
			var mu sync.Mutex
			var asked, cosigned string
			var peers []*peer
			for _, name := range []string{"v", "w", "x", "y"} {
				if !strings.Contains(tc.quorum, name) && !strings.Contains(tc.asked, name) {
					continue
				}
				p := honest(t, name, l, fixedNow)
				answer := p.handler
				p.handler = func(p *peer, rw http.ResponseWriter, r *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					asked += name
					if strings.Contains("vw", name) && tc.first != "" && !strings.ContainsAny(cosigned, tc.first) {
						t.Errorf("%s is asked when %q have cosigned", name, cosigned)
					}
					if strings.Contains(tc.broken, name) {
						http.Error(rw, "syncing", http.StatusServiceUnavailable)
						return
					}
					answer(p, rw, r)
					cosigned += name
				}
				peers = append(peers, p)
			}
			p := policy(t, l, tc.quorum, peers...)
			cp, consistency := l.at(t, 8)
			res, err := Gather(t.Context(), Request{
				Policy: p, Clients: clients(t, p, time.Minute), Auditors: []string{"x", "y"}, Checkpoint: cp, Consistency: consistency, Now: now, Grace: -1,
			})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(asked, "")
			slices.Sort(got)
			if strings.Join(got, "") != tc.asked {
				t.Errorf("asked %q, want %q", asked, tc.asked)
			}
			var qe *trust.QuorumError
			if errors.As(res.Quorum, &qe) != (tc.err != "") || qe != nil && !slices.Contains(qe.Missing, tc.err) {
				t.Errorf("%v, want %q", res.Quorum, tc.err)
			}
			for _, f := range res.Failures {
				if strings.Contains(tc.broken, f.Names[0]) == errors.Is(f.Err, ErrNotHeld) {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestRestIsNoObstacle has a cosigner fail until it is left alone. It is asked
// all the same when the quorum has nobody else.
func TestRestIsNoObstacle(t *testing.T) {
	l := newTestLog(t)
	fails := map[string]bool{}
	var mu sync.Mutex
	var peers []*peer
	for _, name := range []string{"a", "b", "c"} {
		p := honest(t, name, l, fixedNow)
		answer := p.handler
		p.handler = func(p *peer, rw http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if fails[name] {
				http.Error(rw, "no", 500)
				return
			}
			answer(p, rw, r)
		}
		peers = append(peers, p)
	}
	p := policy(t, l, "group g 2 a b c\nquorum g\n", peers...)
	cs := clients(t, p, time.Minute)
	gather := func() string {
		cp, consistency := l.at(t, 8)
		res, err := Gather(t.Context(), Request{Policy: p, Clients: cs, Checkpoint: cp, Consistency: consistency, Now: now, Grace: -1})
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, c := range res.Opened.Cosignatures {
			s = append(s, c.Name)
		}
		for _, f := range res.Failures {
			s = append(s, fmt.Sprintf("%s:%t", f.Names[0], errors.Is(f.Err, ErrBackoff)))
		}
		return strings.Join(s, " ")
	}
	fail := func(name string, f bool) {
		mu.Lock()
		defer mu.Unlock()
		fails[name] = f
	}
	fail("c", true)
	for range restAfter {
		if got := gather(); got != "a b c:false" {
			t.Error(got)
		}
	}
	fail("c", false)
	if got := gather(); got != "a b c:true" {
		t.Error(got)
	}
	fail("b", true) // c is asked when b has failed
	if got := gather(); got != "a c b:false" {
		t.Error(got)
	}
}

// TestGatherGrace has an optional cosigner that answers when it is told to.
func TestGatherGrace(t *testing.T) {
	l := newTestLog(t)
	answer := make(chan bool)
	slow := honest(t, "slow", l, fixedNow)
	prompt := slow.handler
	slow.handler = func(p *peer, rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		select {
		case <-answer:
			prompt(p, rw, r)
		case <-r.Context().Done():
		}
	}
	p := policy(t, l, "group g 2 a b slow\nquorum g\n", honest(t, "a", l, fixedNow), honest(t, "b", l, fixedNow), slow)
	cs := clients(t, p, time.Minute)
	gather := func(grace time.Duration) *Result {
		cp, consistency := l.at(t, 8)
		res, err := Gather(t.Context(), Request{Policy: p, Clients: cs, Checkpoint: cp, Consistency: consistency, Now: now, Grace: grace})
		if err != nil || !res.Opened.Witnessed || len(res.Opened.Cosignatures) != 2 {
			t.Fatalf("%+v, %v", res, err)
		}
		return res
	}
	first := gather(time.Millisecond)
	if len(first.Failures) != 0 {
		t.Errorf("%+v", first.Failures)
	}
	// It is not asked again before it has answered, and then its line is late.
	if again := gather(time.Hour); len(again.Failures) != 1 || !errors.Is(again.Failures[0].Err, ErrBusy) {
		t.Errorf("%+v", again.Failures)
	}
	answer <- true
	late := <-first.Late
	if cp, err := p.Open(late, now); err != nil || len(cp.Cosignatures) != 3 {
		t.Errorf("%v\n%s", err, late)
	}
	if _, more := <-first.Late; more {
		t.Error("and another one")
	}
	// Who usually takes longer than the grace is not waited for.
	cs[2].took = time.Hour
	gather(time.Hour - 1)
}

// TestGatherNone: without a quorum there is nothing to stop at but the grace.
func TestGatherNone(t *testing.T) {
	l := newTestLog(t)
	p := policy(t, l, "quorum none\n", honest(t, "a", l, fixedNow), honest(t, "b", l, fixedNow))
	cp, consistency := l.at(t, 8)
	res, err := Gather(t.Context(), Request{Policy: p, Clients: clients(t, p, time.Minute), Checkpoint: cp, Consistency: consistency, Now: now, Grace: time.Hour})
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
		res, err := Gather(t.Context(), Request{Policy: p, Clients: clients(t, p, time.Minute), Checkpoint: []byte(checkpoint), Now: now, Grace: -1})
		if err != nil {
			t.Fatal(err)
		}
		if want := cp + p1.line(t, b, tc.want); string(res.Checkpoint) != want {
			t.Errorf("%s:\n%s\nwant\n%s", tc.name, res.Checkpoint, want)
		}
	}
}
