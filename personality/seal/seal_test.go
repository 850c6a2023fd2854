package seal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func example() *Seal {
	prev := uint64(41)
	return &Seal{
		Origin: "log.example/demo", Index: 99, Prev: &prev, MapFn: 1, SealedAt: 1795000000,
		Keys: 300, MapRoot: sha256.Sum256([]byte("map")),
		Withdrawals: 7, WithdrawalRoot: sha256.Sum256(nil), PrefixRoot: sha256.Sum256([]byte("prefix")),
	}
}

// The vector: what another implementation must write for example().
const vector = `standing/seal/v1
log.example/demo
99
41
1
1795000000
300
YL6YYXUPrL+th1glSi92wM/njVRFmjvBh9SbFAH82Og=
7
47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
56LoshblrsP6z3Q5YtOZfy59cAiO8lfeRy1qJYBJgy4=
`

func TestVector(t *testing.T) {
	if got := string(example().Marshal()); got != vector {
		t.Errorf("Marshal = %s, want %s", got, vector)
	}
}

func TestRoundTrip(t *testing.T) {
	first := example()
	first.Prev = nil
	for _, s := range []*Seal{example(), first} {
		got, err := Parse(s.Marshal())
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("Parse(Marshal(%+v)) = %+v, %v", s, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	lines := strings.Split(string(example().Marshal()), "\n")
	replace := func(n int, s string) string {
		l := append([]string(nil), lines...)
		l[n-1] = s
		return strings.Join(l, "\n")
	}
	for name, leaf := range map[string]string{
		"empty":             "",
		"version 2":         replace(1, "standing/seal/v2"),
		"upper-case origin": replace(2, "Log.example"),
		"empty origin":      replace(2, ""),
		"leading zero":      replace(3, "099"),
		"negative":          replace(3, "-1"),
		"plus":              replace(4, "+41"),
		"no previous":       replace(4, ""),
		"version zero":      replace(5, "0"),
		"version too large": replace(5, "65536"),
		"time too large":    replace(6, "1099511627776"),
		"number too large":  replace(7, "9007199254740992"),
		"short root":        replace(8, "AAAA"),
		"url base64":        replace(8, strings.ReplaceAll(lines[9], "+", "-")),
		"trailing bits":     replace(10, strings.Replace(lines[9], "FU=", "FV=", 1)),
		"unpadded":          replace(11, strings.TrimRight(lines[10], "=")),
		"CR":                replace(3, "99\r"),
		"no final LF":       strings.TrimSuffix(strings.Join(lines, "\n"), "\n"),
		"data after":        strings.Join(lines, "\n") + "\n",
		"long":              strings.Join(lines, "\n") + strings.Repeat("x", 2000),
	} {
		if s, err := Parse([]byte(leaf)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Parse = %+v, %v", name, s, err)
		}
	}
}

func TestLive(t *testing.T) {
	s := example()
	leaf := s.Marshal()
	if _, ok := Live(leaf, s.Origin, s.Index, s.PrefixRoot); !ok {
		t.Error("a seal in its place is not live")
	}
	if _, ok := Live(leaf, "other.example", s.Index, s.PrefixRoot); ok {
		t.Error("another log's seal is live")
	}
	if _, ok := Live(leaf, s.Origin, s.Index+1, s.PrefixRoot); ok {
		t.Error("a seal at another index is live")
	}
	if _, ok := Live(leaf, s.Origin, s.Index, Hash{}); ok {
		t.Error("a seal over other leaves is live")
	}
	if Is([]byte("standing/seal")) || !Is([]byte("standing/seal/v9")) {
		t.Error("Is looks at something else than the prefix")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example().Marshal())
	f.Add([]byte(vector))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err == nil && !bytes.Equal(s.Marshal(), b) {
			t.Fatalf("accepted %q, which is written %q", b, s.Marshal())
		}
	})
}
