package mapfn_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/mapfn"
)

const recordFile = "testdata/records.json"

// recordCase is a record, event or withdrawal, good or malicious.
type recordCase struct {
	Name string `json:"name"`
	// Of is the namespace of a record, "event" or "withdrawal".
	Of string `json:"of"`
	// Text is a record; Hex an event or a withdrawal.
	Text string `json:"text,omitempty"`
	Hex  string `json:"hex,omitempty"`
	Good bool   `json:"good"`
}

// read parses what a case says.
func (c recordCase) read() error {
	var err error
	b := []byte(c.Text)
	if c.Of == "event" || c.Of == "withdrawal" {
		if b, err = hex.DecodeString(c.Hex); err != nil {
			return err
		}
	}
	switch c.Of {
	case "1":
		_, err = mapfn.ParseAttestation(b)
	case "2", "3", "4":
		_, err = mapfn.ParseList(b)
	case "5":
		_, err = mapfn.ParseKey(b)
	case "6":
		_, err = mapfn.ParseParty(b)
	case "7":
		_, err = mapfn.ParseLog(b)
	case "8":
		_, err = mapfn.ParseProgramme(b)
	case "event":
		_, err = mapfn.ParseEvent(b)
	case "withdrawal":
		_, err = mapfn.ParseWithdrawal(b)
	}
	return err
}

// goodRecords has one of each namespace with every member it may have.
func goodRecords() []recordCase {
	h, i := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	const n8 = "0000000000000007"
	text := func(of, name, text string) recordCase {
		return recordCase{Name: name, Of: of, Text: strings.NewReplacer("$h", h, "$i", i).Replace(text), Good: true}
	}
	return []recordCase{
		text("1", "active", `{"v":1,"state":"active","issued":3,"leaf":"$h","last":3,"key":"$i"}`),
		text("1", "held", `{"v":1,"state":"held","reason":17,"issued":3,"leaf":"$h","last":5,"key":"$i","withdrawn":["BR.01","BR.02"],"hold":"$h","by":"$i","until":1795000009}`),
		text("1", "superseded", `{"v":1,"state":"superseded","issued":3,"leaf":"$h","last":5,"key":"$i","successor":"$h"}`),
		text("1", "revoked", `{"v":1,"state":"revoked","reason":0,"issued":3,"leaf":"$h","last":6,"key":"$i","successor":"$h"}`),
		text("2", "component", `{"v":1,"count":2,"last":9,"root":"$h"}`),
		text("3", "package", `{"v":1,"count":1,"last":3,"root":"$h"}`),
		text("4", "digest", `{"v":1,"count":1,"last":3,"root":"$h"}`),
		text("5", "registrar", `{"v":1,"state":"active","role":"registrar","first":0,"last":0}`),
		text("5", "retired", `{"v":1,"state":"retired","role":"recovery","first":1,"end":4,"party":"$h","last":4}`),
		text("5", "compromised, with ranges", `{"v":1,"state":"compromised","role":"ordinary","first":1,"end":4,"cutoff":2,"party":"$h","last":7,"voids":[{"from":1,"to":3,"reason":3},{"from":0,"to":2,"reason":3,"package":"pkg:npm/express"}]}`),
		text("6", "active", `{"v":1,"state":"active","issued":1,"leaf":"$h","last":1,"recovery":"$i","roles":["maintainer","steward"],"keys":2,"count":2,"lastEvent":3,"root":"$h"}`),
		text("6", "ended", `{"v":1,"state":"ended","issued":1,"leaf":"$h","last":8,"end":8,"recovery":"$i","roles":["steward"],"keys":2,"count":3,"lastEvent":8,"root":"$h"}`),
		text("7", "log", `{"v":1,"fn":1,"admission":"rules-1","issuance":"closed","leaf":"$h","last":0,"registrars":["$h"],"roots":["$h","$i"],"successor":"next.example/log"}`),
		text("8", "open", `{"v":1,"state":"open","issued":3,"at":5,"leaf":"$h","last":5,"party":"$i"}`),
		{Name: "issue", Of: "event", Hex: n8 + "01" + h, Good: true},
		{Name: "of an unknown kind, which is hashed all the same", Of: "event", Hex: n8 + "ff" + h, Good: true},
		{Name: "key cutoff", Of: "withdrawal", Hex: n8 + "06" + "00" + "0000" + h + n8 + "ffffffffffffffff", Good: true},
		{Name: "key range with package", Of: "withdrawal", Hex: n8 + "07" + "03" + "0001" + h + n8 + "0000000000000008", Good: true},
		{Name: "of an unknown kind: a verifier answers NO_EVIDENCE", Of: "withdrawal", Hex: n8 + "ff" + "00" + "0000" + h + n8 + n8, Good: true},
	}
}

