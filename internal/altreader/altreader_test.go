package altreader

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/reason"
)

// TestListRoot has the roots that RFC 6962 implementations agree on, over the
// entries of the Certificate Transparency test suite.
func TestListRoot(t *testing.T) {
	inputs := []string{
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
	}
	roots := map[int]string{
		0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	for n, want := range roots {
		var l list
		for _, s := range inputs[:n] {
			b, err := hex.DecodeString(s)
			check(t, err)
			l.add(b)
		}
		if got := l.root(); hex.EncodeToString(got[:]) != want {
			t.Errorf("root of %d leaves is %x, want %s", n, got, want)
		}
	}
}

// TestMapVectors reads the vectors of the status map's specification.
func TestMapVectors(t *testing.T) {
	b, err := os.ReadFile("../../personality/statusmap/testdata/good.json")
	check(t, err)
	var vectors struct {
		Roots []struct {
			Pairs map[string]string
			Root  string
		}
	}
	check(t, json.Unmarshal(b, &vectors))
	if len(vectors.Roots) == 0 {
		t.Fatal("no vectors of roots")
	}
	for i, v := range vectors.Roots {
		// Twice each, to another value first: only the last one counts.
		var root *trie
		for range 2 {
			for key, value := range v.Pairs {
				root, _ = root.set(hexHash(t, key), Hash{byte(i)}, 0)
				root.root()
				root, _ = root.set(hexHash(t, key), hexHash(t, value), 0)
			}
		}
		if got := root.root(); got != hexHash(t, v.Root) {
			t.Errorf("vector %d: root %x, want %s", i, got, v.Root)
		}
	}
}

func hexHash(t *testing.T, s string) Hash {
	t.Helper()
	b, err := hex.DecodeString(s)
	check(t, err)
	return Hash(b)
}

func TestNoLog(t *testing.T) {
	keys := []*testlog.Key{testlog.NewKey("registrar", false), testlog.NewKey("root", false)}
	first := testlog.Charter(testOrigin, nil, "open", keys[:1], keys[1])
	zero := uint64(0)
	for name, test := range map[string]struct {
		leaf []byte
		code reason.Code
	}{
		"amendment":       {testlog.Charter(testOrigin, &zero, "open", keys[:1], keys[1]).Leaf, reason.NoLog},
		"other entry":     {testlog.NewParty("party", 1).Enrol(testOrigin, keys[0]).Leaf, reason.NoLog},
		"another's":       {testlog.Charter("other.example", nil, "open", keys[:1], keys[1]).Leaf, reason.WrongLog},
		"foreign signer":  {testlog.Leaf(keys[0], first.Payload), reason.KeyUnknown},
		"no entry at all": {[]byte("hello"), reason.EnvelopeMalformed},
		"stray":           {[]byte("standing/seal/v1\n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoth(t)
			b.codes = false
			if out := b.add(test.leaf); out.Code != string(test.code) {
				t.Errorf("leaf 0 is ignored for %q, should be for %q", out.Code, test.code)
			}
			if out := b.add(first.Leaf); out.Code != string(reason.NoLog) {
				t.Errorf("a charter at index 1 is ignored for %q, should be for %q", out.Code, reason.NoLog)
			}
			b.compareAll()
			if b.alt.Keys() != 0 || b.alt.Root() != (Hash{}) || b.alt.WithdrawalRoot() != sha256.Sum256(nil) {
				t.Error("the state is not empty")
			}
			b.seal()
		})
	}
}

// TestWrongSeals changes each line of a right seal.
func TestWrongSeals(t *testing.T) {
	other := b64(sha256.Sum256([]byte("other")))
	b := newBoth(t)
	b.generate(testlog.New(testOrigin, 5), 40)
	b.add([]byte("hello"))
	right := b.replica.seal(t)
	for name, test := range map[string]struct {
		line  int // to be changed, from 1
		value string
		found int // line of the SealError; -1: a stray
	}{
		"version":            {1, "standing/seal/v2", -1},
		"testOrigin":         {2, "other.example", -1},
		"index":              {3, "300", -1},
		"previous":           {4, "0", 4},
		"no previous":        {4, "-", 4},
		"map function":       {5, "2", 5},
		"map function zero":  {5, "0", -1},
		"earlier":            {6, "1794999999", 6},
		"time out of range":  {6, "1099511627776", -1},
		"keys":               {7, "1", 7},
		"leading zero":       {7, "01", -1},
		"map root":           {8, other, 8},
		"withdrawals":        {9, "1000", 9},
		"withdrawal root":    {10, other, 10},
		"prefix root":        {11, other, -1},
		"trailing bits":      {8, other[:42] + "9=", -1},
		"nothing but prefix": {2, "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			alt := New(testOrigin)
			for _, leaf := range b.leaves {
				_, err := alt.Add(leaf)
				check(t, err)
			}
			lines := strings.Split(string(right.Marshal()), "\n")
			lines[test.line-1] = test.value
			out, err := alt.Add([]byte(strings.Join(lines, "\n")))
			if test.found < 0 {
				if err != nil || !out.Stray || out.Live {
					t.Errorf("not a stray: %+v, %v", out, err)
				}
				return
			}
			if got := sealError(t, err); got.Line != test.found || got.Index != right.Index || got.Error() == "" {
				t.Errorf("found %+v, want line %d", got, test.found)
			}
			// SPEC: whoever recomputes seals stops there.
			if _, again := alt.Add([]byte("hello")); !errors.Is(again, err) {
				t.Errorf("replay goes on behind a wrong seal: %v", again)
			}
		})
	}
}

func TestSealBehindSeal(t *testing.T) {
	b := newBoth(t)
	b.generate(testlog.New(testOrigin, 5), 10)
	if out := b.add([]byte("standing/seal/v1 and so on")); !out.Stray {
		t.Errorf("a stray is %+v", out)
	}
	b.seal()
	_, err := b.alt.Add(b.replica.seal(t).Marshal())
	if got := sealError(t, err); got.Line != 0 || got.Error() == "" {
		t.Errorf("two live seals in a row: %v", err)
	}
}

// TestTimeStandsStill: sealed at is not before the previous one's, but may be
// the same.
func TestTimeStandsStill(t *testing.T) {
	b := newBoth(t)
	b.generate(testlog.New(testOrigin, 5), 10)
	b.add([]byte("hello"))
	s := b.replica.seal(t)
	s.SealedAt = b.sealed.SealedAt
	if out := b.add(s.Marshal()); !out.Live {
		t.Errorf("a seal of the same second: %+v", out)
	}
}

func BenchmarkReplay20000(b *testing.B) {
	g := testlog.New(testOrigin, 1)
	leaves := make([][]byte, 20000)
	for i := range leaves {
		leaves[i] = g.Next(uint64(i)).Leaf
	}
	for b.Loop() {
		l := New(testOrigin)
		for i, leaf := range leaves {
			if _, err := l.Add(leaf); err != nil {
				b.Fatal(err)
			}
			// What a live seal asks for.
			if i%200 == 0 {
				_ = fmt.Sprint(l.TreeRoot(), l.Root(), l.WithdrawalRoot())
			}
		}
	}
}
