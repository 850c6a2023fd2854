package promise_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

const origin = "log.example/a"

func key(tb testing.TB, name, seed string) (note.Signer, string) {
	tb.Helper()
	digest := sha256.Sum256([]byte(seed))
	skey, vkey, err := note.GenerateKey(bytes.NewReader(digest[:]), name)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		tb.Fatal(err)
	}
	return signer, vkey
}

func policy(tb testing.TB, vkeys ...string) *trust.Policy {
	tb.Helper()
	text := "quorum none\n"
	for _, k := range vkeys {
		text = "log " + k + "\n" + text
	}
	p, err := trust.Parse([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var good = promise.Promise{Origin: origin, ID: "att:" + strings.Repeat("0f", 32), LeafHash: [32]byte{1, 2}, Index: 41, Size: 43}

// TestOpen: what the log has signed is opened; anything else is not.
func TestOpen(t *testing.T) {
	signer, vkey := key(t, origin, "log")
	thief, _ := key(t, origin, "thief")
	other, otherKey := key(t, "other.example", "other")
	signed := func(text string, s ...note.Signer) []byte {
		msg, err := note.Sign(&note.Note{Text: text}, s...)
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	p := policy(t, vkey, otherKey)
	msg, err := good.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := promise.Open(p, msg); err != nil || *got != good || !promise.Is(msg) {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := promise.Open(p, signed(good.String(), signer, thief)); err != nil || *got != good {
		t.Errorf("with a line by a stranger: %+v, %v", got, err)
	}
	spoilt := bytes.Clone(msg)
	if at := &spoilt[len(spoilt)-10]; *at == 'A' {
		*at = 'B'
	} else {
		*at = 'A'
	}
	for name, c := range map[string]struct {
		msg  []byte
		want error
	}{
		"another key":      {signed(good.String(), thief), promise.ErrSignature},
		"another log":      {signed(good.String(), other), promise.ErrSignature},
		"bad signature":    {spoilt, promise.ErrSignature},
		"unknown log":      {signed(strings.Replace(good.String(), origin, "unknown.example", 1), signer), trust.ErrUnknownLog},
		"changed":          {bytes.Replace(msg, []byte("\n41\n"), []byte("\n40\n"), 1), promise.ErrSignature},
		"no note":          {[]byte(good.String()), promise.ErrMalformed},
		"a checkpoint":     {signed(trust.Body{Origin: origin, Size: 5}.String(), signer), promise.ErrMalformed},
		"too long":         {append(bytes.Clone(msg), make([]byte, promise.MaxSize)...), promise.ErrMalformed},
		"nothing":          {nil, promise.ErrMalformed},
		"an extra line":    {signed(good.String()+"more\n", signer), promise.ErrMalformed},
		"another version":  {signed(strings.Replace(good.String(), "v1", "v2", 1), signer), promise.ErrMalformed},
		"index not below":  {signed(promise.Promise{Origin: origin, ID: good.ID, Index: 43, Size: 43}.String(), signer), promise.ErrMalformed},
		"beyond 2^53":      {signed(promise.Promise{Origin: origin, ID: good.ID, Index: 1, Size: 1 << 53}.String(), signer), promise.ErrMalformed},
		"leading zero":     {signed(strings.Replace(good.String(), "\n41\n", "\n041\n", 1), signer), promise.ErrMalformed},
		"loose base64":     {signed(strings.Replace(good.String(), "AAA=\n", "AAB=\n", 1), signer), promise.ErrMalformed},
		"an id of no kind": {signed(strings.Replace(good.String(), "att:", "key:", 1), signer), promise.ErrMalformed},
	} {
		if got, err := promise.Open(p, c.msg); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestNoCheckpoint: a promise is never opened as a checkpoint, not even of a log
// whose name is the first line of promises.
func TestNoCheckpoint(t *testing.T) {
	for _, name := range []string{origin, "standing/promise/v1", "41"} {
		signer, vkey := key(t, name, "log")
		p := good
		p.Origin = name
		msg, err := p.Sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := promise.Open(policy(t, vkey), msg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if cp, err := policy(t, vkey).OpenLogSigned(msg); err == nil {
			t.Errorf("%s: a promise is the checkpoint %+v", name, cp)
		}
	}
}

// FuzzParse: what is parsed is written as it was, and keeps the bounds.
func FuzzParse(f *testing.F) {
	f.Add(good.String())
	f.Add(promise.Promise{Origin: "a", ID: "prog:" + strings.Repeat("00", 32), Size: 1}.String())
	f.Add(promise.Promise{Origin: "a", ID: "evt:" + strings.Repeat("00", 32), Index: 7, Size: 7}.String())
	f.Fuzz(func(t *testing.T, text string) {
		p, err := promise.Parse(text)
		if err != nil {
			return
		}
		if p.String() != text || p.Index >= p.Size || p.Size >= 1<<53 {
			t.Fatalf("%q is read as %+v", text, p)
		}
	})
}
