// Package evidence is the file that proves, to anybody who has the trust file,
// that a log broke what it stands for: a seal that does not follow from the
// leaves, two trees that exclude each other, or a promise that was not kept. It
// is checked offline, and from the file alone: neither the log nor whoever made
// the file is believed.
//
// Readers want [Parse] and [Evidence.Verify]. Whoever found something makes the
// file with [FalseSeal], [SplitView] or [BrokenPromise].
//
//	e, err := evidence.Parse(file)
//	if err != nil {
//		return err
//	}
//	finding, err := e.Verify(policy, time.Now())
//	if err != nil {
//		return err // it proves nothing
//	}
//	fmt.Println(finding.Text)
//
// # Format
//
// JSON, media type application/vnd.standing.evidence.v1+json, files named
// *.evidence.json. Members are exactly those below, each at most once; none is
// null. Byte strings are padded base64; peaks and paths are 32-byte hashes one
// after the other, and absent where they are empty. A file has at most [MaxSize]
// bytes, [MaxLeaves] leaves and [MaxRecords] records.
//
//	mediaType   as above
//	checkpoint  a checkpoint with a signature of the log
//
// and one of
//
//	falseSeal      {first, prefix, leaves, path, records, entries, keys, withdrawals}
//	splitView      {checkpoint, root, path}
//	brokenPromise  {promise, leafHash, path}
//
// Keys are never taken from the file: the log is the one of the trust file whose
// name is the origin, with the keys that it has there. Where a pin says that the
// log is closed, its key may be in other hands: then only a checkpoint counts
// that the pins and the quorum let pass, and no promise does.
//
// # False seal
//
// The leaves are those with index first, first + 1 and so on. The first of them
// is the live seal before the one that is accused, or leaf 0 where there is none;
// the last one is the seal that is accused. prefix are the peaks of the tree of
// the leaves before first, path is the consistency proof from the tree that ends
// in the accused seal to that of the checkpoint; it is absent if they are one.
//
// The state under the previous seal, as far as the map function reads it:
//
//	records      {ns, data, record, proof, peaks}: the proof of presence under the
//	             previous seal's map root or, without record, of absence; peaks are
//	             those of the record's event list
//	entries      leaves before first whose leaf hash a record has
//	keys         SubjectPublicKeyInfo of signers
//	withdrawals  peaks of the previous seal's withdrawal list
//
// It is confirmed iff
//
//   - the checkpoint is signed by the log;
//   - prefix, with the leaves appended, gives a tree of which the checkpoint's is
//     an extension; so each leaf is the log's, at its index;
//   - the last leaf is a live seal; the first is one, too, or its index is 0; none
//     between is;
//   - the map function, run over the leaves between, reads nothing but what is in
//     the file and proven there, or written by a leaf between. To ask for a key
//     that is not in the file, of a keyid which the map holds, is to read more;
//   - a line of the last leaf is not what the previous seal and the leaves between
//     make it: previous index, function version, time, number of keys, map root,
//     number of withdrawals, their root; or the leaf before it is that seal.
//
// Then one of the two seals is false. That it is the later one, only a reader of
// all leaves knows; a log of which either is true would have signed neither with
// the other.
//
// # Split view
//
// Two checkpoints signed by the log, the outer one not the smaller. Either they
// have the same size and two roots; or root is what the tree of the larger has at
// the size of the smaller, as path, a consistency proof, shows, and the smaller
// has another.
//
// # Broken promise
//
// A promise signed by the log (package promise), and a leaf hash other than the
// one promised, with its inclusion proof at the promised index under the
// checkpoint. A checkpoint that is too small for the promise says nothing.
//
// Vectors for other implementations, files that prove something and files that
// prove nothing, are in testdata, with vectors.json to say which is which.
//
// # Invariants
//
//   - Nothing that a log did which keeps the rules can be confirmed, whatever is
//     left out of a file, exchanged or added to it. What is missing is an error,
//     never an absence.
//   - Parse limits before it allocates; Parse(e.Marshal()) gives e again.
package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/trust"
)

// MediaType is the media type of an evidence file.
const MediaType = "application/vnd.standing.evidence.v1+json"

// Limits of a file. What takes more to prove is found by those who have a copy
// of the log, and cannot be shown in a file: between two seals the log has signed
// no state from which a second file could go on, and no rule says how far apart
// seals may be, so that their distance proves nothing.
const (
	MaxSize    = 64 << 20
	MaxLeaves  = 1 << 16 // of each list of leaves
	MaxRecords = 1 << 18
	maxKeys    = 1 << 16
	maxLeaf    = 1<<16 - 1 // bytes; what an entry bundle can hold
)

// Kind is what a file is evidence of.
type Kind string

