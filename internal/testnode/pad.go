package testnode

import (
	"crypto/sha256"
	"fmt"

	"github.com/standing-log/standing/internal/mapstore"
	"github.com/standing-log/standing/personality/mapfn"
)

// Pad makes the log size leaves long and gives its map keys more records, so
// that proofs are as long as in a log of that size, quickly: the leaves have no
// effect, and the records belong to nobody. A generated log of 20,000 leaves
// has about 54,000 keys.
func (n *Node) Pad(size uint64, keys int) {
	n.tb.Helper()
	n.stop()
	f := n.forcer()
	for f.size+1 < size {
		leaves := make([][]byte, min(size-f.size-1, 1023))
		for i := range leaves {
			leaves[i] = fmt.Appendf(nil, "padding %d", f.size+uint64(i))
		}
		f.more = nil
		if f.size+uint64(len(leaves))+1 >= size { // the last batch
			f.more = func(state *mapstore.Batch) { f.pad(state, keys) }
		}
		f.batch(leaves)
	}
	n.run()
}

// pad adds event lists of digests that nobody has attested anything about.
func (f *forcer) pad(state *mapstore.Batch, keys int) {
	f.tb.Helper()
	for i := range keys {
		digest := sha256.Sum256(fmt.Appendf(nil, "padding %d", i))
		event := mapfn.Event{Index: f.first, Kind: mapfn.EventIssue, ID: digest}
		root := leafHash(event.Append(nil))
		record := fmt.Appendf(nil, `{"v":1,"count":1,"last":%d,"root":"%x"}`, f.first, root)
		f.check(state.Apply(mapfn.Writes{Changes: []mapfn.Change{{
			NS: mapfn.NSDigest, Data: fmt.Appendf(nil, "sha256:%x", digest), Record: record, Event: &event, Peaks: []Hash{root},
		}}}))
	}
}
