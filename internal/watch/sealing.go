package watch

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
)

// sealing finds the seals over leaves, which are asked for in order.
type sealing struct {
	from, index uint64 // the seal over the leaves [from, index)
	at          time.Time
}

// sealedAt returns the log's time of the first seal behind a leaf: by that time
// it was there.
func (r *round) sealedAt(index uint64) (time.Time, error) {
	if s := &r.sealing; s.from <= index && index < s.index {
		return s.at, nil
	}
	for next := index + 1; next < r.State.Size; {
		leaves, err := r.Leaves(r.ctx, next, min(r.State.Size-next, 256))
		if err != nil {
			return time.Time{}, err
		}
		for _, leaf := range leaves {
			s, err := r.live(leaf, next)
			if err != nil {
				return time.Time{}, err
			}
			if s != nil {
				r.sealing = sealing{index, next, time.Unix(int64(s.SealedAt), 0).UTC()}
				return r.sealing.at, nil
			}
			next++
		}
	}
	return time.Time{}, fmt.Errorf("no seal behind leaf %d", index)
}

// live returns the live seal at index, or nil if the leaf is none.
func (r *round) live(leaf []byte, index uint64) (*seal.Seal, error) {
	if !seal.Is(leaf) {
		return nil, nil
	}
	prefix, err := r.RootAt(r.ctx, index)
	if err != nil {
		return nil, err
	}
	s, _ := seal.Live(leaf, r.Origin, index, prefix)
	return s, nil
}

// withdrawals returns the records that the leaf at index has added to the
// withdrawal list.
func (r *round) withdrawals(index uint64) ([]mapfn.Withdrawal, error) {
	var failed error
	count := int(r.State.Map.WithdrawalCount())
	at := func(i int) uint64 {
		w, err := r.State.Map.Withdrawals(uint64(i), 1)
		if err != nil || len(w) == 0 {
			failed = errors.Join(failed, err)
			return index
		}
		return w[0].Index
	}
	first := sort.Search(count, func(i int) bool { return at(i) >= index })
	last := sort.Search(count, func(i int) bool { return at(i) > index })
	if failed != nil || last <= first {
		return nil, failed
	}
	return r.State.Map.Withdrawals(uint64(first), uint64(last-first))
}
