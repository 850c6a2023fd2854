// Package report is the file to keep about an SBOM that was checked: what was
// found, with all the proofs it was found by, so that anybody can find it again
// from the file alone, as of then, years later.
//
// # Format
//
// One JSON object, file name *.report.json, at most [MaxSize] bytes:
//
//	{
//	  "mediaType": "application/vnd.standing.report.v1+json",
//	  "sha256": "…",
//	  "time": n, "maxAge": n,
//	  "sbom": {"format": "…", "sha256": "…", "product": "…"},
//	  "trust": "…", "pins": "…",
//	  "logs": [{"origin": "…", "bundles": [{…}], "error": "…", "contradicts": true}],
//	  "components": [{"ref": "…", "group": "…", "name": "…", "version": "…", "type": "…", "purl": "…", "purls": ["…"],
//	                  "digests": ["sha256:…"], "parent": n, "product": true,
//	                  "verdict": "…",
//	                  "attestations": [{"log": "…", "id": "…", "verdict": "…", "rule": "…", "followedBy": "…"}],
//	                  "undecided": [{"log": "…", "id": "…", "verdict": "…"}]}]
//	}
//
// The first two members stand as here, without white space. Members are exactly
// these, each at most once, none is null; what is empty, 0 or false may be
// absent.
//
//   - sha256 is the SHA-256 of the file with 64 digits 0 in its place. It notices
//     accidents, not forgers: for these there are the proofs.
//   - time is the Unix second as of which all was judged, maxAge the seconds
//     that good news was good for.
//   - sbom is the digest of the SBOM, which is not in the file, and what it calls
//     its format and product.
//   - trust and pins are the trust file and the pins beside it, as package trust
//     writes them.
//   - bundles (bundle/SPEC.md) of one log are of one checkpoint, and together show
//     all that the log has about the components. A log has no bundles if no
//     component could be looked up, or for the reason error; contradicts says that
//     it contradicted what it had shown before, or itself. These two are the word
//     of whoever made the file. They are bad news, and no proof.
//   - components are those of the SBOM, nested ones included, in its order: what
//     check/MATCHING.md looks at, and the verdict. parent is -1, or the index of an
//     earlier component. digests are those that a log may know.
//
// # Verification
//
// The file parses, sha256 fits, trust and pins are canonical; judged by
// check/MATCHING.md under them, as of time, the bundles give each component the
// verdict, the attestations with their verdicts and rules, and what is undecided,
// in order. Whoever does not trust the trust file in it judges under his own, as
// [Report.Judge] does: the trust file in it says whom its maker trusted.
//
// # What the file reveals
//
// The components of the SBOM with their names, versions, package URLs and digests;
// not their licences, authors, files and dependencies, which are only in the SBOM.
// And the reader's trust file, with the URLs and pins in it. Who holds the file
// needs to ask nobody: verifying it reveals nothing.
//
// # Invariants
//
//   - What Open returns was judged anew from the bundles, and is what the file
//     says.
//   - Make returns nothing that Open refuses.
package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/personality/trust"
	"github.com/standing-log/standing/personality/verify"
)

// MediaType is the media type of a report.
const MediaType = "application/vnd.standing.report.v1+json"

// MaxSize is the greatest length of a report.
const MaxSize = 256 << 20

// Errors of Open.
var (
	// ErrMalformed means that a file is no report, or was damaged.
	ErrMalformed = errors.New("malformed report")
	// ErrDiffers means that a report says what its proofs do not show.
	ErrDiffers = errors.New("the report does not say what its proofs show")
)

// Report is a report that holds.
type Report struct {
	Time     time.Time
	MaxAge   time.Duration
	Policy   *trust.Policy // trust file and pins in it
	Document *sbom.Document
	Evidence []check.Evidence
	// Result is what the proofs show, as of Time under Policy.
	Result *check.Result
}

