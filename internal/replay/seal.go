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

// CheckSeal compares every line of a live seal with what was computed, and
// fails with a *FalseSealError.
func CheckSeal(s *seal.Seal, computed seal.State) error {
	line, what := s.Check(computed)
	if what == "" {
		return nil
	}
	return &FalseSealError{s.Index, line, what}
}
