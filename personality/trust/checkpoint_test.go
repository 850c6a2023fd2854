package trust_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/trust"
)

func TestParseBody(t *testing.T) {
	good := testBody(origin, 42)
	root := base64.StdEncoding.EncodeToString(good.Root[:])
	for _, b := range []trust.Body{good, {Origin: "x"}, {Origin: "any thing", Size: 1<<53 - 1}} {
		if got, err := trust.ParseBody(b.String()); err != nil || got != b {
			t.Errorf("ParseBody(%q) = %+v, %v", b, got, err)
		}
	}
	loose := root[:42] + string(root[42]+1) + "="
	for name, text := range map[string]string{
		"empty":           "",
		"two lines":       origin + "\n42\n",
		"no last newline": origin + "\n42\n" + root,
		"extension":       good.String() + "extension\n",
		"blank extension": good.String() + "\n",
		"empty origin":    "\n42\n" + root + "\n",
		"leading zero":    origin + "\n042\n" + root + "\n",
		"plus":            origin + "\n+42\n" + root + "\n",
		"negative":        origin + "\n-1\n" + root + "\n",
		"empty size":      origin + "\n\n" + root + "\n",
		"size 2^53":       origin + "\n9007199254740992\n" + root + "\n",
		"size 2^64":       origin + "\n18446744073709551616\n" + root + "\n",
		"size with CR":    origin + "\n42\r\n" + root + "\n",
		"root short":      origin + "\n42\n" + root[:40] + "\n",
		"root long":       origin + "\n42\n" + base64.StdEncoding.EncodeToString(make([]byte, 33)) + "\n",
		"root spare bits": origin + "\n42\n" + loose + "\n",
		"root unpadded":   origin + "\n42\n" + root[:43] + "\n",
		"root with CR":    origin + "\n42\n" + root + "\r\n",
		"root urlsafe":    origin + "\n42\n" + strings.Repeat("_", 43) + "=\n",
	} {
		if got, err := trust.ParseBody(text); !errors.Is(err, trust.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestOpen(t *testing.T) {
	l, l2, pqLog := logKey(origin), newKey(origin, 1, 1), newPQKey(t, origin)
	other := logKey("other.example/b")
	w1, w2, w3, stranger := witnessKey("w1.example"), witnessKey("w2.example"), newPQKey(t, "w3.example"), witnessKey("w4.example")
	p := mustParse(t, "log "+l.vkey+"\nlog "+l2.vkey+"\nlog "+pqLog.vkey+"\nlog "+other.vkey+
		"\nwitness a "+w1.vkey+"\nwitness b "+w2.vkey+"\nwitness c "+w3.vkey+"\ngroup g all a c\nquorum g\n")
	b := testBody(origin, 7)
	ts := uint64(now.Unix())
	good := func(extra ...string) []string {
		return append([]string{l.line(t, b, 0), w1.line(t, b, ts-10), w3.line(t, b, ts-20)}, extra...)
	}
	flip := func(line string) string { // changes a byte of the signature itself
		i := len(line) - 8
		c := byte('A')
		if line[i] == c {
			c = 'B'
		}
		return line[:i] + string(c) + line[i+1:]
	}
	for name, tc := range map[string]struct {
		note []byte
		err  error
		time int64
		seen int
	}{
		"good":                 {signed(b, good()...), nil, -20, 2},
		"second log key":       {signed(b, good(l2.line(t, b, 0))[1:]...), nil, -20, 2},
		"ML-DSA-44 log key":    {signed(b, good(pqLog.line(t, b, 0))[1:]...), nil, -20, 2},
		"any order":            {signed(b, good()[2], good()[1], good()[0]), nil, -20, 2},
		"not in the quorum":    {signed(b, good(w2.line(t, b, ts-1))...), nil, -20, 3},
		"unknown witness":      {signed(b, good(stranger.line(t, b, ts))...), nil, -20, 2},
		"signature of other":   {signed(b, good(flip(other.line(t, b, 0)))...), nil, -20, 2},
		"unknown with garbage": {signed(b, good("— "+w1.name+" AAAAAAAAAAAA")...), nil, -20, 2},
		"newer line counts":    {signed(b, good(w3.line(t, b, ts-5))...), nil, -10, 3},
		"older line does not":  {signed(b, good(w3.line(t, b, ts-500))...), nil, -20, 3},
		"time 0 beside":        {signed(b, good(w3.line(t, b, 0))...), nil, -20, 3},
		"future beside":        {signed(b, good(w3.line(t, b, ts+301))...), nil, -20, 3},
		"skew allowed":         {signed(b, good(w1.line(t, b, ts+300), w3.line(t, b, ts+300))...), nil, 300, 4},

		"no cosignature":       {signed(b, good()[0]), trust.ErrQuorum, 0, 0},
		"one of two":           {signed(b, good()[:2]...), trust.ErrQuorum, 0, 0},
		"wrong one":            {signed(b, good()[0], good()[1], w2.line(t, b, ts)), trust.ErrQuorum, 0, 0},
		"time 0 only":          {signed(b, good()[0], good()[1], w3.line(t, b, 0)), trust.ErrQuorum, 0, 0},
		"future only":          {signed(b, good()[0], good()[1], w3.line(t, b, ts+301)), trust.ErrQuorum, 0, 0},
		"far future":           {signed(b, good()[0], good()[1], w3.line(t, b, 1<<63-1)), trust.ErrQuorum, 0, 0},
		"time beyond 2^63":     {signed(b, good(w2.line(t, b, 1<<63))...), trust.ErrBadSignature, 0, 0},
		"bad log signature":    {signed(b, good(flip(l2.line(t, b, 0)))...), trust.ErrBadSignature, 0, 0},
		"bad cosignature":      {signed(b, good(flip(w2.line(t, b, ts)))...), trust.ErrBadSignature, 0, 0},
		"cut cosignature":      {signed(b, good("— "+w2.name+" "+base64.StdEncoding.EncodeToString(append(w2.hash(), 1)))...), trust.ErrBadSignature, 0, 0},
		"cosignature of other": {signed(b, good(w2.line(t, testBody(origin, 8), ts))...), trust.ErrBadSignature, 0, 0},
		"no log signature":     {signed(b, good()[1:]...), trust.ErrNoLogSignature, 0, 0},
		"other log signed":     {signed(b, good(other.line(t, b, 0))[1:]...), trust.ErrNoLogSignature, 0, 0},
		"unknown log":          {signed(testBody("x", 7), l.line(t, testBody("x", 7), 0)), trust.ErrUnknownLog, 0, 0},
		"empty":                {nil, trust.ErrMalformed, 0, 0},
		"no signatures":        {[]byte(b.String()), trust.ErrMalformed, 0, 0},
		"no signature lines":   {[]byte(b.String() + "\n"), trust.ErrMalformed, 0, 0},
		"extension line":       {[]byte(b.String() + "x\n\n" + l.line(t, b, 0) + "\n"), trust.ErrMalformed, 0, 0},
		"trailing bytes":       {append(signed(b, good()...), "x\n"...), trust.ErrMalformed, 0, 0},
		"carriage returns":     {bytes.ReplaceAll(signed(b, good()...), []byte("\n"), []byte("\r\n")), trust.ErrMalformed, 0, 0},
		"101 lines":            {signed(b, good(slices.Repeat([]string{"— x AAAAAAAA"}, 98)...)...), trust.ErrMalformed, 0, 0},
		"1 MiB":                {signed(b, good("— x "+strings.Repeat("AAAA", 1<<18))...), trust.ErrMalformed, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := p.Open(tc.note, now)
			if !errors.Is(err, tc.err) || (c == nil) != (tc.err != nil) {
				t.Fatalf("Open = %v, %v; want %v", c, err, tc.err)
			}
			if c == nil {
				return
			}
			if c.Body != b || !c.Witnessed || c.Time.Unix() != now.Unix()+tc.time || len(c.Cosignatures) != tc.seen || len(c.LogLines) != 1 {
				t.Errorf("%+v at %d; want time %+d and %d cosignatures", c, c.Time.Unix()-now.Unix(), tc.time, tc.seen)
			}
		})
	}
}

func TestOpenQuorumNone(t *testing.T) {
	l, w := logKey(origin), witnessKey("w.example")
	p := mustParse(t, "log "+l.vkey+"\nwitness a "+w.vkey+"\nquorum none\n")
	b := testBody(origin, 7)
	lines := []string{l.line(t, b, 0), w.line(t, b, uint64(now.Unix())), "— x AAAAAAAA"}
	c, err := p.Open(signed(b, lines...), now)
	if err != nil || c.Witnessed || !c.Time.IsZero() {
		t.Fatalf("Open = %+v, %v", c, err)
	}
	if len(c.Cosignatures) != 1 || c.Cosignatures[0] != (trust.Cosignature{Name: "a", Unix: now.Unix(), Line: lines[1]}) {
		t.Errorf("Cosignatures = %+v", c.Cosignatures)
	}
	if !slices.Equal(c.LogLines, lines[:1]) || !slices.Equal(c.OtherLines, lines[2:]) {
		t.Errorf("lines: %q %q", c.LogLines, c.OtherLines)
	}
	if _, err := mustParse(t, "quorum none\n").Open(signed(b, lines...), now); !errors.Is(err, trust.ErrUnknownLog) {
		t.Errorf("a policy without logs opened a checkpoint: %v", err)
	}
}

func TestQuorumError(t *testing.T) {
	l, w1, w2, w3 := logKey(origin), witnessKey("w1.example"), witnessKey("w2.example"), witnessKey("w3.example")
	p := mustParse(t, "log "+l.vkey+"\nwitness a "+w1.vkey+"\nwitness b "+w2.vkey+"\nwitness c "+w3.vkey+
		"\nwitness extra "+witnessKey("w4.example").vkey+"\ngroup g 2 a b c\nquorum g\n")
	b := testBody(origin, 7)
	_, err := p.Open(signed(b, l.line(t, b, 0), w1.line(t, b, 1), w3.line(t, b, uint64(now.Unix()+301))), now)
	var qe *trust.QuorumError
	if !errors.As(err, &qe) || !slices.Equal(qe.Missing, []string{"b", "c"}) || !slices.Equal(qe.Future, []string{"c"}) {
		t.Fatalf("Open: %v (%+v)", err, qe)
	}
	if s := err.Error(); !strings.Contains(s, `by "c"`) || !strings.Contains(s, "clock") || qe.Later.Unix() != now.Unix()+301 {
		t.Errorf("message %q, later %v", s, qe.Later)
	}
	_, err = p.Open(signed(b, l.line(t, b, 0), w1.line(t, b, uint64(now.Unix()+301))), now)
	if s := err.Error(); !errors.As(err, &qe) || !qe.Later.IsZero() || !strings.Contains(s, `"a", "b", "c"; dated in the future: "a"`) {
		t.Errorf("message %q, later %v", s, qe.Later)
	}
}

func TestParseCosignature(t *testing.T) {
	w, w2 := witnessKey("w.example"), witnessKey("w2.example")
	c := mustParse(t, "witness a "+w.vkey+"\nquorum a\n").Cosigners()[0]
	b := testBody(origin, 7)
	line := w.line(t, b, 99)
	if got, err := c.ParseCosignature(b, line); err != nil || got != (trust.Cosignature{Name: "a", Unix: 99, Line: line}) {
		t.Errorf("ParseCosignature = %+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"other key":  w2.line(t, b, 99),
		"other body": w.line(t, testBody(origin, 8), 99),
		"two lines":  line + "\n" + w.line(t, b, 100),
		"note":       "\n" + line,
		"empty":      "",
	} {
		if got, err := c.ParseCosignature(b, bad); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	l, w := logKey(origin), witnessKey("w.example")
	p := mustParse(f, "log "+l.vkey+"\nwitness a "+w.vkey+"\nquorum none\n")
	b := testBody(origin, 7)
	f.Add(signed(b, l.line(f, b, 0), w.line(f, b, 99)))
	f.Add(signed(b, l.line(f, b, 0), "— x AAAAAAAA"))
	f.Add(signed(b, w.line(f, b, 99)))
	f.Fuzz(func(t *testing.T, msg []byte) {
		c, err := p.Open(msg, now)
		if err != nil {
			return
		}
		if c.Body.String() != b.String() {
			t.Fatalf("opened what nobody signed: %q", msg)
		}
		lines := slices.Clone(c.LogLines)
		for _, cs := range c.Cosignatures {
			lines = append(lines, cs.Line)
		}
		again, err := p.Open(signed(c.Body, append(lines, c.OtherLines...)...), now)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Fatalf("reformatted: %v\n%+v\n%+v", err, c, again)
		}
	})
}
