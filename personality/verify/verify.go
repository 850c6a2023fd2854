// Package verify judges bundles, offline: what stands, as of when, and why not;
// and whether that is all there is.
// It makes no network call and imports only what deps.txt beside it lists.
//
// Bundle is the one entry point. The rules are those of bundle/SPEC.md,
// "Verification"; the verdicts those of "verdicts" below.
//
// Invariants:
//
//   - No digest, index, size or time is taken from where it is merely stated:
//     each is recomputed, or comes from the checkpoint, the seal or the
//     cosignatures.
//   - Every part of the file is either verified or refused; none is skipped.
//   - Only ACTIVE is good news, and only a quorum makes it so.
//   - Nothing is taken not to be because it is not shown: that is NO_EVIDENCE.
package verify

import (
	"errors"
	"fmt"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/standing-log/standing/personality/bundle"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/seal"
	"github.com/standing-log/standing/personality/trust"
)

// Hash is a SHA-256 value.
type Hash = [32]byte

// DefaultMaxAge is how old a good answer may be.
const DefaultMaxAge = 24 * time.Hour

// Options say whom the reader believes, and what time it is.
type Options struct {
	Policy *trust.Policy
	Now    time.Time
	// At, unless zero, takes the place of Now: how things stood then, shown by
	// what there was then.
	At time.Time
	// MaxAge of a good answer; 0 is DefaultMaxAge.
	MaxAge time.Duration
	// MinSize is the least size of the log that is good enough.
	MinSize uint64
	// Seen are the largest trees this reader has seen, by origin. May be nil.
	Seen map[string]trust.Body
	// Revocations are signed envelopes at hand, which the log may not have.
	Revocations [][]byte
	// Claims are ids of the claims that the reader relies on; none: on all.
	Claims []string
}

// Report is what a bundle shows.
type Report struct {
	// Err says why the whole file shows nothing; then Results is empty.
	Err     error
	Verdict Verdict // of the whole: see Report.whole

	Origin    string
	Size      uint64
	Root      Hash
	AsOf      time.Time // quorum time; the seal's own clock if not Witnessed
	Witnessed bool
	Stale     string   // why good news from it is too old, or ""
	Cosigners []string // names of those whose cosignatures verify
	// Cosignatures are theirs, with the times that they say.
	Cosignatures []trust.Cosignature
	Results      []Result
	Subjects     []Subject
	Notes        []Note

	byData map[string]int // of Subjects
}

// Result is what a bundle shows about one attestation.
type Result struct {
	ID      string // att:<hex>
	Verdict Verdict
	Causes  []Cause // all that apply, the deciding one first

	Entry      *entry.Entry // nil if it does not parse
	Record     *mapfn.AttestationRecord
	Index      uint64 // of the entry
	Party      string // party:<hex>
	PartyName  string
	PartyRoles []string
	PartyEnded bool
	KeyState   string
	// Programme is the one that the attestation names, if the bundle shows it.
	Programme *Programme
	// Untouched says that the reader named claims, and that each is an item of
	// the attestation and none is withdrawn.
	Untouched bool
}

// Programme is what a bundle shows about a programme.
type Programme struct {
	ID        string           // prog:<hex>
	Open      bool             // else closed: what was issued under it stands
	Rules     *entry.Programme // the newest
	Party     string           // party:<hex> of its operator
	PartyName string           // "" if the bundle does not show it
}

// Cause is one reason for a verdict.
type Cause struct {
	Verdict Verdict
	Detail  string
	// Unlogged says that Event is a revocation at hand, and not shown to be in
	// the log.
	Unlogged bool
	// Reason is the number that the map gives for it, if it gives one.
	Reason *uint8
	// Event is the entry behind it, if the bundle carries it, at EventIndex.
	Event      *entry.Entry
	EventIndex uint64

	explains func(*entry.Entry) bool
}

// Explained reports whether e, if it is the entry at EventIndex, is the event
// behind the cause.
func (c Cause) Explained(e *entry.Entry) bool { return c.explains != nil && c.explains(e) }

// errNoEvidence marks failures that mean NO_EVIDENCE instead of INVALID.
var errNoEvidence = errors.New("cannot be judged")

// errRollback marks a checkpoint older than one seen before.
var errRollback = errors.New("older than, or different from, a tree seen before")

// Bundle verifies a bundle file.
func Bundle(data []byte, o Options) *Report {
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if !o.At.IsZero() {
		o.Now = o.At
	}
	v := &verifier{o: o, keys: map[Hash]*signer{}, parties: map[Hash]*party{}, programmes: map[Hash]*programme{}}
	if err := v.run(data); err != nil {
		v.report.Err, v.report.Results, v.report.Subjects, v.report.byData, v.report.Notes = err, nil, nil, nil, nil
		switch {
		case errors.Is(err, errRollback):
			v.report.Verdict = Rollback
		case errors.Is(err, errNoEvidence):
			v.report.Verdict = NoEvidence
		default:
			v.report.Verdict = Invalid
		}
		return &v.report
	}
	if c, stale := v.stale(); stale {
		v.report.Stale = c.Detail
	}
	v.report.Verdict = v.whole()
	return &v.report
}

