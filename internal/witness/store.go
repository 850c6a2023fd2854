package witness

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// Store keeps one record per log. All methods are safe for concurrent use.
type Store interface {
	// Update replaces the record of origin by what fn makes of it. current is
	// nil if there is none, and fn MUST NOT modify or keep it.
	//
	// Update MUST NOT let another Update of the same origin come between
	// reading current and storing next, and MUST NOT return nil before next
	// would survive a power failure. It MUST return fn's error unchanged, and
	// then keep the record as it was. If it fails in any other way the record
	// is either the old or the new one, whole. It MAY call fn more than once;
	// only the last call counts. A record that cannot be read whole MUST be an
	// error, never nil.
	Update(ctx context.Context, origin string, fn func(current []byte) (next []byte, err error)) error

	// Latest returns the record of origin, or nil if there is none.
	Latest(ctx context.Context, origin string) ([]byte, error)
}

// MemStore is a Store without memory of the last process. It is for tests: a
// witness that forgets will cosign a fork.
type MemStore struct {
	mu      sync.Mutex
	records map[string][]byte // under mu
}

// Update implements [Store].
func (s *MemStore) Update(ctx context.Context, origin string, fn func([]byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	next, err := fn(s.records[origin])
	if err != nil {
		return err
	}
	if len(next) == 0 {
		return errors.New("storing an empty record")
	}
	if s.records == nil {
		s.records = make(map[string][]byte)
	}
	s.records[origin] = bytes.Clone(next)
	return nil
}

// Latest implements [Store].
func (s *MemStore) Latest(_ context.Context, origin string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.records[origin]), nil
}
