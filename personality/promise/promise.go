// Package promise is what a log signs for a submitter who does not wait until his
// entry is published: at which index it stands. Whoever holds a promise, and a
// checkpoint in which another leaf stands there, has evidence against the log
// (package evidence).
//
// Logs use [Promise.Sign], submitters [OpenBy], everybody else [Open].
//
// # Format
//
// A C2SP signed note (https://c2sp.org/signed-note), files named *.promise. Its
// text is six lines:
//
//	standing/promise/v1
//	<origin>
//	<printed id of the event: att:, evt:, party: or prog: and 64 hex>
//	<RFC 6962 leaf hash of the entry, base64>
//	<index of the entry>
//	<size of the first sealed tree that holds it>
//
// Numbers are decimals below 2^53, index below size. It is signed with an Ed25519
// key of the log, as the trust file lists it, whose name is the origin. A past key
// counts for nothing: a promise has no time of its own.
//
// # It is no checkpoint
//
// The same key signs checkpoints. A text is not both: the first line of a
// checkpoint is the name of the key that signs it, so for a promise to be one the
// origin would be standing/promise/v1; and then its second line, the origin
// again, is not a decimal, as the second line of a checkpoint is. Nor is it what
// cosigners sign, or what proves possession of a key: those begin otherwise.
//
// # When it is made
//
// After the write of the entry, its seal and its state is durable, and after the
// log has reserved and signed the tree that ends in that seal. If the log crashes
// before that, nothing was promised; if it crashes before the promise has left,
// whoever submits the entry again gets one with the same six lines, also for a
// tree that has grown. An entry whose event was accepted before, under another
// signature, is answered with the promise of the first.
package promise

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"golang.org/x/mod/sumdb/note"

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

const firstLine = "standing/promise/v1"

// maxNumber bounds sizes. SPEC: decimals are < 2^53.
const maxNumber = 1 << 53

// Promise says where an entry stands.
type Promise struct {
	Origin   string
	ID       string // of the event, printed
	LeafHash Hash   // RFC 6962
	Index    uint64
	Size     uint64 // of the first sealed tree that holds it
}

// String returns the text of the note.
func (p Promise) String() string {
	return fmt.Sprintf("%s\n%s\n%s\n%s\n%d\n%d\n", firstLine, p.Origin, p.ID,
		base64.StdEncoding.EncodeToString(p.LeafHash[:]), p.Index, p.Size)
}

var textPattern = regexp.MustCompile(`^` + firstLine + `\n([a-z0-9./-]{1,255})\n((?:att|evt|party|prog):[0-9a-f]{64})\n([A-Za-z0-9+/]{43}=)\n([0-9]{1,16})\n([0-9]{1,16})\n$`)

// Parse parses the text of a note: exactly the bytes that String gives back. The
// error is ErrMalformed.
func Parse(text string) (Promise, error) {
	// SPEC: six lines, each as above.
	m := textPattern.FindStringSubmatch(text)
	if m == nil {
		return Promise{}, fmt.Errorf("%w: not the six lines of one", ErrMalformed)
	}
	p := Promise{Origin: m[1], ID: m[2]}
	hash, err := base64.StdEncoding.DecodeString(m[3])
	if err != nil {
		return Promise{}, fmt.Errorf("%w: leaf hash", ErrMalformed)
	}
	copy(p.LeafHash[:], hash)
	// The pattern leaves no other error than one that String finds.
	p.Index, _ = strconv.ParseUint(m[4], 10, 64)
	p.Size, _ = strconv.ParseUint(m[5], 10, 64)
	// SPEC: decimals < 2^53, index < size.
	if p.Index >= p.Size || p.Size >= maxNumber || p.String() != text {
		return Promise{}, fmt.Errorf("%w: numbers or hash", ErrMalformed)
	}
	return p, nil
}

// Sign makes the note. The caller MUST have made durable what it says.
func (p Promise) Sign(signer note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: p.String()}, signer)
}

// Is reports whether a note says that it is a promise.
func Is(msg []byte) bool {
	return len(msg) <= MaxSize && len(msg) > len(firstLine) && string(msg[:len(firstLine)+1]) == firstLine+"\n"
}

// Open verifies a promise of a log that the trust file lists.
func Open(policy *trust.Policy, msg []byte) (*Promise, error) {
	p, err := read(msg)
	if err != nil {
		return nil, err
	}
	log, ok := policy.Log(p.Origin)
	if !ok {
		return nil, fmt.Errorf("%w: %s", trust.ErrUnknownLog, p.Origin)
	}
	return OpenBy(log, msg)
}

// OpenBy verifies a promise of a certain log.
func OpenBy(log trust.Log, msg []byte) (*Promise, error) {
	p, err := read(msg)
	if err != nil {
		return nil, err
	}
	if p.Origin != log.Origin {
		return nil, fmt.Errorf("%w: it is one of %s", ErrSignature, p.Origin)
	}
	var keys []note.Verifier
	for _, k := range log.Keys {
		keys = append(keys, k.Verifier)
	}
	// SPEC: a line by a listed key that does not verify refuses the note; lines
	// by others are ignored.
	if _, err := note.Open(msg, note.VerifierList(keys...)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSignature, p.Origin, err)
	}
	return p, nil
}

// read parses a note whose signatures nobody has verified.
func read(msg []byte) (*Promise, error) {
	if len(msg) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(msg))
	}
	// Told of no keys, it returns the text.
	_, err := note.Open(msg, note.VerifierList())
	unverified, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if !ok {
		return nil, fmt.Errorf("%w: not a signed note", ErrMalformed)
	}
	p, err := Parse(unverified.Note.Text)
	return &p, err
}
