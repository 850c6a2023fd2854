package evidence

import (
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/treehash"
	"github.com/standing-log/standing/personality/trust"
)

// falseSeal verifies evidence of a false seal.
func (j judge) falseSeal() (*Finding, error) {
	cp, err := j.open(j.Checkpoint)
	if err != nil {
		return nil, err
	}
	previous, accused, err := j.FalseSeal.seals(cp)
	if err != nil {
		return nil, err
	}
	// SPEC: an empty map, an empty list and function 1 before the first leaf.
	base := previous
	if base == nil {
		base = &seal.Seal{WithdrawalRoot: Hash(rfc6962.DefaultHasher.EmptyRoot())}
	}
	state, err := j.FalseSeal.after(cp.Origin, base)
	if err != nil {
		return nil, err
	}
	state.Last = previous
	line, what := accused.Check(*state)
	if what == "" {
		return nil, fmt.Errorf("every line of the seal at %d follows from the leaves before it", accused.Index)
	}
	text := fmt.Sprintf("%s signed a false seal, leaf %d: %s", cp.Origin, accused.Index, what)
	if previous != nil {
		text += fmt.Sprintf(", after the seal at %d", previous.Index)
	}
	return &Finding{Origin: cp.Origin, Index: accused.Index, Line: line, Signed: []string{j.Checkpoint}, Text: text}, nil
}

// seals returns the live seal that the leaves begin with, if they do, and the one
// that they end in. All leaves are under the checkpoint's root then.
func (f *falseSeal) seals(cp *trust.Checkpoint) (previous, accused *seal.Seal, err error) {
	tree, err := treehash.Range(f.First, f.Prefix)
	if err != nil {
		return nil, nil, fmt.Errorf("the tree before leaf %d: %w", f.First, err)
	}
	for i, leaf := range f.Leaves {
		s, err := liveAt(tree, cp.Origin, leaf)
		if err != nil {
			return nil, nil, err
		}
		last := i == len(f.Leaves)-1
		switch {
		case last:
			accused = s
		case i == 0:
			previous = s
		case s != nil:
			// SPEC: previous is the index of the last live seal.
			return nil, nil, fmt.Errorf("leaf %d, between the two seals, is a live seal", tree.End())
		}
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
			return nil, nil, err
		}
	}
	if accused == nil || previous == nil && f.First != 0 {
		return nil, nil, errors.New("the leaves do not begin and end with a live seal")
	}
	root, err := treehash.Root(tree)
	if err != nil {
		return nil, nil, err
	}
	if err := extends(f.Path, tree.End(), root, cp.Body); err != nil {
		return nil, nil, fmt.Errorf("the leaves are not under the checkpoint: %w", err)
	}
	return previous, accused, nil
}

// liveAt returns the leaf behind a tree if it is a live seal.
func liveAt(tree *compact.Range, origin string, leaf []byte) (*seal.Seal, error) {
	if !seal.Is(leaf) {
		return nil, nil
	}
	root, err := treehash.Root(tree)
	if err != nil {
		return nil, err
	}
	s, _ := seal.Live(leaf, origin, tree.End(), root)
	return s, nil
}

// extends checks that the first size leaves of a checkpoint's tree have a root.
func extends(path bundle.Path, size uint64, root Hash, cp trust.Body) error {
	if size == 0 {
		return errors.New("no leaves: they are the beginning of every tree") // no proof says with which root
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, size, cp.Size, hashes(path), root[:], cp.Root[:])
}

func hashes(path bundle.Path) [][]byte {
	out := make([][]byte, len(path))
	for i := range path {
		out[i] = path[i][:]
	}
	return out
}

// after computes what the accused seal has to say.
func (f *falseSeal) after(origin string, base *seal.Seal) (*seal.State, error) {
	before, err := f.shown(base.MapRoot)
	if err != nil {
		return nil, err
	}
	r := newReplay(origin, before)
	for i, leaf := range f.Leaves {
		if i == 0 && f.beginsWithSeal() {
			continue // what it says is where the others begin
		}
		if err := r.add(leaf, f.First+uint64(i)); err != nil {
			return nil, err
		}
	}
	fn, err := mapfn.InForce(r)
	if err != nil {
		return nil, err
	}
	state := &seal.State{MapFn: fn, Keys: base.Keys}
	for key, c := range r.written {
		added, err := before.partial.Set(key, statusmap.ValueHash(byte(c.NS), c.Record))
		if err != nil {
			return nil, err
		}
		if added {
			state.Keys++
		}
	}
	state.MapRoot = before.partial.Root()
	state.Withdrawals, state.WithdrawalRoot, err = f.withdrawn(base, r.withdrawals)
	return state, err
}

