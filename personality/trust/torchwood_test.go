package trust_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/standing-log/standing/personality/trust"
)

// TestTorchwoodCheck compares verdicts with torchwood's on random policies of
// one log, over checkpoints with random subsets of cosignatures.
func TestTorchwoodCheck(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	l := logKey(origin)
	b := testBody(origin, 7)
	var keys []testKey
	var vkeys, lines []string
	for i := range 6 {
		k := newKey(fmt.Sprintf("w%d.example", i), 4, i)
		if i == 5 {
			k = newPQKey(t, "w5.example")
		}
		keys, vkeys = append(keys, k), append(vkeys, k.vkey)
		lines = append(lines, k.line(t, b, uint64(now.Unix()-int64(i))))
	}
	logLine, strangers := l.line(t, b, 0), witnessKey("x.example").line(t, b, 1)
	accepted := 0
	for range 300 {
		text, _ := randomPolicy(r, vkeys[:1+r.IntN(len(keys))])
		if r.IntN(10) == 0 {
			text = "quorum none\n"
		}
		text = "log " + l.vkey + " https://log.example/\n" + text
		theirs, err := torchwood.ParsePolicy([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		ours := mustParse(t, text)
		sigs := []string{strangers}
		if r.IntN(10) > 0 {
			sigs = append(sigs, logLine)
		}
		for i := range lines {
			if r.IntN(3) > 0 {
				sigs = append(sigs, lines[i])
			}
		}
		body := b
		if r.IntN(20) == 0 {
			body.Origin = "log.example/b"
		}
		note := signed(body, sigs...)
		_, _, errTheirs := torchwood.VerifyCheckpoint(note, theirs)
		_, errOurs := ours.Open(note, now)
		if (errTheirs == nil) != (errOurs == nil) {
			t.Fatalf("torchwood: %v; ours: %v\n%s%s", errTheirs, errOurs, text, note)
		}
		if errOurs == nil {
			accepted++
		}
	}
	if accepted < 50 {
		t.Errorf("only %d of 300 were accepted", accepted)
	}
}

// TestTorchwoodParse lists where the two parsers agree, and each kind of file
// on which they differ, with the rule of C2SP tlog-policy (or, where it says
// so, of this package) that ours follows.
func TestTorchwoodParse(t *testing.T) {
	l, l2, w1, w2 := logKey(origin), newKey(origin, 1, 1), witnessKey("w1.example"), witnessKey("w2.example")
	pq, pqLog := newPQKey(t, "pq.example"), newPQKey(t, origin)
	log, two := "log "+l.vkey+"\n", "witness a "+w1.vkey+"\nwitness b "+w2.vkey+"\n"
	hash := newKey("w#1.example", 4, 1)
	small := vkeyOf("w.example", append([]byte{4}, make([]byte, 32)...))
	for _, tc := range []struct {
		name, text   string
		ours, theirs bool
	}{
		{"single", log + two + "quorum a\n", true, true},
		{"none", log + "quorum none\n", true, true},
		{"group", log + two + "group g 2 a b\nquorum g\n", true, true},
		{"pq witness", log + "witness p " + pq.vkey + "\nquorum p\n", true, true},
		{"tabs and comments", "# x\n\t\n" + log + "\twitness  a\t" + w1.vkey + " \nquorum a\n", true, true},
		{"no log line", two + "quorum a\n", true, true},
		{"no quorum", log + two, false, false},
		{"unknown quorum", log + "quorum a\n", false, false},
		{"two quorums", log + two + "quorum a\nquorum b\n", false, false},
		{"forward reference", log + "group g any a\n" + two + "quorum g\n", false, false},
		{"duplicate name", log + "witness a " + w1.vkey + "\nwitness a " + w2.vkey + "\nquorum a\n", false, false},
		{"threshold too high", log + two + "group g 3 a b\nquorum g\n", false, false},
		{"log with cosigner key", "log " + w1.vkey + "\nquorum none\n", false, false},
		{"witness with log key", log + "witness a " + l2.vkey + "\nquorum a\n", false, false},
		{"wrong key id", log + "witness a " + strings.Replace(w1.vkey, "w1", "wX", 1) + "\nquorum a\n", false, false},

		// Ours is stricter.
		{"last line not ended", log + "quorum none", false, true},
		{"comment after items", log + "quorum none # why\n", false, true},
		{"items too many", log + "quorum none none\n", false, true},
		{"carriage return", log + "quorum none\r\n", false, true},
		{"no-break space separates", log + "quorum\u00a0none\n", false, true},
		{"quorum before definition", log + "quorum a\n" + two, false, true},
		{"member twice", log + two + "group g all a a\nquorum g\n", false, true},
		{"member of two groups", log + two + "group g any a\ngroup h any a\nquorum h\n", false, true},
		{"group named none", log + two + "group none any a\nquorum none\n", false, true},
		{"duplicate log key", log + log + "quorum none\n", false, true},
		{"duplicate witness key", log + "witness a " + w1.vkey + "\nwitness b " + w1.vkey + "\nquorum a\n", false, true},
		{"threshold with sign (this package)", log + two + "group g +1 a b\nquorum g\n", false, true},
		{"small-order key (this package)", log + "witness a " + small + "\nquorum a\n", false, true},
		{"witness is the log (this package)", log + "witness a " + vkeyOf("w", append([]byte{4}, l.priv[32:]...)) + "\nquorum a\n", false, true},

		// Torchwood's is stricter.
		{"ML-DSA-44 log key", log + "log " + pqLog.vkey + "\nquorum none\n", true, false},
		{"number sign in an item", log + "witness a " + hash.vkey + "\nquorum a\n", true, false},
	} {
		_, errOurs := trust.Parse([]byte(tc.text))
		_, errTheirs := torchwood.ParsePolicy([]byte(tc.text))
		if (errOurs == nil) != tc.ours || (errTheirs == nil) != tc.theirs {
			t.Errorf("%s: ours %v, torchwood %v", tc.name, errOurs, errTheirs)
		}
	}
}
