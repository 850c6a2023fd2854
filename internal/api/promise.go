package api

import (
	"context"

	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/internal/together"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/promise"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// promise says where an entry stands that the sequencer has answered for: the
// write is durable, and the tree that holds it reserved and signed. If we crash
// before that, or before the promise has left, nothing was said that must be kept;
// whoever submits again gets it then.
func (s *Service) promise(ctx context.Context, e *entry.Entry, r sequencer.Result) (promise.Promise, error) {
	p := promise.Promise{Origin: s.Origin, ID: e.IDString(), LeafHash: e.LeafHash, Index: r.Index, Size: r.Sealed}
	if !r.Duplicate {
		return p, nil
	}
	// The leaf may have another signature than this entry: it is read, and
	// compared with what is signed. A promise of anything else could not be kept.
	leaves, err := s.leaves(ctx, r.Index, 1)
	if err == nil {
		p.LeafHash = promise.Hash(rfc6962.DefaultHasher.HashLeaf(leaves[0]))
	}
	return p, err
}

// promises signs those of one call, and puts each into its answer.
func (s *Service) promises(promises []promise.Promise, answers []*standingv1.SubmitResult) error {
	if len(promises) == 0 {
		return nil
	}
	files, err := s.Promiser.sign(promises)
	for i, file := range files {
		answers[i].Promise = file
	}
	return err
}

// Promiser signs promises, those of concurrent calls with one signature.
type Promiser struct {
	calls *together.Group[*promised]
}

// promised is what one call promises, and the file of each.
type promised struct {
	promises []promise.Promise
	files    [][]byte
	err      error
}

// NewPromiser returns a Promiser that signs with an Ed25519 key of the log.
func NewPromiser(key note.Signer) *Promiser {
	return &Promiser{together.New(promise.MaxTogether/MaxBatch, func(calls []*promised) {
		var all []promise.Promise
		for _, c := range calls {
			all = append(all, c.promises...)
		}
		files, err := promise.Sign(key, all...)
		for _, c := range calls {
			if c.err = err; err == nil {
				c.files, files = files[:len(c.promises)], files[len(c.promises):]
			}
		}
	})}
}

// sign returns the files of 1 to MaxBatch promises.
func (p *Promiser) sign(promises []promise.Promise) ([][]byte, error) {
	c := &promised{promises: promises}
	p.calls.Do(c)
	return c.files, c.err
}
