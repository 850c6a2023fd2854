package promise_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
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
	p := policy(t, vkey, otherKey)
	sign := func(s note.Signer, with promise.Promise) []byte {
		files, err := promise.Sign(s, with)
		if err != nil {
			t.Fatal(err)
		}
		return files[0]
	}
	with := func(change func(*promise.Promise)) promise.Promise { p := good; change(&p); return p }
	file := sign(signer, good)
	if got, err := promise.Open(p, file); err != nil || *got != good || !promise.Is(file) {
		t.Fatalf("%+v, %v", got, err)
	}
	_, theirs, _ := bytes.Cut(sign(thief, good), []byte("\n\n"))
	_, line, _ := bytes.Cut(theirs, []byte("\n\n"))
	if got, err := promise.Open(p, append(bytes.Clone(file), line...)); err != nil || *got != good {
		t.Errorf("with a line by a stranger: %+v, %v", got, err)
	}
	spoilt := bytes.Clone(file)
	if at := &spoilt[len(spoilt)-10]; *at == 'A' {
		*at = 'B'
	} else {
		*at = 'A'
	}
	changed := func(old, new string) []byte { return bytes.Replace(file, []byte(old), []byte(new), 1) }
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"another key":      {sign(thief, good), promise.ErrSignature},
		"another log":      {sign(other, good), promise.ErrSignature},
		"bad signature":    {spoilt, promise.ErrSignature},
		"unknown log":      {sign(signer, with(func(p *promise.Promise) { p.Origin = "unknown.example" })), trust.ErrUnknownLog},
		"index changed":    {changed("\n41\n", "\n40\n"), promise.ErrSignature},
		"size changed":     {changed("\n43\n", "\n44\n"), promise.ErrSignature},
		"id changed":       {changed("att:0f", "att:0e"), promise.ErrSignature},
		"origin changed":   {changed("log.example/a", "other.example"), promise.ErrSignature},
		"count changed":    {changed("a\n1\n", "a\n2\n"), promise.ErrSignature},
		"position changed": {changed("43\n0\n", "43\n1\n"), promise.ErrMalformed},
		"a path too many":  {changed("43\n0\n", "43\n0\n"+strings.Repeat("A", 43)+"=\n"), promise.ErrSignature},
		"no note":          {bytes.Split(file, []byte("\n\n"))[0], promise.ErrMalformed},
		"only the note":    {bytes.SplitN(file, []byte("\n\n"), 2)[1], promise.ErrMalformed},
		"too long":         {append(bytes.Clone(file), make([]byte, promise.MaxSize)...), promise.ErrMalformed},
		"nothing":          {nil, promise.ErrMalformed},
		"an extra line":    {changed("\n\n", "\nmore\n\n"), promise.ErrMalformed},
		"another version":  {changed("promise/v1", "promise/v2"), promise.ErrMalformed},
		"index not below":  {sign(signer, with(func(p *promise.Promise) { p.Index = 43 })), promise.ErrMalformed},
		"beyond 2^53":      {sign(signer, with(func(p *promise.Promise) { p.Size = 1 << 53 })), promise.ErrMalformed},
		"leading zero":     {changed("\n41\n", "\n041\n"), promise.ErrMalformed},
		"loose base64":     {changed("AAA=\n", "AAB=\n"), promise.ErrMalformed},
		"an id of no kind": {sign(signer, with(func(p *promise.Promise) { p.ID = "key" + p.ID[3:] })), promise.ErrMalformed},
	} {
		if got, err := promise.Open(p, c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestTogether: of several that are signed together, each stands alone, and none
// can be shown for another.
func TestTogether(t *testing.T) {
	signer, vkey := key(t, origin, "log")
	for _, n := range []int{1, 2, 3, 8, 100} {
		var all []promise.Promise
		for i := range n {
			p := good
			p.Index, p.Size = uint64(i), 1000
			all = append(all, p)
		}
		files, err := promise.Sign(signer, all...)
		if err != nil || len(files) != n {
			t.Fatal(len(files), err)
		}
		for i, file := range files {
			if got, err := promise.Open(policy(t, vkey), file); err != nil || *got != all[i] {
				t.Errorf("%d of %d: %+v, %v", i, n, got, err)
			}
			moved := bytes.Replace(file, fmt.Appendf(nil, "\n%d\n1000\n", i), fmt.Appendf(nil, "\n%d\n1000\n", i+1), 1)
			if got, err := promise.Open(policy(t, vkey), moved); !errors.Is(err, promise.ErrSignature) {
				t.Errorf("%d of %d, with the index of the next: %+v, %v", i, n, got, err)
			}
		}
	}
}

// TestNoCheckpoint: a promise is never opened as a checkpoint, not even of a log
// whose name is the first line of promises, or a number.
func TestNoCheckpoint(t *testing.T) {
	for _, name := range []string{origin, "standing/promise/v1", "41"} {
		signer, vkey := key(t, name, "log")
		p := good
		p.Origin = name
		files, err := promise.Sign(signer, p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := promise.Open(policy(t, vkey), files[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, signed, _ := bytes.Cut(files[0], []byte("\n\n"))
		if cp, err := policy(t, vkey).OpenLogSigned(signed); err == nil {
			t.Errorf("%s: a promise is the checkpoint %+v", name, cp)
		}
	}
}

// FuzzOpen: nothing but what was signed is opened.
func FuzzOpen(f *testing.F) {
	signer, vkey := key(f, origin, "log")
	other := good
	other.Index = 40
	p := policy(f, vkey)
	files, err := promise.Sign(signer, good, other, good)
	if err != nil {
		f.Fatal(err)
	}
	bad := good
	bad.Index = bad.Size
	more, err := promise.Sign(signer, bad)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, more...) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if got, err := promise.Open(p, file); err == nil && *got != good && *got != other {
			t.Fatalf("%q is opened as %+v", file, got)
		}
	})
}

// BenchmarkSign is what a promise costs the log, BenchmarkOpenBy the submitter.
func BenchmarkSign(b *testing.B) {
	signer, _ := key(b, origin, "log")
	for _, n := range []int{1, 100} {
		together := slices.Repeat([]promise.Promise{good}, n)
		b.Run(fmt.Sprintf("%d together", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := promise.Sign(signer, together...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/promise")
		})
	}
}

func BenchmarkOpenBy(b *testing.B) {
	signer, vkey := key(b, origin, "log")
	log, _ := policy(b, vkey).Log(origin)
	msg, err := promise.Sign(signer, good)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := promise.OpenBy(log, msg[0]); err != nil {
			b.Fatal(err)
		}
	}
}
