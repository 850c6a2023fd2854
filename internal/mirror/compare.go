package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/standing-log/standing/personality/trust"
)

// ErrUnproven means that a tree that the log has signed is larger than what is
// held, and that the log does not show that it is one history with it. That may
// be because the log shows two, or because it does not answer.
var ErrUnproven = errors.New("the log does not show that this tree extends the one that is held")

// Compare checks that a tree that the log has signed, which somebody else was
// shown, is one history with what is held: with all that was shown here before.
// Nothing of it is held then. It fails with an *EvidenceError of kind SplitView,
// with ErrUnproven, or for the reasons of trust.Policy.OpenLogSigned.
func (m *Mirror) Compare(ctx context.Context, src Source, note []byte) error {
	m.sync.Lock()
	defer m.sync.Unlock()
	cp, err := m.cfg.Policy.OpenLogSigned(note)
	if err != nil {
		return fmt.Errorf("checkpoint of %s: %w", m.cfg.Origin, err)
	}
	if cp.Origin != m.cfg.Origin {
		return fmt.Errorf("checkpoint of %s: %w: it is of %s", m.cfg.Origin, trust.ErrUnknownLog, cp.Origin)
	}
	s := &syncing{Mirror: m, note: note, cp: cp, src: src, fetch: newFetcher(src, m, cp.Body)}
	err = s.compare(ctx)
	if _, ok := errors.AsType[*EvidenceError](err); ok || err == nil || cp.Size <= s.have.Size {
		return m.explain(err)
	}
	// Tiles that are not of this tree, or none: the log shows us another one, or
	// is silent.
	return fmt.Errorf("%w: size %d: %w", ErrUnproven, cp.Size, m.explain(err))
}
