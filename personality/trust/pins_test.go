package trust_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/trust"
)

// pinned is a policy of two logs and four witnesses, two of which are to agree,
// and the keys that were theirs.
type pinned struct {
	log, oldLog, other, w1, old1, w2, w3, w4 testKey
	text                                     string
	*trust.Policy
}

func newPinned(t testing.TB) *pinned {
	p := &pinned{
		log: logKey(origin), oldLog: newKey(origin, 1, 9), other: logKey("log.example/b"),
		w1: witnessKey("w1.example"), old1: newKey("w1.example", 4, 9),
		w2: witnessKey("w2.example"), w3: witnessKey("w3.example"), w4: witnessKey("w4.example"),
	}
	p.text = "log " + p.log.vkey + "\nlog " + p.other.vkey + "\nwitness a " + p.w1.vkey + "\nwitness b " + p.w2.vkey +
		"\nwitness c " + p.w3.vkey + "\nwitness d " + p.w4.vkey + "\ngroup q 2 a b c d\nquorum q\n"
	p.Policy = mustParse(t, p.text)
	return p
}

func mustPin(t testing.TB, p *trust.Policy, text string) *trust.Policy {
	t.Helper()
	q, err := p.Pin([]byte(text))
	if err != nil {
		t.Fatalf("Pin: %v\n%s", err, text)
	}
	return q
}

func root64(b trust.Body) string { return base64.StdEncoding.EncodeToString(b.Root[:]) }

// allPins has a line of each kind.
func (p *pinned) allPins() string {
	return "operator x a b\noperator y log.example/b d\nclose " + origin + " 7 " + root64(testBody(origin, 7)) +
		"\nmin-mapfn 2\npast " + origin + " " + p.oldLog.vkey + " 1699999990\npast a " + p.old1.vkey + " 1699999980\n"
}

