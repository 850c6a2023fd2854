package watch

import "time"

// SetPause sets the pause before a second attempt.
func (p *Poster) SetPause(d time.Duration) { p.pause = d }
