package client

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/promise"
)

// ErrPromise means that what the log has signed about an entry is not what it
// answers. The entry may be in the log all the same.
var ErrPromise = errors.New("the log's promise is not about this entry, or not the log's")

// promised verifies the promise that a log has made about an envelope.
func (c *Client) promised(r *Result, envelope []byte) error {
	if len(c.cfg.Log.Keys) == 0 || len(r.Promise) == 0 {
		r.Promise = nil
		return nil
	}
	p, err := promise.OpenBy(c.cfg.Log, r.Promise)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPromise, err)
	}
	leaf, err := entry.Canonicalize(envelope)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrPromise, err)
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrPromise, err)
	}
	switch {
	case p.ID != r.ID || p.Index != r.Index || p.Size != r.SealedSize:
		return fmt.Errorf("%w: %s at index %d, and %s at index %d is promised", ErrPromise, r.ID, r.Index, p.ID, p.Index)
	case p.ID != e.IDString():
		return fmt.Errorf("%w: %s was sent, %s is promised", ErrPromise, e.IDString(), p.ID)
	// The first entry of an event that was accepted before may have had another
	// signature.
	case !r.Duplicate && p.LeafHash != e.LeafHash:
		return fmt.Errorf("%w: of %s another entry is promised", ErrPromise, p.ID)
	}
	return nil
}
