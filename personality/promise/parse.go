package promise

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/standing-log/standing/personality/trust"
)

// signedPromise is a parsed file. Nothing in it has been verified.
type signedPromise struct {
	promise  Promise
	position int64
	path     tlog.RecordProof
	count    int64
	root     tlog.Hash
	note     []byte
}

// SPEC: the lines before the note, and the text of the note.
var (
	headPattern = regexp.MustCompile(`^((?:att|evt|party|prog):[0-9a-f]{64})\n([A-Za-z0-9+/]{43}=)\n([0-9]{1,16})\n([0-9]{1,16})\n([0-9]{1,5})\n((?:[A-Za-z0-9+/]{43}=\n){0,16})$`)
	textPattern = regexp.MustCompile(`^` + firstLine + `\n([a-z0-9./-]{1,255})\n([0-9]{1,5})\n([A-Za-z0-9+/]{43}=)\n$`)
)

// parse takes a file apart. The error is ErrMalformed.
func parse(file []byte) (*signedPromise, error) {
	if len(file) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(file))
	}
	head, signed, _ := strings.Cut(string(file), "\n\n")
	h := headPattern.FindStringSubmatch(head + "\n")
	// Told of no keys, note.Open returns the text.
	_, err := note.Open([]byte(signed), note.VerifierList())
	unverified, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if h == nil || !ok {
		return nil, fmt.Errorf("%w: not the lines of one before a signed note", ErrMalformed)
	}
	t := textPattern.FindStringSubmatch(unverified.Note.Text)
	if t == nil {
		return nil, fmt.Errorf("%w: the note is about something else", ErrMalformed)
	}
	r := reader{}
	f := &signedPromise{
		promise:  Promise{Origin: t[1], ID: h[1], LeafHash: Hash(r.hash(h[2])), Index: r.number(h[3], maxNumber), Size: r.number(h[4], maxNumber)},
		position: int64(r.number(h[5], MaxTogether)), count: int64(r.number(t[2], MaxTogether+1)), root: r.hash(t[3]), note: []byte(signed),
	}
	for line := range strings.Lines(h[6]) {
		f.path = append(f.path, r.hash(strings.TrimSuffix(line, "\n")))
	}
	// SPEC: index below size.
	if r.bad || f.promise.Index >= f.promise.Size || f.position >= f.count {
		return nil, fmt.Errorf("%w: numbers or hashes", ErrMalformed)
	}
	return f, nil
}

// reader reads what the patterns have let pass.
type reader struct{ bad bool }

// number reads a decimal below limit.
func (r *reader) number(s string, limit uint64) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	r.bad = r.bad || err != nil || n >= limit || strconv.FormatUint(n, 10) != s
	return n
}

// hash reads canonical base64.
func (r *reader) hash(s string) (h tlog.Hash) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	r.bad = r.bad || err != nil || copy(h[:], b) != len(h)
	return h
}

// verify checks signature and path.
func (f *signedPromise) verify(log trust.Log) (*Promise, error) {
	if f.promise.Origin != log.Origin {
		return nil, fmt.Errorf("%w: it is one of %s", ErrSignature, f.promise.Origin)
	}
	var keys []note.Verifier
	for _, k := range log.Keys {
		keys = append(keys, k.Verifier)
	}
	// SPEC: a line by a listed key that does not verify refuses the note; lines
	// by others are ignored.
	if _, err := note.Open(f.note, note.VerifierList(keys...)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSignature, log.Origin, err)
	}
	// SPEC: the root is that of the list of the promises signed together.
	record := tlog.RecordHash(f.promise.append(nil))
	if err := tlog.CheckRecord(f.path, f.count, f.root, f.position, record); err != nil {
		return nil, fmt.Errorf("%w: not under the root that was signed: %w", ErrSignature, err)
	}
	return &f.promise, nil
}
