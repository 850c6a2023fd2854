package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/personality/trust"
)

// TestStatusAtOnce: all logs are asked before any has answered; one that answers
// late or never keeps nothing from the others, and what is printed has the order
// of the trust file.
func TestStatusAtOnce(t *testing.T) {
	asked, answered := map[string]chan bool{}, map[string]chan bool{}
	text := ""
	names := []string{"a", "b", "c"}
	for _, name := range names {
		asked[name], answered[name] = make(chan bool), make(chan bool)
		_, vkey, err := note.GenerateKey(nil, "log.example/"+name)
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			close(asked[name])
			for _, other := range names {
				<-asked[other]
			}
			switch name {
			case "a": // after b
				<-answered["b"]
			case "c":
				<-r.Context().Done()
				return
			}
			fmt.Fprintf(w, `{"asOf":{"size":"2","time":"7"},"results":[{"subject":"pkg:npm/%s"}]}`, name)
		}))
		defer web.Close()
		text += "log " + vkey + " " + web.URL + "\n"
	}
	policy, err := trust.Parse([]byte(text + "quorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := pickLogs(policy, "")
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	a := &app{stdout: &out, stderr: &problems, output: "text", now: time.Now, maxAge: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	answers := a.askAll(ctx, logs, policy, []string{"pkg:npm/x"})
	b := <-answers[1]
	close(answered["b"])
	if code := a.printLog(<-answers[0]); code != exitCannotTell { // it is old, and shows no checkpoint
		t.Errorf("exit code %d", code)
	}
	a.printLog(b)
	cancel()
	if c := <-answers[2]; !errors.Is(c.err, context.Canceled) || c.Error == "" {
		t.Errorf("%+v", c)
	}
	if got := out.String(); !strings.HasPrefix(got, "pkg:npm/a: NONE\n") || !strings.Contains(got, "\npkg:npm/b: NONE\n") ||
		strings.Count(got, "cosigned by nobody in your trust file.\n  It does not count") != 2 {
		t.Errorf("%s", got)
	}
}
