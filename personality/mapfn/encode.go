package mapfn

import (
	"encoding/binary"
	"fmt"
)

// Append appends the 41-byte encoding of e to b.
func (e Event) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, e.Index)
	b = append(b, byte(e.Kind))
	return append(b, e.ID[:]...)
}

// ParseEvent parses the encoding made by Append. Every kind is accepted: a
// reader that does not know one must still be able to hash the list.
func ParseEvent(b []byte) (Event, error) {
	if len(b) != EventSize {
		return Event{}, fmt.Errorf("malformed event: %d bytes, want %d", len(b), EventSize)
	}
	return Event{
		Index: binary.BigEndian.Uint64(b),
		Kind:  EventKind(b[8]),
		ID:    Hash(b[9:]),
	}, nil
}

// Append appends the 60-byte encoding of w to b.
func (w Withdrawal) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, w.Index)
	b = append(b, byte(w.Kind), w.Reason)
	b = binary.BigEndian.AppendUint16(b, w.Flags)
	b = append(b, w.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, w.From)
	return binary.BigEndian.AppendUint64(b, w.To)
}

// ParseWithdrawal parses the encoding made by Append. Every kind is accepted;
// a verifier that meets one it does not know answers NO_EVIDENCE.
func ParseWithdrawal(b []byte) (Withdrawal, error) {
	if len(b) != WithdrawalSize {
		return Withdrawal{}, fmt.Errorf("malformed withdrawal: %d bytes, want %d", len(b), WithdrawalSize)
	}
	return Withdrawal{
		Index:  binary.BigEndian.Uint64(b),
		Kind:   WithdrawalKind(b[8]),
		Reason: b[9],
		Flags:  binary.BigEndian.Uint16(b[10:]),
		ID:     Hash(b[12:44]),
		From:   binary.BigEndian.Uint64(b[44:]),
		To:     binary.BigEndian.Uint64(b[52:]),
	}, nil
}
