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
			g := Gatherer{Policy: policy, Clients: []*cosign.Client{client}, Store: holds(8), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
			_, err = g.Cosign(context.Background(), cp, 7)
			if err == nil || errors.Is(err, sequencer.ErrRestored) != c.restored {
				t.Errorf("error %v", err)
			}
		})
	}
}

// holds is a store with that many leaves.
type holds uint64

func (h holds) Root(context.Context) (backend.Root, error) { return backend.Root{Size: uint64(h)}, nil }

func (holds) ConsistencyProof(context.Context, uint64, uint64) ([]backend.Hash, error) {
	return nil, nil
}
