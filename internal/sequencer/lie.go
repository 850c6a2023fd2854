//go:build standing_lie

package sequencer

import (
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// effect is what a log makes of an entry that lies: it logs revocations, and
// seals that nothing was revoked. A build with this tag exists to be caught, by
// `make demo-federation`.
func effect(e *entry.Entry, w *mapfn.Writes) mapfn.Writes {
	if e.Kind == entry.KindRevocation {
		return mapfn.Writes{}
	}
	return *w
}
