package mapstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/standing-log/standing/internal/backend"
)

// address is where the record of a leaf lies: the version that wrote it and, above
// that, 0 if the record is alone, else the number of its page, counted from 1. So a
// leaf leads to its record without a search, and a stub needs no more memory.
type address uint64

// versionBits is enough for 10,000 leaves a second in 50 years; the rest is enough
// for the pages of a batch. A record for which it is not is alone.
const (
	versionBits = 44
	maxPage     = 1<<(64-versionBits) - 1
)

// pageRecords is the number of records in a page. To store a key costs the store as
// much as to store some hundred bytes, and merging it again and again even more; a
// larger page has more to read for one record.
const pageRecords = 16

// alone is the address of a record that takes the place of an older one. Such a
// record is superseded again and again, and then has to go.
func alone(version uint64) address { return address(version) }

// paged is the address of the record of the i-th key that is new with version. A page
// is gone as a whole or not at all, and is not pruned: what stays of no use is at most
// the first record of each key.
func paged(version uint64, i int) address {
	return inPage(version, uint64(i/pageRecords)+1)
}

func inPage(version, page uint64) address {
	if page > maxPage {
		return alone(version)
	}
	return address(page<<versionBits | version)
}

func (a address) version() uint64 { return uint64(a) & (1<<versionBits - 1) }

// page returns the number of the page, or 0 if the record is in none.
func (a address) page() uint64 { return uint64(a) >> versionBits }

// key returns the key of the page with the record of a map key, or of the record if
// it is alone.
func (a address) key(key *Hash) []byte {
	if a.page() == 0 {
		return recordKey(a.version(), *key)
	}
	return pageKey(a.version(), uint32(a.page()))
}

// leafValue returns what is stored of a leaf: the value hash and, if its record is in
// a page, the number of that in three bytes.
func (a address) leafValue(vh *Hash) []byte {
	b := append(make([]byte, 0, len(vh)+3), vh[:]...)
	if p := a.page(); p > 0 {
		b = append(b, byte(p>>16), byte(p>>8), byte(p))
	}
	return b
}

// parseLeafValue returns the value hash and the address in what is stored of a leaf
// of version.
func parseLeafValue(b []byte, version uint64) (vh Hash, a address, ok bool) {
	if version >= 1<<versionBits || len(b) != len(vh) && len(b) != len(vh)+3 {
		return Hash{}, 0, false
	}
	if copy(vh[:], b); len(b) == len(vh) {
		return vh, alone(version), true
	}
	page := uint64(b[32])<<16 | uint64(b[33])<<8 | uint64(b[34])
	return vh, inPage(version, page), 0 < page && page <= maxPage
}

// pages returns the pages with the records of the changes, which are sorted by key.
func pages(changes []change) []backend.Write {
	var out []backend.Write
	for i := range changes {
		c := &changes[i]
		if c.at.page() == 0 {
			continue
		}
		key := c.at.key(&c.key)
		if n := len(out); n == 0 || !bytes.Equal(out[n-1].Key, key) {
			out = append(out, backend.Write{Key: key, Value: make([]byte, 0, pageRecords*256)})
		}
		page := &out[len(out)-1].Value
		*page = append(*page, c.key[:]...)
		length := len(*page)
		*page = appendStored(append(*page, 0, 0, 0, 0), c.record.ns, c.record.stored)
		binary.BigEndian.PutUint32((*page)[length:], uint32(len(*page)-length-4))
	}
	return out
}

// scanPage calls fn with each record of a page until it returns false.
func scanPage(page []byte, fn func(key *Hash, record []byte) bool) error {
	const before = len(Hash{}) + 4
	for len(page) > 0 {
		if len(page) < before {
			return errForm
		}
		key, n := Hash(page[:len(Hash{})]), uint64(binary.BigEndian.Uint32(page[len(Hash{}):]))
		if page = page[before:]; uint64(len(page)) < n {
			return errForm
		}
		if !fn(&key, page[:n:n]) {
			return nil
		}
		page = page[n:]
	}
	return nil
}

// recordIn returns the record of key in a page, or nil.
func recordIn(page []byte, key *Hash) (record []byte, err error) {
	err = scanPage(page, func(k *Hash, r []byte) bool {
		if *k == *key {
			record = r
		}
		return record == nil
	})
	return record, err
}

// lend calls fn with the stored form of the record of a leaf, which is valid during the
// call.
func (s *Snapshot) lend(l *leaf, fn func(stored []byte) error) error {
	corrupt := func(what string, err error) error {
		return fmt.Errorf("%w: %s %x of version %d: %w", ErrCorrupt, what, l.key, l.at.version(), err)
	}
	return s.view.Read(l.at.key(&l.key), func(value []byte) error {
		if l.at.page() > 0 {
			var err error
			if value, err = recordIn(value, &l.key); err != nil {
				return corrupt("page with record", err)
			}
		}
		if value == nil {
			return corrupt("record", errors.New("it is missing"))
		}
		return fn(value)
	})
}
