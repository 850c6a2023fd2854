package replay

import (
	"fmt"

	"github.com/standing-log/standing/personality/seal"
)

// FalseSealError says that a live seal is wrong: evidence against the log.
type FalseSealError struct {
	Index uint64
	// Line is the first wrong line, counted from 1, or 0 if the leaf before
	// it is a live seal.
	Line int
	What string
}

func (e *FalseSealError) Error() string {
	return fmt.Sprintf("leaf %d is a false seal: %s", e.Index, e.What)
}

// Computed is the state in which a live seal stands, as the leaves before it
// give it.
type Computed struct {
	Last           *seal.Seal // the live seal before; nil if it is the first
	MapFn          uint16
	Keys           uint64
	MapRoot        Hash
	Withdrawals    uint64
	WithdrawalRoot Hash
}

// CheckSeal compares every line of a live seal with what was computed, and
// fails with a *FalseSealError.
func CheckSeal(s *seal.Seal, c Computed) error {
	line, wrong := 0, ""
	switch {
	// SPEC: previous is the index of the last live seal, or "-" in the first.
	case c.Last == nil && s.Prev != nil, c.Last != nil && (s.Prev == nil || *s.Prev != c.Last.Index):
		line, wrong = 4, "it does not name the previous live seal"
	// SPEC: the leaf before is not a live seal.
	case c.Last != nil && s.Index == c.Last.Index+1:
		wrong = "the leaf before it is a live seal"
	// SPEC: line 5 is the fn of the ns 7 record, 1 where there is no log.
	case s.MapFn != c.MapFn:
		line, wrong = 5, fmt.Sprintf("it says map function %d, function %d is in force", s.MapFn, c.MapFn)
	// SPEC: sealed at is not before the previous one's.
	case c.Last != nil && s.SealedAt < c.Last.SealedAt:
		line, wrong = 6, "it is dated before the previous one"
	// SPEC: lines 5 and 7-10 describe the state after the leaves before it.
	case s.Keys != c.Keys:
		line, wrong = 7, fmt.Sprintf("it says %d map keys, the leaves give %d", s.Keys, c.Keys)
	case s.MapRoot != c.MapRoot:
		line, wrong = 8, fmt.Sprintf("it says map root %x, the leaves give %x", s.MapRoot, c.MapRoot)
	case s.Withdrawals != c.Withdrawals:
		line, wrong = 9, fmt.Sprintf("it says %d withdrawals, the leaves give %d", s.Withdrawals, c.Withdrawals)
	case s.WithdrawalRoot != c.WithdrawalRoot:
		line, wrong = 10, fmt.Sprintf("it says withdrawal root %x, the leaves give %x", s.WithdrawalRoot, c.WithdrawalRoot)
	default:
		return nil
	}
	return &FalseSealError{s.Index, line, wrong}
}
