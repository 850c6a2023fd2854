package sequencer

import (
	"context"

	"github.com/standing-log/standing/personality/entry"
)

// TurnInOrder takes one turn with the entries in the order given, for tests
// that know what each entry does at its place. Run must not be running.
func (s *Sequencer) TurnInOrder(ctx context.Context, entries []*entry.Entry) ([]Result, []error) {
	batch := itemsOf(entries)
	f, err := s.begin(ctx, batch, nil)
	if err == nil {
		err = f.wait()
	}
	s.refuse(batch, err)
	results, errs := make([]Result, len(batch)), make([]error, len(batch))
	for n, i := range batch {
		results[n], errs[n] = i.res, i.err
	}
	return results, errs
}
