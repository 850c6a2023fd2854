package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
)

// ConflictError says that the request's old size is not that of the latest
// cosigned checkpoint. It answers 409 with Size.
type ConflictError struct{ Size uint64 }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the latest cosigned checkpoint has size %d", e.Size)
}

// Log is a log that the witness cosigns.
type Log struct {
	Origin string
	Vkeys  []string // at least one, type 0x01 or 0x06; any of them may sign
}

// Config configures a Witness.
type Config struct {
	// Signers are the witness's keys, at least one, none of them a log's. Each
	// adds a line to every answer.
	Signers []Signer
	Logs    []Log
	Store   Store
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: none
}

// Witness cosigns checkpoints. It is safe for concurrent use; to change its
// logs, make another one on the same Store.
type Witness struct {
	signers []Signer
	logs    map[string]note.Verifiers // by origin
	byHash  map[string]string         // origin by its hex SHA-256
	store   Store
	now     func() time.Time
	logger  *slog.Logger
	mux     *http.ServeMux
}

// New returns a Witness.
func New(cfg Config) (*Witness, error) {
	w := &Witness{
		signers: cfg.Signers,
		logs:    make(map[string]note.Verifiers),
		byHash:  make(map[string]string),
		store:   cfg.Store,
		now:     cfg.Now,
		logger:  cfg.Logger,
	}
	w.mux = w.routes()
	if w.now == nil {
		w.now = time.Now
	}
	if w.logger == nil {
		w.logger = slog.New(slog.DiscardHandler)
	}
	if w.store == nil || len(w.signers) == 0 {
		return nil, errors.New("configuring witness: no store or no signer")
	}
	if err := w.checkSigners(); err != nil {
		return nil, err
	}
	for _, l := range cfg.Logs {
		if err := w.addLog(l); err != nil {
			return nil, fmt.Errorf("configuring log %q: %w", l.Origin, err)
		}
	}
	return w, nil
}

func (w *Witness) checkSigners() error {
	for i, s := range w.signers {
		for _, o := range w.signers[:i] {
			if s.Key().Same(o.Key()) {
				return fmt.Errorf("configuring witness: key %s given twice", s.Key().Name)
			}
		}
	}
	return nil
}

func (w *Witness) addLog(l Log) error {
	if l.Origin == "" || strings.Contains(l.Origin, "\n") {
		return errors.New("malformed origin")
	}
	if _, ok := w.logs[l.Origin]; ok {
		return errors.New("listed twice")
	}
	if len(l.Vkeys) == 0 {
		return errors.New("no key")
	}
	var keys []note.Verifier
	for _, v := range l.Vkeys {
		k, err := trust.ParseLogKey(v)
		if err != nil {
			return err
		}
		for _, s := range w.signers {
			// Else this log could make cosignatures of ours.
			if s.Key().Same(k) {
				return errors.New("log and witness share a key")
			}
		}
		keys = append(keys, k.Verifier)
	}
	w.logs[l.Origin] = note.VerifierList(keys...)
	h := sha256.Sum256([]byte(l.Origin))
	w.byHash[fmt.Sprintf("%x", h)] = l.Origin
	return nil
}

// Vkeys returns the verifier keys of the witness, in the order of its signers.
func (w *Witness) Vkeys() []string {
	vkeys := make([]string, len(w.signers))
	for i, s := range w.signers {
		vkeys[i] = s.Key().Vkey
	}
	return vkeys
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
