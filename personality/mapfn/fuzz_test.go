package mapfn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

const zeros = `"0000000000000000000000000000000000000000000000000000000000000000"`

// recordSeeds are records that parse, and the function that does it.
var recordSeeds = []struct {
	name  string
	parse func([]byte) (any, error)
	seeds []string
}{
	{"attestation", anyOf(ParseAttestation), []string{
		`{"v":1,"state":"active","issued":2,"leaf":` + zeros + `,"last":2,"key":` + zeros + `}`,
		`{"v":1,"state":"held","reason":17,"issued":2,"leaf":` + zeros + `,"last":4,"key":` + zeros + `,"hold":` + zeros + `,"by":` + zeros + `,"until":1795000000}`,
		`{"v":1,"state":"superseded","issued":2,"leaf":` + zeros + `,"last":6,"key":` + zeros + `,"successor":` + zeros + `}`,
		`{"v":1,"state":"revoked","reason":0,"issued":2,"leaf":` + zeros + `,"last":8,"key":` + zeros + `}`,
		`{"v":1,"state":"active","issued":2,"leaf":` + zeros + `,"last":9,"key":` + zeros + `,"withdrawn":["DO.01","VM.02"]}`,
	}},
	{"list", anyOf(ParseList), []string{`{"v":1,"count":1,"last":2,"root":` + zeros + `}`}},
	{"key", anyOf(ParseKey), []string{
		`{"v":1,"state":"active","role":"root","first":0,"last":0}`,
		`{"v":1,"state":"compromised","role":"ordinary","first":2,"end":9,"cutoff":4,"party":` + zeros + `,"last":9}`,
		`{"v":1,"state":"retired","role":"recovery","first":2,"end":9,"party":` + zeros + `,"last":9}`,
		`{"v":1,"state":"active","role":"ordinary","first":2,"party":` + zeros + `,"last":9,"voids":[{"from":3,"to":5,"reason":13},{"from":0,"to":9,"reason":0,"package":"pkg:npm/lodash"}]}`,
	}},
	{"party", anyOf(ParseParty), []string{
		`{"v":1,"state":"active","issued":2,"leaf":` + zeros + `,"last":2,"recovery":` + zeros + `,"roles":["steward"],"keys":1,"count":1,"lastEvent":2,"root":` + zeros + `}`,
		`{"v":1,"state":"ended","issued":2,"leaf":` + zeros + `,"last":9,"end":9,"recovery":` + zeros + `,"roles":["maintainer","steward"],"keys":2,"count":3,"lastEvent":9,"root":` + zeros + `}`,
	}},
	{"log", anyOf(ParseLog), []string{
		`{"v":1,"fn":1,"admission":"registrar-1","issuance":"open","leaf":` + zeros + `,"last":0,"registrars":[` + zeros + `],"roots":[` + zeros + `]}`,
		`{"v":1,"fn":1,"admission":"registrar-1","issuance":"closed","leaf":` + zeros + `,"last":9,"registrars":[` + zeros + `],"roots":[` + zeros + `],"successor":"log.example/2"}`,
	}},
	{"programme", anyOf(ParseProgramme), []string{
		`{"v":1,"state":"open","issued":2,"at":2,"leaf":` + zeros + `,"last":2,"party":` + zeros + `}`,
		`{"v":1,"state":"closed","issued":2,"at":5,"leaf":` + zeros + `,"last":7,"party":` + zeros + `}`,
	}},
}

func anyOf[R any](parse func([]byte) (R, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return parse(b) }
}

// checkRecord says what is wrong with how parse treats data: there is one
// spelling, which is written again.
func checkRecord(parse func([]byte) (any, error), data []byte) error {
	r, err := parse(data)
	if err != nil {
		return nil
	}
	out, err := json.Marshal(r)
	if err != nil || !bytes.Equal(out, data) {
		return fmt.Errorf("%q is accepted and becomes %q: %v", data, out, err)
	}
	return nil
}

func FuzzRecords(f *testing.F) {
	for _, r := range recordSeeds {
		for _, s := range r.seeds {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range recordSeeds {
			if err := checkRecord(r.parse, data); err != nil {
				t.Errorf("%s: %v", r.name, err)
			}
		}
	})
}

// TestRecordSeeds checks that each seed is a record, of its own kind only.
func TestRecordSeeds(t *testing.T) {
	for _, r := range recordSeeds {
		for _, s := range r.seeds {
			for _, other := range recordSeeds {
				if _, err := other.parse([]byte(s)); (err == nil) != (r.name == other.name) {
					t.Errorf("%s parsed as %s: %v", s, other.name, err)
				}
			}
		}
	}
}

