package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors in testdata again")

// The vectors in testdata, for other implementations.
type (
	// good.json: seals, each live at its place.
	goodVector struct {
		Name string `json:"name"`
		Leaf string `json:"leaf"`
		// The lines, as they are to be read.
		Origin         string  `json:"origin"`
		Index          uint64  `json:"index"`
		Prev           *uint64 `json:"prev"` // null in the first seal
		MapFn          uint16  `json:"mapfn"`
		SealedAt       uint64  `json:"sealedAt"`
		Keys           uint64  `json:"keys"`
		MapRoot        string  `json:"mapRoot"`
		Withdrawals    uint64  `json:"withdrawals"`
		WithdrawalRoot string  `json:"withdrawalRoot"`
		PrefixRoot     string  `json:"prefixRoot"`
	}

	// malicious.json: leaves that are not live at the place given, for they
	// are malformed or stand in the wrong place.
	badVector struct {
		Name       string `json:"name"`
		Leaf       string `json:"leaf"`
		Origin     string `json:"origin"`
		Index      uint64 `json:"index"`
		PrefixRoot string `json:"prefixRoot"` // of the leaves before it
		Malformed  bool   `json:"malformed"`
	}
)

func good() map[string]*Seal {
	first, last := example(), example()
	first.Index, first.Prev, first.Keys, first.Withdrawals = 1, nil, 3, 0
	noLog := example()
	noLog.Index, noLog.Prev, noLog.Keys, noLog.MapRoot, noLog.Withdrawals = 0, nil, 0, Hash{}, 0
	noLog.PrefixRoot = sha256.Sum256(nil)
	zero, prev := uint64(0), uint64(maxNumber-2)
	last.Origin = strings.Repeat("a.b/c-9", 36) + "abc"
	last.Index, last.Prev, last.MapFn, last.SealedAt = maxNumber-1, &prev, 65535, maxTime-1
	last.Keys, last.Withdrawals = maxNumber-1, maxNumber-1
	behind := example()
	behind.Prev, behind.SealedAt = &zero, 0
	return map[string]*Seal{"usual": example(), "first": first, "no log": noLog, "largest": last, "smallest": behind}
}

func TestGoodVectors(t *testing.T) {
	var vectors []goodVector
	seals := good()
	for _, name := range slices.Sorted(maps.Keys(seals)) {
		s := seals[name]
		vectors = append(vectors, goodVector{
			name, string(s.Marshal()), s.Origin, s.Index, s.Prev, s.MapFn, s.SealedAt, s.Keys, hex.EncodeToString(s.MapRoot[:]),
			s.Withdrawals, hex.EncodeToString(s.WithdrawalRoot[:]), hex.EncodeToString(s.PrefixRoot[:]),
		})
	}
	golden(t, "good.json", vectors)
	for _, v := range read[goodVector](t, "good.json") {
		s, ok := Live([]byte(v.Leaf), v.Origin, v.Index, unhex(t, v.PrefixRoot))
		if !ok {
			t.Errorf("%s is not live", v.Name)
			continue
		}
		want := Seal{v.Origin, v.Index, v.Prev, v.MapFn, v.SealedAt, v.Keys, unhex(t, v.MapRoot), v.Withdrawals, unhex(t, v.WithdrawalRoot), unhex(t, v.PrefixRoot)}
		if got := string(s.Marshal()); got != v.Leaf || got != string(want.Marshal()) {
			t.Errorf("%s: %+v, want %+v", v.Name, s, want)
		}
	}
}

