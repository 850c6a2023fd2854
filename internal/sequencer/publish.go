package sequencer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// publish has the newest signed checkpoint cosigned and publishes it, again and
// again. Only the newest is ever sent; entries go on being sealed meanwhile.
func (s *Sequencer) publish(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-s.wake: // what it announced is taken now
		default:
		}
		s.mu.Lock()
		signed := s.signed
		s.mu.Unlock()
		err := s.publishOne(ctx, signed)
		switch {
		case err == nil:
			s.pause(ctx, s.cfg.Refresh, s.wake)
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNoQuorum):
			s.cfg.Log.Warn("checkpoint not published", "size", s.signedLen.Load(), "err", err)
			s.cfg.Metrics.noQuorum.Inc()
			s.pause(ctx, s.cfg.Retry, nil)
		default: // ErrRestored, or the store is in doubt
			s.Halt(err)
			s.agree() // Run goes on, to refuse what is queued
			return
		}
	}
}

// errNoQuorum means that asking again later may help.
var errNoQuorum = errors.New("no quorum of cosigners")

// agree lets Run take turns.
func (s *Sequencer) agree() { s.agreeOnce.Do(func() { close(s.agreed) }) }

// pause waits for d, or until ctx ends or wake says that a signed checkpoint
// is new.
func (s *Sequencer) pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// publishOne cosigns and publishes one checkpoint. A checkpoint of the size
// that is published already replaces it: its cosignatures are newer.
func (s *Sequencer) publishOne(ctx context.Context, signed []byte) error {
	size, err := sizeOf(signed)
	if err != nil {
		return err
	}
	cosigned, err := s.cfg.Cosign(ctx, signed, size)
	if errors.Is(err, ErrRestored) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNoQuorum, err)
	}
	cp, err := s.cfg.Policy.Open(cosigned, s.cfg.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", errNoQuorum, err)
	}
	// What comes back must be what was signed: only reserved roots are published.
	if noteText(cosigned) != noteText(signed) {
		return fmt.Errorf("the checkpoint of size %d came back from the cosigners as another", size)
	}
	s.agree()
	old, err := Published(s.cfg.Backend)
	if err != nil {
		return err
	}
	oldSize, err := sizeOf(old)
	if err != nil {
		return err
	}
	// SPEC (design, "reserve"): publish only what is larger than what is
	// published; the same size is the same root, since only reserved roots
	// are signed.
	if size < oldSize {
		return fmt.Errorf("size %d is smaller than the published size %d", size, oldSize)
	}
	// Crash before this: the cosignatures are lost and asked for again.
	if err := s.cfg.Backend.Swap(context.WithoutCancel(ctx), publishedKey, old, cosigned); err != nil {
		return fmt.Errorf("publishing size %d: %w", size, err)
	}
	s.cfg.Metrics.publish(cp, s.cfg.Now())
	s.published.Store(size)
	s.announce()
	return nil
}

// announce wakes whoever waits for a publication.
func (s *Sequencer) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}
