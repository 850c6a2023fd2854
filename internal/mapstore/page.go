package mapstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/standing-log/standing/internal/backend"
)

// address is where the record of a leaf lies: the version that wrote it, in the
// lower 56 bits, and above them 0 if the record is alone, else 1 and the number of
// bits by which the version's pages are told apart. So a leaf leads to its record
// without a search, and a stub needs no more memory.
type address uint64

// versionBits is enough for a leaf a microsecond for 2,000 years; maxSplit is how many
// bits a page's key has room for.
const (
	versionBits = 56
	maxSplit    = 16
)

// alone is the address of a record that takes the place of an older one. Such a
// record is superseded again and again, and then has to go.
func alone(version uint64) address { return address(version) }

// isAlone reports whether the record is in no page.
func (a address) isAlone() bool { return a>>versionBits == 0 }

// paged is the address of the records of keys that are new with version, of which
// there are n. A page that is gone as a whole or not at all cannot be pruned; what
// stays of no use is at most the first record of each key.
func paged(version uint64, n int) address {
	return inPage(version, min(bits.Len(uint(max(n-1, 0)/pageRecords)), maxSplit))
}

func inPage(version uint64, split int) address {
	return address(uint64(1+split)<<versionBits | version)
}

// split is the number of bits of a map key that tell the page.
func (a address) split() int { return int(a>>versionBits) - 1 }

// pageRecords is the number of records in a page, about. To store a key costs the
// store as much as to store some hundred bytes, and merging it again and again even
// more; a larger page has more to read for one record.
const pageRecords = 16

func (a address) version() uint64 { return uint64(a) & (1<<versionBits - 1) }

// key returns the key of the page with the record of a map key, or of the record if
// it is alone.
func (a address) key(key *Hash) []byte {
	if a.isAlone() {
		return recordKey(a.version(), *key)
	}
	return pageKey(a.version(), binary.BigEndian.Uint16(key[:])&^(0xffff>>a.split()))
}

// leafValue returns what is stored of a leaf: the value hash and, after it, how the
// pages are told apart if the record is in one.
func (a address) leafValue(vh *Hash) []byte {
	b := append(make([]byte, 0, len(vh)+1), vh[:]...)
	if !a.isAlone() {
		b = append(b, byte(a.split()))
	}
	return b
}

// parseLeafValue returns the value hash and the address in what is stored of a leaf
// of version.
func parseLeafValue(b []byte, version uint64) (vh Hash, a address, ok bool) {
	switch n := len(b) - len(vh); {
	case version >= 1<<versionBits || n < 0 || n > 1 || n == 1 && b[len(vh)] > maxSplit:
		return Hash{}, 0, false
	case n == 1:
		return Hash(b[:len(vh)]), inPage(version, int(b[len(vh)])), true
	}
	return Hash(b), alone(version), true
}

// pages returns the pages with the records of the changes, sorted by key, that bring
// new keys.
func pages(changes []change) []backend.Write {
	var out []backend.Write
	for i := range changes {
		c := &changes[i]
		if c.old > 0 {
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

// raw returns the stored form of the record of a leaf, as far as it is there.
func (s *Snapshot) raw(l *leaf) ([]byte, error) {
	value, err := s.view.Get(l.at.key(&l.key))
	if err != nil {
		return nil, fmt.Errorf("reading record %x: %w", l.key, err)
	}
	if !l.at.isAlone() {
		page := value
		value = nil
		if err := scanPage(page, func(key *Hash, record []byte) bool {
			if *key == l.key {
				value = record
			}
			return value == nil
		}); err != nil {
			return nil, fmt.Errorf("%w: page with record %x of version %d: %v", ErrCorrupt, l.key, l.at.version(), err)
		}
	}
	if value == nil {
		return nil, fmt.Errorf("%w: record %x of version %d is missing", ErrCorrupt, l.key, l.at.version())
	}
	return value, nil
}