// beginsWithSeal reports whether the first leaf is the previous live seal, of
// which seals has seen that it is one, or that First is 0.
func (f *falseSeal) beginsWithSeal() bool {
	return f.First > 0 || len(f.Leaves) > 1 && seal.Is(f.Leaves[0])
}

// withdrawn returns length and root of the withdrawal list with what is new.
func (f *falseSeal) withdrawn(base *seal.Seal, records []mapfn.Withdrawal) (uint64, Hash, error) {
	list, err := treehash.Range(base.Withdrawals, f.Withdrawals)
	if err != nil {
		return 0, Hash{}, fmt.Errorf("the withdrawal list: %w", err)
	}
	if root, err := treehash.Root(list); err != nil || root != base.WithdrawalRoot {
		return 0, Hash{}, fmt.Errorf("%w the withdrawal list: its peaks give %x: %v", errNotShown, root, err)
	}
	for _, w := range records {
		if err := list.Append(rfc6962.DefaultHasher.HashLeaf(w.Append(nil)), nil); err != nil {
			return 0, Hash{}, err
		}
	}
	root, err := treehash.Root(list)
	return list.End(), root, err
}

// splitView verifies evidence of two trees.
func (j judge) splitView() (*Finding, error) {
	large, err := j.open(j.Checkpoint)
	if err != nil {
		return nil, err
	}
	small, err := j.open(j.SplitView.Checkpoint)
	if err != nil {
		return nil, err
	}
	if small.Origin != large.Origin {
		return nil, fmt.Errorf("one checkpoint is of %s, one of %s", small.Origin, large.Origin)
	}
	root := large.Root
	if small.Size != large.Size {
		// SPEC: root is what the larger tree has at the size of the smaller.
		root = Hash(j.SplitView.Root)
		if err := extends(j.SplitView.Path, small.Size, root, large.Body); err != nil {
			return nil, fmt.Errorf("the tree of %d leaves at size %d: %w", large.Size, small.Size, err)
		}
	}
	if root == small.Root {
		return nil, fmt.Errorf("the tree of %d leaves extends that of %d", large.Size, small.Size)
	}
	return &Finding{
		Origin: large.Origin, Index: small.Size, Signed: []string{j.SplitView.Checkpoint, j.Checkpoint},
		Text: fmt.Sprintf("%s signed two trees that exclude each other: one has root %x at size %d, the other %x there, and %d leaves",
			large.Origin, small.Root, small.Size, root, large.Size),
	}, nil
}

// brokenPromise verifies evidence of a promise that was not kept.
func (j judge) brokenPromise() (*Finding, error) {
	p, err := promise.Open(j.policy, []byte(j.BrokenPromise.Promise))
	if err != nil {
		return nil, err
	}
	cp, err := j.open(j.Checkpoint)
	if err != nil {
		return nil, err
	}
	// SPEC: of a log that a pin closes no promise counts.
	if cp.Origin != p.Origin || j.policy.Closed(p.Origin) {
		return nil, fmt.Errorf("the promise is of %s, the checkpoint of %s, or a pin closes the log", p.Origin, cp.Origin)
	}
	there := Hash(j.BrokenPromise.LeafHash)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, cp.Size, there[:], hashes(j.BrokenPromise.Path), cp.Root[:]); err != nil {
		return nil, fmt.Errorf("leaf %d of the checkpoint: %w", p.Index, err)
	}
	if there == p.LeafHash {
		return nil, fmt.Errorf("the promise was kept: %s is leaf %d", p.ID, p.Index)
	}
	return &Finding{
		Origin: p.Origin, Index: p.Index, Signed: []string{j.BrokenPromise.Promise, j.Checkpoint},
		Text: fmt.Sprintf("%s promised that %s is leaf %d, with hash %x, and signed a tree of %d leaves in which that leaf has hash %x",
			p.Origin, p.ID, p.Index, p.LeafHash, cp.Size, there),
	}, nil
}
