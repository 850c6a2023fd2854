package admission

import "github.com/standing-log/standing/personality/entry"

// candidate is an envelope on its way through admission.
type candidate struct {
	entry *entry.Entry
	key   entry.PublicKey
	err   error
}

// togetherMax bounds the signatures of concurrent calls that are checked together.
// Beyond it there is little to gain.
const togetherMax = 64

// verify checks the signatures of candidates that have parsed. Many at once cost
// half as much each.
func verify(candidates []*candidate) {
	entries, keys := make([]*entry.Entry, len(candidates)), make([]entry.PublicKey, len(candidates))
	for i, c := range candidates {
		entries[i], keys[i] = c.entry, c.key
	}
	for i, err := range entry.VerifyAll(entries, keys) {
		candidates[i].err = err
	}
}
