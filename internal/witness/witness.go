package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/personality/trust"
)

// MaxClockStep is how far the clock may have stepped back since the last
// cosignature of a log. It is what readers tolerate the other way.
const MaxClockStep = trust.MaxSkew

// maxTime bounds the clock. SPEC: times are 0 <= t < 2^40.
const maxTime = 1 << 40

// Errors of AddCheckpoint, with the HTTP status they answer. Any other error is
// the witness's own failure (500), and nothing was signed.
var (
	ErrBadRequest   = errors.New("malformed request")                           // 400
	ErrForbidden    = errors.New("not signed by a trusted key of the log")      // 403
	ErrUnknownLog   = errors.New("unknown log")                                 // 404
	ErrRootMismatch = errors.New("another root was cosigned at this size")      // 409
	ErrInconsistent = errors.New("consistency proof does not verify")           // 422
	ErrClock        = errors.New("clock disagrees with the last cosignature's") // 503
	// Of Config.Hold.
	ErrNotHeld = errors.New("not cosigned yet")                  // 503
	ErrRefused = errors.New("this log is not cosigned any more") // 403
)

// ConflictError says that the request's old size is not that of the latest
// cosigned checkpoint. It answers 409 with Size.
type ConflictError struct{ Size uint64 }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the latest cosigned checkpoint has size %d", e.Size)
}

// Latest returns the latest cosigned checkpoint of a log, with the log's
// signature and ours, or nil if there is none. [ErrUnknownLog] if the witness
// does not know the log.
func (w *Witness) Latest(ctx context.Context, origin string) ([]byte, error) {
	if _, ok := w.logs[origin]; !ok {
		return nil, ErrUnknownLog
	}
	stored, err := w.store.Latest(ctx, origin)
	if err != nil || stored == nil {
		return nil, err
	}
	rec, err := parseRecord(origin, stored)
	if err != nil {
		return nil, err
	}
	return rec.note, nil
}

// AddCheckpoint answers the body of an add-checkpoint request with cosignature
// lines, each ended by a newline.
func (w *Witness) AddCheckpoint(ctx context.Context, body []byte) ([]byte, error) {
	req, err := parseRequest(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	cp, signed, err := w.open(req)
	if err != nil {
		return nil, err
	}
	// SPEC: "The old size MUST be equal to or lower than the checkpoint size.
	// Otherwise, the witness MUST respond with a 400".
	if req.old > uint64(cp.N) {
		return nil, fmt.Errorf("%w: old size is larger than the checkpoint", ErrBadRequest)
	}
	if w.hold != nil {
		// If we crash after this, the leaves are held and nothing is cosigned:
		// the log asks again.
		if err := w.hold(ctx, cp.Origin, signed); err != nil {
			return nil, err
		}
	}
	var lines []byte
	// SPEC: "The witness MUST persist the new checkpoint before responding. [...]
	// checking the old size against the latest checkpoint and persisting the new
	// checkpoint must be performed atomically".
	err = w.store.Update(ctx, cp.Origin, func(stored []byte) (next []byte, err error) {
		lines = nil
		last, err := parseRecord(cp.Origin, stored)
		if err != nil {
			return nil, err
		}
		if err := w.check(ctx, req, cp, last); err != nil {
			return nil, err
		}
		unix, err := w.timestamp(last)
		if err != nil {
			return nil, err
		}
		if lines, err = w.cosign(cp, unix); err != nil {
			return nil, err
		}
		return formatRecord(unix, slices.Concat(signed, lines)), nil
	})
	if err != nil {
		// The signatures made above, if any, die with this frame.
		return nil, err
	}
	w.logger.DebugContext(ctx, "cosigned", "origin", cp.Origin, "old", req.old, "size", cp.N)
	return lines, nil
}

// open verifies the log's signature. signed is the checkpoint with those of its
// signature lines that a trusted key made.
func (w *Witness) open(req *request) (cp torchwood.Checkpoint, signed []byte, err error) {
	// SPEC: "If the checkpoint origin is unknown, the witness MUST respond with a
	// 404".
	known, ok := w.logs[req.origin()]
	if !ok {
		return cp, nil, fmt.Errorf("%w: %.255q", ErrUnknownLog, req.origin())
	}
	// SPEC: "it MUST ignore signatures from unknown keys. [...] If none of the
	// signatures verify against a trusted public key, the witness MUST respond
	// with a 403".
	n, err := note.Open(req.note, known)
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	if errors.As(err, &unverified) || errors.As(err, &invalid) {
		return cp, nil, ErrForbidden
	}
	if err != nil {
		return cp, nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	cp, err = torchwood.ParseCheckpoint(n.Text)
	if err != nil || cp.String() != n.Text {
		return cp, nil, fmt.Errorf("%w: not a checkpoint", ErrBadRequest)
	}
	signed, err = note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs})
	return cp, signed, err
}

