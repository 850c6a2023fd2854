package trust_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/trust"
)

func TestParse(t *testing.T) {
	l1, l2, l3 := logKey(origin), newKey(origin, 1, 1), logKey("Other/x")
	pqLog := newPQKey(t, origin)
	w1, w2, pq := witnessKey("w1.example"), witnessKey("w2.example"), newPQKey(t, "pq.example")
	text := "# a comment\n\n \t# another\n" +
		"witness X1 " + w1.vkey + "\n" +
		"log\t" + l1.vkey + "  https://log.example/a/ \n" +
		"log " + l3.vkey + "\n" +
		"group none-of-it 1 X1\n" +
		"witness quorum " + w2.vkey + " https://w2.example/\n" +
		"witness \xff#\u00a0 " + pq.vkey + "\n" +
		"  group g all quorum none-of-it\n" +
		"quorum g\n" +
		"log " + l2.vkey + " https://second.example/\n" +
		"log " + pqLog.vkey + "\n"
	p := mustParse(t, text)

	logs := p.Logs()
	if len(logs) != 2 || logs[0].Origin != origin || len(logs[0].Keys) != 3 || logs[0].URL() != "https://log.example/a/" ||
		logs[0].Keys[0].Vkey != l1.vkey || logs[0].Keys[1].URL != "https://second.example/" || logs[1].Origin != "Other/x" || logs[1].URL() != "" {
		t.Errorf("Logs = %+v", logs)
	}
	if _, ok := p.Log("Other/x"); !ok {
		t.Error("Log did not find a listed log")
	}
	if _, ok := p.Log("other/x"); ok {
		t.Error("Log found a log under another spelling")
	}
	cs := p.Cosigners()
	if len(cs) != 3 || cs[0].Name != "X1" || cs[0].Key.Vkey != w1.vkey || cs[1].URL != "https://w2.example/" || cs[2].Name != "\xff#\u00a0" {
		t.Fatalf("Cosigners = %+v", cs)
	}
	if !cs[0].InQuorum || !cs[1].InQuorum || cs[2].InQuorum {
		t.Errorf("InQuorum = %v %v %v, want true true false", cs[0].InQuorum, cs[1].InQuorum, cs[2].InQuorum)
	}
	if p.QuorumNone() {
		t.Error("QuorumNone with a quorum")
	}
	if again := mustParse(t, p.String()); again.String() != p.String() {
		t.Errorf("String changed:\n%s\n%s", p, again)
	}
	if !mustParse(t, "quorum none\n").QuorumNone() {
		t.Error("not QuorumNone")
	}
}

