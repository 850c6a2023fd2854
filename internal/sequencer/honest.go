//go:build !standing_lie

package sequencer

import (
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
)

// effect is what the log makes of an entry: what the map function says.
func effect(_ *entry.Entry, w *mapfn.Writes) mapfn.Writes { return *w }