// bad changes one thing of example() each.
func bad() []badVector {
	text := string(example().Marshal())
	prefix := example().PrefixRoot
	names := map[int]string{
		3: "index", 4: "previous", 5: "map function", 6: "sealed at", 7: "keys", 8: "map root", 9: "withdrawals",
		10: "withdrawal root", 11: "prefix root",
	}
	var out []badVector
	add := func(name, leaf string, malformed bool) {
		out = append(out, badVector{name, leaf, "log.example/demo", 99, hex.EncodeToString(prefix[:]), malformed})
	}
	line := func(name string, n int, value string) {
		lines := strings.Split(text, "\n")
		lines[n-1] = value
		add(name, strings.Join(lines, "\n"), true)
	}
	add("prefix alone", Prefix, true)
	line("version 2", 1, "standing/seal/v2")
	line("upper-case version", 1, "standing/seal/V1")
	line("origin: upper case", 2, "Log.example/demo")
	line("origin: empty", 2, "")
	line("origin: a space", 2, "log.example demo")
	line("origin: 256 bytes", 2, strings.Repeat("a", 256))
	line("origin: not ASCII", 2, "l\u00f6g.example")
	for _, n := range []int{3, 4, 5, 6, 7, 9} {
		for i, c := range [][2]string{
			{"empty", ""}, {"leading zero", "01"}, {"plus", "+1"}, {"too large", "9007199254740992"}, {"minus", "-1"}, {"space", " 1"}, {"CR", "1\r"}, {"hexadecimal", "0x1"},
			{"fraction", "1.0"}, {"exponent", "1e1"}, {"64 bits and more", "18446744073709551617"},
			{"Arabic-Indic digit", "\u0661"},
		} {
			if n == 3 || i < 4 {
				line(names[n]+": "+c[0], n, c[1])
			}
		}
	}
	line("index: none", 3, "-")
	line("map function: 0", 5, "0")
	line("map function: 65536", 5, "65536")
	line("sealed at: 2^40", 6, "1099511627776")
	for _, n := range []int{8, 10, 11} {
		for _, c := range [][2]string{
			{"empty", ""}, {"31 bytes", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},
			{"33 bytes", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, {"unpadded", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
			{"trailing bits", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB="}, {"base64url", "__________________________________________8="},
			{"hex", strings.Repeat("0", 64)}, {"CR inside", "AAAAAAAA\rAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		} {
			line(names[n]+": "+c[0], n, c[1])
		}
	}
	add("no final LF", strings.TrimSuffix(text, "\n"), true)
	add("ten lines", strings.Join(strings.Split(text, "\n")[:10], "\n")+"\n", true)
	add("a twelfth line", text+"\n", true)
	add("text behind", text+"x", true)
	add("CRLF", strings.ReplaceAll(text, "\n", "\r\n"), true)
	add("NUL behind", text+"\x00", true)
	add("long", text+strings.Repeat("x", 2000), true)
	return append(out, misplaced()...)
}

// misplaced are right seals in wrong places: strays.
func misplaced() []badVector {
	s := example()
	other := s.PrefixRoot
	other[31] ^= 1
	v := badVector{Leaf: string(s.Marshal()), Origin: s.Origin, Index: s.Index, PrefixRoot: hex.EncodeToString(s.PrefixRoot[:])}
	origin, index, prefix := v, v, v
	origin.Name, origin.Origin = "another log", "log.example/demo2"
	index.Name, index.Index = "another index", s.Index+1
	prefix.Name, prefix.PrefixRoot = "over other leaves", hex.EncodeToString(other[:])
	return []badVector{origin, index, prefix}
}

func TestBadVectors(t *testing.T) {
	golden(t, "malicious.json", bad())
	seen := map[string]bool{}
	for _, v := range read[badVector](t, "malicious.json") {
		if seen[v.Name] {
			t.Errorf("two vectors are named %q", v.Name)
		}
		seen[v.Name] = true
		if s, ok := Live([]byte(v.Leaf), v.Origin, v.Index, unhex(t, v.PrefixRoot)); ok {
			t.Errorf("%s is live: %+v", v.Name, s)
		}
		if _, err := Parse([]byte(v.Leaf)); errors.Is(err, ErrMalformed) != v.Malformed {
			t.Errorf("%s: Parse = %v", v.Name, err)
		}
	}
}

// golden compares v with the file of vectors, or writes it.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("%s is not what this test writes: run go test -update, and look at what changed", path)
	}
}

func read[V any](t *testing.T, name string) []V {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out []V
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func unhex(t *testing.T, s string) Hash {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatalf("hash %q: %v", s, err)
	}
	return Hash(b)
}
