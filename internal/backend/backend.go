// Package backend is the seam between the log and the store that holds its
// tree. The sequencer decides what the next leaves are; a Backend keeps them,
// their Merkle tree, and beside them a small ordered key-value store, the side
// store, whose changes ride in the same durable write as the leaves they
// belong to.
//
// Invariants, checked by backendtest for every implementation:
//
//   - The tree only grows, one Append at a time, without holes.
//   - What Append acknowledged is there, and proves against the new root,
//     after any crash; an Append that failed left no trace, or all of itself.
//     Callers decide which by reading Root, never by the error.
//   - Leaves and side writes of one Append are both there or both absent.
//   - One process writes. A second writer fails when it opens the store or
//     when it appends; it never corrupts.
package backend

import (
	"bytes"
	"context"
	"errors"
)

// Hash is a SHA-256 value: a leaf hash, a node hash or a tree root.
type Hash = [32]byte

// MaxLeaf is the length of the longest leaf in bytes: what a two-byte length in
// an entry bundle can say (C2SP tlog-tiles).
const MaxLeaf = 65535

// Root is a tree: the number of its leaves and its RFC 6962 root hash.
// The empty tree's hash is SHA-256 of nothing.
type Root struct {
	Size uint64
	Hash Hash
}

// Write sets Key to Value in the side store, or deletes Key if Value is nil.
// Keys are non-empty. An empty, non-nil Value is stored as empty.
type Write struct {
	Key, Value []byte
}

// Errors that callers act upon. Everything else, an ended context and a broken
// precondition aside, means that the store cannot be trusted until it has been
// opened again.
var (
	// ErrConflict means that the tree or the value has moved: another writer,
	// or an earlier attempt that succeeded after all. Read again.
	ErrConflict = errors.New("store has moved on")
	// ErrOutOfRange means that an index or a size lies beyond the tree.
	ErrOutOfRange = errors.New("beyond the tree")
	// ErrDamaged means that what is stored contradicts itself, or what was
	// signed. Nothing may be signed on top of it: whoever finds it says so to
	// the writer, which stops.
	ErrDamaged = errors.New("store is damaged")
)

// View is a consistent, read-only picture of the side store. It MUST be
// closed, and is safe for concurrent use.
type View interface {
	// Read calls fn with the value of key, or with nil if there is none, and
	// returns its error. The value is valid during the call only, in which fn
	// does not change it, and calls nothing of the store. See [Get].
	Read(key []byte, fn func(value []byte) error) error
	// Scan calls fn for each key in [from, to), in byte order, until fn
	// returns false; an empty to means to the end. The slices are valid
	// during the call only, and fn does not change them.
	Scan(from, to []byte, fn func(key, value []byte) bool) error
	Close() error
}

// Get returns a copy of the value of key, or nil if there is none.
func Get(v View, key []byte) (value []byte, err error) {
	err = v.Read(key, func(lent []byte) error {
		value = bytes.Clone(lent)
		return nil
	})
	return value, err
}

// Backend stores one log. All methods but Append are safe for concurrent use;
// Append is called by one goroutine.
type Backend interface {
	// Root returns the tree as last integrated.
	Root(ctx context.Context) (Root, error)

	// Append adds leaves at [first, first+len(leaves)) and applies side, in
	// the order given, in one durable write, and returns the new root. It MUST
	// NOT return before a power failure would leave it intact, and nobody may
	// see any of it before that. It MUST fail with ErrConflict, changing
	// nothing, if first is not the size of the tree. Leaves are at most MaxLeaf
	// bytes; they and side are only read. Without leaves it
	// applies side alone; with neither it does nothing but check first.
	Append(ctx context.Context, first uint64, leaves [][]byte, side []Write) (Root, error)

	// Leaves returns up to n leaves from first on: at least one, and fewer
	// than n only at the end of the tree or where a reply would grow beyond
	// a few megabytes. ErrOutOfRange if first is not in the tree. The caller
	// owns the result.
	Leaves(ctx context.Context, first, n uint64) ([][]byte, error)

	// Hashes returns the n hashes of the perfect subtrees of height level
	// from the first-th on: level 0 are the leaf hashes. ErrOutOfRange if
	// one of them is not complete in the tree. n is not capped here.
	Hashes(ctx context.Context, level uint, first, n uint64) ([]Hash, error)

	// InclusionProof returns the RFC 6962 audit path of the leaf at index in
	// the tree of the given size. ErrOutOfRange beyond the tree.
	InclusionProof(ctx context.Context, index, size uint64) ([]Hash, error)

	// ConsistencyProof returns the RFC 6962 consistency proof between two
	// sizes; it is empty if from is 0 or equals to. ErrOutOfRange beyond the
	// tree, or if from is larger than to.
	ConsistencyProof(ctx context.Context, from, to uint64) ([]Hash, error)

	// View opens the side store as the last Append or Swap left it. Its
	// methods fail if the store has failed or was closed.
	View() View

	// Swap durably sets key to new if its value is old (nil: absent), and
	// fails with ErrConflict otherwise. new is not nil.
	Swap(ctx context.Context, key, old, new []byte) error

	// Close releases the store. The Backend is not used afterwards.
	Close() error
}
