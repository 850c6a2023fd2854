package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
)

// ErrRewritten means that the withdrawal list of a seal does not begin with
// the records read before. If both seals are under verified checkpoints of one
// log, together they are evidence against it.
var ErrRewritten = errors.New("the withdrawal list was rewritten")

// Withdrawals reads the records of the log's withdrawal list that come after
// known, up to the length that s says, and checks that the list begins with
// known and that each record is under the root in s. The caller has verified s;
// known is the length and root in a seal verified earlier, or the zero Tree.
//
// The records say only what happened since: inclusion alone is never standing.
// They count once all of them have come: after an error, which ends the
// iteration, nothing is known about what was withdrawn. Memory does not grow
// with the list.
func (c *Client) Withdrawals(ctx context.Context, s *seal.Seal, known tlog.Tree) iter.Seq2[mapfn.Withdrawal, error] {
	list := tlog.Tree{N: int64(s.Withdrawals), Hash: tlog.Hash(s.WithdrawalRoot)}
	base := c.base + "withdrawals/"
	return func(yield func(mapfn.Withdrawal, error) bool) {
		if err := c.extends(ctx, base, list, known); err != nil {
			yield(mapfn.Withdrawal{}, err)
			return
		}
		next := uint64(known.N)
		for leaf, err := range c.list(ctx, base, list, next) {
			var w mapfn.Withdrawal
			if err == nil {
				w, err = mapfn.ParseWithdrawal(leaf.Data)
			}
			if err != nil {
				yield(mapfn.Withdrawal{}, fmt.Errorf("withdrawal %d of the %d in the seal: %w", next, list.N, err))
				return
			}
			if !yield(w, nil) {
				return
			}
			next++
		}
	}
}

// extends checks that list begins with known.
func (c *Client) extends(ctx context.Context, base string, list, known tlog.Tree) error {
	if known.N > list.N {
		return fmt.Errorf("%w: the seal says %d records, %d were read before", ErrRewritten, list.N, known.N)
	}
	tiles, err := c.fetcher(base)
	if err != nil {
		return err
	}
	got := list.Hash
	if known.N < list.N {
		if got, err = tlog.TreeHash(known.N, torchwood.TileHashReaderWithContext(ctx, list, tiles)); err != nil {
			return fmt.Errorf("reading tiles of %s: %w", base, err)
		}
	}
	if known == (tlog.Tree{}) {
		known.Hash = sha256.Sum256(nil)
	}
	if got != known.Hash {
		return fmt.Errorf("%w: its first %d records have root %v, not %v as before", ErrRewritten, known.N, got, known.Hash)
	}
	return nil
}
