package trust_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

var update = flag.Bool("update", false, "write testdata again")

// vector is a checkpoint under a trust file, for other implementations.
type vector struct {
	Name       string `json:"name"`
	Policy     string `json:"policy"`
	Pins       string `json:"pins,omitempty"`       // beside the policy
	Checkpoint string `json:"checkpoint,omitempty"` // absent: only policy and pins are tried
	Now        int64  `json:"now"`
	// Error is "", "policy", "pins", "malformed", "unknown-log",
	// "no-log-signature", "bad-signature", "quorum" or "closed".
	Error string `json:"error,omitempty"`
	// Time is quorum time; absent with an error or under quorum none.
	Time int64 `json:"time,omitempty"`
}

// vectors makes the good and the malicious cases. Keys come from fixed seeds.
func vectors(t *testing.T) []vector {
	l, w1, w2, w3 := logKey(origin), witnessKey("w1.example"), witnessKey("w2.example"), witnessKey("w3.example")
	const at = 1_700_000_000
	b := testBody(origin, 7)
	keys := "log " + l.vkey + "\nwitness a " + w1.vkey + "\nwitness b " + w2.vkey + "\nwitness c " + w3.vkey + "\n"
	two := keys + "group q 2 a b c\nquorum q\n"
	note := func(lines ...string) string { return string(signed(b, append([]string{l.line(t, b, 0)}, lines...)...)) }
	a := func(unix uint64) string { return w1.line(t, b, unix) }
	bb := func(unix uint64) string { return w2.line(t, b, unix) }
	c := func(unix uint64) string { return w3.line(t, b, unix) }
	other := testBody(origin, 8)
	old, oldLog := newKey("w1.example", 4, 9), newKey(origin, 1, 9)
	closed := func(b trust.Body, root trust.Body) string {
		return fmt.Sprintf("close %s %d %s\n", origin, b.Size, root64(root))
	}
	past := func(name string, k testKey, last int64) string {
		return fmt.Sprintf("past %s %s %d\n", name, k.vkey, last)
	}
	return []vector{
		{"two of three", two, "", note(a(at-10), bb(at-20)), at, "", at - 20},
		{"the second largest of three", two, "", note(a(at-10), bb(at-20), c(at-30)), at, "", at - 20},
		{"one clock far ahead is a minority", two, "", note(a(at+9999), bb(at-20), c(at-30)), at, "", at - 30},
		{"two clocks far ahead are no quorum", two, "", note(a(at+9999), bb(at+9999), c(at-30)), at, "quorum", 0},
		{"five minutes ahead still counts", two, "", note(a(at+300), bb(at+300)), at, "", at + 300},
		{"no timestamp does not count", two, "", note(a(0), bb(at-20)), at, "quorum", 0},
		{"the newest of a cosigner's lines", two, "", note(a(at-500), a(at-10), bb(at-20)), at, "", at - 20},
		{"one of three", two, "", note(a(at - 10)), at, "quorum", 0},
		{"the log cannot cosign", two, "", string(signed(b, l.line(t, b, 0), l.line(t, b, 0), a(at-1))), at, "quorum", 0},
		{"a stranger does not count", two, "", note(a(at-10), witnessKey("w4.example").line(t, b, at-10)), at, "quorum", 0},
		{"a cosignature of another tree", two, "", note(a(at-10), w2.line(t, other, at-10)), at, "bad-signature", 0},
		{"no log signature", two, "", string(signed(b, a(at-10), bb(at-20))), at, "no-log-signature", 0},
		{"another log", two, "", string(signed(testBody("other.example", 7), logKey("other.example").line(t, testBody("other.example", 7), 0))), at, "unknown-log", 0},
		{"leading zero", two, "", "log.example/a\n07\n" + note()[len("log.example/a\n7\n"):], at, "malformed", 0},
		{"an extension line", two, "", "log.example/a\n7\nAAAA\nmore\n\n— x AAAAAA==\n", at, "malformed", 0},
		{"quorum none", keys + "quorum none\n", "", note(), at, "", 0},
		{"no quorum line", keys, "", "", at, "policy", 0},
		{"the same key under another name", keys + "witness d " + vkeyOf("w9.example", append([]byte{4}, w1.priv.Public().(ed25519.PublicKey)...)) + "\nquorum a\n", "", "", at, "policy", 0},
		{"threshold beyond the members", keys + "group q 4 a b c\nquorum q\n", "", "", at, "policy", 0},
		{"a member of two groups", keys + "group q 1 a b\ngroup r 1 b c\nquorum q\n", "", "", at, "policy", 0},

		{"two witnesses of one operator", two, "operator x a b\n", note(a(at-10), bb(at-20)), at, "quorum", 0},
		{"two witnesses of one operator, and another", two, "operator x a b\n", note(a(at-10), bb(at-20), c(at-30)), at, "", at - 30},
		{"the log's own witness", two, "operator x a " + origin + "\n", note(a(at-10), bb(at-20)), at, "quorum", 0},
		{"closed at this size", two, closed(b, b), note(a(at-10), bb(at-20)), at, "", at - 20},
		{"closed at this size, with another root", two, closed(b, other), note(a(at-10), bb(at-20)), at, "closed", 0},
		{"closed before", two, closed(testBody(origin, 6), b), note(a(at-10), bb(at-20)), at, "closed", 0},
		{"closed behind", two, closed(other, other), note(a(at-10), bb(at-20)), at, "", at - 20},
		{"closed behind, quorum none", keys + "quorum none\n", closed(other, other), note(), at, "closed", 0},
		{"a past key of a witness", two, past("a", old, at-10), note(old.line(t, b, at-10), bb(at-20)), at, "", at - 20},
		{"a past key of a witness, later", two, past("a", old, at-11), note(old.line(t, b, at-10), bb(at-20)), at, "quorum", 0},
		{"both keys of one witness", two, past("a", old, at), note(old.line(t, b, at-10), a(at-20)), at, "quorum", 0},
		{"a past key of the log", two, past(origin, oldLog, at-20), string(signed(b, oldLog.line(t, b, 0), a(at-10), bb(at-20))), at, "", at - 20},
		{"a past key of the log, later", two, past(origin, oldLog, at-21), string(signed(b, oldLog.line(t, b, 0), a(at-10), bb(at-20))), at, "no-log-signature", 0},
		{"a pin of nothing in the trust file", two, "operator x w1.example\n", "", at, "pins", 0},
		{"operators that leave no quorum", two, "operator x a b c\n", "", at, "pins", 0},
		{"used and past", two, past("b", w1, at), "", at, "pins", 0},
		{"closed twice", two, closed(b, b) + closed(b, b), "", at, "pins", 0},
		{"a map function with a leading zero", two, "min-mapfn 02\n", "", at, "pins", 0},
	}
}

