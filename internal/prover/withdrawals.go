package prover

import (
	"context"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// Withdrawals is the withdrawal list of a log up to the length that the seal
// of its newest published checkpoint says. It is a tiles.List; what it returns
// was checked against the root in that seal.
type Withdrawals struct{ Prover *Prover }

// Size implements tiles.List.
func (w Withdrawals) Size(ctx context.Context) (size uint64, err error) {
	err = w.open(ctx, func(s *State) error {
		size = s.Seal.Withdrawals
		return nil
	})
	if reason.CodeOf(err) == reason.NotFound { // nothing is published yet
		return 0, nil
	}
	return size, err
}

// Hashes implements tiles.List.
func (w Withdrawals) Hashes(ctx context.Context, level uint, first, n uint64) (hashes []Hash, err error) {
	err = w.open(ctx, func(s *State) error {
		hashes, err = s.Map.WithdrawalHashes(level, first, n)
		return err
	})
	return hashes, err
}

// Leaves implements tiles.List.
func (w Withdrawals) Leaves(ctx context.Context, first, n uint64) (records [][]byte, err error) {
	err = w.open(ctx, func(s *State) error {
		list, err := s.Map.Withdrawals(first, n)
		for _, r := range list {
			records = append(records, r.Append(make([]byte, 0, mapfn.WithdrawalSize)))
		}
		return err
	})
	return records, err
}

func (w Withdrawals) open(ctx context.Context, read func(*State) error) error {
	s, err := w.Prover.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return read(s)
}
