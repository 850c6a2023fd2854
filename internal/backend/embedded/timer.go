package embedded

import (
	"time"

	trillianclock "github.com/google/trillian/util/clock"
)

var _ trillianclock.TimeSource = (*clock)(nil)

// NewTimer completes Trillian's time source; nothing that we use asks for it.
func (c *clock) NewTimer(d time.Duration) trillianclock.Timer {
	return trillianclock.System.NewTimer(d)
}
