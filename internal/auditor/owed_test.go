package auditor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/mirror"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/client"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/reason"
)

// bring brings the auditor what the log owes, in a request as it comes.
func (a *audited) bring(in map[string]any) (code int, body string) {
	a.w.t.Helper()
	if in["log"] == nil {
		in["log"] = origin
	}
	b, err := json.Marshal(in)
	if err != nil {
		a.w.t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	a.Handler().ServeHTTP(rec, httptest.NewRequest("POST", "/auditor/entries", bytes.NewReader(b)))
	return rec.Code, rec.Body.String()
}

// hold has the auditor hold an entry.
func (a *audited) hold(e *entry.Entry) *client.Held {
	a.w.t.Helper()
	h, err := a.submitter().Hold(a.w.t.Context(), origin, e.Leaf, nil)
	if err != nil || h.ID != e.IDString() || h.Log != origin {
		a.w.t.Fatalf("%+v, %v", h, err)
	}
	return h
}

func (a *audited) submitter() *client.Client {
	a.w.t.Helper()
	c, err := client.New("http://auditor.invalid/auditor", client.Config{HTTP: &http.Client{Transport: inProcess{a.Handler()}}, Attempts: 1})
	if err != nil {
		a.w.t.Fatal(err)
	}
	return c
}

// files counts what is kept for a log.
func (a *audited) files() int {
	a.w.t.Helper()
	files, err := os.ReadDir(filepath.Join(a.w.dir, OwedDir, mirror.DirName(origin)))
	if err != nil {
		a.w.t.Fatal(err)
	}
	return len(files)
}

func short(c *Config) { c.Deadline = 4 }

// TestOwed: a log that keeps silent about a withdrawal is not cosigned past the
// deadline, over restarts, until it has it.
func TestOwed(t *testing.T) {
	w := newWorld(t)
	id := w.attest(3)[0] // size 10
	a := w.open(short)
	if err := a.ask(10); err != nil {
		t.Fatal(err)
	}
	revocation := testlog.Revoke(origin, 1, w.party.Keys[0], id)
	if h := a.hold(revocation); h.State != "held" || h.Deadline != 14 {
		t.Fatalf("%+v", h)
	}
	w.attest(2) // size 14
	if err := a.ask(14); err != nil {
		t.Errorf("at the deadline: %v", err)
	}
	// To bring it again changes nothing.
	if h := a.hold(revocation); h.Deadline != 14 || a.files() != 1 {
		t.Errorf("%+v, %d files", h, a.files())
	}
	w.attest(1)
	owes := "it lacks " + revocation.IDString() + ", which was due by size 14"
	refused(t, a.ask(16), 503, owes)
	a.close()
	a = w.open(short)
	defer func() { a.close() }()
	refused(t, a.ask(16), 503, owes)
	a.follower().poll(t.Context())
	if !strings.Contains(a.follower().trouble, owes) {
		t.Errorf("trouble: %q", a.follower().trouble)
	}
	if a.cosigned() != 14 {
		t.Errorf("cosigned is %d", a.cosigned())
	}
	w.Submit(revocation)
	refused(t, a.ask(16), 503, owes) // it is not in this one
	a = w.openAgain(a)
	if err := a.ask(18); err != nil || a.files() != 0 {
		t.Errorf("with the withdrawal: %v, %d files", err, a.files())
	}
	if h := a.hold(revocation); h.State != "logged" || h.Index != 16 {
		t.Errorf("%+v", h)
	}
}

// TestOwedNoMore: what somebody else has withdrawn meanwhile is not waited for.
func TestOwedNoMore(t *testing.T) {
	w := newWorld(t)
	id := w.attest(1)[0]
	a := w.open(short)
	defer a.close()
	if err := a.ask(6); err != nil {
		t.Fatal(err)
	}
	a.hold(testlog.Revoke(origin, 1, w.party.Keys[0], id))
	w.Submit(testlog.Revoke(origin, 2, w.party.Keys[0], id))
	w.attest(3)
	if err := a.ask(w.Sequencer.PublishedSize()); err != nil || a.files() != 0 {
		t.Errorf("%v; %d files", err, a.files())
	}
}

// TestOwedPatience: a log that does not grow has a day. Then its old tree is not
// cosigned anew.
func TestOwedPatience(t *testing.T) {
	w := newWorld(t)
	id := w.attest(1)[0]
	a := w.open()
	if err := a.ask(6); err != nil {
		t.Fatal(err)
	}
	a.hold(testlog.Revoke(origin, 1, w.party.Keys[0], id))
	w.Advance(24 * time.Hour)
	if err := a.ask(6); err != nil {
		t.Error(err)
	}
	w.Advance(time.Second)
	refused(t, a.ask(6), 503, "which was due by size 20006")
	a.close()
}

// TestOwedRefuses: what an auditor does not wait for.
func TestOwedRefuses(t *testing.T) {
	w := newWorld(t)
	ids := w.attest(2)
	key := w.party.Keys[0]
	attestation := testlog.Attest(key, testlog.Claims(origin, w.Unix(), 5), testlog.Component("pkg:npm/right@1.0.0"))
	w.Submit(testlog.Revoke(origin, 1, key, ids[0]))
	a := w.open()
	defer a.close()
	busy := func(code int, body string) {
		t.Helper()
		if code != 503 || !strings.Contains(body, string(reason.Busy)) {
			t.Errorf("%d %s", code, body)
		}
	}
	good := testlog.Revoke(origin, 1, key, ids[1])
	a.follower().told(3, 10)
	code, body := a.bring(map[string]any{"envelope": good.Leaf})
	busy(code, body)
	if err := a.ask(w.Sequencer.PublishedSize()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   map[string]any
		want reason.Code
	}{
		"an attestation":     {map[string]any{"envelope": attestation.Leaf}, reason.RequestMalformed},
		"no entry":           {map[string]any{"envelope": []byte("{}")}, reason.EnvelopeMalformed},
		"no promise":         {map[string]any{"promise": []byte("x")}, reason.RequestMalformed},
		"nothing":            {map[string]any{}, reason.RequestMalformed},
		"both":               {map[string]any{"envelope": good.Leaf, "promise": []byte("x")}, reason.RequestMalformed},
		"another member":     {map[string]any{"envelope": good.Leaf, "x": 1}, reason.RequestMalformed},
		"another log":        {map[string]any{"envelope": good.Leaf, "log": "log.example/x"}, reason.WrongLog},
		"a stranger's key":   {map[string]any{"envelope": testlog.Revoke(origin, 1, testlog.NewParty("stranger", 1).Keys[0], ids[1]).Leaf}, reason.KeyUnknown},
		"revoked already":    {map[string]any{"envelope": testlog.Revoke(origin, 2, key, ids[0]).Leaf}, reason.TargetState},
		"of nothing":         {map[string]any{"envelope": testlog.Revoke(origin, 2, key, [32]byte{1}).Leaf}, reason.TargetUnknown},
		"for another origin": {map[string]any{"envelope": testlog.Revoke("log.example/x", 1, key, ids[1]).Leaf}, reason.WrongLog},
	} {
		code, body := a.bring(c.in)
		if code == 200 || !strings.Contains(body, `"code":"`+string(c.want)+`"`) {
			t.Errorf("%s: %d %s, want %s", name, code, body, c.want)
		}
	}
	if a.files() != 0 {
		t.Errorf("%d files", a.files())
	}
	for i := range maxOwed {
		a.follower().owed[fmt.Sprint(i)] = &owed{}
	}
	code, body = a.bring(map[string]any{"envelope": good.Leaf})
	busy(code, body)
}

// TestOwedForward: the log is offered what it does not have, and again after a
// while.
func TestOwedForward(t *testing.T) {
	w := newWorld(t)
	id := w.attest(1)[0]
	offered := make(chan []byte, 9)
	a := w.open(func(c *Config) {
		c.Logs[0].Submit = func(_ context.Context, envelope []byte) error {
			offered <- envelope
			return reason.Errorf(reason.Busy, "come again")
		}
	})
	if err := a.ask(6); err != nil {
		t.Fatal(err)
	}
	e := testlog.Revoke(origin, 1, w.party.Keys[0], id)
	a.hold(e)
	if got := <-offered; !bytes.Equal(got, e.Leaf) {
		t.Errorf("offered %s", got)
	}
	a.follower().poll(t.Context())
	w.Advance(forwardEvery)
	a.follower().poll(t.Context())
	a.close() // waits for what is under way
	if len(offered) != 1 {
		t.Errorf("offered %d times more, want once", len(offered))
	}
}

// promised is a promise of the log about any entry.
func (w *world) promised(e *entry.Entry, index uint64) []byte {
	w.t.Helper()
	p := promise.Promise{Origin: origin, ID: e.IDString(), LeafHash: [32]byte(rfc6962.DefaultHasher.HashLeaf(e.Leaf)), Index: index, Size: index + 1}
	files, err := promise.Sign(w.LogKey, p)
	if err != nil {
		w.t.Fatal(err)
	}
	return files[0]
}

// TestPromise: a promise is held until its index is reached; then it was kept, or
// is evidence.
func TestPromise(t *testing.T) {
	for _, kept := range []bool{true, false} {
		for _, how := range []string{"asked", "followed", "brought late"} {
			t.Run(fmt.Sprintf("kept %t %s", kept, how), func(t *testing.T) {
				w := newWorld(t)
				w.attest(1)
				a := w.open()
				defer func() { a.close() }()
				if err := a.ask(6); err != nil {
					t.Fatal(err)
				}
				e := testlog.Attest(w.party.Keys[0], testlog.Claims(origin, w.Unix(), 5), testlog.Component("pkg:npm/right@1.0.0"))
				note := w.promised(e, 8)
				if how != "brought late" {
					if h, err := a.submitter().Hold(t.Context(), origin, nil, note); err != nil || h.State != "held" || h.Deadline != 8 || a.files() != 1 {
						t.Fatalf("%+v, %v", h, err)
					}
				}
				w.attest(1) // leaves 6 and 7
				if err := a.ask(8); err != nil {
					t.Fatal(err)
				}
				if kept {
					w.Submit(e)
				} else {
					w.attest(1)
				}
				switch how {
				case "followed":
					a.follower().poll(t.Context())
				case "brought late":
					a.follower().poll(t.Context())
					if code, body := a.bring(map[string]any{"promise": note}); (code == 200) != kept {
						t.Fatalf("%d %s", code, body)
					}
				}
				a = w.openAgain(a)
				if kept {
					if err := a.ask(10); err != nil || a.files() != 0 {
						t.Errorf("%v, %d files", err, a.files())
					}
					return
				}
				refused(t, a.ask(10), 403, "broken-promise")
				proven(t, w, evidence.KindBrokenPromise)
			})
		}
	}
}

// proven checks that the evidence file proves what it says, from itself alone.
func proven(t *testing.T, w *world, kind evidence.Kind) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, EvidenceDir, mirror.DirName(origin)+".evidence.json"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := evidence.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Verify(w.Policy, w.Now()); err != nil || e.Kind() != kind {
		t.Errorf("evidence of %s: %v", e.Kind(), err)
	}
}

// TestOwedDamaged: what is kept and cannot be read keeps the auditor from
// starting: it would forget what it waits for.
func TestOwedDamaged(t *testing.T) {
	w := newWorld(t)
	id := w.attest(1)[0]
	a := w.open()
	if err := a.ask(6); err != nil {
		t.Fatal(err)
	}
	a.hold(testlog.Revoke(origin, 1, w.party.Keys[0], id))
	cfg := a.cfg
	a.close()
	files, err := filepath.Glob(filepath.Join(w.dir, OwedDir, "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("opened: %v", err)
	}
}
