package embedded

import (
	"context"

	"github.com/standing-log/standing/internal/backend/embedded/provider"
)

// Usage is how much room a store takes and has.
type Usage = provider.Usage

// Usage returns how much room the store takes and has.
func (s *Store) Usage(ctx context.Context) (Usage, error) {
	if err := s.enter(ctx); err != nil {
		return Usage{}, err
	}
	defer s.leave()
	return s.p.Usage()
}
