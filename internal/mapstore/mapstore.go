// Package mapstore keeps the status map, its records, their event lists and
// the withdrawal list in a backend's side store: for the latest sealed size
// and, for a while, for older ones.
//
// Start with [Open], which gives a [Snapshot] to read and prove from, and
// [Snapshot.Batch], on which the map function runs; [Batch.Commit] turns what
// it wrote into side writes for the same backend.Append as the leaves.
// This package writes nothing itself.
//
// A version is the tree size of a sealed checkpoint. The leaves of the map are
// stored one by one; the nodes above them, which follow from the leaves, lie in
// memory only (see [Cache]) down to buckets of up to 64 leaves, and are made
// anew from the leaves when a process starts, or from a shortcut (see
// [Snapshot.Shortcut]). Nothing that counts is ever overwritten: a batch writes
// the leaves and the records that it changes under its own version, and nothing
// else of the map, however large that is. So all versions are read in the same
// way. What a version supersedes is listed for pruning, and deleted by a later
// batch once no retained version needs it, a bounded amount at a time; only the
// first record of a map key, which shares a page with others, stays.
//
// # Layout
//
// All keys begin with 'm'. Integers in keys are big-endian; version and until
// are u64. "sum" is SHA-256 over the key and the value before it.
//
//	key                          value
//	m h                          head: u8 4, u64 latest version, u64 keep, u64 prune cursor, sum
//	m v version                  u8 4, map root, u64 number of keys,
//	                             u64 length of the withdrawal list, its peaks from left to right, sum
//	m l mapkey version           leaf: value hash, 32 bytes; u24 page if its record is in one
//	m r version mapkey           stored record, of a map key that had one before
//	m f version u32 page         page: mapkey, u32 length, stored record of up to 16 map keys that
//	                             are new with the version, sorted. Pages count from 1
//	m e mapkey u64 i             events [16i, 16i+16) of the record's event list, 41 bytes each,
//	                             once there are so many
//	m w u64 i                    withdrawal i, 60 bytes
//	m n u8 L u64 i               hash i of tile level L >= 1 of the withdrawal list: the root of
//	                             its records [i·256^L, (i+1)·256^L)
//	m p until u32 chunk          u8 4, keys (without m, each after a u8 length) that versions
//	                             from until on do not need, sum
//
//	stored record: u8 ns, u8 number of peaks, u8 number of events, peaks of the events of the
//	list that are stored beside it, those that are not, the record
//
// The leaf of a version at a map key is the newest that is not newer than the
// version; its record is the one of the leaf's version. A path is the first
// nibbles of the map keys below it, 1 to 64 of them. A bucket is what lies below
// a path: 1 to 64 leaves, sorted; when there are more, they are in buckets at
// paths one nibble longer.
//
// # Invariants
//
//   - The hash of a bucket, and the value hash of a record, are recomputed when
//     they are read and compared with what the tile above, or the leaf, holds
//     (of a bucket held since it was written only the record is, and proofs are
//     checked);
//     the tiles together have given the root of the version.
//     A root, a proof or a record that this package returns therefore follows
//     from the root of its version, which the caller compares with the seal;
//     anything else is ErrCorrupt.
//   - Event lists and the withdrawal list only grow, and are read up to the
//     length that the version has. What is returned of the withdrawal list has
//     been checked against its root.
//   - Every version from the keep bound of the last commit on can be read.
//   - All writes of a commit belong into one durable write: a crash leaves
//     either the old version or the new one.
package mapstore

import (
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/backend"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// Hash is a SHA-256 value.
type Hash = statusmap.Hash

// Errors that callers act upon.
var (
	// ErrCorrupt means that what is stored contradicts itself: a bit has
	// flipped, or somebody has changed, deleted or added something. The
	// message names the bucket or value. Nothing may be sealed or served from
	// this store; it is rebuilt from the leaves. It is a backend.ErrDamaged.
	ErrCorrupt = fmt.Errorf("%w: corrupt status map", backend.ErrDamaged)
	// ErrNoVersion means that the version is older than the keep bound, or
	// is not the size of a sealed checkpoint.
	ErrNoVersion = errors.New("version not held")
	// ErrInconsistent means that a change does not follow from the state it
	// is applied to: a defect of the map function or its caller.
	ErrInconsistent = errors.New("change does not fit the state")
)

// maxData is the length of the longest data that a map key can be made of.
const maxData = 1<<16 - 1

// hasList reports whether the records of ns end with an event list.
func hasList(ns mapfn.NS) bool {
	switch ns {
	case mapfn.NSComponent, mapfn.NSPackage, mapfn.NSDigest, mapfn.NSParty:
		return true
	}
	return false
}