func TestParseRefusals(t *testing.T) {
	l, w1, w2, pq := logKey(origin), witnessKey("w1.example"), witnessKey("w2.example"), newPQKey(t, "pq.example")
	two := "witness a " + w1.vkey + "\nwitness b " + w2.vkey + "\n"
	renamed := newKey("w1.example", 4, 0)
	renamed = testKey{name: "w9.example", typ: 4, priv: renamed.priv}
	renamed.vkey = vkeyOf(renamed.name, append([]byte{4}, renamed.priv[32:]...))
	logAsWitness := vkeyOf("w9.example", append([]byte{4}, l.priv[32:]...))
	witnessAsLog := vkeyOf(origin, append([]byte{1}, w1.priv[32:]...))
	for name, tc := range map[string]struct {
		text string
		line int
		want string
	}{
		"empty":                   {"", 0, "no quorum line"},
		"no quorum":               {two, 0, "no quorum line"},
		"two quorums":             {"quorum none\nquorum none\n", 2, "second quorum"},
		"quorum later defined":    {"quorum a\n" + two, 1, "unknown name"},
		"quorum without name":     {"quorum\n", 1, "0 items"},
		"quorum with two":         {two + "quorum a b\n", 3, "2 items"},
		"quorum trailing comment": {two + "quorum a # why\n", 3, "3 items"},
		"no final newline":        {"quorum none", 1, "no newline"},
		"carriage return":         {"quorum none\r\n", 1, "0x0d"},
		"NUL":                     {"# \x00\nquorum none\n", 1, "0x00"},
		"DEL in comment":          {"#\nquorum none\n# \x7f\n", 3, "0x7f"},
		"keyword case":            {"Quorum none\n", 1, "unknown keyword"},
		"no-break space":          {"quorum\u00a0none\n", 1, "unknown keyword"},
		"log without key":         {"log\n", 1, "0 items"},
		"log with three":          {"log " + l.vkey + " u v\n", 1, "3 items"},
		"log duplicate":           {"log " + l.vkey + "\nlog " + l.vkey + "\n", 2, "duplicate log key"},
		"log with cosigner key":   {"log " + w1.vkey + "\n", 1, "0x04 does not belong"},
		"witness with log key":    {"witness a " + l.vkey + "\n", 1, "0x01 does not belong"},
		"witness without key":     {"witness a\n", 1, "1 items"},
		"witness with four":       {"witness a " + w1.vkey + " u v\n", 1, "4 items"},
		"witness duplicate":       {two + "witness c " + w1.vkey + "\n", 3, "duplicate witness key"},
		"witness renamed":         {two + "witness c " + renamed.vkey + "\n", 3, "duplicate witness key"},
		"witness is log":          {"log " + l.vkey + "\nwitness c " + logAsWitness + "\n", 2, "also a log's key"},
		"log is witness":          {two + "log " + witnessAsLog + "\n", 3, "also a witness's key"},
		"pq log is witness":       {"witness a " + pq.vkey + "\nlog " + pq.vkey + "\n", 2, "also a witness's key"},
		"witness named none":      {"witness none " + w1.vkey + "\n", 1, "cannot be defined"},
		"duplicate name":          {"witness a " + w1.vkey + "\nwitness a " + w2.vkey + "\n", 2, "duplicate name"},
		"group has witness name":  {two + "group a any b\n", 3, "duplicate name"},
		"group named none":        {two + "group none any b\n", 3, "cannot be defined"},
		"group without members":   {"group g all\n", 1, "2 items"},
		"group of unknown":        {two + "group g any a c\n", 3, `unknown name "c"`},
		"group of itself":         {two + "group g any a g\n", 3, "unknown name"},
		"group of none":           {two + "group g any none\n", 3, "unknown name"},
		"member twice":            {two + "group g any a a\n", 3, "member of a group already"},
		"member of two groups":    {two + "group g any a\ngroup h any a\n", 4, "member of a group already"},
		"threshold 0":             {two + "group g 0 a b\n", 3, "threshold"},
		"threshold 3 of 2":        {two + "group g 3 a b\n", 3, "threshold"},
		"threshold +1":            {two + "group g +1 a b\n", 3, "threshold"},
		"threshold 01":            {two + "group g 01 a b\n", 3, "threshold"},
		"threshold huge":          {two + "group g 18446744073709551617 a b\n", 3, "threshold"},
		"threshold ALL":           {two + "group g ALL a b\n", 3, "threshold"},
		"long name":               {"witness " + strings.Repeat("n", 256) + " " + w1.vkey + "\n", 1, "cannot be defined"},
		"too large":               {strings.Repeat("#\n", trust.MaxSize/2+1) + "quorum none\n", 0, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := trust.Parse([]byte(tc.text))
			var pe *trust.ParseError
			if p != nil || !errors.As(err, &pe) {
				t.Fatalf("Parse = %v, %v", p, err)
			}
			if pe.Line != tc.line || !strings.Contains(pe.Problem, tc.want) || pe.Next == "" {
				t.Errorf("line %d %q next %q; want line %d, %q", pe.Line, pe.Problem, pe.Next, tc.line, tc.want)
			}
		})
	}
}