// Make returns the report about a result, which was judged of the evidence under
// the policy, with what can be found again from it.
func Make(doc *sbom.Document, evidence []check.Evidence, policy *trust.Policy, maxAge time.Duration, result *check.Result) ([]byte, error) {
	f := file{
		MediaType: MediaType, SHA256: string(zeros), Time: uint64(max(result.Now.Unix(), 0)),
		MaxAge: uint64(cmp.Or(maxAge, verify.DefaultMaxAge) / time.Second),
		SBOM:   sbomPart{Format: doc.Format, SHA256: doc.Digest, Product: doc.Product},
		Trust:  policy.String(), Pins: policy.Pins(),
	}
	for _, e := range evidence {
		f.Logs = append(f.Logs, newLog(e))
	}
	for i, c := range doc.Components {
		f.Components = append(f.Components, newComponent(c, &result.Components[i]))
	}
	data, err := f.marshal()
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the report would have %d bytes, at most %d", len(data), MaxSize)
	}
	if _, err := Open(data); err != nil {
		return nil, fmt.Errorf("reading what was written: %w", err)
	}
	return data, nil
}

// Open reads a report and judges it anew. It fails with ErrMalformed or
// ErrDiffers.
func Open(data []byte) (*Report, error) {
	f, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r := &Report{
		Time: time.Unix(int64(f.Time), 0).UTC(), MaxAge: time.Duration(f.MaxAge) * time.Second,
		Document: f.document(), Evidence: f.evidence(),
	}
	if r.Policy, err = f.policy(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r.Result = r.Judge(r.Policy, r.Time)
	for i := range f.Components {
		if err := f.Components[i].follows(&r.Result.Components[i]); err != nil {
			return nil, fmt.Errorf("%w: component %d, %s: %w", ErrDiffers, i, r.Result.Components[i].Label(), err)
		}
	}
	return r, nil
}

// Judge returns what the proofs show as of a time, under a trust file.
func (r *Report) Judge(policy *trust.Policy, at time.Time) *check.Result {
	return check.Judge(r.Document, r.Evidence, verify.Options{Policy: policy, Now: at, At: at, MaxAge: r.MaxAge})
}

// IsAbout returns nil if the report is about this SBOM, and has its components.
func (r *Report) IsAbout(doc *sbom.Document) error {
	if doc.Digest != r.Document.Digest {
		return fmt.Errorf("it is about the SBOM sha256:%x, not sha256:%x", r.Document.Digest, doc.Digest)
	}
	if doc.Format != r.Document.Format || doc.Product != r.Document.Product || len(doc.Components) != len(r.Document.Components) {
		return fmt.Errorf("%w: it says %s of %q with %d components, and the SBOM %s of %q with %d", ErrDiffers, r.Document.Format, r.Document.Product,
			len(r.Document.Components), doc.Format, doc.Product, len(doc.Components))
	}
	for i := range doc.Components {
		mine, sbom := newComponent(r.Document.Components[i], nil), newComponent(doc.Components[i], nil)
		if !mine.same(sbom) {
			return fmt.Errorf("%w: component %d of the SBOM, %s, is another", ErrDiffers, i, r.Result.Components[i].Label())
		}
	}
	return nil
}

// policy reads the trust file and the pins.
func (f *file) policy() (*trust.Policy, error) {
	p, err := trust.Parse([]byte(f.Trust))
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	if p, err = p.Pin([]byte(f.Pins)); err != nil {
		return nil, fmt.Errorf("pins: %w", err)
	}
	// What nobody reads may not stand there.
	if p.String() != f.Trust || p.Pins() != f.Pins {
		return nil, errors.New("trust file or pins are not canonical")
	}
	return p, nil
}

// follows says what a component is said to be and is not.
func (c *component) follows(from *check.Component) error {
	want := newComponent(sbom.Component{}, from)
	if c.Verdict != want.Verdict {
		return fmt.Errorf("it says %.40q, and they show %s", c.Verdict, want.Verdict)
	}
	if !slices.Equal(c.Attestations, want.Attestations) || !slices.Equal(c.Undecided, want.Undecided) {
		return fmt.Errorf("it says %d attestations and %d undecided, and they show %d and %d, or others", len(c.Attestations), len(c.Undecided),
			len(want.Attestations), len(want.Undecided))
	}
	return nil
}

// zeros stand in place of the digest while it is made.
var zeros = bytes.Repeat([]byte("0"), 64)
