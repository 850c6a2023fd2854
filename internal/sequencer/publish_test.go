package sequencer

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/standing-log/standing/personality/trust"
)

// TestDoubt has a cosigner contradict while the quorum is silent: nothing is
// signed until it has answered, and then all goes on.
func TestDoubt(t *testing.T) {
	var doubtful atomic.Bool
	doubted := make(chan bool, 1)
	s := start(t, func(c *Config) {
		cosign := c.Cosign
		c.Cosign = func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			if !doubtful.Load() {
				return cosign(ctx, cp, size)
			}
			select {
			case doubted <- true:
			default:
			}
			return nil, fmt.Errorf("%w: %w", ErrDoubt, trust.ErrQuorum)
		}
	})
	s.must(s.WaitPublished(t.Context(), s.SignedSize()))
	doubtful.Store(true)
	s.submit(s.attest(1)) // signed before anybody is asked
	size := s.SignedSize()
	<-doubted
	<-doubted // the first answer has been taken
	ctx, cancel := context.WithCancel(t.Context())
	i, err := s.offer(s.attest(2))
	s.must(err)
	<-doubted
	<-doubted
	select {
	case <-i.done:
		t.Error("signed in doubt")
	default:
	}
	if s.SignedSize() != size || s.Err() != nil {
		t.Errorf("signed %d, then %d; %v", size, s.SignedSize(), s.Err())
	}
	doubtful.Store(false)
	res, err := s.await(ctx, i)
	s.must(err)
	s.must(s.WaitPublished(ctx, res.Sealed))
	cancel()
}

// TestLate adds cosignatures to what is published.
func TestLate(t *testing.T) {
	late := make(chan []byte)
	var asked atomic.Int32
	s := start(t, func(c *Config) {
		c.Late = late
		cosign := c.Cosign
		c.Cosign = func(ctx context.Context, cp []byte, size uint64) ([]byte, error) {
			asked.Add(1)
			return cosign(ctx, cp, size)
		}
	})
	s.must(s.WaitPublished(t.Context(), s.SignedSize()))
	before, err := Published(s.b)
	s.must(err)
	n := asked.Load()
	more := append(before, "— other.example AAAAAAAA\n"...)
	late <- more
	late <- more // the first has been published
	got, err := Published(s.b)
	s.must(err)
	if string(got) != string(more) || asked.Load() != n {
		t.Errorf("published\n%s\nwant\n%s", got, more)
	}
}
