package mirror

import (
	"errors"

	"github.com/standing-log/standing/internal/replay"
)

// What an EvidenceError can be of.
const (
	FalseSeal = "false-seal"
	SplitView = "split-view"
	// Rollback is a smaller tree than the one shown before. Stale caches do
	// that, too, so it proves nothing.
	Rollback = "rollback"
)

// EvidenceError says that the log broke what it stands for. It wraps a
// *ConflictError or a *replay.FalseSealError.
type EvidenceError struct {
	// Kind is FalseSeal, SplitView or Rollback.
	Kind string
	// File is the evidence file that proves it to others; empty if there is
	// no proof, or what it is made of could not be had.
	File []byte
	Err  error
}

func (e *EvidenceError) Error() string { return e.Err.Error() }
func (e *EvidenceError) Unwrap() error { return e.Err }

// evident turns an error that is evidence into an *EvidenceError.
func evident(err error) error {
	if c, ok := errors.AsType[*ConflictError](err); ok {
		if c.Rollback {
			return &EvidenceError{Kind: Rollback, Err: err}
		}
		return &EvidenceError{Kind: SplitView, Err: err}
	}
	if _, ok := errors.AsType[*replay.FalseSealError](err); ok {
		return &EvidenceError{Kind: FalseSeal, Err: err}
	}
	return err
}
