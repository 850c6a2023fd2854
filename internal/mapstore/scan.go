package mapstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/statusmap"
)

// rowLen is the number of events in a row. Those of a list after its last full row
// lie with the record: most lists are that short, and have no key of their own for
// their events; of the others, to store a key costs as much as what is in it.
const rowLen = 16

// events returns up to n events of the list of st, which is at key, from first on.
// If they are all, they have been checked against its root.
func (s *Snapshot) events(key Hash, st stored, first, n uint64) ([]mapfn.Event, error) {
	count := st.list.count
	if first >= count || n == 0 {
		return nil, nil
	}
	n = min(n, count-first)
	raw, from, err := s.rows(key, count/rowLen, first, n)
	if err != nil {
		return nil, fmt.Errorf("events of %x: %w", key, err)
	}
	// What is asked for may end before the rows do; if not, the tail goes on there.
	events := entries(append(raw, st.tail...))[first-from:][:n]
	if n == count {
		whole, err := list{}.grow(events...)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(whole.peaks, st.list.peaks) {
			return nil, fmt.Errorf("%w: the %d events of %x have another root", ErrCorrupt, n, key)
		}
	}
	out := make([]mapfn.Event, n)
	for i := range out {
		if out[i], err = mapfn.ParseEvent(events[i]); err != nil {
			return nil, fmt.Errorf("%w: event %d of %x: %v", ErrCorrupt, first+uint64(i), key, err)
		}
	}
	return out, nil
}

// rows returns the rows, of which there are so many, that have some of the n events
// from first on, and the number of the first event in them. If there are none, that
// is the one after all rows.
func (s *Snapshot) rows(key Hash, rows, first, n uint64) (raw []byte, from uint64, err error) {
	row := min(first/rowLen, rows)
	end := min((first+n+rowLen-1)/rowLen, rows)
	if row < end {
		values, err := s.numbered(eventKey(key, row), end-row)
		if err != nil {
			return nil, 0, err
		}
		for i, v := range values {
			if len(v) != rowLen*mapfn.EventSize {
				return nil, 0, fmt.Errorf("%w: row %d has %d bytes", ErrCorrupt, row+uint64(i), len(v))
			}
		}
		raw = bytes.Join(values, nil)
	}
	return raw, row * rowLen, nil
}

// entries divides events that lie one after the other.
func entries(raw []byte) [][]byte { return slices.Collect(slices.Chunk(raw, mapfn.EventSize)) }

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

// appendStored appends the stored form of a record in namespace ns.
func appendStored(b []byte, ns mapfn.NS, st stored) []byte {
	// The peaks that the tail makes follow from it.
	peaks := st.list.peaks[:bits.OnesCount64(st.list.count/rowLen)]
	b = slices.Grow(b, 3+32*len(peaks)+len(st.tail)+len(st.record))
	b = append(b, byte(ns), byte(len(peaks)), byte(len(st.tail)/mapfn.EventSize))
	for _, p := range peaks {
		b = append(b, p[:]...)
	}
	return append(append(b, st.tail...), st.record...)
}

// parseStored parses a stored record and returns its value hash, too.
func parseStored(ns mapfn.NS, b []byte) (stored, Hash, error) {
	if len(b) < 3 || b[0] != byte(ns) {
		return stored{}, Hash{}, errForm
	}
	peaks, tail, b := 32*int(b[1]), mapfn.EventSize*int(b[2]), b[3:]
	if len(b) < peaks+tail {
		return stored{}, Hash{}, errForm
	}
	st := stored{record: b[peaks+tail:], tail: b[peaks : peaks+tail : peaks+tail]}
	vh := statusmap.ValueHash(byte(ns), st.record)
	if !hasList(ns) {
		if peaks+tail > 0 {
			return stored{}, Hash{}, errors.New("events without a list")
		}
		return st, vh, nil
	}
	var err error
	st.list, err = listOf(st.record, hashes(b[:peaks]), entries(st.tail))
	return st, vh, err
}
