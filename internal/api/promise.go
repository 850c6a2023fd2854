package api

import (
	"context"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/internal/admission"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/promise"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// promise says where an entry stands that the sequencer has answered for: the
// write is durable, and the tree that holds it reserved and signed. If we crash
// before that, or before the promise has left, nothing was said that must be kept;
// whoever submits again gets it then.
func (s *Service) promise(ctx context.Context, e *admission.Entry, r sequencer.Result) (promise.Promise, error) {
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

// promises signs those of one call, at once, and puts each into its answer.
func (s *Service) promises(promises []promise.Promise, answers []*standingv1.SubmitResult) error {
	if len(promises) == 0 {
		return nil
	}
	files, err := promise.Sign(s.Promiser, promises...)
	for i, file := range files {
		answers[i].Promise = file
	}
	return err
}
