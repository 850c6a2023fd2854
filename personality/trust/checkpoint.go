package trust

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// MaxCheckpoint is the largest signed checkpoint read, in bytes. The note
// format's own limit of 100 signature lines applies besides.
const MaxCheckpoint = 1 << 20

// maxTree bounds tree sizes. SPEC: decimals are < 2^53.
const maxTree = 1 << 53

// Errors of Open. All mean that nothing in the checkpoint may be believed.
// [ErrQuorum] is the one that more cosignatures can cure.
var (
	// ErrMalformed means that the bytes are not a checkpoint of a log of ours.
	ErrMalformed = errors.New("malformed checkpoint")
	// ErrUnknownLog means that the trust file does not list the origin.
	ErrUnknownLog = errors.New("log not listed in the trust file")
	// ErrNoLogSignature means that no listed key of the origin signed.
	ErrNoLogSignature = errors.New("checkpoint not signed by a listed key of its log")
	// ErrBadSignature means that a line by a listed key does not verify.
	ErrBadSignature = errors.New("signature does not verify")
	// ErrClosed means that a pin says up to where the log is good, and that
	// this is not of it.
	ErrClosed = errors.New("log closed by a pin")
)

// Body is the text of a checkpoint, which its signatures cover.
type Body struct {
	Origin string   // key name of the log
	Size   uint64   // number of leaves, < 2^53
	Root   [32]byte // RFC 6962 root hash at Size
}

// String returns the three lines of the body, each ended by a newline.
func (b Body) String() string {
	return fmt.Sprintf("%s\n%d\n%s\n", b.Origin, b.Size, base64.StdEncoding.EncodeToString(b.Root[:]))
}

// ParseBody parses the text of a checkpoint: exactly the bytes that
// [Body.String] gives back. The error is [ErrMalformed].
func ParseBody(text string) (Body, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return Body{}, fmt.Errorf("%w: fewer than three lines", ErrMalformed)
	}
	// SPEC: C2SP tlog-checkpoint allows extension lines and advises against
	// them; ML-DSA-44 cosignatures do not even sign them. Our logs have none,
	// so that every line of a checkpoint is one that cosigners vouch for.
	if len(lines) > 4 {
		return Body{}, fmt.Errorf("%w: extension lines are not accepted", ErrMalformed)
	}
	// SPEC: "The origin MUST be non-empty".
	if lines[0] == "" {
		return Body{}, fmt.Errorf("%w: empty origin", ErrMalformed)
	}
	// SPEC: "the ASCII decimal representation of the number of leaves in the
	// tree, with no leading zeroes".
	size, err := decimal(lines[1], maxTree)
	if err != nil {
		return Body{}, fmt.Errorf("%w: tree size %w", ErrMalformed, err)
	}
	// SPEC: "the base64 encoding of the root of the [RFC 6962] Merkle hash tree".
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != 32 || len(lines[2]) != base64.StdEncoding.EncodedLen(32) {
		return Body{}, fmt.Errorf("%w: root is not canonical base64 of 32 bytes", ErrMalformed)
	}
	return Body{Origin: lines[0], Size: size, Root: [32]byte(root)}, nil
}

// Checkpoint is a checkpoint that a log of the trust file signed.
type Checkpoint struct {
	Body

	// Witnessed says that the cosignatures satisfy the quorum of the trust
	// file. It is false under "quorum none".
	Witnessed bool
	// Time is quorum time, in whole seconds UTC; zero unless Witnessed.
	Time time.Time

	// Cosignatures are all that verify, in the order of the checkpoint, those
	// that do not count included. A cosigner can have several.
	Cosignatures []Cosignature
	// LogLines are the log's own signature lines that verify, without newline.
	LogLines []string
	// OtherLines are signature lines by keys that the trust file does not
	// list for this origin, without newline. Never believe one.
	OtherLines []string
}

// Open parses a signed checkpoint, verifies every signature by a key that the
// trust file lists, and evaluates the quorum and the pins. The errors are those
// above and [ErrQuorum].
func (p *Policy) Open(checkpoint []byte, now time.Time) (*Checkpoint, error) {
	c, past, err := p.open(checkpoint)
	if err != nil {
		return nil, err
	}
	t, err := p.QuorumTime(p.independent(c), now)
	if err != nil {
		return nil, err
	}
	// SPEC: "With quorum none there is no T".
	c.Witnessed, c.Time = !p.QuorumNone(), t
	for _, l := range past {
		// SPEC: a checkpoint signed by a past key of the log alone counts iff
		// quorum time is at most the key's last timestamp.
		if c.Witnessed && t.Unix() <= l.last {
			c.LogLines = append(c.LogLines, l.line)
		} else {
			c.OtherLines = append(c.OtherLines, l.line)
		}
	}
	if len(c.LogLines) == 0 {
		return nil, fmt.Errorf("%w: %s, but by a past one, later than its last timestamp or without witnesses", ErrNoLogSignature, quote(c.Origin))
	}
	return c, p.checkClosed(c)
}

// OpenLogSigned is Open without the quorum and the pins: the result is never
// Witnessed. It is for those who gather or compare cosignatures, not for those
// who rely on the tree.
func (p *Policy) OpenLogSigned(checkpoint []byte) (*Checkpoint, error) {
	c, _, err := p.open(checkpoint)
	if err == nil && len(c.LogLines) == 0 {
		return nil, fmt.Errorf("%w: %s, but by a past one", ErrNoLogSignature, quote(c.Origin))
	}
	return c, err
}

// pastLine is a signature line of a past key of the log.
type pastLine struct {
	line string
	last int64
}

