package mapstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/standing-log/standing/internal/backend"
)

// staleChunk is the number of keys in one prune list.
const staleChunk = 64

// appendStale appends to writes the prune lists of the keys for which there is
// no use from version until on.
func appendStale(writes []backend.Write, until uint64, stale [][]byte) []backend.Write {
	chunk := uint32(0)
	for keys := range slices.Chunk(stale, staleChunk) {
		value := []byte{format}
		for _, k := range keys {
			value = append(value, byte(len(k)-1))
			value = append(value, k[1:]...)
		}
		key := pruneKey(until, chunk)
		writes = append(writes, backend.Write{Key: key, Value: addSum(key, value)})
		chunk++
	}
	return writes
}

// parseStale returns the keys in a prune list.
func parseStale(key, value []byte) ([][]byte, error) {
	b, err := checkSum(key, value)
	if err != nil || len(key) != len(pruneKey(0, 0)) {
		return nil, fmt.Errorf("%w: prune list %x", ErrCorrupt, key)
	}
	var out [][]byte
	for len(b) > 0 {
		n := int(b[0]) + 1
		// Lists and heads are never superseded: whatever the list says, they
		// are not deleted here.
		if n < 2 || n > len(b) || b[1] != kindLeaf && b[1] != kindRecord && b[1] != kindVersion {
			return nil, fmt.Errorf("%w: prune list %x", ErrCorrupt, key)
		}
		out = append(out, append([]byte{prefix}, b[1:n]...))
		b = b[n:]
	}
	return out, nil
}

// prune appends to writes deletions of what no version from h.keep on uses, at
// most about twice as many as there are writes, and returns the new cursor.
func (b *Batch) prune(writes []backend.Write, h head) ([]backend.Write, uint64, error) {
	last := min(h.keep, b.base.meta.version)
	if h.cursor > last {
		return writes, h.cursor, nil
	}
	limit := len(writes) + staleChunk + 2*len(writes)
	cursor := last + 1
	var bad error
	err := b.base.view.Scan(pruneKey(h.cursor, 0), pruneKey(last+1, 0), func(key, value []byte) bool {
		if len(writes) >= limit && len(key) == len(pruneKey(0, 0)) {
			cursor = binary.BigEndian.Uint64(key[2:])
			return false
		}
		var stale [][]byte
		if stale, bad = parseStale(key, value); bad != nil {
			return false
		}
		for _, k := range stale {
			writes = append(writes, backend.Write{Key: k})
		}
		writes = append(writes, backend.Write{Key: bytes.Clone(key)})
		return true
	})
	if err == nil {
		err = bad
	}
	return writes, cursor, err
}
