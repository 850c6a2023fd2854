package mapstore

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/transparency-dev/merkle/compact"

	"github.com/standing-log/standing/personality/treehash"
)

// list is an RFC 6962 list, of which only the peaks are at hand: the hashes of
// its perfect subtrees, from left to right.
type list struct {
	count uint64
	peaks []Hash
}

// root returns the RFC 6962 root of l.
func (l list) root() (Hash, error) { return treehash.RootOf(l.count, l.peaks) }

// grow returns l with entries appended.
func (l list) grow(entries ...[]byte) (list, error) {
	var few [rowLen]Hash
	leaves := few[:0]
	for _, e := range entries {
		leaves = append(leaves, treehash.Leaf(e))
	}
	peaks, err := treehash.Append(l.count, l.peaks, leaves...)
	return list{l.count + uint64(len(entries)), peaks}, err
}

// growVisited does the same and calls visit with each perfect subtree that becomes
// complete.
func (l list) growVisited(visit compact.VisitFn, entries ...[]byte) (list, error) {
	r, err := treehash.Range(l.count, l.peaks)
	if err != nil {
		return list{}, err
	}
	for _, e := range entries {
		leaf := treehash.Leaf(e)
		if err := r.Append(leaf[:], visit); err != nil {
			return list{}, err
		}
	}
	return list{r.End(), treehash.Peaks(r)}, nil
}

// committed returns the length and the root of the event list in a record.
func committed(record []byte) (count uint64, root Hash, err error) {
	// SPEC: an event list is `{"v":1,"count":n,"last":i,"root":"hex"}`, and a
	// party's record ends in `"count":n,"lastEvent":i,"root":"hex"}`.
	const before, after = `,"root":"`, `"}`
	start := len(record) - len(after) - 2*len(root)
	if start < len(before) || !bytes.HasSuffix(record, []byte(after)) || !bytes.HasSuffix(record[:start], []byte(before)) {
		return 0, Hash{}, fmt.Errorf("%w: record has no list root", ErrInconsistent)
	}
	if _, err := hex.Decode(root[:], record[start:start+2*len(root)]); err != nil {
		return 0, Hash{}, fmt.Errorf("%w: list root: %v", ErrInconsistent, err)
	}
	_, rest, _ := bytes.Cut(record[:start], []byte(`,"count":`))
	digits, _, ok := bytes.Cut(rest, []byte(","))
	count, err = strconv.ParseUint(string(digits), 10, 64)
	if !ok || err != nil {
		return 0, Hash{}, fmt.Errorf("%w: record has no list count", ErrInconsistent)
	}
	return count, root, nil
}

// listOf returns the event list that record commits to, given the peaks of its rows,
// and the events after them.
func listOf(record []byte, peaks []Hash, tail [][]byte) (list, error) {
	count, want, err := committed(record)
	if err != nil {
		return list{}, err
	}
	if uint64(len(tail)) != count%rowLen {
		return list{}, fmt.Errorf("%w: %d of %d events are with the record", ErrInconsistent, len(tail), count)
	}
	l, err := list{count - count%rowLen, peaks}.grow(tail...)
	if err != nil {
		return list{}, fmt.Errorf("%w: peaks of %d events: %v", ErrInconsistent, count, err)
	}
	if got, err := l.root(); err != nil || got != want {
		return list{}, fmt.Errorf("%w: the %d events do not give the list root", ErrInconsistent, count)
	}
	return l, nil
}
