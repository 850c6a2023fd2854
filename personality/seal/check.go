package seal

import "fmt"

// State is what the lines of a live seal have to say, as the leaves before it
// give it.
type State struct {
	Last           *Seal // the live seal before; nil if this is the first
	MapFn          uint16
	Keys           uint64
	MapRoot        Hash
	Withdrawals    uint64
	WithdrawalRoot Hash
}

// Check compares every line of a live seal with the state in which it stands.
// what says what is wrong, and is empty if nothing is; line is the first wrong
// line, counted from 1, or 0 if all are right and the leaf before is a live seal.
//
// SPEC: every line of a live seal must be right, signed or not.
func (s *Seal) Check(st State) (line int, what string) {
	switch {
	// SPEC: previous is the index of the last live seal, or "-" in the first.
	case st.Last == nil && s.Prev != nil, st.Last != nil && (s.Prev == nil || *s.Prev != st.Last.Index):
		return 4, "it does not name the previous live seal"
	// SPEC: the leaf before is not a live seal.
	case st.Last != nil && s.Index == st.Last.Index+1:
		return 0, "the leaf before it is a live seal"
	// SPEC: line 5 is the fn of the ns 7 record, 1 where there is no log.
	case s.MapFn != st.MapFn:
		return 5, fmt.Sprintf("it says map function %d, function %d is in force", s.MapFn, st.MapFn)
	// SPEC: sealed at is not before the previous one's.
	case st.Last != nil && s.SealedAt < st.Last.SealedAt:
		return 6, "it is dated before the previous one"
	// SPEC: lines 5 and 7-10 describe the state after the leaves before it.
	case s.Keys != st.Keys:
		return 7, fmt.Sprintf("it says %d map keys, the leaves give %d", s.Keys, st.Keys)
	case s.MapRoot != st.MapRoot:
		return 8, fmt.Sprintf("it says map root %x, the leaves give %x", s.MapRoot, st.MapRoot)
	case s.Withdrawals != st.Withdrawals:
		return 9, fmt.Sprintf("it says %d withdrawals, the leaves give %d", s.Withdrawals, st.Withdrawals)
	case s.WithdrawalRoot != st.WithdrawalRoot:
		return 10, fmt.Sprintf("it says withdrawal root %x, the leaves give %x", s.WithdrawalRoot, st.WithdrawalRoot)
	}
	return 0, ""
}
