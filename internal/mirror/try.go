package mirror

import (
	"context"

	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/mapfn"
)

// Try says what would become of a leaf if it were the next one behind what is
// held: nil if it would have effect, the *reason.Error of the map function if it
// would be ignored.
func (m *Mirror) Try(ctx context.Context, leaf []byte) error {
	view := m.store.View()
	defer view.Close()
	snapshot, err := mapstore.Open(view, m.cache)
	if err != nil {
		return m.explain(err)
	}
	state := sealedState{snapshot, m.Keys(), m, ctx}
	_, err = mapfn.Step(m.cfg.Origin, leaf, snapshot.Version(), state, state)
	return m.explain(err)
}

// Keys finds the keys and the events of the log in the copy.
func (m *Mirror) Keys() sequencer.KeyStore {
	return sequencer.KeyStore{Backend: m.store, Cache: m.cache}
}