// class names the error of Open.
func class(err error) string {
	for name, e := range map[string]error{
		"malformed": trust.ErrMalformed, "unknown-log": trust.ErrUnknownLog, "no-log-signature": trust.ErrNoLogSignature,
		"bad-signature": trust.ErrBadSignature, "quorum": trust.ErrQuorum, "closed": trust.ErrClosed,
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	return ""
}

// TestVectors holds the package against testdata/vectors.json, and that against
// the cases above.
func TestVectors(t *testing.T) {
	const file = "testdata/vectors.json"
	want, err := json.MarshalIndent(vectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not what the cases give: go test ./personality/trust -update, and look at the difference", file)
	}
	var all []vector
	if err := json.Unmarshal(got, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		p, err := trust.Parse([]byte(v.Policy))
		if (err != nil) != (v.Error == "policy") {
			t.Errorf("%s: Parse: %v", v.Name, err)
		}
		if err != nil {
			continue
		}
		p, err = p.Pin([]byte(v.Pins))
		if (err != nil) != (v.Error == "pins") {
			t.Errorf("%s: Pin: %v", v.Name, err)
		}
		if err != nil || v.Checkpoint == "" {
			continue
		}
		cp, err := p.Open([]byte(v.Checkpoint), time.Unix(v.Now, 0))
		if got := class(err); got != v.Error || err != nil && got == "" {
			t.Errorf("%s: Open: %v, want %q", v.Name, err, v.Error)
		}
		if err == nil && cp.Witnessed && cp.Time.Unix() != v.Time || err == nil && cp.Witnessed != (v.Time != 0) {
			t.Errorf("%s: Open gives time %v, witnessed %v, want %d", v.Name, cp.Time, cp.Witnessed, v.Time)
		}
	}
}