// verifier is one run.
type verifier struct {
	o          Options
	b          *bundle.Bundle
	seal       *seal.Seal
	keys       map[Hash]*signer
	parties    map[Hash]*party
	programmes map[Hash]*programme
	causes     map[uint64]*event // by index
	loose      []loose
	report     Report
}

// run does steps 1 to 5, then each attestation.
func (v *verifier) run(data []byte) error {
	var err error
	if v.b, err = bundle.Parse(data); err != nil {
		return err
	}
	if err := v.checkpoint(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := v.checkSeal(); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if err := v.rollback(); err != nil {
		return err
	}
	// SPEC: the map function is known, and not older than a pin says.
	if v.seal.MapFn != mapfn.Version {
		return fmt.Errorf("map function %d: %w by this version", v.seal.MapFn, errNoEvidence)
	}
	if least := v.o.Policy.MinMapFn(); v.seal.MapFn < least {
		return fmt.Errorf("map function %d: %w, the pins say %d or newer", v.seal.MapFn, errNoEvidence, least)
	}
	if err := v.loadParts(); err != nil {
		return err
	}
	v.loadRevocations()
	seen := map[Hash]bool{}
	for i := range v.b.Attestations {
		r := v.attestation(&v.b.Attestations[i])
		if r.Entry != nil && seen[r.Entry.ID] {
			return fmt.Errorf("attestation %s stands twice in the bundle", r.ID)
		}
		if r.Entry != nil {
			seen[r.Entry.ID] = true
		}
		v.report.Results = append(v.report.Results, r)
	}
	v.noteRevocations()
	if err := v.loadSubjects(); err != nil {
		return err
	}
	return v.unused()
}

// checkpoint opens the checkpoint under the trust file.
func (v *verifier) checkpoint() error {
	if v.o.Policy == nil {
		return errors.New("no trust file")
	}
	cp, err := v.o.Policy.Open([]byte(v.b.Checkpoint), v.o.Now)
	// SPEC: cosignatures that are good but for their dates, which are to come,
	// say nothing about now.
	if q, ok := errors.AsType[*trust.QuorumError](err); ok && !q.Later.IsZero() {
		return fmt.Errorf("as of %s it %w: %w", v.o.Now.UTC().Format(time.RFC3339), errNoEvidence, err)
	}
	if err != nil {
		return err
	}
	v.report.Origin, v.report.Size, v.report.Root = cp.Origin, cp.Size, cp.Root
	v.report.Witnessed, v.report.AsOf = cp.Witnessed, cp.Time
	v.report.Cosignatures = cp.Cosignatures
	for _, c := range cp.Cosignatures {
		v.report.Cosigners = append(v.report.Cosigners, c.Name)
	}
	if cp.Size < 2 {
		return errors.New("a log has at least a charter and a seal")
	}
	return nil
}

// checkSeal checks that the last leaf is a live seal.
func (v *verifier) checkSeal() error {
	leaf := []byte(v.b.Seal.Leaf)
	index := v.report.Size - 1
	if err := v.included(leaf, index, v.b.Seal.Path); err != nil {
		return err
	}
	var ok bool
	// SPEC: live, with index = size - 1.
	v.seal, ok = seal.Live(leaf, v.report.Origin, index, prefixRoot(v.b.Seal.Path))
	if !ok {
		return fmt.Errorf("the last leaf, %d, is not a live seal of %s", index, v.report.Origin)
	}
	if !v.report.Witnessed {
		v.report.AsOf = time.Unix(int64(v.seal.SealedAt), 0).UTC()
	}
	return nil
}

// prefixRoot is the root of the leaves before the last one, of which path is
// the audit path: its hashes are the peaks of that tree, right to left.
func prefixRoot(path bundle.Path) Hash {
	h := path[0]
	for _, left := range path[1:] {
		h = Hash(rfc6962.DefaultHasher.HashChildren(left[:], h[:]))
	}
	return h
}

// included checks that leaf stands at index of the checkpoint's tree.
func (v *verifier) included(leaf []byte, index uint64, path bundle.Path) error {
	hashes := make([][]byte, len(path))
	for i := range path {
		hashes[i] = path[i][:]
	}
	err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, v.report.Size,
		rfc6962.DefaultHasher.HashLeaf(leaf), hashes, v.report.Root[:])
	if err != nil {
		return fmt.Errorf("inclusion at index %d of %d: %w", index, v.report.Size, err)
	}
	return nil
}

// rollback compares with what the reader has seen of this log, and asks for.
func (v *verifier) rollback() error {
	seen, ok := v.o.Seen[v.report.Origin]
	// SPEC: as of another time, a smaller tree than was seen since is no rollback.
	older := v.report.Size < seen.Size && v.o.At.IsZero()
	if v.report.Size < v.o.MinSize && !older {
		return fmt.Errorf("size %d of %s: %w, %d was asked for", v.report.Size, v.report.Origin, errNoEvidence, v.o.MinSize)
	}
	if ok && (older || v.report.Size == seen.Size && v.report.Root != seen.Root) {
		return fmt.Errorf("size %d of %s: %w, of size %d", v.report.Size, v.report.Origin, errRollback, seen.Size)
	}
	return nil
}
