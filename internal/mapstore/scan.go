package mapstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
	"github.com/standing-log/standing/personality/treehash"
)

// scan returns the entries [first, first+n) of the list l, clipped to its
// length, whose keys are that of the first with the number counted up.
func (s *Snapshot) scan(from []byte, first, n uint64, l list) ([][]byte, error) {
	if first >= l.count || n == 0 {
		return nil, nil
	}
	n = min(n, l.count-first)
	out, err := s.numbered(from, n)
	if err != nil {
		return nil, err
	}
	if n == l.count {
		whole, err := list{}.grow(out...)
		if err != nil {
			return nil, err
		}
		if !equal(whole.peaks, l.peaks) {
			return nil, fmt.Errorf("%w: the %d entries have another root", ErrCorrupt, n)
		}
	}
	return out, nil
}

// numbered returns the n values at the key from and those after it, which
// differ from it in the number at their end only.
func (s *Snapshot) numbered(from []byte, n uint64) ([][]byte, error) {
	first := binary.BigEndian.Uint64(from[len(from)-8:])
	to := bytes.Clone(from)
	binary.BigEndian.PutUint64(to[len(to)-8:], first+n)
	var out [][]byte
	err := s.view.Scan(from, to, func(key, value []byte) bool {
		if len(key) != len(from) || binary.BigEndian.Uint64(key[len(key)-8:]) != first+uint64(len(out)) {
			return false
		}
		out = append(out, bytes.Clone(value))
		return true
	})
	if err != nil {
		return nil, err
	}
	if uint64(len(out)) != n {
		return nil, fmt.Errorf("%w: entry %d is missing", ErrCorrupt, first+uint64(len(out)))
	}
	return out, nil
}

func equal(a, b []Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// oneEvent stands for the number of peaks in the stored form of a record with a list
// of one event. Most lists stay that: then there is one key less to store and to read.
const oneEvent = 255

// marshalStored returns the stored form of a record in namespace ns.
func marshalStored(ns mapfn.NS, st stored) []byte {
	b := make([]byte, 0, 2+max(32*len(st.list.peaks), len(st.only))+len(st.record))
	if st.only != nil {
		b = append(append(b, byte(ns), oneEvent), st.only...)
		return append(b, st.record...)
	}
	b = append(b, byte(ns), byte(len(st.list.peaks)))
	for _, p := range st.list.peaks {
		b = append(b, p[:]...)
	}
	return append(b, st.record...)
}

// parseStored parses a stored record and returns its value hash, too.
func parseStored(ns mapfn.NS, b []byte) (stored, Hash, error) {
	if len(b) < 2 || b[0] != byte(ns) {
		return stored{}, Hash{}, errForm
	}
	before := 32 * int(b[1])
	if b[1] == oneEvent {
		before = mapfn.EventSize
	}
	if len(b) < 2+before {
		return stored{}, Hash{}, errForm
	}
	var st stored
	var peaks []Hash
	if b, st.record = b[:2+before], b[2+before:]; b[1] == oneEvent {
		st.only = b[2:]
		peaks = []Hash{Hash(treehash.Leaf(st.only))}
	} else {
		peaks = hashes(b[2:])
	}
	vh := statusmap.ValueHash(byte(ns), st.record)
	if !hasList(ns) {
		if len(peaks) != 0 {
			return stored{}, Hash{}, errors.New("peaks without a list")
		}
		return st, vh, nil
	}
	var err error
	if st.list, err = listOf(st.record, peaks); err == nil && (st.list.count == 1) != (st.only != nil) {
		err = errForm
	}
	return st, vh, err
}
