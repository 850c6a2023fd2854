package trust_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/standing-log/standing/personality/trust"
)

func TestQuorumTime(t *testing.T) {
	var head strings.Builder
	for _, n := range "abcdef" {
		fmt.Fprintf(&head, "witness %c %s\n", n, witnessKey(string(n)+".example").vkey)
	}
	const year = 365 * 86400
	for _, tc := range []struct {
		name, rest string
		at         string // name=seconds relative to now, zero, or max
		want       string // seconds relative to now, or none
	}{
		{"single", "quorum a\n", "a=-5", "-5"},
		{"single, not named", "quorum a\n", "b=-5", "none"},
		{"single, zero", "quorum a\n", "a=zero", "none"},
		{"single, year 1970", "quorum a\n", "a=one", "one"},
		{"single, at the skew", "quorum a\n", "a=300", "300"},
		{"single, beyond the skew", "quorum a\n", "a=301", "none"},
		{"single, twice", "quorum a\n", "a=-9 a=-3 a=-7", "-3"},
		{"single, largest timestamp", "quorum a\n", "a=max a=-4", "-4"},
		{"any takes the newest", "group g any a b c\nquorum g\n", "a=-9 b=-3 c=-7", "-3"},
		{"all takes the oldest", "group g all a b c\nquorum g\n", "a=-9 b=-3 c=-7", "-9"},
		{"2 of 3 takes the second", "group g 2 a b c\nquorum g\n", "a=-9 b=-3 c=-7", "-7"},
		{"2 of 3, one a year ahead", "group g 2 a b c\nquorum g\n", fmt.Sprintf("a=%d b=-3 c=-7", year), "-7"},
		{"2 of 3, one a year behind", "group g 2 a b c\nquorum g\n", fmt.Sprintf("a=-%d b=-3 c=-7", year), "-7"},
		{"2 of 3, one zero", "group g 2 a b c\nquorum g\n", "a=zero b=-3 c=-7", "-7"},
		{"2 of 3, two zero", "group g 2 a b c\nquorum g\n", "a=zero b=zero c=-7", "none"},
		{"one signing often counts once", "group g 2 a b c\nquorum g\n", "a=-1 a=-2 a=-3", "none"},
		{"outsiders do not help", "group g 2 a b c\nquorum g\n", "a=-1 d=-1 e=-1", "none"},
		{"strangers do not help", "group g 2 a b c\nquorum g\n", "a=-1 x=-1 g=-1", "none"},
		{"nested all", "group w 2 a b c\ngroup u any d e\ngroup q all w u\nquorum q\n", "a=-9 b=-8 c=-7 d=-60 e=-50", "-50"},
		{"nested all, one side missing", "group w 2 a b c\ngroup u any d e\ngroup q all w u\nquorum q\n", "a=-9 b=-8 c=-7 f=-1", "none"},
		{"nested any", "group w all a b\ngroup u all c d\ngroup q any w u\nquorum q\n", "a=-100 b=-1 c=-40 d=-30", "-40"},
		{"nested any, half each", "group w all a b\ngroup u all c d\ngroup q any w u\nquorum q\n", "a=-1 c=-1", "none"},
		{"group beside witness", "group w any a b\ngroup q 2 w c d\nquorum q\n", "a=-20 c=-10", "-20"},
		{"quorum is a member elsewhere", "group w any a b\ngroup q all w c\nquorum w\n", "b=-2", "-2"},
		{"none", "quorum none\n", "a=-1", "no time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := mustParse(t, head.String()+tc.rest)
			got, err := p.QuorumTime(cosignatures(t, tc.at), now)
			s := fmt.Sprint(got.Unix() - now.Unix())
			switch {
			case errors.Is(err, trust.ErrQuorum):
				s = "none"
			case err != nil:
				t.Fatal(err)
			case got.IsZero():
				s = "no time"
			case got.Unix() == 1:
				s = "one"
			}
			if s != tc.want {
				t.Errorf("T = %s, want %s", s, tc.want)
			}
		})
	}
}