func TestPins(t *testing.T) {
	p := newPinned(t)
	if p.Pins() != "" || p.MinMapFn() != 0 {
		t.Errorf("unpinned: %q, %d", p.Pins(), p.MinMapFn())
	}
	text := p.allPins()
	q := mustPin(t, p.Policy, "# mine\n\n"+strings.ReplaceAll(text, " ", " \t"))
	if q.Pins() != text || q.MinMapFn() != 2 || q.String() != p.String() {
		t.Errorf("Pins = %s, want %s", q.Pins(), text)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	lines[5] += "\n"
	slices.Reverse(lines)
	want := strings.Join([]string{lines[4], lines[5], lines[3], lines[2], lines[0], lines[1]}, "")
	if got := mustPin(t, p.Policy, strings.Join(lines, "")).Pins(); got != want {
		t.Errorf("Pins = %s, want %s", got, want)
	}
	if p.Pins() != "" {
		t.Error("Pin changed the policy")
	}
	if again := mustPin(t, q, "min-mapfn 1\n"); again.Pins() != "min-mapfn 1\n" {
		t.Errorf("pinned again: %s", again.Pins())
	}
}

func TestPinRefusals(t *testing.T) {
	p := newPinned(t)
	root := root64(testBody(origin, 7))
	sameKey := vkeyOf("w9.example", append([]byte{4}, p.w1.priv[32:]...))
	logAsWitness := vkeyOf("w9.example", append([]byte{4}, p.log.priv[32:]...))
	for name, tc := range map[string]struct {
		text string
		line int
		want string
	}{
		"unknown keyword":        {"min-mapfn 1\nquorum none\n", 2, "unknown keyword"},
		"no final newline":       {"min-mapfn 1", 1, "no newline"},
		"carriage return":        {"min-mapfn 1\r\n", 1, "0x0d"},
		"too large":              {strings.Repeat("#\n", trust.MaxSize/2+1), 0, "larger than"},
		"operator of nothing":    {"operator x\n", 1, "1 items"},
		"operator twice":         {"operator x a\noperator x b\n", 2, "second line"},
		"two operators":          {"operator x a\noperator y b a\n", 2, `has operator "x" already`},
		"a name twice":           {"operator x a a\n", 1, `has operator "x" already`},
		"operator of a stranger": {"#\noperator x a w1.example\n", 2, `unknown name "w1.example"`},
		"operator of a group":    {"operator x q\n", 1, "unknown name"},
		"operator, long name":    {"operator " + strings.Repeat("x", 256) + " a\n", 1, "255 bytes"},
		"one operator of all":    {"operator x a b c\noperator y log.example/a d\n", 2, "cannot be satisfied"},
		"all are the log's":      {"operator x a b c d log.example/b\n", 1, "cannot be satisfied"},
		"close without root":     {"close " + origin + " 7\n", 1, "2 items"},
		"close of a stranger":    {"close log.example/c 7 " + root + "\n", 1, "unknown log"},
		"close of a witness":     {"close a 7 " + root + "\n", 1, "unknown log"},
		"closed twice":           {"close " + origin + " 7 " + root + "\nclose " + origin + " 7 " + root + "\n", 2, "closed already"},
		"close, leading zero":    {"close " + origin + " 07 " + root + "\n", 1, "tree size"},
		"close at 2^53":          {"close " + origin + " 9007199254740992 " + root + "\n", 1, "tree size"},
		"close, hex root":        {"close " + origin + " 7 " + strings.Repeat("0", 64) + "\n", 1, "root"},
		"close, loose base64":    {"close " + origin + " 7 " + root[:42] + string(root[42]+1) + "=\n", 1, "root"},
		"map function 0":         {"min-mapfn 0\n", 1, "map function"},
		"map function 01":        {"min-mapfn 01\n", 1, "map function"},
		"map function 2^16":      {"min-mapfn 65536\n", 1, "map function"},
		"map function twice":     {"min-mapfn 1\nmin-mapfn 2\n", 2, "second"},
		"past without time":      {"past a " + p.old1.vkey + "\n", 1, "2 items"},
		"past of a stranger":     {"past e " + p.old1.vkey + " 1\n", 1, "unknown name"},
		"past at 0":              {"past a " + p.old1.vkey + " 0\n", 1, "last timestamp"},
		"past at 2^40":           {"past a " + p.old1.vkey + " 1099511627776\n", 1, "last timestamp"},
		"past, -1":               {"past a " + p.old1.vkey + " -1\n", 1, "last timestamp"},
		"past and used":          {"past a " + p.w1.vkey + " 1\n", 1, "listed elsewhere"},
		"past and used, renamed": {"past b " + sameKey + " 1\n", 1, "listed elsewhere"},
		"past witness is log":    {"past b " + logAsWitness + " 1\n", 1, "listed elsewhere"},
		"past log key, used":     {"past " + origin + " " + p.log.vkey + " 1\n", 1, "listed elsewhere"},
		"past twice":             {"past a " + p.old1.vkey + " 1\npast a " + p.old1.vkey + " 2\n", 2, "listed elsewhere"},
		"past of two":            {"past a " + p.old1.vkey + " 1\npast b " + p.old1.vkey + " 1\n", 2, "listed elsewhere"},
		"past key of another":    {"past log.example/b " + p.oldLog.vkey + " 1\n", 1, "key of"},
		"past log key of w":      {"past a " + p.oldLog.vkey + " 1\n", 1, "does not belong"},
		"past cosigner of log":   {"past " + origin + " " + p.old1.vkey + " 1\n", 1, "does not belong"},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := p.Pin([]byte(tc.text))
			var pe *trust.ParseError
			if q != nil || !errors.As(err, &pe) {
				t.Fatalf("Pin = %v, %v", q, err)
			}
			if pe.File != "pins" || pe.Line != tc.line || !strings.Contains(pe.Problem, tc.want) || pe.Next == "" {
				t.Errorf("%s, line %d %q next %q; want line %d, %q", pe.File, pe.Line, pe.Problem, pe.Next, tc.line, tc.want)
			}
		})
	}
	both := mustParse(t, "log "+p.other.vkey+"\nwitness log.example/b "+p.w1.vkey+"\nquorum log.example/b\n")
	if _, err := both.Pin([]byte("operator x log.example/b\n")); err == nil || !strings.Contains(err.Error(), "both a log and a witness") {
		t.Errorf("a name of two: %v", err)
	}
}

func TestPinLimits(t *testing.T) {
	l := logKey(origin)
	text, operators, past := "log "+l.vkey+"\n", "", ""
	for i := range trust.MaxLines {
		text += fmt.Sprintf("witness w%d %s\n", i, newKey("w.example", 4, i).vkey)
		operators += fmt.Sprintf("operator o%d w%d\n", i, i)
		past += fmt.Sprintf("past w0 %s 1\n", newKey("w.example", 4, 100+i).vkey)
	}
	p := mustParse(t, text+"quorum w0\n")
	mustPin(t, p, operators+past)
	if _, err := p.Pin([]byte(operators + "operator more " + origin + "\n")); err == nil {
		t.Error("65 operators")
	}
	if _, err := p.Pin([]byte(past + "past w0 " + newKey("w.example", 4, 99).vkey + " 1\n")); err == nil {
		t.Error("65 past keys")
	}
}