// open verifies the signatures: at least one is the log's, or past has one.
func (p *Policy) open(checkpoint []byte) (c *Checkpoint, past []pastLine, err error) {
	if len(checkpoint) > MaxCheckpoint {
		return nil, nil, fmt.Errorf("%w: larger than %d bytes", ErrMalformed, MaxCheckpoint)
	}
	text, sigs, err := splitNote(checkpoint)
	if err != nil {
		return nil, nil, err
	}
	body, err := ParseBody(text)
	if err != nil {
		return nil, nil, err
	}
	log, ok := p.Log(body.Origin)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %s", ErrUnknownLog, quote(body.Origin))
	}
	c = &Checkpoint{Body: body}
	for _, sig := range sigs {
		l, err := p.addSignature(c, log, text, sig)
		if err != nil {
			return nil, nil, err
		}
		if l != nil {
			past = append(past, *l)
		}
	}
	// SPEC: "a checkpoint is considered valid if it is signed by any one of the
	// listed logs" (tlog-policy), and a log is its origin's keys.
	if len(c.LogLines)+len(past) == 0 {
		return nil, nil, fmt.Errorf("%w: %s", ErrNoLogSignature, quote(body.Origin))
	}
	return c, past, nil
}

// splitNote splits a signed note. note.Open, told of no keys, checks the syntax
// and returns each distinct line. Told of ours, it would drop all but the first
// line of a key, and with them the newest time.
func splitNote(msg []byte) (text string, sigs []note.Signature, err error) {
	_, err = note.Open(msg, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return "", nil, fmt.Errorf("%w: not a signed note", ErrMalformed)
	}
	return unverified.Note.Text, unverified.Note.UnverifiedSigs, nil
}

func formatLine(sig note.Signature) string { return "— " + sig.Name + " " + sig.Base64 }

// addSignature verifies a signature line and adds it to c, or returns it if it
// is one of a past key of the log.
func (p *Policy) addSignature(c *Checkpoint, log Log, text string, sig note.Signature) (*pastLine, error) {
	line, ref := formatLine(sig), keyRef{sig.Name, sig.Hash}
	for _, k := range log.Keys {
		if k.ref() == ref {
			c.LogLines = append(c.LogLines, line)
			_, err := k.verify(text, sig)
			return nil, err
		}
	}
	if past := p.pins.pastKey(ref); past != nil && (!past.log || past.name == log.Origin) {
		return p.addPast(c, past, text, sig)
	}
	// SPEC: "Verifiers MUST ignore signatures from unknown keys, even if they
	// share a name or ID (but not both) with a known key" (signed-note). Keys of
	// other logs are unknown here.
	i, ok := p.byKey[ref]
	if !ok {
		c.OtherLines = append(c.OtherLines, line)
		return nil, nil
	}
	t, err := p.cosigners[i].Key.verify(text, sig)
	c.Cosignatures = append(c.Cosignatures, Cosignature{Name: p.cosigners[i].Name, Unix: t, Line: line})
	return nil, err
}

// addPast is addSignature for a past key.
func (p *Policy) addPast(c *Checkpoint, past *pastKey, text string, sig note.Signature) (*pastLine, error) {
	t, err := past.key.verify(text, sig)
	line := formatLine(sig)
	switch {
	case err != nil:
		return nil, err
	case past.log:
		return &pastLine{line, past.last}, nil
	// SPEC: of a past key of a witness, cosignatures count up to the last
	// timestamp; those behind it are a stranger's.
	case t > past.last:
		c.OtherLines = append(c.OtherLines, line)
	default:
		c.Cosignatures = append(c.Cosignatures, Cosignature{Name: past.name, Unix: t, Line: line})
	}
	return nil, nil
}

// verify checks a signature line that names k, and returns its timestamp: 0
// for a kind of signature without one.
func (k Key) verify(text string, sig note.Signature) (unix int64, err error) {
	// SPEC: "If a signature from a known key fails to verify, clients SHOULD
	// reject the whole note" (signed-note).
	bad := fmt.Errorf("%w: by %s", ErrBadSignature, quote(k.Name))
	raw, err := base64.StdEncoding.DecodeString(sig.Base64)
	if err != nil || len(raw) < keyIDBytes {
		return 0, bad
	}
	raw = raw[keyIDBytes:]
	if k.timestamped {
		if len(raw) < timestampBytes {
			return 0, bad
		}
		// SPEC: the timestamp "MUST NOT exceed 2^63 - 1" (tlog-cosignature).
		t := binary.BigEndian.Uint64(raw)
		if t > math.MaxInt64 {
			return 0, bad
		}
		unix = int64(t)
	}
	if !k.Verifier.Verify([]byte(text), raw) {
		return 0, bad
	}
	return unix, nil
}

// ParseCosignature verifies one signature line, without newline, over the body
// by this cosigner. An error means that the line is another key's or does not
// verify.
func (c Cosigner) ParseCosignature(b Body, line string) (Cosignature, error) {
	_, sigs, err := splitNote([]byte(b.String() + "\n" + line + "\n"))
	if err != nil || len(sigs) != 1 || line != formatLine(sigs[0]) {
		return Cosignature{}, fmt.Errorf("%w: signature line", ErrMalformed)
	}
	if (keyRef{sigs[0].Name, sigs[0].Hash}) != c.Key.ref() {
		return Cosignature{}, fmt.Errorf("%w: by another key", ErrBadSignature)
	}
	t, err := c.Key.verify(b.String(), sigs[0])
	if err != nil {
		return Cosignature{}, err
	}
	return Cosignature{Name: c.Name, Unix: t, Line: line}, nil
}
