// Package seal reads and writes the last leaf of every published checkpoint,
// which commits to the status of everything before it. SPEC.md beside this
// file is the format.
//
// Invariants:
//
//   - Parse(b) succeeds only if Marshal gives b again.
//   - Nothing here believes a seal: whether it is live is Live's answer, and
//     whether it is right only a reader that recomputed it can say.
package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Prefix begins every leaf that is a seal or pretends to be one.
const Prefix = "standing/seal/"

const firstLine = Prefix + "v1"

// Hash is a SHA-256 value.
type Hash = [32]byte

// Seal is a parsed seal leaf. Its fields are the lines of SPEC.md, in order.
type Seal struct {
	Origin         string
	Index          uint64
	Prev           *uint64 // nil in the first seal
	MapFn          uint16
	SealedAt       uint64 // Unix seconds
	Keys           uint64 // of the status map
	MapRoot        Hash
	Withdrawals    uint64 // records in the withdrawal list
	WithdrawalRoot Hash
	PrefixRoot     Hash
}

// ErrMalformed is wrapped by every error of Parse.
var ErrMalformed = errors.New("malformed seal")

const (
	maxSize   = 1024
	maxNumber = 1 << 53
	maxTime   = 1 << 40
)

var originPattern = regexp.MustCompile(`^[a-z0-9./-]{1,255}$`)

// Is reports whether a leaf is a seal or a stray: it is no entry.
func Is(leaf []byte) bool { return bytes.HasPrefix(leaf, []byte(Prefix)) }

// Marshal returns the leaf.
func (s *Seal) Marshal() []byte {
	prev := "-"
	if s.Prev != nil {
		prev = strconv.FormatUint(*s.Prev, 10)
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, "%s\n%s\n%d\n%s\n%d\n%d\n%d\n%s\n%d\n%s\n%s\n",
		firstLine, s.Origin, s.Index, prev, s.MapFn, s.SealedAt, s.Keys, b64(s.MapRoot[:]),
		s.Withdrawals, b64(s.WithdrawalRoot[:]), b64(s.PrefixRoot[:]))
}

// Parse parses a seal leaf.
func Parse(leaf []byte) (*Seal, error) {
	if len(leaf) > maxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(leaf))
	}
	// SPEC: eleven lines, each ended by LF, and nothing after.
	lines := strings.Split(string(leaf), "\n")
	if len(lines) != 12 || lines[11] != "" || lines[0] != firstLine {
		return nil, fmt.Errorf("%w: not eleven lines that begin with %s", ErrMalformed, firstLine)
	}
	if !originPattern.MatchString(lines[1]) {
		return nil, fmt.Errorf("%w: line 2 is not an origin", ErrMalformed)
	}
	p := parser{lines: lines}
	s := &Seal{Origin: lines[1], Index: p.number(3, maxNumber)}
	if lines[3] != "-" {
		prev := p.number(4, maxNumber)
		s.Prev = &prev
	}
	s.MapFn = uint16(p.number(5, 1<<16))
	s.SealedAt = p.number(6, maxTime)
	s.Keys = p.number(7, maxNumber)
	s.MapRoot = p.hash(8)
	s.Withdrawals = p.number(9, maxNumber)
	s.WithdrawalRoot = p.hash(10)
	s.PrefixRoot = p.hash(11)
	if p.err == nil && s.MapFn == 0 {
		p.err = fmt.Errorf("%w: line 5 is 0", ErrMalformed)
	}
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}

type parser struct {
	lines []string
	err   error
}

// number parses line n, counted from 1, as a decimal below limit.
func (p *parser) number(n int, limit uint64) uint64 {
	v, err := strconv.ParseUint(p.lines[n-1], 10, 64)
	if p.err == nil && (err != nil || v >= limit || strconv.FormatUint(v, 10) != p.lines[n-1]) {
		p.err = fmt.Errorf("%w: line %d is not a decimal below %d", ErrMalformed, n, limit)
	}
	return v
}

func (p *parser) hash(n int) Hash {
	b, err := base64.StdEncoding.DecodeString(p.lines[n-1])
	if err != nil || len(b) != 32 || base64.StdEncoding.EncodeToString(b) != p.lines[n-1] {
		if p.err == nil {
			p.err = fmt.Errorf("%w: line %d is not 32 bytes of base64", ErrMalformed, n)
		}
		return Hash{}
	}
	return Hash(b)
}

// Live parses a leaf that stands at index of the log with the given origin,
// prefix being the root of the leaves before it.
//
// SPEC: live iff it parses, its origin and index are those of the log and of
// the leaf, and its prefix root is the root of the leaves before it.
func Live(leaf []byte, origin string, index uint64, prefix Hash) (*Seal, bool) {
	s, err := Parse(leaf)
	if err != nil || s.Origin != origin || s.Index != index || s.PrefixRoot != prefix {
		return nil, false
	}
	return s, true
}
