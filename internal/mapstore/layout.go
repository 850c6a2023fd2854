package mapstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// The first two bytes of all keys: prefix, and the kind of what is stored.
const (
	prefix = 'm'

	kindHead       = 'h'
	kindVersion    = 'v'
	kindLeaf       = 'l'
	kindRecord     = 'r'
	kindPage       = 'f'
	kindEvent      = 'e'
	kindWithdrawal = 'w'
	kindNode       = 'n'
	kindPrune      = 'p'
	kindShortcut   = 's'
)

// format is the first byte of the values that end in a sum.
const format = 4

func headKey() []byte { return []byte{prefix, kindHead} }

func numberedKey(kind byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix, kind}, n)
}

func versionKey(version uint64) []byte { return numberedKey(kindVersion, version) }

func withdrawalKey(i uint64) []byte { return numberedKey(kindWithdrawal, i) }

func nodeKey(level int, i uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix, kindNode, byte(level)}, i)
}

func recordKey(version uint64, key Hash) []byte {
	b := make([]byte, 0, 2+8+32)
	b = append(b, prefix, kindRecord)
	b = binary.BigEndian.AppendUint64(b, version)
	return append(b, key[:]...)
}

func pageKey(version uint64, page uint32) []byte {
	return binary.BigEndian.AppendUint32(numberedKey(kindPage, version), page)
}

func leafKey(key Hash, version uint64) []byte {
	b := make([]byte, 0, 2+32+8)
	b = append(b, prefix, kindLeaf)
	b = append(b, key[:]...)
	return binary.BigEndian.AppendUint64(b, version)
}

func eventKey(key Hash, i uint64) []byte {
	b := make([]byte, 0, 2+32+8)
	b = append(b, prefix, kindEvent)
	b = append(b, key[:]...)
	return binary.BigEndian.AppendUint64(b, i)
}

func pruneKey(until uint64, chunk uint32) []byte {
	return binary.BigEndian.AppendUint32(numberedKey(kindPrune, until), chunk)
}

// path is the place of a tile or bucket: the first n nibbles of the map keys
// below it.
// The rest of bits is zero.
type path struct {
	bits Hash
	n    int
}

// maxNibbles is the number of nibbles of a map key.
const maxNibbles = 64

func (p path) child(nibble int) path {
	p.bits[p.n/2] |= byte(nibble << (4 * (1 - p.n%2)))
	p.n++
	return p
}

// nibble returns the n-th nibble of key.
func nibble(key *Hash, n int) int {
	return int(key[n/2]>>(4*(1-n%2))) & 15
}

// above reports whether key lies below p.
func (p path) above(key *Hash) bool {
	if !bytes.Equal(p.bits[:p.n/2], key[:p.n/2]) {
		return false
	}
	return p.n%2 == 0 || nibble(&p.bits, p.n-1) == nibble(key, p.n-1)
}

// keys returns the bounds of the keys of the leaves below p.
func (p path) keys() (from, to []byte) {
	from = append([]byte{prefix, kindLeaf}, p.bits[:]...)
	to = append([]byte{prefix, kindLeaf}, p.bits[:(p.n+1)/2]...)
	step := 1 << (4 * (p.n % 2)) // a nibble at the end is the upper half of its byte
	for i := len(to) - 1; i > 0; i-- {
		sum := int(to[i]) + step
		to[i], step = byte(sum), sum>>8
	}
	return from, to
}

func (p path) String() string {
	if p.n == 0 {
		return "root"
	}
	return hex.EncodeToString(p.bits[:])[:p.n]
}

// head says what the store holds.
type head struct {
	version uint64 // the latest
	keep    uint64 // versions below are gone, or going
	cursor  uint64 // there is no prune list below
}

func (h head) marshal() []byte {
	b := binary.BigEndian.AppendUint64([]byte{format}, h.version)
	b = binary.BigEndian.AppendUint64(b, h.keep)
	b = binary.BigEndian.AppendUint64(b, h.cursor)
	return addSum(headKey(), b)
}

func parseHead(value []byte) (head, error) {
	b, err := checkSum(headKey(), value)
	if err != nil {
		return head{}, fmt.Errorf("head: %w", err)
	}
	if len(b) != 3*8 {
		return head{}, fmt.Errorf("%w: head", ErrCorrupt)
	}
	return head{
		version: binary.BigEndian.Uint64(b),
		keep:    binary.BigEndian.Uint64(b[8:]),
		cursor:  binary.BigEndian.Uint64(b[16:]),
	}, nil
}

// meta is what is known of a version as a whole.
type meta struct {
	version uint64
	root    Hash
	keys    uint64
	list    list // the withdrawal list
}

func (m meta) marshal() []byte {
	b := append(make([]byte, 0, 1+32+2*8+32*len(m.list.peaks)+32), format)
	b = append(b, m.root[:]...)
	b = binary.BigEndian.AppendUint64(b, m.keys)
	b = binary.BigEndian.AppendUint64(b, m.list.count)
	for _, p := range m.list.peaks {
		b = append(b, p[:]...)
	}
	return addSum(versionKey(m.version), b)
}

func parseMeta(version uint64, value []byte) (meta, error) {
	b, err := checkSum(versionKey(version), value)
	if err != nil || len(b) < 32+2*8 {
		return meta{}, fmt.Errorf("%w: version %d", ErrCorrupt, version)
	}
	m := meta{version: version, root: Hash(b[:32])}
	b = b[32:]
	m.keys, m.list.count = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	b = b[16:]
	if len(b) != 32*bits.OnesCount64(m.list.count) {
		return meta{}, fmt.Errorf("%w: version %d: peaks", ErrCorrupt, version)
	}
	m.list.peaks = hashes(b)
	return m, nil
}

// hashes takes b, whose length is a multiple of 32, apart.
func hashes(b []byte) []Hash {
	var out []Hash
	for ; len(b) >= 32; b = b[32:] {
		out = append(out, Hash(b[:32]))
	}
	return out
}

// addSum appends to a value that no hash in the map covers one of its own. It
// protects against accidents; against malice, the caller compares with the
// seal.
func addSum(key, value []byte) []byte {
	s := sum(key, value)
	return append(value, s[:]...)
}

// checkSum returns value without its format and its sum.
func checkSum(key, value []byte) ([]byte, error) {
	n := len(value) - 32
	if n < 1 || sum(key, value[:n]) != Hash(value[n:]) {
		return nil, ErrCorrupt
	}
	if value[0] != format {
		return nil, fmt.Errorf("%w: written in format %d, and not %d", ErrCorrupt, value[0], format)
	}
	return value[1:n], nil
}

func sum(key, value []byte) Hash {
	h := sha256.New()
	h.Write(key)
	h.Write(value)
	return Hash(h.Sum(nil))
}
