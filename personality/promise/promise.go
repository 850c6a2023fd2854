// Package promise is what a log signs for a submitter who does not wait until his
// entry is published: at which index it stands. Whoever holds a promise, and a
// checkpoint in which another leaf stands there, has evidence against the log
// (package evidence).
//
// Logs use [Sign], submitters [OpenBy], everybody else [Open].
//
// # Format
//
// Files named *.promise, of lines that each end with LF:
//
//	<printed id of the event: att:, evt:, party: or prog: and 64 hex>
//	<RFC 6962 leaf hash of the entry, base64>
//	<index of the entry>
//	<size of the first sealed tree that holds it>
//	<position of this promise among those signed together, from 0>
//	<hash of its audit path, base64>, from none to 16 such lines
//
// then an empty line, and a C2SP signed note (https://c2sp.org/signed-note) whose
// text is
//
//	standing/promise/v1
//	<origin>
//	<number of promises signed together>
//	<root, base64>
//
// The root is that of the RFC 6962 list whose entries are the first four lines of
// each promise: a log signs what it answers at one time with one signature, and
// each submitter has a file that stands alone. Indexes and sizes are decimals
// below 2^53, index below size. The note is signed with an Ed25519 key of the log,
// as the trust file lists it, whose name is the origin. A past key counts for
// nothing: a promise has no time of its own.
//
// # It is no checkpoint
//
// The same key signs checkpoints. A text is not both: the first line of a
// checkpoint is the name of the key that signs it, and the third one is a root,
// 44 characters; that of a promise is a number of five digits at most. Nor is it
// what cosigners sign, or what proves possession of a key: those begin otherwise.
// An entry of the list is no leaf of a log, nor a seal: those begin otherwise, too.
//
// # When it is made
//
// After the write of the entry, its seal and its state is durable, and after the
// log has reserved and signed the tree that ends in that seal. If the log crashes
// before that, nothing was promised; if it crashes before the promise has left,
// whoever submits the entry again gets one with the same first four lines, also
// for a tree that has grown. An entry whose event was accepted before, under
// another signature, is answered with the promise of the first.
package promise

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/trust"
)

// MaxSize is the largest promise read, in bytes.
const MaxSize = 16 << 10

// Hash is a SHA-256 value.
type Hash = [32]byte

// Errors of Open and OpenBy, besides [trust.ErrUnknownLog].
var (
	// ErrMalformed means that the bytes are no promise.
	ErrMalformed = errors.New("malformed promise")
	// ErrSignature means that no listed key of the log has signed it.
	ErrSignature = errors.New("promise not signed by a listed key of its log")
)

const (
	firstLine = "standing/promise/v1"
	// maxNumber bounds sizes. SPEC: decimals are < 2^53.
	maxNumber = 1 << 53
	// MaxTogether is how many promises one signature can cover.
	MaxTogether = 1 << 16
	maxPath     = 16
)

// Promise says where an entry stands.
type Promise struct {
	Origin   string
	ID       string // of the event, printed
	LeafHash Hash   // RFC 6962
	Index    uint64
	Size     uint64 // of the first sealed tree that holds it
}

// append appends the first four lines of the file.
func (p Promise) append(b []byte) []byte {
	b = append(append(b, p.ID...), '\n')
	b = append(base64.StdEncoding.AppendEncode(b, p.LeafHash[:]), '\n')
	b = append(strconv.AppendUint(b, p.Index, 10), '\n')
	return append(strconv.AppendUint(b, p.Size, 10), '\n')
}

// Sign makes promises of one log, 1 to MaxTogether of them, with one signature,
// and returns the file of each. The caller MUST have made durable what they say.
func Sign(signer note.Signer, promises ...Promise) ([][]byte, error) {
	if len(promises) == 0 || len(promises) > MaxTogether {
		return nil, fmt.Errorf("%d promises, 1 to %d can be signed together", len(promises), MaxTogether)
	}
	hashes, paths := make([]tlog.Hash, len(promises)), make([]tlog.RecordProof, len(promises))
	depth := bits.Len(uint(len(promises) - 1))
	var file []byte // in the making
	for i, p := range promises {
		file = p.append(file[:0])
		hashes[i], paths[i] = tlog.RecordHash(file), make(tlog.RecordProof, 0, depth)
	}
	root := list(hashes, paths)
	text := fmt.Sprintf("%s\n%s\n%d\n%s\n", firstLine, promises[0].Origin, len(promises), root)
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		return nil, err
	}
	files := make([][]byte, len(promises))
	for i, path := range paths {
		file = append(strconv.AppendInt(promises[i].append(file[:0]), int64(i), 10), '\n')
		for _, h := range path {
			file = append(base64.StdEncoding.AppendEncode(file, h[:]), '\n')
		}
		files[i] = slices.Concat(file, []byte{'\n'}, signed)
	}
	return files, nil
}

// list returns the RFC 6962 root over entries with the given hashes, and appends
// to the audit path of each.
func list(hashes []tlog.Hash, paths []tlog.RecordProof) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	// SPEC: k is the largest power of two smaller than their number.
	k := 1 << (bits.Len(uint(len(hashes)-1)) - 1)
	left, right := list(hashes[:k], paths[:k]), list(hashes[k:], paths[k:])
	for i := range paths {
		if i < k {
			paths[i] = append(paths[i], right)
		} else {
			paths[i] = append(paths[i], left)
		}
	}
	return tlog.NodeHash(left, right)
}

// Is reports whether a file says that it is a promise. It may be malformed all the
// same.
func Is(file []byte) bool {
	return len(file) <= MaxSize && bytes.Contains(file, []byte("\n\n"+firstLine+"\n"))
}

// Open verifies a promise of a log that the trust file lists.
func Open(policy *trust.Policy, file []byte) (*Promise, error) {
	f, err := parse(file)
	if err != nil {
		return nil, err
	}
	log, ok := policy.Log(f.promise.Origin)
	if !ok {
		return nil, fmt.Errorf("%w: %s", trust.ErrUnknownLog, f.promise.Origin)
	}
	return f.verify(log)
}

// OpenBy verifies a promise of a certain log.
func OpenBy(log trust.Log, file []byte) (*Promise, error) {
	f, err := parse(file)
	if err != nil {
		return nil, err
	}
	return f.verify(log)
}
