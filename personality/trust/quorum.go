package trust

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxSkew is how far ahead of the reader's clock a cosignature may be dated
// and still count.
const MaxSkew = 5 * time.Minute

// ErrQuorum means that the cosignatures that count do not satisfy the quorum.
// The error is a *[QuorumError].
var ErrQuorum = errors.New("quorum not satisfied")

// QuorumError says which cosigners are wanting. It is [ErrQuorum].
type QuorumError struct {
	// Missing are the cosigners named in the quorum that have no cosignature
	// which counts, in the order of the trust file. Not all of them may be
	// needed.
	Missing []string
	// Future are those of Missing that have one dated beyond now + MaxSkew.
	// If there are many, it is the reader's clock that is slow.
	Future []string
	// Later is the date of the cosignature that satisfies the quorum when it
	// comes to count. Zero if none does: it is not only a matter of time.
	Later time.Time
}

func (e *QuorumError) Error() string {
	if !e.Later.IsZero() {
		return fmt.Sprintf("%v yet: by %s, dated %s, which is to come (check your clock)",
			ErrQuorum, quoteAll(e.Future), e.Later.Format(time.RFC3339))
	}
	s := fmt.Sprintf("%v: no cosignature that counts by %s", ErrQuorum, quoteAll(e.Missing))
	if len(e.Future) > 0 {
		s += fmt.Sprintf("; dated in the future: %s (check your clock)", quoteAll(e.Future))
	}
	return s
}

// Is reports whether target is [ErrQuorum].
func (e *QuorumError) Is(target error) bool { return target == ErrQuorum }

func quoteAll(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = quote(n)
	}
	return strings.Join(q, ", ")
}

// Cosignature is a cosignature that verifies under a key of the trust file.
type Cosignature struct {
	// Name of the cosigner in the trust file.
	Name string
	// Unix is the cosigner's clock, in seconds, 0 to 2^63-1, as it signed it:
	// any value at all. 0 means that it makes no statement about time.
	Unix int64
	// Line is the signature line, without its newline.
	Line string
}

// QuorumTime returns T, the time as of which the cosignatures satisfy the
// quorum (see the package documentation), or a *[QuorumError]. The
// cosignatures MUST have been verified; names that are not cosigners of the
// trust file are ignored. With "quorum none" there is no T: the time is zero.
func (p *Policy) QuorumTime(cosignatures []Cosignature, now time.Time) (time.Time, error) {
	if p.quorum == none {
		return time.Time{}, nil
	}
	newest, future := p.newest(cosignatures, now.Add(MaxSkew).Unix())
	if t := p.nodeTime(p.quorum, newest); t > 0 {
		return time.Unix(t, 0).UTC(), nil
	}
	e := new(QuorumError)
	for _, c := range cosignatures {
		if by, _ := p.newest(cosignatures, c.Unix); p.nodeTime(p.quorum, by) > 0 && (e.Later.IsZero() || c.Unix < e.Later.Unix()) {
			e.Later = time.Unix(c.Unix, 0).UTC()
		}
	}
	for i, c := range p.cosigners {
		if c.InQuorum && newest[i] == 0 {
			e.Missing = append(e.Missing, c.Name)
			if future[i] {
				e.Future = append(e.Future, c.Name)
			}
		}
	}
	return time.Time{}, e
}

// newest returns, for each cosigner, the newest timestamp that counts (0 if
// none does) and whether there is one later than latest.
func (p *Policy) newest(cosignatures []Cosignature, latest int64) (newest []int64, future []bool) {
	newest, future = make([]int64, len(p.cosigners)), make([]bool, len(p.cosigners))
	for _, c := range cosignatures {
		i := slices.IndexFunc(p.cosigners, func(o Cosigner) bool { return o.Name == c.Name })
		switch {
		case i < 0:
		// SPEC: "none later than now + 5 min".
		case c.Unix > latest:
			future[i] = true
		// SPEC: of zero, "the cosigner doesn't make any statement as to the tree
		// being the largest observed" (tlog-cosignature); max leaves it at 0.
		default:
			newest[i] = max(newest[i], c.Unix)
		}
	}
	return newest, future
}

// nodeTime is T of one witness or group, or 0 if it did not witness.
//
// SPEC: T is "the largest t such that the cosignatures [...] with timestamp >=
// t [...] satisfy it". A group of k is satisfied at t iff k members are, that is
// iff t is at most the k-th largest T of its members. Witnesses of one operator
// are one member, as good as the best of them.
func (p *Policy) nodeTime(i int, newest []int64) int64 {
	n := p.nodes[i]
	if n.cosigner != none {
		return newest[n.cosigner]
	}
	type vote struct {
		time     int64
		operator string
	}
	votes := make([]vote, len(n.members))
	for j, m := range n.members {
		votes[j].time = p.nodeTime(m, newest)
		if p.nodes[m].cosigner != none {
			votes[j].operator = p.pins.operatorOf[p.nodes[m].name]
		}
	}
	slices.SortFunc(votes, func(a, b vote) int { return cmp.Compare(b.time, a.time) })
	counted := map[string]bool{}
	for k := 0; len(votes) > 0; votes = votes[1:] {
		if o := votes[0].operator; o == "" || !counted[o] {
			counted[o] = true
			k++
		}
		if k == n.k {
			return votes[0].time
		}
	}
	return 0
}