// TestPinnedOpen opens checkpoints under pins.
func TestPinnedOpen(t *testing.T) {
	p := newPinned(t)
	b, ts := testBody(origin, 7), uint64(now.Unix())
	at := func(k testKey, ago uint64) string { return k.line(t, b, ts-ago) }
	past := func(k testKey, name string, ago uint64) string {
		return fmt.Sprintf("past %s %s %d\n", name, k.vkey, ts-ago)
	}
	closed := func(size uint64, root trust.Body) string {
		return fmt.Sprintf("close %s %d %s\n", origin, size, root64(root))
	}
	log, old := at(p.log, 0), at(p.oldLog, 0)
	two := []string{at(p.w1, 10), at(p.w2, 20)}
	for name, tc := range map[string]struct {
		pins  string
		lines []string
		err   error
		want  int64 // T, relative to now
		log   int   // log lines
	}{
		"no pins":                           {"", append(two, log), nil, -20, 1},
		"two of one operator":               {"operator x a b\n", append(two, log), trust.ErrQuorum, 0, 0},
		"and one of another":                {"operator x a b\n", append(two, log, at(p.w3, 30)), nil, -30, 1},
		"the better one counts":             {"operator x a b\n", []string{at(p.w1, 60), at(p.w2, 20), at(p.w3, 30), log}, nil, -30, 1},
		"two operators":                     {"operator x a c\noperator y b d\n", append(two, log), nil, -20, 1},
		"the log's own witness":             {"operator x a log.example/a\n", append(two, log), trust.ErrQuorum, 0, 0},
		"the log's own witness, and others": {"operator x a log.example/a\n", append(two, log, at(p.w3, 30)), nil, -30, 1},
		"another log's witness":             {"operator x a log.example/b\n", append(two, log), nil, -20, 1},

		"closed there":                 {closed(7, b), append(two, log), nil, -20, 1},
		"closed there, another root":   {closed(7, testBody(origin, 8)), append(two, log), trust.ErrClosed, 0, 0},
		"closed before":                {closed(6, testBody(origin, 6)), append(two, log), trust.ErrClosed, 0, 0},
		"closed behind":                {closed(8, testBody(origin, 8)), append(two, log), nil, -20, 1},
		"closed behind, and no quorum": {closed(8, testBody(origin, 8)), []string{log}, trust.ErrQuorum, 0, 0},

		"a past key, unpinned":        {"", []string{at(p.old1, 10), at(p.w2, 20), log}, trust.ErrQuorum, 0, 0},
		"a past key":                  {past(p.old1, "a", 10), []string{at(p.old1, 10), at(p.w2, 20), log}, nil, -20, 1},
		"a past key, too late":        {past(p.old1, "a", 11), []string{at(p.old1, 10), at(p.w2, 20), log}, trust.ErrQuorum, 0, 0},
		"both keys count once":        {past(p.old1, "a", 10), []string{at(p.old1, 10), at(p.w1, 20), log}, trust.ErrQuorum, 0, 0},
		"a past key that is spoilt":   {past(p.old1, "a", 10), append(two, log, p.old1.line(t, testBody(origin, 8), ts-10)), trust.ErrBadSignature, 0, 0},
		"a past key of the log":       {past(p.oldLog, origin, 20), append(two, old), nil, -20, 1},
		"and a current one":           {past(p.oldLog, origin, 20), append(two, old, log), nil, -20, 2},
		"a past log key, too late":    {past(p.oldLog, origin, 21), append(two, old), trust.ErrNoLogSignature, 0, 0},
		"and a current one, late":     {past(p.oldLog, origin, 21), append(two, old, log), nil, -20, 1},
		"a past log key, no quorum":   {past(p.oldLog, origin, 1), []string{old, two[0]}, trust.ErrQuorum, 0, 0},
		"a past log key, unpinned":    {"", append(two, old), trust.ErrNoLogSignature, 0, 0},
		"a past log key, spoilt":      {past(p.oldLog, origin, 1), append(two, log, p.oldLog.line(t, testBody(origin, 8), 0)), trust.ErrBadSignature, 0, 0},
		"a past log key is no key of": {past(newKey("log.example/b", 1, 9), "log.example/b", 1), append(two, at(newKey("log.example/b", 1, 9), 0)), trust.ErrNoLogSignature, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := mustPin(t, p.Policy, tc.pins).Open(signed(b, tc.lines...), now)
			if !errors.Is(err, tc.err) || err == nil && (c.Time.Unix() != now.Unix()+tc.want || len(c.LogLines) != tc.log) {
				t.Fatalf("Open = %+v, %v; want %v, T %d, %d log lines", c, err, tc.err, tc.want, tc.log)
			}
			if err == nil && len(c.LogLines)+len(c.Cosignatures)+len(c.OtherLines) != len(tc.lines) {
				t.Errorf("%d lines became %+v", len(tc.lines), c)
			}
		})
	}
}