// TestRecordContradictions checks members that do not go together.
func TestRecordContradictions(t *testing.T) {
	for _, r := range recordSeeds {
		for _, s := range r.seeds {
			for _, edit := range [][2]string{
				{`"v":1`, `"v":2`}, {`"state":"`, `"state":"x`}, {`"active"`, `"held"`}, {`"held"`, `"active"`}, {`"superseded"`, `"held"`},
				{`"revoked","reason":0`, `"revoked"`}, {`"active","issued"`, `"active","reason":0,"issued"`}, {`,"until":1795000000`, ``},
				{`,"successor":` + zeros, ``}, {`"role":"root"`, `"role":"ordinary"`}, {`"role":"ordinary"`, `"role":"root"`}, {`"cutoff":4,`, ``},
				{`"end":9,`, ``}, {`"retired"`, `"active"`}, {`"count":1`, `"count":0`}, {`"fn":1`, `"fn":0`}, {`"open"`, `"ajar"`},
				{`"registrars":[` + zeros + `]`, `"registrars":[]`}, {`"roots":[` + zeros + `]`, `"roots":[]`}, {`"last":`, `"last":-`}, {zeros, `"00"`},
			} {
				spoilt := strings.Replace(s, edit[0], edit[1], 1)
				if spoilt == s {
					continue
				}
				if _, err := r.parse([]byte(spoilt)); err == nil {
					t.Errorf("%s: %s is accepted", r.name, spoilt)
				}
			}
		}
	}
}

// checkFixed is checkRecord for encodings of a fixed length, all of which are
// accepted.
func checkFixed(size int, again func([]byte) ([]byte, error), data []byte) error {
	out, err := again(data)
	if (err == nil) != (len(data) == size) {
		return fmt.Errorf("%d bytes: %v", len(data), err)
	}
	if err == nil && !bytes.Equal(out, data) {
		return fmt.Errorf("%x becomes %x", data, out)
	}
	return nil
}

func eventAgain(b []byte) ([]byte, error) {
	e, err := ParseEvent(b)
	return e.Append(nil), err
}

func withdrawalAgain(b []byte) ([]byte, error) {
	w, err := ParseWithdrawal(b)
	return w.Append(nil), err
}

func FuzzFixed(f *testing.F) {
	f.Add(Event{Index: 7, Kind: EventEnrol, ID: Hash{1}}.Append(nil))
	f.Add(Withdrawal{Index: 7, Kind: WithdrawalKeyCutoff, ID: Hash{1}, From: 3, To: 1<<64 - 1}.Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := checkFixed(EventSize, eventAgain, data); err != nil {
			t.Errorf("event: %v", err)
		}
		if err := checkFixed(WithdrawalSize, withdrawalAgain, data); err != nil {
			t.Errorf("withdrawal: %v", err)
		}
	})
}

// TestPlanted checks that the fuzz targets would find faults: each parser here
// has one.
func TestPlanted(t *testing.T) {
	loose := func(b []byte) (any, error) {
		var r AttestationRecord
		err := json.Unmarshal(b, &r)
		return r, err
	}
	anyCase := func(b []byte) (any, error) {
		var r KeyRecord
		if err := json.Unmarshal(b, &r); err != nil || len(marshal(r)) != len(b) {
			return nil, fmt.Errorf("%w: %v", ErrRecord, err)
		}
		return r, nil
	}
	for name, tt := range map[string]struct {
		parse func([]byte) (any, error)
		found bool
	}{
		"one that ignores members": {loose, true}, "one that counts only": {anyCase, true},
		"ParseAttestation": {recordSeeds[0].parse, false}, "ParseKey": {recordSeeds[2].parse, false},
	} {
		got := false
		for _, r := range recordSeeds {
			for _, s := range r.seeds {
				got = got || spoil([]byte(s), func(b []byte) error { return checkRecord(tt.parse, b) })
			}
		}
		if got != tt.found {
			t.Errorf("%s: found %t", name, got)
		}
	}
	for name, tt := range map[string]struct {
		again func([]byte) ([]byte, error)
		found bool
	}{
		"one that loses flags": {func(b []byte) ([]byte, error) {
			w, err := ParseWithdrawal(b)
			w.Flags = 0
			return w.Append(nil), err
		}, true},
		"one that keeps 63 bits": {func(b []byte) ([]byte, error) {
			w, err := ParseWithdrawal(b)
			w.To &= 1<<63 - 1
			return w.Append(nil), err
		}, true},
		"one that reads on": {func(b []byte) ([]byte, error) {
			return withdrawalAgain(append([]byte(nil), b[:min(len(b), WithdrawalSize)]...))
		}, true},
		"ParseWithdrawal": {withdrawalAgain, false},
	} {
		seed := Withdrawal{Index: 7, Kind: WithdrawalHeld, ID: Hash{1}, To: 3}.Append(nil)
		if got := spoil(seed, func(b []byte) error { return checkFixed(WithdrawalSize, tt.again, b) }); got != tt.found {
			t.Errorf("%s: found %t", name, got)
		}
	}
}

// spoil reports whether check fails for some of many changes of seed.
func spoil(seed []byte, check func([]byte) error) bool {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := bytes.Clone(seed)
		switch at := rng.IntN(len(b)); rng.IntN(4) {
		case 0:
			b = append(b[:at], b[min(len(b), at+1+rng.IntN(8)):]...)
		case 1:
			b = append(b[:at:at], append([]byte([]string{" ", "0", `"x":1,`, "\n"}[rng.IntN(4)]), b[at:]...)...)
		default:
			b[at] ^= 1 << rng.IntN(8)
		}
		if check(b) != nil {
			return true
		}
	}
	return false
}
