package provider

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// ErrFailed means that the store met an error after which nothing it says can
// be relied upon. It does not pass: end the process and open the store again.
var ErrFailed = errors.New("store failed: restart to open it again")

// health remembers the first fatal error of a store and lets nobody wait for
// Pebble beyond it. It is also the logger that Pebble reports to.
type health struct {
	log    *slog.Logger
	failed chan struct{} // closed by the first failure

	mu    sync.Mutex
	cause error
}

func newHealth(log *slog.Logger) *health {
	return &health{log: log, failed: make(chan struct{})}
}

// err returns nil while the store is well.
func (h *health) err() error {
	select {
	case <-h.failed:
		h.mu.Lock()
		defer h.mu.Unlock()
		return fmt.Errorf("%w: %w", ErrFailed, h.cause)
	default:
		return nil
	}
}

// fail marks the store failed; the first cause stays. It returns err().
func (h *health) fail(cause error) error {
	h.mu.Lock()
	if h.cause == nil && !errors.Is(cause, ErrFailed) {
		h.cause = cause
		h.log.Error("store failed", "err", cause)
		close(h.failed)
	}
	h.mu.Unlock()
	return h.err()
}

// guard calls f and waits for it, but not beyond a failure: then f's goroutine
// may be parked, or stalled behind one that is. A panic in f is a failure,
// because it may have left Pebble's locks held.
func (h *health) guard(f func() error) error {
	if err := h.err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				_ = h.fail(panicked(r))
			}
		}()
		done <- f()
	}()
	select {
	case err := <-done:
		// A failure elsewhere while f ran taints its success.
		if failed := h.err(); failed != nil {
			return failed
		}
		return err
	case <-h.failed:
		return h.err()
	}
}

// Infof drops Pebble's chatter: flushes, compactions, rotations.
func (h *health) Infof(string, ...any) {}

// Errorf passes on what Pebble complains about.
func (h *health) Errorf(format string, args ...any) {
	h.log.Warn("store", "msg", fmt.Sprintf(format, args...))
}

// corrupt marks the store failed, and damaged.
func (h *health) corrupt(i pebble.DataCorruptionInfo) {
	_ = h.fail(fmt.Errorf("%w: %s: %w", ErrDamaged, i.Path, i.Details))
}

// check passes nil; from another error it does not return.
func (h *health) check(err error) error {
	if err != nil {
		h.stop(err)
	}
	return nil
}

// stop marks the store failed and parks the goroutine. For errors of flushes
// and compactions, too: Pebble would try again at once and for ever, while
// writers stall.
func (h *health) stop(err error) {
	_ = h.fail(err)
	select {}
}

// Fatalf marks the store failed and never returns: Pebble's state is undefined
// behind it. After a failed commit it would report success; after a failed
// manifest write it would delete tables that the manifest may name. The
// goroutine keeps whatever locks it holds, so nothing is written any more.
func (h *health) Fatalf(format string, args ...any) {
	f := failure{text: fmt.Sprintf(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			f.cause = err
		}
	}
	h.stop(f)
}

// failure is a fatal report of Pebble; it unwraps to the error that it names,
// so that a full disk can be told from a broken one.
type failure struct {
	text  string
	cause error
}

func (f failure) Error() string { return f.text }
func (f failure) Unwrap() error { return f.cause }

func panicked(r any) error {
	err, _ := r.(error)
	return failure{text: fmt.Sprintf("panic in the store: %v", r), cause: err}
}
