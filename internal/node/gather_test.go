package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/cosign"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/witness"
	"github.com/standing-log/standing/personality/trust"
)

// answer is a cosigner that says one thing.
type answer struct {
	code        int
	contentType string
	body        string
}

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {a.contentType}}
	return &http.Response{StatusCode: a.code, Header: h, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// TestContradiction asks one cosigner, whom the quorum wants. What says that it
// knows another tree stops the log; a failure does not.
func TestContradiction(t *testing.T) {
	const size = "text/x.tlog.size"
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.example/gather")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	_, witnessKey, err := witness.GenerateKey(rand.Reader, "witness.example/w")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := trust.Parse(fmt.Appendf(nil, "log %s\nwitness w %s\nquorum w\n", vkey, witnessKey))
	if err != nil {
		t.Fatal(err)
	}
	cp, err := note.Sign(&note.Note{Text: trust.Body{Origin: "log.example/gather", Size: 7}.String()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer
		restored bool
	}{
		"a larger tree":                  {answer{409, size, "9\n"}, true},
		"a larger tree, which we hold":   {answer{409, size, "8\n"}, false},
		"another tree of this size":      {answer{409, "text/plain", "conflict\n"}, true},
		"a smaller tree, not extended":   {answer{422, "text/plain", "inconsistent\n"}, true},
		"the log is not known":           {answer{404, "text/plain", "unknown\n"}, false},
		"a failure":                      {answer{500, "text/plain", "failure\n"}, false},
		"a reply that is no cosignature": {answer{200, "text/plain", "yes\n"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := cosign.NewClient(cosign.Config{
				URL: "http://witness.invalid", Cosigners: policy.Cosigners(), HTTP: &http.Client{Transport: c.answer},
			})
			if err != nil {
				t.Fatal(err)
			}
			g := &Gatherer{Policy: policy, Clients: []*cosign.Client{client}, Store: holds(8), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
			_, err = g.Cosign(context.Background(), cp, 7)
			if err == nil || errors.Is(err, sequencer.ErrRestored) != c.restored {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestContradictionAndQuorum has some of three witnesses contradict, some be
// down, and the rest cosign. The writer stops for good when those who contradict
// leave no quorum, and waits while it is only that others do not answer; a
// cosigner that no quorum counts on cannot do either.
func TestContradictionAndQuorum(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "log.example/gather")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := note.Sign(&note.Note{Text: trust.Body{Origin: "log.example/gather", Size: 7}.String()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		quorum  string
		answers string // of a, b and c: y cosigns, n contradicts, - is down
		want    error
	}{
		{"group g 2 a b c\nquorum g\n", "yyn", nil},
		{"group g 2 a b c\nquorum g\n", "y-n", sequencer.ErrDoubt},
		{"group g 2 a b c\nquorum g\n", "--n", sequencer.ErrDoubt},
		{"group g 2 a b c\nquorum g\n", "y--", trust.ErrQuorum},
		{"group g 2 a b c\nquorum g\n", "ynn", sequencer.ErrRestored},
		{"group g 2 a b c\nquorum g\n", "-nn", sequencer.ErrRestored},
		{"group g all a b\nquorum g\n", "ny-", sequencer.ErrRestored},
		{"group g all a b\nquorum g\n", "-yn", trust.ErrQuorum}, // c is not in the quorum
		{"group g all a b\nquorum g\n", "yyn", nil},
		{"quorum a\n", "-nn", trust.ErrQuorum},
		{"quorum a\n", "n--", sequencer.ErrRestored},
	} {
		t.Run(c.quorum+c.answers, func(t *testing.T) {
			text := "log " + vkey + "\n"
			transports := map[string]http.RoundTripper{}
			for i, name := range []string{"a", "b", "c"} {
				skey, wkey, err := witness.GenerateKey(rand.Reader, "witness.example/"+name)
				if err != nil {
					t.Fatal(err)
				}
				text += fmt.Sprintf("witness %s %s\n", name, wkey)
				transports[name] = answer{503, "text/plain", "down\n"}
				switch c.answers[i] {
				case 'n':
					transports[name] = answer{409, "text/x.tlog.size", "9\n"}
				case 'y':
					key, err := witness.NewSigner(skey)
					if err != nil {
						t.Fatal(err)
					}
					w, err := witness.New(witness.Config{
						Signers: []witness.Signer{key}, Store: new(witness.MemStore), Logs: []witness.Log{{Origin: "log.example/gather", Vkeys: []string{vkey}}},
					})
					if err != nil {
						t.Fatal(err)
					}
					transports[name] = inProcess{w}
				}
			}
			policy, err := trust.Parse([]byte(text + c.quorum))
			if err != nil {
				t.Fatal(err)
			}
			g := &Gatherer{Policy: policy, Store: holds(8), Now: time.Now, Grace: -1, Log: slog.New(slog.DiscardHandler)}
			for i, o := range policy.Cosigners() {
				client, err := cosign.NewClient(cosign.Config{
					URL: "http://witness.invalid", Cosigners: policy.Cosigners()[i : i+1], HTTP: &http.Client{Transport: transports[o.Name]},
				})
				if err != nil {
					t.Fatal(err)
				}
				g.Clients = append(g.Clients, client)
			}
			if _, err := g.Cosign(t.Context(), cp, 7); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			g.Wait()
		})
	}
}

// holds is a store with that many leaves.
type holds uint64

func (h holds) Root(context.Context) (backend.Root, error) { return backend.Root{Size: uint64(h)}, nil }

func (holds) ConsistencyProof(context.Context, uint64, uint64) ([]backend.Hash, error) {
	return nil, nil
}
