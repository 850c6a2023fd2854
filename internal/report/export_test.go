package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// Sign gives a file the digest that fits.
func Sign(data []byte) []byte {
	data = bytes.Clone(data)
	if at, end := len(head), len(head)+len(zeros); len(data) >= end && bytes.HasPrefix(data, []byte(head)) {
		copy(data[at:end], zeros)
		digest := sha256.Sum256(data)
		hex.Encode(data[at:], digest[:])
	}
	return data
}
