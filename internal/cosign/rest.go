package cosign

import (
	"fmt"
	"time"
)

const (
	restAfter = 3 // failures in a row
	restFirst = time.Second
	restMost  = time.Minute
)

// rest leaves a failing cosigner alone: after restAfter failures in a row for
// restFirst, then twice as long after each further one, up to restMost.
type rest struct {
	failures int
	until    time.Time
	last     error
}

func (r *rest) check(now time.Time) error {
	if now.Before(r.until) {
		return fmt.Errorf("%w, the last: %w", ErrBackoff, r.last)
	}
	return nil
}

func (r *rest) record(err error, now time.Time) {
	if err == nil {
		*r = rest{}
		return
	}
	r.failures++
	r.last = err
	if n := r.failures - restAfter; n >= 0 {
		d := restMost
		if n < 6 { // 32 s
			d = restFirst << n
		}
		r.until = now.Add(d)
	}
}
