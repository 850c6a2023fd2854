package testnode

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/internal/sequencer"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// Backend is the node's store. It tells the node when something is published.
type Backend struct {
	backend.Backend
	published chan struct{}
}

// Swap swaps; 'c' is where the sequencer publishes.
func (b *Backend) Swap(ctx context.Context, key, old, new []byte) error {
	err := b.Backend.Swap(ctx, key, old, new)
	if err == nil && bytes.Equal(key, []byte("c")) {
		select {
		case b.published <- struct{}{}:
		default:
		}
	}
	return err
}

// inProcess returns a client whose requests h answers.
func inProcess(h http.Handler) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func leafHash(leaf []byte) Hash { return Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) }

// Force appends leaves as they are, whatever the map function makes of them,
// with a seal behind, and returns the index of the first and the codes for
// which they were ignored ("" where not).
func (n *Node) Force(leaves ...[]byte) (first uint64, codes []reason.Code) {
	n.tb.Helper()
	n.stop()
	f := n.forcer()
	first = f.size
	codes = f.batch(leaves)
	n.run()
	return first, codes
}

// Tamper seals a map in which records are as nothing in the log makes them.
func (n *Node) Tamper(changes ...mapfn.Change) {
	n.tb.Helper()
	n.stop()
	f := n.forcer()
	f.more = func(state *mapstore.Batch) { f.check(state.Apply(mapfn.Writes{Changes: changes})) }
	f.batch([][]byte{[]byte("tampered")})
	n.run()
}

// Fill appends what next returns for each index until the log has size leaves,
// seals included, in batches of up to 1,024.
func (n *Node) Fill(size uint64, next func(index uint64) []byte) {
	n.tb.Helper()
	n.FillBatches(size, 1023, next)
}

// FillBatches is Fill with batches of up to a number of leaves before the seal.
func (n *Node) FillBatches(size uint64, batch int, next func(index uint64) []byte) {
	n.tb.Helper()
	n.stop()
	f := n.forcer()
	for f.size+1 < size {
		var leaves [][]byte
		for index := f.size; index+1 < size && len(leaves) < batch; index++ {
			leaves = append(leaves, next(index))
		}
		f.batch(leaves)
	}
	n.run()
}

// Sign returns the checkpoint of any tree, signed by the log and cosigned by
// the first k witnesses at the time given: what they would not do.
func (n *Node) Sign(body trust.Body, k int, unix int64) []byte {
	n.tb.Helper()
	signed, err := note.Sign(&note.Note{Text: body.String()}, n.LogKey)
	n.check(err)
	for _, s := range n.cosigners[:k] {
		sig, err := s.Cosign(torchwood.Checkpoint{Origin: body.Origin, Tree: tlog.Tree{N: int64(body.Size), Hash: body.Root}}, unix)
		n.check(err)
		sig = append(binary.BigEndian.AppendUint32(nil, s.Key().Verifier.KeyHash()), sig...)
		signed = fmt.Appendf(signed, "— %s %s\n", s.Key().Name, base64.StdEncoding.EncodeToString(sig))
	}
	return signed
}

// forcer appends batches while the sequencer stands still.
type forcer struct {
	*Node
	size  uint64
	cache mapstore.Cache
	// Of the batch in the making.
	first  uint64
	leaves [][]byte
	more   func(*mapstore.Batch) // changes the map besides; may be nil
}

func (n *Node) forcer() *forcer {
	n.tb.Helper()
	root, err := n.Backend.Root(n.tb.Context())
	n.check(err)
	return &forcer{Node: n, size: root.Size}
}

// Leaf implements mapfn.Reader.
func (f *forcer) Leaf(index uint64, hash mapfn.Hash) (leaf []byte, err error) {
	if index < f.first {
		got, err := f.Backend.Leaves(f.tb.Context(), index, 1)
		if err != nil {
			return nil, err
		}
		leaf = got[0]
	} else {
		leaf = f.leaves[index-f.first]
	}
	if leafHash(leaf) != hash {
		return nil, mapfn.ErrNoLeaf
	}
	return leaf, nil
}

// SPKI implements mapfn.Keys.
func (f *forcer) SPKI(id mapfn.Hash) ([]byte, error) {
	if k, ok := f.keys[id]; ok {
		return k.SPKI(), nil
	}
	return nil, nil
}

// reader is the state and the leaves that the map function reads.
type reader struct {
	*mapstore.Batch
	*forcer
}

// batch appends leaves and their seal as the sequencer does, except that it
// drops nothing.
func (f *forcer) batch(leaves [][]byte) []reason.Code {
	f.tb.Helper()
	view := f.Backend.View()
	defer func() { f.check(view.Close()) }()
	snapshot, err := mapstore.Open(view, &f.cache)
	f.check(err)
	state, err := snapshot.Batch()
	f.check(err)
	f.first, f.leaves = f.size, leaves
	sealed := f.size + uint64(len(leaves)) + 1
	var side []backend.Write
	codes := make([]reason.Code, len(leaves))
	for i, leaf := range leaves {
		w, err := mapfn.Step(f.Origin, leaf, f.first+uint64(i), reader{state, f}, f)
		codes[i] = reason.CodeOf(err)
		if codes[i] == "" {
			f.check(err)
		}
		if w != nil {
			f.check(state.Apply(*w))
			side = append(side, f.index(leaf, f.first+uint64(i))...)
		}
	}
	if f.more != nil {
		f.more(state)
	}
	result, writes, err := state.Commit(sealed, 1)
	f.check(err)
	leaves = append(slices.Clip(leaves), f.seal(leaves, result))
	side = append(side, sequencer.SealWrite(sealed-1))
	_, err = f.Backend.Append(f.tb.Context(), f.first, leaves, append(side, writes...))
	f.check(err)
	state.Committed()
	f.size = sealed
	return codes
}

// index returns how the sequencer's side store finds an entry and its keys.
func (f *forcer) index(leaf []byte, index uint64) []backend.Write {
	e, err := entry.Parse(leaf)
	f.check(err)
	f.learn(e)
	return sequencer.EntryWrites(e, index)
}

// seal returns the seal of a batch of leaves.
func (f *forcer) seal(leaves [][]byte, r mapstore.Result) []byte {
	hashes := make([]Hash, len(leaves))
	for i := range leaves {
		hashes[i] = leafHash(leaves[i])
	}
	prev := f.first - 1 // every batch ends in one
	last, err := f.Backend.Leaves(f.tb.Context(), prev, 1)
	f.check(err)
	old, err := seal.Parse(last[0])
	f.check(err)
	s := seal.Seal{
		Origin: f.Origin, Index: f.first + uint64(len(leaves)), Prev: &prev, MapFn: mapfn.Version,
		SealedAt: max(old.SealedAt, f.Unix()), Keys: r.Keys, MapRoot: r.Root,
		Withdrawals: r.WithdrawalCount, WithdrawalRoot: r.WithdrawalRoot, PrefixRoot: f.prefix(hashes),
	}
	return s.Marshal()
}

// prefix returns the root of the store's leaves and those given.
func (f *forcer) prefix(hashes []Hash) Hash {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	var peaks [][]byte
	for _, id := range compact.RangeNodes(0, f.first, nil) {
		h, err := f.Backend.Hashes(f.tb.Context(), id.Level, id.Index, 1)
		f.check(err)
		peaks = append(peaks, h[0][:])
	}
	r, err := factory.NewRange(0, f.first, peaks)
	f.check(err)
	for i := range hashes {
		f.check(r.Append(hashes[i][:], nil))
	}
	root, err := r.GetRootHash(nil)
	f.check(err)
	return Hash(root)
}
