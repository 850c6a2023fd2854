package admission

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// TestTogether admits many envelopes at once, each fifth with a signature that
// is another's: every call gets its own answer, alone or in a batch.
func TestTogether(t *testing.T) {
	const origin, now = "log.example/pool", 1795000000
	k := testlog.NewKey("pool", false)
	a := New(oneKey{k}, func() time.Time { return time.Unix(now, 0) })
	envelopes := make([][]byte, 300)
	for i := range envelopes {
		e := testlog.Attest(k, testlog.Claims(origin, now-10, 1), testlog.Component(fmt.Sprintf("pkg:npm/a@1.0.%d", i)))
		if envelopes[i] = e.Leaf; i%5 == 0 {
			spoilt := []byte(string(e.Leaf))
			copy(spoilt[len(spoilt)-40:], "AAAA")
			envelopes[i] = spoilt
		}
	}
	check := func(i int, e *entry.Entry, err error) {
		switch want := i%5 != 0; {
		case want && (err != nil || !e.Verified() || string(e.Leaf) != string(envelopes[i])):
			t.Errorf("envelope %d: %v", i, err)
		case !want && reason.CodeOf(err) != reason.SignatureInvalid:
			t.Errorf("envelope %d: %v, want %s", i, err, reason.SignatureInvalid)
		}
	}
	var calls sync.WaitGroup
	for i := range envelopes {
		calls.Go(func() {
			e, err := a.Admit(envelopes[i])
			check(i, e, err)
		})
	}
	calls.Wait()
	entries, errs := a.AdmitAll(envelopes)
	for i := range envelopes {
		check(i, entries[i], errs[i])
	}
}
