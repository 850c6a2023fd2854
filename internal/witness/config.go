package witness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/standing-log/standing/personality/trust"
)

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
	// Hold, unless nil, makes the witness an auditor: it is called with each
	// checkpoint that the log has signed, before it is compared with the record,
	// and only what it returns nil for is cosigned. The note has the log's lines
	// that verify, and no others. Its error SHOULD be an ErrNotHeld or an
	// ErrRefused; any other is our own failure, whose cause the client is not
	// told. It is called by several goroutines, and MUST return when ctx ends.
	Hold   func(ctx context.Context, origin string, note []byte) error
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: none
}

// Witness cosigns checkpoints. It is safe for concurrent use; to change its
// logs, make another one on the same Store.
type Witness struct {
	signers []Signer
	logs    map[string]note.Verifiers // by origin
	byHash  map[string]string         // origin by its hex SHA-256
	store   Store
	hold    func(ctx context.Context, origin string, note []byte) error
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
		hold:    cfg.Hold,
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