// The kinds of evidence. No other value is valid.
const (
	KindFalseSeal     Kind = "false-seal"
	KindSplitView     Kind = "split-view"
	KindBrokenPromise Kind = "broken-promise"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// Errors of this package. A reader treats both alike: nothing is proven.
var (
	// ErrMalformed means that the bytes are no evidence file.
	ErrMalformed = errors.New("malformed evidence")
	// ErrNotProven means that the file does not show what it is made to show.
	ErrNotProven = errors.New("proves nothing")
)

// Evidence is a parsed file. Nothing in it has been verified.
type Evidence struct {
	MediaType     string     `json:"mediaType"`
	Checkpoint    string     `json:"checkpoint"`
	FalseSeal     *falseSeal `json:"falseSeal,omitzero"`
	SplitView     *splitView `json:"splitView,omitzero"`
	BrokenPromise *broken    `json:"brokenPromise,omitzero"`
}

type falseSeal struct {
	First       uint64      `json:"first"`
	Prefix      bundle.Path `json:"prefix,omitempty"`
	Leaves      leaves      `json:"leaves"`
	Path        bundle.Path `json:"path,omitempty"`
	Records     records     `json:"records,omitempty"`
	Entries     leaves      `json:"entries,omitempty"`
	Keys        keys        `json:"keys,omitempty"`
	Withdrawals bundle.Path `json:"withdrawals,omitempty"`
}

type record struct {
	NS     mapfn.NS      `json:"ns"`
	Data   []byte        `json:"data"`
	Record bundle.Record `json:"record,omitzero"`
	Proof  bundle.Base64 `json:"proof"`
	Peaks  bundle.Path   `json:"peaks,omitempty"`
}

type splitView struct {
	Checkpoint string      `json:"checkpoint"`
	Root       bundle.ID   `json:"root,omitzero"`
	Path       bundle.Path `json:"path,omitempty"`
}

type broken struct {
	Promise  string      `json:"promise"`
	LeafHash bundle.ID   `json:"leafHash"`
	Path     bundle.Path `json:"path,omitempty"`
}

// Lists that are read no further than their greatest length.
type (
	leaves  [][]byte
	keys    [][]byte
	records []record
)

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *leaves) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = bundle.ReadList[[]byte](d, MaxLeaves)
	return err
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *keys) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = bundle.ReadList[[]byte](d, maxKeys)
	return err
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *records) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*l, err = bundle.ReadList[record](d, MaxRecords)
	return err
}

// Is reports whether a file says that it is evidence. It may be malformed all the
// same.
func Is(file []byte) bool { return bytes.Contains(file, []byte(`"`+MediaType+`"`)) }

// Parse parses an evidence file. The error is ErrMalformed.
func Parse(file []byte) (*Evidence, error) {
	if len(file) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(file), MaxSize)
	}
	var e Evidence
	if err := json.Unmarshal(file, &e, bundle.Strict()); err != nil {
		// The library quotes names whole.
		return nil, fmt.Errorf("%w: %.300v", ErrMalformed, err)
	}
	if e.MediaType != MediaType {
		return nil, fmt.Errorf("%w: media type %.80q", ErrMalformed, e.MediaType)
	}
	if e.Checkpoint == "" || e.Kind() == "" {
		return nil, fmt.Errorf("%w: no checkpoint, or not one of falseSeal, splitView and brokenPromise", ErrMalformed)
	}
	if f := e.FalseSeal; f != nil {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	return &e, nil
}

// Kind returns what the file is evidence of, or "" unless it is of one thing.
func (e *Evidence) Kind() Kind {
	switch {
	case e.FalseSeal != nil && e.SplitView == nil && e.BrokenPromise == nil:
		return KindFalseSeal
	case e.FalseSeal == nil && e.SplitView != nil && e.BrokenPromise == nil:
		return KindSplitView
	case e.FalseSeal == nil && e.SplitView == nil && e.BrokenPromise != nil:
		return KindBrokenPromise
	}
	return ""
}

// check looks at what the types do not say.
func (f *falseSeal) check() error {
	// SPEC: sizes and indexes are < 2^53.
	if f.First >= 1<<53-MaxLeaves {
		return fmt.Errorf("leaf %d", f.First)
	}
	if len(f.Leaves) == 0 {
		return errors.New("no leaves")
	}
	for _, list := range []leaves{f.Leaves, f.Entries} {
		for _, leaf := range list {
			if len(leaf) > maxLeaf {
				return fmt.Errorf("leaf of %d bytes", len(leaf))
			}
		}
	}
	return nil
}

// Marshal writes the file.
func (e *Evidence) Marshal() ([]byte, error) {
	e.MediaType = MediaType
	b, err := json.Marshal(e)
	if err == nil && len(b) > MaxSize {
		err = fmt.Errorf("evidence of %d bytes, at most %d", len(b), MaxSize)
	}
	return b, err
}

// Finding is what a log did.
type Finding struct {
	Kind   Kind
	Origin string
	// Index is that of the false seal, or of the leaf that was promised; of a
	// split view, the size at which the trees differ.
	Index uint64
	// Line is the wrong line of a false seal, counted from 1, or 0 if the leaf
	// before it is a live seal.
	Line int
	// Signed are the statements that the log signed and that exclude each other,
	// or what was promised or sealed: signed notes.
	Signed []string
	// Text says it in words, without a period.
	Text string
}

// FileName is a name for the file: one for each thing that a log did.
func (f *Finding) FileName() string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, f.Origin)
	return fmt.Sprintf("%.100s-%s-%d.evidence.json", strings.TrimLeft(readable, ".-"), f.Kind, f.Index)
}

// Verify checks the evidence under a trust file. The error is ErrNotProven, and
// says why; it does not mean that the log keeps the rules.
func (e *Evidence) Verify(policy *trust.Policy, now time.Time) (*Finding, error) {
	judge := judge{e, policy, now}
	var found *Finding
	var err error
	switch e.Kind() {
	case KindFalseSeal:
		found, err = judge.falseSeal()
	case KindSplitView:
		found, err = judge.splitView()
	case KindBrokenPromise:
		found, err = judge.brokenPromise()
	default:
		err = ErrMalformed
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	found.Kind = e.Kind()
	return found, nil
}

// judge checks one file.
type judge struct {
	*Evidence
	policy *trust.Policy
	now    time.Time
}

// open opens a checkpoint that the log signed.
func (j judge) open(note string) (*trust.Checkpoint, error) {
	cp, err := j.policy.OpenLogSigned([]byte(note))
	if err != nil {
		return nil, err
	}
	// SPEC: of a log that a pin closes, what the pins and the quorum let pass.
	if j.policy.Closed(cp.Origin) {
		return j.policy.Open([]byte(note), j.now)
	}
	return cp, nil
}