func cosignatures(t *testing.T, at string) (cs []trust.Cosignature) {
	for _, f := range strings.Fields(at) {
		name, v, _ := strings.Cut(f, "=")
		c := trust.Cosignature{Name: name}
		switch v {
		case "zero":
		case "one":
			c.Unix = 1
		case "max":
			c.Unix = 1<<63 - 1
		default:
			if _, err := fmt.Sscan(v, &c.Unix); err != nil {
				t.Fatal(err)
			}
			c.Unix += now.Unix()
		}
		cs = append(cs, c)
	}
	return cs
}

// quorumTree is a quorum known by construction, not by parsing.
type quorumTree struct {
	witness string
	k       int
	members []quorumTree
}

// satisfied is the definition of a quorum, word for word.
func (q quorumTree) satisfied(signed func(witness string) bool) bool {
	if q.witness != "" {
		return signed(q.witness)
	}
	n := 0
	for _, m := range q.members {
		if m.satisfied(signed) {
			n++
		}
	}
	return n >= q.k
}

// randomPolicy returns a policy over witnesses w0... and its quorum.
func randomPolicy(r *rand.Rand, vkeys []string) (text string, q quorumTree) {
	var b strings.Builder
	type named struct {
		name string
		q    quorumTree
	}
	var pool []named
	for i, v := range vkeys {
		name := fmt.Sprintf("w%d", i)
		fmt.Fprintf(&b, "witness %s %s\n", name, v)
		pool = append(pool, named{name, quorumTree{witness: name}})
	}
	for g := 0; len(pool) > 1 && r.IntN(5) > 0; g++ {
		r.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		n := 1 + r.IntN(len(pool))
		q := quorumTree{k: 1 + r.IntN(n)}
		name := fmt.Sprintf("g%d", g)
		fmt.Fprintf(&b, "group %s %d", name, q.k)
		for _, m := range pool[:n] {
			q.members = append(q.members, m.q)
			b.WriteString(" " + m.name)
		}
		b.WriteByte('\n')
		pool = append(slices.Clone(pool[n:]), named{name, q})
	}
	last := pool[len(pool)-1]
	return b.String() + "quorum " + last.name + "\n", last.q
}

// TestQuorumTimeOracle tries every candidate for T by the words of the rule.
func TestQuorumTimeOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var vkeys []string
	for i := range 7 {
		vkeys = append(vkeys, newKey("w.example", 4, i).vkey)
	}
	found := 0
	for range 2000 {
		text, q := randomPolicy(r, vkeys[:1+r.IntN(7)])
		p := mustParse(t, text)
		var cs []trust.Cosignature
		for range r.IntN(12) {
			c := trust.Cosignature{Name: fmt.Sprintf("w%d", r.IntN(7))}
			if r.IntN(6) > 0 { // else 0
				c.Unix = now.Unix() - 10 + int64(r.IntN(12))
				if r.IntN(4) == 0 {
					c.Unix += 300
				}
			}
			cs = append(cs, c)
		}
		var want int64
		for _, candidate := range cs {
			at := candidate.Unix
			if at > want && q.satisfied(func(w string) bool {
				return slices.ContainsFunc(cs, func(c trust.Cosignature) bool {
					return c.Name == w && c.Unix >= at && c.Unix != 0 && c.Unix <= now.Unix()+300
				})
			}) {
				want = at
			}
		}
		got, err := p.QuorumTime(cs, now)
		if want == 0 {
			if !errors.Is(err, trust.ErrQuorum) {
				t.Fatalf("%s%v: T = %v, %v; want none", text, cs, got, err)
			}
			continue
		}
		if found++; err != nil || !got.Equal(time.Unix(want, 0)) {
			t.Fatalf("%s%v: T = %v, %v; want %d", text, cs, got, err, want)
		}
	}
	if found < 400 {
		t.Errorf("only %d of 2000 policies were satisfied", found)
	}
}
