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
		if err == nil {
			err = s.idle(ctx, signed)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNoQuorum):
			s.cfg.Log.Warn("checkpoint not published", "size", s.signedLen.Load(), "err", err)
			s.cfg.Metrics.noQuorum.Inc()
			s.pause(ctx, s.cfg.Retry)
		default: // ErrRestored, or the store is in doubt
			s.Halt(err)
			return
		}
	}
}

// errNoQuorum means that asking again later may help.
var errNoQuorum = errors.New("no quorum of cosigners")

// agree lets Run take turns.
func (s *Sequencer) agree() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.agreed:
	default:
		close(s.agreed)
	}
}

// doubt lets Run take no further turn until a quorum has agreed.
func (s *Sequencer) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.agreed:
		if s.halted.Load() == nil {
			s.agreed = make(chan struct{})
		}
	default:
	}
}

// agreement returns a channel that is closed while Run may take turns.
func (s *Sequencer) agreement() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agreed
}

// pause waits for d, or until ctx ends.
func (s *Sequencer) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// idle waits until what is published is to be cosigned anew, or a signed
// checkpoint is new. Meanwhile cosignatures that come late join the others.
func (s *Sequencer) idle(ctx context.Context, signed []byte) error {
	t := time.NewTimer(s.cfg.Refresh)
	defer t.Stop()
	for {
		select {
		case <-s.wake: // late lines would only hold up what is new
			return nil
		default:
		}
		select {
		case <-t.C:
			return nil
		case <-s.wake:
			return nil
		case <-ctx.Done():
			return nil
		case cosigned := <-s.cfg.Late:
			if err := s.put(ctx, signed, cosigned); err != nil {
				return err
			}
		}
	}
}

// publishOne cosigns and publishes one checkpoint.
func (s *Sequencer) publishOne(ctx context.Context, signed []byte) error {
	size, err := sizeOf(signed)
	if err != nil {
		return err
	}
	cosigned, err := s.cfg.Cosign(ctx, signed, size)
	if errors.Is(err, ErrRestored) {
		return err
	}
	if errors.Is(err, ErrDoubt) {
		s.doubt()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNoQuorum, err)
	}
	return s.put(ctx, signed, cosigned)
}

// put publishes what the cosigners have made of a signed checkpoint. One of the size that is published already
// replaces it: it has newer cosignatures, or more of them.
func (s *Sequencer) put(ctx context.Context, signed, cosigned []byte) error {
	cp, err := s.cfg.Policy.Open(cosigned, s.cfg.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", errNoQuorum, err)
	}
	// What comes back must be what was signed: only reserved roots are published.
	if noteText(cosigned) != noteText(signed) {
		return fmt.Errorf("the checkpoint of size %d came back from the cosigners as another", cp.Size)
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
	if cp.Size < oldSize {
		return fmt.Errorf("size %d is smaller than the published size %d", cp.Size, oldSize)
	}
	// Crash before this: the cosignatures are lost and asked for again.
	if err := s.cfg.Backend.Swap(context.WithoutCancel(ctx), publishedKey, old, cosigned); err != nil {
		return fmt.Errorf("publishing size %d: %w", cp.Size, err)
	}
	s.cfg.Metrics.publish(cp, s.cfg.Now())
	s.published.Store(cp.Size)
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
