package prover

import (
	"testing"

	"github.com/standing-log/standing/personality/bundle"
)

// TestKeep: issuers are kept up to so many bytes, the last one always, and one that
// two have proven counts once.
func TestKeep(t *testing.T) {
	var u published
	large := &issuer{party: bundle.Party{Entry: bundle.Leaf(make([]byte, maxIssuers/8))}}
	for n := range byte(30) {
		id := Hash{n}
		u.keep(id, large)
		before := u.size
		if u.keep(id, large); u.size != before {
			t.Errorf("issuer %d counts twice", n)
		}
		if u.issuers[id] != large {
			t.Errorf("issuer %d is not kept", n)
		}
		if u.size > maxIssuers || u.size < len(u.issuers)*len(large.party.Entry) {
			t.Errorf("%d issuers count %d bytes, at most %d", len(u.issuers), u.size, maxIssuers)
		}
	}
	if n := len(u.issuers); n < 1 || n > 7 {
		t.Errorf("%d issuers are kept", n)
	}
}
