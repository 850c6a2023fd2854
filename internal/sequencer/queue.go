package sequencer

import (
	"slices"
	"time"

	"github.com/standing-log/standing/personality/entry"
)

// Result says where an accepted entry stands.
type Result struct {
	Index     uint64
	Sealed    uint64 // size of the first sealed tree that holds it
	Duplicate bool   // it had been accepted before
}

// item is an entry that waits for its turn.
type item struct {
	*entry.Entry
	submitted time.Time
	done      chan struct{} // closed when result or err is set
	res       Result
	err       error
}

func (i *item) answer(res Result, err error) {
	i.res, i.err = res, err
	close(i.done)
}

// Withdraws reports whether the entry can only worsen a verdict. Such entries
// have a queue of their own: a flood of submissions cannot delay them.
func Withdraws(e *entry.Entry) bool {
	switch e.Kind {
	case entry.KindRevocation:
		return true
	case entry.KindKey:
		return e.Key.Action != entry.ActionAdd
	case entry.KindParty:
		return e.Party.Action == entry.ActionEnd
	}
	return false
}

// take moves up to n items out of a queue without waiting.
func take(queue chan *item, n int, batch []*item) []*item {
	for range n {
		select {
		case i := <-queue:
			batch = append(batch, i)
		default:
			return batch
		}
	}
	return batch
}

// order puts withdrawals first, except behind a target that is in the same
// batch: an attestation, a party, a key, or the programme as whose operator
// they are signed. Within each part the order of arrival stays.
func order(batch []*item) []*item {
	founded := map[Hash]bool{}
	for _, i := range batch {
		if Withdraws(i.Entry) {
			continue
		}
		founded[i.ID] = true
		for _, k := range i.NewKeys() {
			founded[k.ID()] = true
		}
	}
	behind := func(i *item) bool {
		r := i.Revocation
		return slices.ContainsFunc(i.Subjects, func(s entry.Subject) bool { return founded[s.ID] }) ||
			r != nil && r.Programme != nil && founded[*r.Programme]
	}
	var first, middle, last []*item
	for _, i := range batch {
		switch {
		case !Withdraws(i.Entry):
			middle = append(middle, i)
		case behind(i):
			last = append(last, i)
		default:
			first = append(first, i)
		}
	}
	return append(append(first, middle...), last...)
}
