package provider

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/trillian"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	recordVersion = 1
	hashLen       = 32
	// recordFixed is the length of a record before its identity hash.
	recordFixed = 1 + hashLen + 8 + 8 + 1
)

var errRecord = fmt.Errorf("%w: malformed leaf record", ErrDamaged)

// checkLeaf says whether l fits a record.
func checkLeaf(l *trillian.LogLeaf) error {
	switch {
	case l == nil:
		return errors.New("no leaf")
	case l.LeafIndex < 0:
		return fmt.Errorf("leaf index %d: want 0 or more", l.LeafIndex)
	case len(l.MerkleLeafHash) != hashLen:
		return fmt.Errorf("leaf %d: Merkle leaf hash of %d bytes: want %d", l.LeafIndex, len(l.MerkleLeafHash), hashLen)
	case len(l.LeafIdentityHash) == 0 || len(l.LeafIdentityHash) > math.MaxUint8:
		return fmt.Errorf("leaf %d: identity hash of %d bytes: want 1 to %d", l.LeafIndex, len(l.LeafIdentityHash), math.MaxUint8)
	case uint64(len(l.ExtraData)) > math.MaxUint32:
		return fmt.Errorf("leaf %d: extra data of %d bytes", l.LeafIndex, len(l.ExtraData))
	}
	return nil
}

// recordLen returns the length of l's record.
func recordLen(l *trillian.LogLeaf) int {
	return recordFixed + len(l.LeafIdentityHash) + 4 + len(l.ExtraData) + len(l.LeafValue)
}

// appendRecord appends the record of l, which passed checkLeaf. The index is
// the key's business.
func appendRecord(b []byte, l *trillian.LogLeaf, queued, integrated time.Time) []byte {
	b = append(b, recordVersion)
	b = append(b, l.MerkleLeafHash...)
	b = binary.BigEndian.AppendUint64(b, uint64(queued.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(integrated.UnixNano()))
	b = append(b, byte(len(l.LeafIdentityHash)))
	b = append(b, l.LeafIdentityHash...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.ExtraData)))
	b = append(b, l.ExtraData...)
	return append(b, l.LeafValue...)
}

// parseRecord reads a record into a leaf, which keeps b.
func parseRecord(b []byte, index uint64) (*trillian.LogLeaf, error) {
	if len(b) < recordFixed || b[0] != recordVersion {
		return nil, errRecord
	}
	if index > math.MaxInt64 {
		return nil, fmt.Errorf("%w: index %d", errRecord, index)
	}
	l := &trillian.LogLeaf{
		LeafIndex:          int64(index),
		MerkleLeafHash:     b[1 : 1+hashLen : 1+hashLen],
		QueueTimestamp:     nanos(b[1+hashLen:]),
		IntegrateTimestamp: nanos(b[1+hashLen+8:]),
	}
	n := int(b[recordFixed-1])
	rest := b[recordFixed:]
	if n == 0 || len(rest) < n+4 {
		return nil, errRecord
	}
	l.LeafIdentityHash, rest = rest[:n:n], rest[n:]
	extra := uint64(binary.BigEndian.Uint32(rest))
	rest = rest[4:]
	if uint64(len(rest)) < extra {
		return nil, errRecord
	}
	if extra > 0 {
		l.ExtraData = rest[:extra:extra]
	}
	l.LeafValue = rest[extra:]
	return l, nil
}

func nanos(b []byte) *timestamppb.Timestamp {
	return timestamppb.New(time.Unix(0, int64(binary.BigEndian.Uint64(b))))
}