// TestPinnedQuorumNone: what only a quorum can vouch for is refused without.
func TestPinnedQuorumNone(t *testing.T) {
	l, old := logKey(origin), newKey(origin, 1, 9)
	p := mustParse(t, "log "+l.vkey+"\nquorum none\n")
	b := testBody(origin, 7)
	for name, tc := range map[string]struct {
		pins string
		by   testKey
		err  error
	}{
		"closed there":          {"close " + origin + " 7 " + root64(b) + "\n", l, nil},
		"closed behind":         {"close " + origin + " 8 " + root64(b) + "\n", l, trust.ErrClosed},
		"closed before":         {"close " + origin + " 6 " + root64(b) + "\n", l, trust.ErrClosed},
		"a past key of the log": {"past " + origin + " " + old.vkey + " 1099511627775\n", old, trust.ErrNoLogSignature},
	} {
		if _, err := mustPin(t, p, tc.pins).Open(signed(b, tc.by.line(t, b, 0)), now); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", name, err, tc.err)
		}
	}
	q := mustPin(t, p, "past "+origin+" "+old.vkey+" 1099511627775\n")
	if _, err := q.OpenLogSigned(signed(b, old.line(t, b, 0))); !errors.Is(err, trust.ErrNoLogSignature) {
		t.Errorf("OpenLogSigned by a past key: %v", err)
	}
}

// TestOperatorsOracle holds groups with operators against the words of the
// rule, on random policies and operators.
func TestOperatorsOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var vkeys []string
	for i := range 7 {
		vkeys = append(vkeys, newKey("w.example", 4, i).vkey)
	}
	fewer := 0
	for range 2000 {
		n := 1 + r.IntN(7)
		text, q := randomPolicy(r, vkeys[:n])
		p := mustParse(t, text)
		operator, names := map[string]string{}, map[string][]string{}
		for i := range n {
			if o := r.IntN(4); o > 0 {
				w := fmt.Sprintf("w%d", i)
				operator[w] = fmt.Sprintf("o%d", o)
				names[operator[w]] = append(names[operator[w]], w)
			}
		}
		var pins string
		for o, ws := range names {
			pins += "operator " + o + " " + strings.Join(ws, " ") + "\n"
		}
		pinned := mustPin(t, p, pins)
		var cs []trust.Cosignature
		for i := range n {
			if r.IntN(4) > 0 {
				cs = append(cs, trust.Cosignature{Name: fmt.Sprintf("w%d", i), Unix: now.Unix() - int64(r.IntN(9))})
			}
		}
		var want int64
		for _, c := range cs {
			if c.Unix > want && q.satisfiedBy(operator, func(w string) bool {
				return slices.ContainsFunc(cs, func(o trust.Cosignature) bool { return o.Name == w && o.Unix >= c.Unix })
			}) {
				want = c.Unix
			}
		}
		got, err := pinned.QuorumTime(cs, now)
		if (err == nil) != (want != 0) || err == nil && got.Unix() != want {
			t.Fatalf("%s%s%v: T = %v, %v; want %d", text, pins, cs, got, err, want)
		}
		before, beforeErr := p.QuorumTime(cs, now)
		if err == nil && (beforeErr != nil || got.After(before)) {
			t.Fatalf("%s%s%v: T = %v under operators, %v without", text, pins, cs, got, before)
		}
		if beforeErr == nil && (err != nil || got.Before(before)) {
			fewer++
		}
	}
	if fewer < 100 {
		t.Errorf("operators mattered %d times of 2000", fewer)
	}
}

// satisfiedBy is satisfied with operators: the members of one count once.
func (q quorumTree) satisfiedBy(operator map[string]string, signed func(string) bool) bool {
	if q.witness != "" {
		return signed(q.witness)
	}
	n, counted := 0, map[string]bool{}
	for _, m := range q.members {
		o := operator[m.witness]
		if m.satisfiedBy(operator, signed) && (o == "" || !counted[o]) {
			n, counted[o] = n+1, true
		}
	}
	return n >= q.k
}

func FuzzPin(f *testing.F) {
	p := newPinned(f)
	f.Add([]byte(p.allPins()))
	f.Add([]byte("# none\n\n"))
	f.Add([]byte("operator x a\noperator y b log.example/a\nmin-mapfn 18\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := p.Pin(text)
		if err != nil {
			return
		}
		s, lines := q.Pins(), 0
		for line := range strings.Lines(string(text)) {
			if items := strings.Fields(line); len(items) > 0 && items[0][0] != '#' {
				lines++
			}
		}
		again, err := p.Pin([]byte(s))
		if err != nil || again.Pins() != s || strings.Count(s, "\n") != lines {
			t.Fatalf("%v\n%s\n%s\n%s", err, text, s, again.Pins())
		}
	})
}
