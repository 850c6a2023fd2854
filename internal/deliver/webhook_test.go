package deliver_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/deliver"
	"github.com/standing-log/standing/internal/watch"
)

func event(n uint64) *watch.Event {
	return &watch.Event{ID: "log.example/deliver/7/0", Log: "log.example/deliver", Kind: watch.Withdrawn, Severity: "act",
		Time: time.Unix(1_795_000_000, 0).UTC(), Index: &n, Text: "text"}
}

// TestWebhook posts CloudEvents, again where it must, and nowhere else.
func TestWebhook(t *testing.T) {
	type received struct {
		http.Header
		body string
	}
	var got []received
	answers := []int{500, 429, 204, 307, 404, 503, 200}
	elsewhere := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/hook" {
			elsewhere = true
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, received{r.Header, string(b)})
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answers[0])
		answers = answers[1:]
	}))
	defer srv.Close()
	secret, err := deliver.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_795_000_100, 0)
	hook, err := deliver.NewWebhook(deliver.WebhookConfig{URL: srv.URL + "/hook", Secret: secret, Pause: time.Nanosecond, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	e := event(7)
	if err := hook.Deliver(t.Context(), e); err != nil || len(got) != 3 {
		t.Errorf("%v after %d attempts", err, len(got))
	}
	if err := hook.Deliver(t.Context(), e); err == nil || elsewhere {
		t.Errorf("three refusals: %v; elsewhere: %t", err, elsewhere)
	}
	now = now.Add(time.Hour)
	if err := hook.Deliver(t.Context(), e); err != nil {
		t.Error(err)
	}
	first, last := got[0], got[len(got)-1]
	id := first.Get("webhook-id")
	if id != deliver.MessageID(e) || id != last.Get("webhook-id") || strings.Contains(id, ".") || id == deliver.MessageID(&watch.Event{ID: "other"}) {
		t.Errorf("ids %q and %q", id, last.Get("webhook-id"))
	}
	for _, r := range []received{first, last} {
		unix := map[bool]int64{true: 1_795_000_100, false: 1_795_003_700}[r.body == first.body && r.Get("webhook-timestamp") == "1795000100"]
		if want := deliver.Sign(secret, id, unix, []byte(r.body)); r.Get("webhook-signature") != want {
			t.Errorf("signature %q at %s, want %q", r.Get("webhook-signature"), r.Get("webhook-timestamp"), want)
		}
	}
	if first.Get("webhook-timestamp") == last.Get("webhook-timestamp") {
		t.Error("the timestamp is not that of the attempt")
	}
	var env struct {
		SpecVersion, ID, Source, Type, DataContentType string
		Time                                           time.Time
		Data                                           watch.Event
	}
	if err := json.Unmarshal([]byte(first.body), &env); err != nil || first.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" {
		t.Fatal(first.Get("Content-Type"), err)
	}
	if env.SpecVersion != "1.0" || env.ID != e.ID || env.Source != e.Log || env.Type != "standing.withdrawn" || env.Data.Text != "text" || *env.Data.Index != 7 {
		t.Errorf("%s", first.body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := hook.Deliver(ctx, e); err == nil {
		t.Error("delivered after its time")
	}
	for _, bad := range []string{"", "ftp://x/", "http:///x", "://"} {
		if _, err := deliver.NewWebhook(deliver.WebhookConfig{URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestSign is the vector of the Standard Webhooks libraries.
func TestSign(t *testing.T) {
	secret, err := deliver.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := deliver.Sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, bad := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ", "whsec_" + strings.Repeat("A", 88), "whsec_*fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := deliver.ParseSecret(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