// check compares the checkpoint with the record.
func (w *Witness) check(ctx context.Context, req *request, cp torchwood.Checkpoint, last *record) error {
	// SPEC: "The witness MUST check that the old size matches the size of the
	// latest checkpoint it cosigned for the checkpoint's origin (or zero if it
	// never cosigned a checkpoint for that origin). If it doesn't match, the
	// witness MUST respond with a 409".
	if req.old != last.size {
		return &ConflictError{Size: last.size}
	}
	// SPEC: "If the old size matches the checkpoint size, the witness MUST check
	// that the root hashes are also identical. If they don't match, the witness
	// MUST respond with a 409". At size 0 there is one root only.
	if req.old == uint64(cp.N) && last.root != [32]byte(cp.Hash) {
		// Two signed roots at one size: this is evidence, keep it.
		w.logger.ErrorContext(ctx, "log signed another root at the same size",
			"origin", cp.Origin, "size", cp.N, "checkpoint", string(req.note), "cosigned", string(last.note))
		return ErrRootMismatch
	}
	// SPEC: "The proof MUST be empty if the old size is zero. If the Merkle
	// Consistency Proof doesn't verify, the witness MUST respond with a 422".
	path := make([][]byte, len(req.proof))
	for i := range req.proof {
		path[i] = req.proof[i][:]
	}
	err := proof.VerifyConsistency(rfc6962.DefaultHasher, req.old, uint64(cp.N), path, last.root[:], cp.Hash[:])
	if err != nil {
		// SPEC: "the witness MAY log the request even if the consistency proof
		// doesn't verify (but MUST NOT cosign the checkpoint)". Anybody can send a
		// genuine checkpoint with a false proof, so it is a hint, not evidence.
		w.logger.WarnContext(ctx, "consistency proof does not verify",
			"origin", cp.Origin, "old", req.old, "size", cp.N, "root", cp.Hash.String())
		return ErrInconsistent
	}
	return nil
}

// timestamp returns the time to sign with (see the package documentation).
func (w *Witness) timestamp(last *record) (int64, error) {
	now := w.now().Unix()
	if now <= 0 || now >= maxTime {
		return 0, fmt.Errorf("%w: it shows %d", ErrClock, now)
	}
	if last.unix-now > int64(MaxClockStep/time.Second) {
		return 0, fmt.Errorf("%w: it is %d s behind", ErrClock, last.unix-now)
	}
	return max(now, last.unix), nil
}

// cosign makes one signature line per key.
func (w *Witness) cosign(cp torchwood.Checkpoint, unix int64) ([]byte, error) {
	var b bytes.Buffer
	for _, s := range w.signers {
		sig, err := s.Cosign(cp, unix)
		if errors.Is(err, errNotCovered) {
			continue
		}
		k := s.Key()
		if err == nil && !k.Verifier.Verify([]byte(cp.String()), sig) {
			err = errors.New("new signature does not verify")
		}
		if err != nil {
			return nil, fmt.Errorf("cosigning as %s: %w", k.Name, err)
		}
		sig = append(binary.BigEndian.AppendUint32(nil, k.Verifier.KeyHash()), sig...)
		fmt.Fprintf(&b, "— %s %s\n", k.Name, base64.StdEncoding.EncodeToString(sig))
	}
	if b.Len() == 0 {
		return nil, fmt.Errorf("%w: %w", ErrBadRequest, errNotCovered)
	}
	return b.Bytes(), nil
}
