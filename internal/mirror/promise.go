package mirror

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/evidence"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/trust"
)

// ErrEarly means that a promise is about an index up to which no tree is held.
var ErrEarly = errors.New("the copy does not reach the index that was promised")

// CheckPromise compares a promise of the log with the copy. It returns nil if the
// promise was kept, ErrEarly, an error of promise.Open, or an *EvidenceError.
func (m *Mirror) CheckPromise(ctx context.Context, note []byte) error {
	p, err := promise.Open(m.cfg.Policy, note)
	if err != nil {
		return err
	}
	if p.Origin != m.cfg.Origin {
		return fmt.Errorf("promise of %s: %w: this is a copy of %s", p.Origin, trust.ErrUnknownLog, m.cfg.Origin)
	}
	cp, err := m.holding(ctx, p.Index)
	if err != nil {
		return m.explain(err)
	}
	there, err := m.store.Hashes(ctx, 0, p.Index, 1)
	if err != nil {
		return m.explain(err)
	}
	if there[0] == p.LeafHash {
		return nil
	}
	broken := fmt.Errorf("%s promised that leaf %d has hash %x, and has hash %x there", p.Origin, p.Index, p.LeafHash, there[0])
	path, err := tlog.ProveRecord(int64(cp.Size), int64(p.Index), hashesFunc(m.hashes).reader(ctx))
	return m.evidenceError(BrokenPromise, broken, evidence.BrokenPromise(note, cp.note, there[0], untyped(path)), err)
}

// holding returns a checkpoint of whose tree all is held, the leaf at index too.
func (m *Mirror) holding(ctx context.Context, index uint64) (*signed, error) {
	root, err := m.store.Root(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range [][]byte{publishedKey, aheadKey, targetKey} {
		cp, err := m.held(key)
		if err != nil {
			return nil, err
		}
		if cp != nil && cp.Size > index && cp.Size <= root.Size {
			return cp, nil
		}
	}
	return nil, fmt.Errorf("%w: index %d of %s", ErrEarly, index, m.cfg.Origin)
}