// badRecords breaks a good case of the name in one place.
func badRecords() []recordCase {
	var out []recordCase
	for _, edit := range [][5]string{
		{"1", "active", "white space", `"v":1,`, `"v": 1,`},
		{"1", "active", "another version", `"v":1`, `"v":2`},
		{"1", "active", "unknown member", `"v":1,`, `"v":1,"x":1,`},
		{"1", "active", "other order", `"v":1,"state":"active"`, `"state":"active","v":1`},
		{"1", "active", "member twice", `"v":1,`, `"v":1,"v":1,`},
		{"1", "active", "member in another case", `"last"`, `"Last"`},
		{"1", "active", "an escape", `"active"`, `"\u0061ctive"`},
		{"1", "active", "null", `"key":`, `"successor":null,"key":`},
		{"1", "active", "a fraction", `"last":3`, `"last":3.0`},
		{"1", "active", "unknown state", `"active"`, `"valid"`},
		{"1", "active", "reason without cause", `"issued"`, `"reason":1,"issued"`},
		{"1", "active", "hex in upper case", `"leaf":"ab`, `"leaf":"AB`},
		{"1", "active", "data after", `}`, `}{}`},
		{"1", "held", "no hold", `"hold":"` + strings.Repeat("ab", 32) + `",`, ``},
		{"1", "held", "no until", `,"until":1795000009`, ``},
		{"1", "held", "claims not sorted", `"BR.01","BR.02"`, `"BR.02","BR.01"`},
		{"1", "held", "claim twice", `"BR.01","BR.02"`, `"BR.01","BR.01"`},
		{"1", "held", "no claims", `"BR.01","BR.02"`, ``},
		{"1", "superseded", "no successor", `,"successor":"` + strings.Repeat("ab", 32) + `"`, ``},
		{"1", "revoked", "no reason", `"reason":0,`, ``},
		{"1", "revoked", "reason 256", `"reason":0`, `"reason":256`},
		{"2", "component", "no events", `"count":2`, `"count":0`},
		{"2", "component", "a status", `"last"`, `"active":1,"last"`},
		{"2", "component", "root too short", `"root":"ab`, `"root":"`},
		{"5", "registrar", "of a party", `,"last"`, `,"party":"` + strings.Repeat("ab", 32) + `","last"`},
		{"5", "registrar", "unknown role", `"registrar"`, `"admin"`},
		{"5", "retired", "no end", `"end":4,`, ``},
		{"5", "retired", "cutoff", `"party"`, `"cutoff":1,"party"`},
		{"5", "retired", "of no party", `"party":"` + strings.Repeat("ab", 32) + `",`, ``},
		{"5", "compromised, with ranges", "no cutoff", `"cutoff":2,`, ``},
		{"5", "compromised, with ranges", "an empty range", `"from":1,"to":3`, `"from":3,"to":3`},
		{"5", "compromised, with ranges", "an empty package", `"reason":3}`, `"reason":3,"package":""}`},
		{"5", "compromised, with ranges", "17 ranges", `[`, `[` + strings.Repeat(`{"from":1,"to":3,"reason":3},`, 15)},
		{"6", "active", "an end", `"recovery"`, `"end":2,"recovery"`},
		{"6", "active", "no events", `"count":2`, `"count":0`},
		{"6", "ended", "no end", `"end":8,`, ``},
		{"7", "log", "function 0", `"fn":1`, `"fn":0`},
		{"7", "log", "function 65536", `"fn":1`, `"fn":65536`},
		{"7", "log", "unknown issuance", `"closed"`, `"ajar"`},
		{"7", "log", "no registrars", `"registrars":["` + strings.Repeat("ab", 32) + `"]`, `"registrars":[]`},
		{"7", "log", "empty successor", `"next.example/log"`, `""`},
		{"8", "open", "unknown state", `"open"`, `"active"`},
		{"8", "open", "rules before the first", `"at":5`, `"at":2`},
		{"8", "open", "rules after the last change", `"at":5`, `"at":6`},
		{"event", "issue", "a byte too few", `0000000000000007`, `00000000000007`},
		{"event", "issue", "a byte too many", `0000000000000007`, `000000000000000007`},
		{"withdrawal", "key cutoff", "a byte too few", `ffffffffffffffff`, `ffffffffffffff`},
		{"withdrawal", "key cutoff", "a byte too many", `ffffffffffffffff`, `ffffffffffffffffff`},
	} {
		for _, c := range goodRecords() {
			if c.Of != edit[0] || c.Name != edit[1] {
				continue
			}
			c.Name, c.Good = c.Name+": "+edit[2], false
			if c.Text != "" {
				c.Text = string(replaced([]byte(c.Text), edit[3], edit[4]))
			} else {
				c.Hex = string(replaced([]byte(c.Hex), edit[3], edit[4]))
			}
			out = append(out, c)
		}
	}
	return out
}

// TestRecordVectors reads each case, and writes the file with -update.
func TestRecordVectors(t *testing.T) {
	cases := append(goodRecords(), badRecords()...)
	for _, c := range cases {
		if err := c.read(); (err == nil) != c.Good {
			t.Errorf("%s %s: %v", c.Of, c.Name, err)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(cases); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(recordFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(recordFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what this test writes: run go test -update, and look at what changed", recordFile)
	}
}
