package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestHold: an auditor cosigns what is held, and records nothing else.
func TestHold(t *testing.T) {
	l := newTestLog(t, testOrigin, 20)
	fork := l.fork(t, 5, 20)
	stranger := newTestLog(t, "log.example/b", 20)
	impostor := *stranger
	impostor.origin = l.origin
	var asked [][]byte
	var answer error
	w, err := New(Config{
		Signers: []Signer{testSigner(t, "w.example")}, Store: &MemStore{},
		Logs: []Log{{Origin: l.origin, Vkeys: []string{l.vkey}}},
		Hold: func(_ context.Context, origin string, note []byte) error {
			if origin != l.origin {
				t.Errorf("asked to hold %s", origin)
			}
			asked = append(asked, note)
			return answer
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		body   []byte
		answer error
		code   int
		want   string
		held   []byte // what is asked for
	}{
		{"unknown origin", stranger.request(t, 0, 8), nil, 404, "", nil},
		{"not signed by the log", impostor.request(t, 0, 8), nil, 403, "", nil},
		{"not held", l.request(t, 0, 8), fmt.Errorf("%w: 3 of 8 leaves", ErrNotHeld), 503, "not cosigned yet: 3 of 8 leaves", l.checkpoint(t, 8)},
		{"given up", l.request(t, 0, 8), fmt.Errorf("%w: false seal", ErrRefused), 403, "this log is not cosigned any more: false seal", l.checkpoint(t, 8)},
		{"own failure", l.request(t, 0, 8), errors.New("no such file: /secret"), 500, "internal error", l.checkpoint(t, 8)},
		{"held", append(l.request(t, 0, 8), "— stranger AAAAAAAA\n"...), nil, 200, "— w.example ", l.checkpoint(t, 8)},
		{"other old size", l.request(t, 0, 12), nil, 409, "8\n", l.checkpoint(t, 12)},
		{"another root: the holder sees it, too", fork.request(t, 8, 12), nil, 422, "", fork.checkpoint(t, 12)},
	} {
		asked, answer = nil, step.answer
		rec := post(t, w, step.body)
		if rec.Code != step.code || !strings.HasPrefix(rec.Body.String(), step.want) {
			t.Errorf("%s: %d %q, want %d %q", step.name, rec.Code, rec.Body, step.code, step.want)
		}
		if len(asked) > 1 || (len(asked) == 1) != (step.held != nil) || len(asked) == 1 && !bytes.Equal(asked[0], step.held) {
			t.Errorf("%s: asked to hold %q, want %q", step.name, asked, step.held)
		}
		latest, err := w.Latest(t.Context(), l.origin)
		if err != nil || (latest != nil) != (step.code == 200 || step.code == 409 || step.code == 422) {
			t.Errorf("%s: recorded %q, %v", step.name, latest, err)
		}
	}
}