// TestKeyRefusals breaks each part of a vkey.
func TestKeyRefusals(t *testing.T) {
	w, pq := witnessKey("w.example"), newPQKey(t, "pq.example")
	raw := append([]byte{4}, w.priv[32:]...)
	rawPQ, err := base64.StdEncoding.DecodeString(strings.SplitN(pq.vkey, "+", 3)[2])
	if err != nil {
		t.Fatal(err)
	}
	loose := []byte(pq.vkey) // the last sextet has spare bits
	loose[len(loose)-2]++
	for name, vkey := range map[string]string{
		"empty":            "",
		"name only":        "w.example",
		"no key":           "w.example+00000000",
		"empty key":        "w.example+00000000+",
		"empty name":       vkeyOf("", raw),
		"space in name":    vkeyOf("w example", raw),
		"wide space":       vkeyOf("w\u3000example", raw),
		"name not UTF-8":   vkeyOf("w\xff", raw),
		"name too long":    vkeyOf(strings.Repeat("n", 256), raw),
		"control in name":  vkeyOf("w\x01", raw),
		"other name":       strings.Replace(w.vkey, "w.example", "v.example", 1),
		"short id":         strings.Replace(w.vkey, "+", "+0", 1)[:len(w.vkey)-1],
		"id not hex":       "w.example+zzzzzzzz+" + base64.StdEncoding.EncodeToString(raw),
		"short key":        vkeyOf("w.example", raw[:32]),
		"long key":         vkeyOf("w.example", append(bytes.Clone(raw), 0)),
		"short pq key":     vkeyOf("pq.example", rawPQ[:1312]),
		"unknown type":     vkeyOf("w.example", append([]byte{2}, raw[1:]...)),
		"base64 bits":      string(loose),
		"base64 line feed": w.vkey[:len(w.vkey)-4] + "\n" + w.vkey[len(w.vkey)-4:],
		"base64 urlsafe":   w.vkey[:len(w.vkey)-1] + "_",
	} {
		if k, err := trust.ParseCosignerKey(vkey); err == nil {
			t.Errorf("%s: accepted as %s", name, k.Vkey)
		}
	}
	upper := "w.example+" + strings.ToUpper(hex.EncodeToString(w.hash())) + "+" + base64.StdEncoding.EncodeToString(raw)
	if k, err := trust.ParseCosignerKey(upper); err != nil || k.Vkey != w.vkey {
		t.Errorf("upper-case key id: %v, %v", k.Vkey, err)
	}
}

// TestAmbiguousKeys lists two keys with one name and, as 32 bits allow, one ID.
func TestAmbiguousKeys(t *testing.T) {
	seen := make(map[string][]byte)
	for i := uint64(0); ; i++ {
		raw := binary.BigEndian.AppendUint64(make([]byte, 25, 33), i)
		raw[0], raw[1] = 4, 9
		id := string(keyHash("w.example", raw))
		if seen[id] == nil {
			seen[id] = raw
			continue
		}
		text := "witness a " + vkeyOf("w.example", seen[id]) + "\nwitness b " + vkeyOf("w.example", raw) + "\nquorum a\n"
		if _, err := trust.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "those of another key") {
			t.Errorf("Parse: %v\n%s", err, text)
		}
		return
	}
}

func TestLimits(t *testing.T) {
	var b strings.Builder
	for i := range trust.MaxLines {
		fmt.Fprintf(&b, "log %s\n", newKey(origin, 1, i).vkey)
		fmt.Fprintf(&b, "witness w%d %s\n", i, newKey("w.example", 4, i).vkey)
		members := fmt.Sprintf("w%d", i)
		if i > 0 {
			members += fmt.Sprintf(" g%d", i-1)
		}
		fmt.Fprintf(&b, "group g%d all %s\n", i, members)
	}
	full := b.String()
	p := mustParse(t, full+"quorum g63\n")
	if n := len(p.Cosigners()); n != trust.MaxLines || !p.Cosigners()[0].InQuorum {
		t.Errorf("%d cosigners, first in quorum: %v", n, p.Cosigners()[0].InQuorum)
	}
	for name, extra := range map[string]string{
		"logs":      "log " + newKey(origin, 1, 99).vkey + "\n",
		"witnesses": "witness x " + newKey("x.example", 4, 0).vkey + "\n",
		"groups":    "group x any g63\n",
	} {
		if _, err := trust.Parse([]byte(full + extra + "quorum none\n")); err == nil || !strings.Contains(err.Error(), "more than 64 "+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidOrigin(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "log.example/a-1": true, strings.Repeat("a", 255): true,
		"": false, strings.Repeat("a", 256): false, "A": false, "a b": false, "a+b": false, "a_b": false, "a\n": false, "ä": false,
	} {
		if got := trust.ValidOrigin(s); got != want {
			t.Errorf("ValidOrigin(%q) = %v", s, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	l, w1, w2 := logKey(origin), witnessKey("w1.example"), witnessKey("w2.example")
	f.Add([]byte("quorum none\n"))
	f.Add([]byte("log " + l.vkey + " u\nwitness a " + w1.vkey + "\nwitness b " + w2.vkey + " u\ngroup g 2 a b\nquorum g\n"))
	f.Add([]byte("witness a " + w1.vkey + "\n# x\n\nquorum a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := trust.Parse(text)
		if err != nil {
			return
		}
		s := p.String()
		again, err := trust.Parse([]byte(s))
		if err != nil || again.String() != s || len(again.Cosigners()) != len(p.Cosigners()) {
			t.Fatalf("%v\n%s\n%s", err, s, again)
		}
	})
}
